"""Reading and changing settings."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from datatool.config.edit import choose_scope, find_key, scope_path, set_value, unset_value
from datatool.config.load import Config, load_config
from datatool.model.urls import without_secrets
from datatool.project.project import Project

_HIDDEN = "…"


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfigChange:
    """A setting that was changed (removed: `value` is None), in which scope and file; `changed`: false for one that was
    not set there."""

    key: str
    value: str | None
    scope: str
    path: str
    changed: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfigItem:
    """A setting in force, and where it comes from."""

    key: str
    value: str
    origin: str


def get_config(project: Project | None, key: str) -> str | None:
    """The value in force, or None. Raises UsageError for a key that nobody knows."""
    find_key(key)
    return _config(project).get(key)


def set_config(project: Project | None, key: str, value: str, scope: str | None = None) -> ConfigChange:
    """Set a key where it belongs, or in the scope given. Raises UsageError; Refused for a misplaced secret."""
    chosen = choose_scope(key, scope)
    path = _path(project, chosen)
    set_value(path, key, value)
    return ConfigChange(key=key, value=value, scope=chosen, path=os.fspath(path))


def unset_config(project: Project | None, key: str, scope: str | None = None) -> ConfigChange:
    """Remove a key from the scope where it belongs, or the one given; it is no error if it isn't there."""
    chosen = choose_scope(key, scope)
    path = _path(project, chosen)
    removed = unset_value(path, key)
    return ConfigChange(key=key, value=None, scope=chosen, path=os.fspath(path), changed=removed)


def list_config(project: Project | None) -> tuple[ConfigItem, ...]:
    """Every setting in force, by key; secrets are shown as `…`."""
    return tuple(
        ConfigItem(key=key, value=_HIDDEN if find_key(key).secret else _shown(key, value), origin=origin)
        for key, value, origin in _config(project).items()
    )


def _shown(key: str, value: str) -> str:
    return without_secrets(value) if key.endswith("url") else value


def _config(project: Project | None) -> Config:
    if project is not None:
        return project.config
    return load_config(root=None, local_dir=None, flags={}, environ=os.environ)


def _path(project: Project | None, scope: str) -> Path:
    if project is None:
        return scope_path(scope, None, None)
    return scope_path(scope, project.root, project.local)
