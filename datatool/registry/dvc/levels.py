"""The configuration of a DVC project: what its commit says, and what this machine's user has added.

Later levels win, key by key: system, user, `.dvc/config` in the commit, `.dvc/config.local` (of a repository that
the user named by its path). The commit's level may say where a remote is; who we are there only the user's own may.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from datatool.formats.dvc_config import CONFIG_LIMIT, DvcConfig, parse_dvc_config
from datatool.registry.view import View

_PLACED: Final = re.compile(r"\w+://|[\\/]|[A-Za-z]:[\\/]")


class Level(Struct, frozen=True, kw_only=True):
    """One configuration file. `directory` is where it lies, from which relative paths start; None where that is not
    known. `mine` says that it is the user's own."""

    config: DvcConfig
    directory: Path | None
    mine: bool


def read_levels(view: View, root: bytes, environ: Mapping[str, str]) -> tuple[Level, ...]:
    """The levels of the DVC project at `root` of a commit, the strongest last. Raises FormatError."""
    levels = [
        Level(config=config, directory=directory, mine=True)
        for directory in (_system(environ), _user(environ))
        if (config := _read(directory / "config")) is not None
    ]
    path = root + b"/.dvc/config" if root else b".dvc/config"
    local = dvc_directory(view, root)
    committed = view.text(path)
    if committed is not None:
        name = f"{view.repository.shown}: {os.fsdecode(path)}"
        levels.append(Level(config=parse_dvc_config(committed, name=name), directory=local, mine=False))
    if local is not None and (config := _read(local / "config.local")) is not None:
        levels.append(Level(config=config, directory=local, mine=True))
    return tuple(levels)


def dvc_directory(view: View, root: bytes) -> Path | None:
    """The `.dvc` directory of a project on this machine; None for one elsewhere."""
    local = view.repository.local
    return None if local is None else Path(os.path.abspath(local)) / os.fsdecode(root) / ".dvc"


def placed(text: str, directory: Path | None) -> str | None:
    """A path or URL of a configuration file, absolute; None for a path that is relative to nobody knows what.

    >>> placed("../../store", Path("/home/me/songs/.dvc")), placed("s3://bucket", None), placed("../store", None)
    ('/home/me/store', 's3://bucket', None)
    """
    if _PLACED.match(text):
        return text
    if text.startswith("~"):
        return os.path.expanduser(text)
    return None if directory is None else os.path.normpath(directory / text)


def _read(path: Path) -> DvcConfig | None:
    """A file of this user; None where there is none, or it is not the user's own, or no plain file."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    try:
        fd = os.open(path, flags)
    except OSError:
        return None
    try:
        found = os.fstat(fd)
        own = not hasattr(os, "getuid") or (found.st_uid in (os.getuid(), 0) and not found.st_mode & stat.S_IWOTH)
        if not stat.S_ISREG(found.st_mode) or not own or found.st_size > CONFIG_LIMIT:
            return None
        data = os.read(fd, CONFIG_LIMIT)
    finally:
        os.close(fd)
    return parse_dvc_config(data, name=str(path))


def _system(environ: Mapping[str, str]) -> Path:
    if given := environ.get("DVC_SYSTEM_CONFIG_DIR"):
        return Path(given)
    if sys.platform == "win32":
        return Path(environ.get("PROGRAMDATA") or "C:/ProgramData") / "iterative" / "dvc"
    if sys.platform == "darwin":
        return Path("/Library/Application Support/dvc")
    return Path((environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").partition(":")[0]) / "dvc"


def _user(environ: Mapping[str, str]) -> Path:
    if given := environ.get("DVC_GLOBAL_CONFIG_DIR"):
        return Path(given)
    if sys.platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local") / "iterative" / "dvc"
    home = Path(environ.get("HOME") or Path.home())
    if sys.platform == "darwin":
        return home / "Library/Application Support/dvc"
    return Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "dvc"
