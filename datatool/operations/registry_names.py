"""Names for registries, in the configuration of the project or of the user."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from datatool.config.edit import scope_path, set_value, unset_value
from datatool.config.keys import Scope, is_name
from datatool.errors import NotFoundError, UsageError
from datatool.git.clones import is_repository_url
from datatool.git.transport import refuse_secret
from datatool.model.paths import show
from datatool.model.urls import without_secrets
from datatool.operations.reach import settings_here
from datatool.operations.result import Result
from datatool.project.project import Project


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedRegistry(Result):
    """A name, the URL or path that it stands for, and whether the user trusts what is there."""

    name: str
    url: str
    trust: bool


def add_registry(
    project: Project | None, name: str, url: str, *, cwd: Path, trust: bool = False, user: bool = False
) -> NamedRegistry:
    """Let a name stand for a registry. A path is of this machine, so it is kept in the user's own configuration, as an
    absolute one; so is `trust`, as what a project commits can't speak for its users.

    Raises UsageError, also for a name that stands for another registry already; NotFoundError for a path to nothing.
    """
    if not is_name(name):
        raise UsageError(f"{show(name)}: a name has only ASCII letters, digits, '_', '-' and '.'")
    if not url:
        raise UsageError("the URL is empty", hint="name a directory, or a URL that git understands")
    refuse_secret(url)
    is_path = not is_repository_url(url)
    kept = os.path.normpath(cwd / os.path.expanduser(url)) if is_path else url
    if is_path and not os.path.isdir(kept):
        raise NotFoundError(f"{show(url)}: no such directory", hint="check the path", path=url)
    for one in list_registries(project, environ=os.environ):
        if one.name == name and one.url != without_secrets(kept):
            raise UsageError(
                f"{show(name)}: stands for {show(one.url)} already",
                hint=f"datatool registry remove {show(name)}, or choose another name",
            )
    own = user or project is None or is_path
    set_value(_path(None if own else project, own), f"registries.{name}.url", kept)
    if trust:
        set_value(_path(None, True), f"registries.{name}.trust", "true")
    return NamedRegistry(name=name, url=kept, trust=trust)


def list_registries(project: Project | None, *, environ: Mapping[str, str]) -> tuple[NamedRegistry, ...]:
    """Every registry that has a name here, sorted; URLs as they may be shown."""
    config = settings_here(project, flags={}, environ=environ)
    return tuple(
        NamedRegistry(name=name, url=without_secrets(settings["url"]), trust=config.flag(f"registries.{name}.trust"))
        for name, settings in sorted(config.registries().items())
        if "url" in settings
    )


def remove_registry(project: Project | None, name: str, *, environ: Mapping[str, str]) -> NamedRegistry:
    """Forget a name, wherever it is kept. Raises NotFoundError, with the nearest."""
    found = {one.name: one for one in list_registries(project, environ=environ)}
    if name not in found:
        near = difflib.get_close_matches(name, list(found), n=1)
        raise NotFoundError(
            f"{show(name)}: no registry of that name",
            hint=f"did you mean {near[0]}?" if near else "datatool registry list shows those that there are",
        )
    places = [_path(None, True)] + ([] if project is None else [_path(project, False)])
    for place in places:
        for key in ("url", "trust"):
            unset_value(place, f"registries.{name}.{key}")
    return found[name]


def _path(project: Project | None, own: bool) -> Path:
    if own or project is None:
        return scope_path(Scope.USER, None, None)
    return scope_path(Scope.PROJECT, project.root, project.local)
