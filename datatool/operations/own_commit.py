"""This project at one of its own commits: read as a registry is, with its own cache and the settings that hold now."""

from __future__ import annotations

import os
from collections.abc import Mapping

from datatool.config.places import user_cache_dir
from datatool.git.revision import resolve
from datatool.operations.open_project import require_git
from datatool.operations.remote_access import JOBS
from datatool.project.project import Project
from datatool.registry.catalog import Catalog
from datatool.registry.open import Place, open_registry


def open_own_commit(
    project: Project,
    rev: str,
    *,
    environ: Mapping[str, str],
    given: Mapping[str, str] | None = None,
    offline: bool = False,
) -> Catalog:
    """Everything that was kept here at a revision, whoever kept it then. `given` are the settings of a remote to read
    from instead of those that the configuration names.

    Raises LocalError without git, RevisionNotFound.
    """
    commit = resolve(require_git(project), rev)
    config = project.config
    place = Place(
        where=os.fspath(project.root),
        base=project.root,
        home=user_cache_dir(environ),
        environ=environ,
        given=given,
        trusted=True,
        config={key: setting.value for key, setting in config.settings.items()},
        offline=offline or config.flag("offline"),
        jobs=config.number("jobs") or JOBS,
        bandwidth=config.number("bandwidth"),
    )
    return open_registry(place, commit, project.cache)
