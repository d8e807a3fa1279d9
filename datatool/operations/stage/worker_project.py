"""The project in which a worker keeps what it makes, and what it is told of the one that it works for."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from datatool.config.edit import set_values
from datatool.config.keys import Scope, lookup
from datatool.config.load import PROJECT_FOLDER, load_config
from datatool.config.places import user_cache_dir
from datatool.errors import DatatoolError, ProjectNotFound, Refused
from datatool.hashing import digest
from datatool.operations.stage.home import Home
from datatool.operations.stage.task import Origin
from datatool.project.project import CONFIG, Project, find_root
from datatool.remote.url import DIRECTORY, parse_url

_TOLD: Final = ("remote", "read", "remotes", "stages")
"""What a worker is told: the first words of settings."""
_INSTALLED: Final = ("site-packages", "dist-packages")
_LOGIN: Final = re.compile(r"(?<=://)([^/?#@:]*):[^/?#]*@")


def origin_of(project: Project, home: Home, file: str, mark: str) -> Origin:
    """What a worker is told of a project and of a stage's file."""
    return Origin(
        project=project.config.project or "",
        root=os.fspath(project.root),
        settings=dict(_settings(project)),
        start=_inside(home.start, project.root),
        file=_inside(Path(os.path.realpath(file)), project.root),
        mark=mark,
    )


def home_for(
    origin: Origin, file: str, *, carried: bool, environ: Mapping[str, str], cwd: Path | None
) -> tuple[Path, Home]:
    """Where a worker works: the root of its project, and where it finds code, counted from the root that the stage's
    own file shows; one whose code was `carried` has none.

    Its project is the one around that code, else around the working directory, else at the same place, where that is
    the same project. Else one is made among the user's caches, of nothing but the settings. Raises LocalError, and
    Refused for code of which nobody can tell what of it is the project's.
    """
    real = os.path.realpath(file)
    code = _code_root(real, origin.file)
    if not carried and origin.file is not None and (code is None or code.name in _INSTALLED):
        raise Refused(
            f"{file}: lies in no copy of the project, where it is {origin.file}, so a worker can't compare it",
            hint="start the workers in a clone of the project, or give them a copy of its files by PYTHONPATH",
        )
    root = next(_roots(origin, [code, cwd, Path(origin.root)]), None) or _scratch(origin, environ)
    top = code or root
    start = top / origin.start if origin.start is not None else None
    return root, Home(root=top, directory=os.path.dirname(real) if os.path.isfile(real) else None, start=start)


def _settings(project: Project) -> Iterator[tuple[str, str]]:
    for key, setting in project.config.settings.items():
        row = lookup(key)
        if row is None or row.secret or Scope.PROJECT not in row.scopes or key.partition(".")[0] not in _TOLD:
            continue
        value = setting.value
        if row.pattern == "remotes.NAME.url":
            place = parse_url(value, root=project.root)
            value = place.path if place.protocol == DIRECTORY else _LOGIN.sub(r"\1@", value).partition("?")[0]
        yield key, value


def _inside(path: Path | None, root: Path) -> str | None:
    return path.relative_to(root).as_posix() if path is not None and path.is_relative_to(root) else None


def _code_root(real: str, file: str | None) -> Path | None:
    """The directory from which a file has the path that it has in its project."""
    suffix = os.sep + file.replace("/", os.sep) if file is not None else ""
    found = real.endswith(suffix) and suffix and os.path.isfile(real)
    return Path(real[: -len(suffix)] or os.sep) if found else None


def _roots(origin: Origin, places: list[Path | None]) -> Iterator[Path]:
    for place in places:
        if place is None:
            continue
        try:
            root = find_root(place)
            if load_config(root=root, local_dir=None, flags={}, environ={}).project == origin.project:
                yield root
        except (ProjectNotFound, DatatoolError):
            continue


def _scratch(origin: Origin, environ: Mapping[str, str]) -> Path:
    root = user_cache_dir(environ) / "workers" / digest(origin.project.encode())
    config = root / PROJECT_FOLDER / CONFIG
    before = load_config(root=root, local_dir=None, flags={}, environ={}).settings if config.exists() else {}
    gone = {key: None for key, setting in before.items() if setting.origin == Scope.PROJECT}
    set_values(config, {**gone, "project": origin.project, **origin.settings})
    return root
