"""Changing a configuration file: checked against the table of keys, everything else in the file kept as it is."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from datatool.config.keys import KEYS, Key, Scope, check, is_name, lookup, proper_name
from datatool.config.load import FILE, PROJECT_FOLDER
from datatool.config.places import user_config_dir
from datatool.errors import ReadFailed, Refused, UsageError
from datatool.formats.config_file import edit_config
from datatool.formats.plain_yaml import Value
from datatool.localfs.atomic import write_file
from datatool.model.paths import show
from datatool.model.settings import Durability
from datatool.model.urls import secret_in

_PRIVATE_MODE: Final = 0o600
_SETTING: Final = {"a password": "password", "an access token": "token", "a user name": "user"}
"""The settings of a remote for what does not belong into its URL; a signed URL is one of this clone alone."""


def find_key(key: str) -> Key:
    """The row of a key; UsageError, with the nearest one as hint, when there is none."""
    row = lookup(key)
    if row is not None:
        return row
    group, _, rest = key.partition(".")
    name = rest.rpartition(".")[0] or rest
    if group in ("remotes", "registries") and name and not is_name(name):
        raise UsageError(
            f"{show(key)}: a name has only ASCII letters, digits, '_', '-' and '.'", hint=f"such as {proper_name(name)}"
        )
    known = [row.pattern.replace("NAME", name or "NAME") for row in KEYS]
    near = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean {near[0]}?" if near else "datatool config list shows the settings that are in force"
    raise UsageError(f"{show(key)}: no such setting", hint=hint)


def choose_scope(key: str, requested: str | None = None) -> Scope:
    """The file that a key goes to: the one asked for, or the one of the table.

    Raises Refused where a key may not be there (a password in the committed file), UsageError for an unknown key.
    """
    row = find_key(key)
    if requested is None:
        return row.scope
    scope = Scope(requested)
    _allow(row, key, scope)
    return scope


def scope_path(scope: str, root: Path | None, local_dir: Path | None, user_dir: Path | None = None) -> Path:
    """The configuration file of a scope; UsageError for a project's when there is none."""
    if scope == Scope.USER:
        return (user_config_dir(os.environ) if user_dir is None else user_dir) / FILE
    if scope == Scope.PROJECT and root is not None:
        return root / PROJECT_FOLDER / FILE
    if scope == Scope.LOCAL and local_dir is not None:
        return local_dir / FILE
    raise UsageError(f"there is no {scope} configuration outside a project", hint="--user sets it for all projects")


def set_value(path: Path, key: str, value: str) -> None:
    """Set one key in a file; the file is made if it isn't there, and private unless it is the committed one.

    Raises UsageError for a key or value that can't be, Refused for a secret in the committed file.
    """
    set_values(path, {key: value})


def unset_value(path: Path, key: str) -> bool:
    """Remove one key from a file; False if it wasn't there."""
    return set_values(path, {key: None})


def set_values(path: Path, values: Mapping[str, str | None]) -> bool:
    """Set several keys at once, or remove them (None); False if nothing changed. Raises as `set_value`."""
    committed = path.parent.name == PROJECT_FOLDER
    changes: dict[str, Value] = {}
    for key, value in values.items():
        row = find_key(key)
        if value is None:
            changes[key] = None
            continue
        if committed:
            _allow(row, key, Scope.PROJECT)
            refuse_secret(key, value)
        meant = check(row, key, value)
        changes[key] = [*meant] if isinstance(meant, list) else meant
    old = _read(path)
    if old is None and not any(value is not None for value in changes.values()):
        return False
    new = edit_config(old, changes, name=os.fspath(path))
    if new == old:
        return False
    write_file(
        path if committed else Path(os.path.realpath(path)),  # the user's own may be a link, to a dotfiles repository
        new,
        durability=Durability.BATCH,
        mode=None if committed else _PRIVATE_MODE,
        like=_nearest(path.parent),
    )
    return True


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ReadFailed(f"{show(os.fspath(path))}: {error.strerror}", path=os.fspath(path)) from error


def _nearest(directory: Path) -> Path:
    while not directory.is_dir() and directory != directory.parent:
        directory = directory.parent
    return directory


def _allow(row: Key, key: str, scope: Scope) -> None:
    if scope not in row.scopes:
        better = f"--{row.scope}"
        raise Refused(
            f"{show(key)}: never belongs into the {scope} configuration",
            hint=f"datatool config set {better} {show(key)} VALUE",
        )


def refuse_secret(key: str, value: str) -> None:
    """Raise Refused for a URL that opens something. A remote's user name is a setting of its own, a private one."""
    group, _, rest = key.partition(".")
    secret = secret_in(value, user=group == "remotes")
    if secret is None:
        return
    name = rest.rpartition(".")[0]
    hint = "leave it out of the URL: git asks its credential helper (git help credentials)"
    if group == "remotes":
        hint = (
            "leave it out of the URL, and keep it in this clone alone: datatool config set --local "
            f"remotes.{name}.{_SETTING.get(secret, 'url')} VALUE"
        )
    raise Refused(f"{show(key)}: a URL with {show(secret)} never belongs into the committed configuration", hint=hint)
