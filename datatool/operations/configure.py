"""Reading and changing settings."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from datatool.config.edit import choose_scope, find_key, scope_path, set_value, unset_value
from datatool.config.keys import Scope, names
from datatool.config.load import Config, load_config
from datatool.errors import NotFoundError, UsageError
from datatool.model.paths import show
from datatool.model.urls import without_secrets
from datatool.operations.remote_names import no_such_remote
from datatool.operations.result import Part, Result, fields_of
from datatool.project.project import Project

_HIDDEN = "…"


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfigChange(Result):
    """A setting that was changed (removed: `value` is None; `…` stands for a secret), in which scope and file;
    `changed`: false for one that was not set there."""

    key: str
    value: str | None
    scope: str
    path: str
    changed: bool = True

    def to_dict(self) -> dict[str, object]:
        """As `--json` prints it."""
        return fields_of(self, "changed")


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfigItem(Part):
    """A setting in force, and where it comes from."""

    key: str
    value: str
    origin: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfigValue(Result):
    """The value of a setting, as it may be shown; `hidden` where that is not all of it."""

    value: str
    hidden: bool


def get_config(project: Project | None, key: str, *, show_secrets: bool = False) -> ConfigValue | None:
    """The value in force, or None; a secret only with `show_secrets`. Raises NotFoundError for a key that nobody
    knows."""
    _require_known(key)
    value = _config(project).get(key)
    if value is None:
        return None
    shown = value if show_secrets else _shown(key, value)
    return ConfigValue(value=shown, hidden=shown != value)


def set_config(project: Project | None, key: str, value: str, scope: str | None = None) -> ConfigChange:
    """Set a key where it belongs, or in the scope given. Raises UsageError; Refused for a misplaced secret;
    RemoteNotFound where remotes are named that the project does not have."""
    chosen = choose_scope(key, scope)
    path = _path(project, chosen)
    _require_url(key)
    if project is not None and chosen != Scope.USER:  # the user's own may be meant for other projects
        _require_remotes(project, key, value)
    set_value(path, key, value)
    return ConfigChange(key=key, value=_shown(key, value), scope=chosen, path=os.fspath(path))


def _require_url(key: str) -> None:
    """Raise UsageError for trust in the name of a registry that the user gives no URL: only a URL can be trusted."""
    group, _, rest = key.partition(".")
    name, _, last = rest.rpartition(".")
    own = load_config(root=None, local_dir=None, flags={}, environ=os.environ).registries()
    if group == "registries" and last == "trust" and "url" not in own.get(name, {}):
        raise UsageError(
            f"{show(key)}: only a URL can be trusted, and your own configuration has none of that name",
            hint=f"datatool registry add --trust {show(name)} URL",
        )


def unset_config(project: Project | None, key: str, scope: str | None = None) -> ConfigChange:
    """Remove a key from the scope where it belongs, or the one given; it is no error if it isn't there. Raises
    NotFoundError for a key that nobody knows."""
    _require_known(key)
    chosen = choose_scope(key, scope)
    path = _path(project, chosen)
    removed = unset_value(path, key)
    return ConfigChange(key=key, value=None, scope=chosen, path=os.fspath(path), changed=removed)


def list_config(project: Project | None) -> tuple[ConfigItem, ...]:
    """Every setting in force, by key; secrets are shown as `…`."""
    return tuple(
        ConfigItem(key=key, value=_shown(key, value), origin=origin) for key, value, origin in _config(project).items()
    )


def _require_known(key: str) -> None:
    try:
        find_key(key)
    except UsageError as error:
        raise NotFoundError(error.message, hint=error.hint) from error


def _require_remotes(project: Project, key: str, value: str) -> None:
    """Raise RemoteNotFound, with the nearest one, for a name in `remote` or `read` that no remote has."""
    for name in names(value) or () if key in ("remote", "read") else ():
        if name not in project.config.remotes():
            raise no_such_remote(project, name)


def _shown(key: str, value: str) -> str:
    if find_key(key).secret:
        return _HIDDEN
    return without_secrets(value) if key.endswith("url") else value


def _config(project: Project | None) -> Config:
    if project is not None:
        return project.config
    return load_config(root=None, local_dir=None, flags={}, environ=os.environ)


def _path(project: Project | None, scope: str) -> Path:
    if project is None:
        return scope_path(scope, None, None)
    return scope_path(scope, project.root, project.local)
