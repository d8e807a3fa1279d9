"""Names for registries, in the configuration of the project or of the user."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from datatool.config.edit import scope_path, set_value, unset_value
from datatool.config.keys import Scope, is_name, proper_name
from datatool.config.load import Config, load_config
from datatool.errors import NotFoundError, UsageError
from datatool.git.clones import is_repository_url
from datatool.git.transport import refuse_secret
from datatool.model.paths import show
from datatool.model.urls import without_secrets
from datatool.operations.reach import settings_here
from datatool.operations.result import Result, fields_of
from datatool.project.project import Project

_PROJECTS: Final = (Scope.LOCAL, Scope.PROJECT)


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedRegistry(Result):
    """A name, the URL or path that it stands for, and whether the user trusts what is there."""

    name: str
    url: str
    trust: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class AddedRegistry(Result):
    """A name that was given, in which scope and file; `path_only`: to a path, which others need to have too."""

    name: str
    url: str
    trust: bool
    scope: str
    path: str
    path_only: bool

    def to_dict(self) -> dict[str, object]:
        """As `--json` prints it."""
        return fields_of(self, "path_only")


def add_registry(
    project: Project | None,
    name: str,
    url: str,
    *,
    cwd: Path,
    environ: Mapping[str, str],
    trust: bool = False,
    user: bool = False,
) -> AddedRegistry:
    """Let a name stand for a registry, in the project's committed configuration, or in the user's own with `user` and
    outside a project. A relative path is kept relative to the project's root. `trust` is always the user's own, as what
    a project commits can't speak for its users, and is kept with the URL: a project that gives the name to another one
    is not trusted.

    Raises UsageError, also for a name that stands for another registry there; NotFoundError for a path to nothing.
    """
    if not is_name(name):
        raise UsageError(
            f"{show(name)}: a name has only ASCII letters, digits, '_', '-' and '.'",
            hint=f"such as {proper_name(name)}",
        )
    if not url:
        raise UsageError("the URL is empty", hint="name a directory, or a URL that git understands")
    refuse_secret(url)
    is_path = not is_repository_url(url)
    if is_path and not os.path.isdir(cwd / os.path.expanduser(url)):
        raise NotFoundError(f"{show(url)}: no such directory", hint="check the path", path=url)
    root = None if user or project is None else project.root
    kept = _kept_path(url, cwd, root) if is_path else url
    own = load_config(root=None, local_dir=None, flags={}, environ=environ)
    config = own if root is None or project is None else project.config
    _require_free(config, name, kept, everywhere=root is None)
    if trust:
        trusted = _kept_path(url, cwd, None) if is_path else url
        _require_free(own, name, trusted, everywhere=True)
        set_value(_user_file(), f"registries.{name}.url", trusted)
        set_value(_user_file(), f"registries.{name}.trust", "true")
    scope = Scope.USER if root is None else Scope.PROJECT
    path = scope_path(scope, root, None)
    set_value(path, f"registries.{name}.url", kept)
    return AddedRegistry(
        name=name, url=kept, trust=trust, scope=scope, path=os.fspath(path), path_only=is_path and root is not None
    )


def _kept_path(path: str, cwd: Path, root: Path | None) -> str:
    """A path as it is kept: absolute for the user, as for a remote in a project."""
    full = os.path.normpath(cwd / os.path.expanduser(path))
    if root is None or os.path.isabs(os.path.expanduser(path)):
        return full
    return Path(os.path.relpath(os.path.realpath(full), root)).as_posix()


def _require_free(config: Config, name: str, url: str, *, everywhere: bool) -> None:
    """Raise UsageError where a name stands for another registry already; the user's own does not bind a project."""
    known = config.registries().get(name, {}).get("url")
    if known in (None, url) or not (everywhere or config.origin(f"registries.{name}.url") != Scope.USER):
        return
    raise UsageError(
        f"{show(name)}: stands for {show(without_secrets(known))} already",
        hint=f"datatool registry remove {show(name)}, or choose another name",
    )


def list_registries(project: Project | None, *, environ: Mapping[str, str]) -> tuple[NamedRegistry, ...]:
    """Every registry that has a name here, sorted; URLs as they may be shown."""
    config = settings_here(project, flags={}, environ=environ)
    return tuple(
        NamedRegistry(name=name, url=without_secrets(settings["url"]), trust=config.flag(f"registries.{name}.trust"))
        for name, settings in sorted(config.registries().items())
        if "url" in settings
    )


def remove_registry(project: Project | None, name: str, *, environ: Mapping[str, str]) -> NamedRegistry:
    """Forget a name where it holds: the project's, else the user's own; with it that the user trusts the same URL.
    Raises NotFoundError, with the nearest."""
    found = {one.name: one for one in list_registries(project, environ=environ)}
    if name not in found:
        near = difflib.get_close_matches(name, list(found), n=1)
        raise NotFoundError(
            f"{show(name)}: no registry of that name",
            hint=f"did you mean {near[0]}?" if near else "datatool registry list shows those that there are",
        )
    places = [] if project is None else [scope_path(scope, project.root, project.local) for scope in _PROJECTS]
    for place in (*places, _user_file()):
        if unset_value(place, f"registries.{name}.url"):
            break
    if found[name].trust:
        unset_value(_user_file(), f"registries.{name}.url")
        unset_value(_user_file(), f"registries.{name}.trust")
    return found[name]


def _user_file() -> Path:
    return scope_path(Scope.USER, None, None)
