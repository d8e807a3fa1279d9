"""Unfinished files at an SFTP server: who made them, and what they were to become.

They lie in `tmp/` of the remote. A name is 16 hex digits for its maker (this clone on this machine), `part` for an
upload that the maker goes on with or 12 random digits for one that nobody does, and the name that the file is to get:

    1f0c…-part-objects+ab+cdef…        `+` stands for `/`, as no name in a store has one
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from datatool.errors import LocalError, Locked
from datatool.localfs.atomic import write_file
from datatool.localfs.locks import Lock
from datatool.model.paths import is_temp_name
from datatool.model.settings import Durability

DIRECTORY: Final = "tmp"

_NAME: Final = re.compile(r"([0-9a-f]{16})-(part|[0-9a-f]{12})-([A-Za-z0-9._+-]+)", re.ASCII)
_MAKER: Final = "sftp-maker"
_LOCKS: Final = 256
FORGOTTEN: Final = 24 * 3600
"""Seconds after which an unfinished file is left over, whoever made it."""


class Unfinished(NamedTuple):
    """What a name in `tmp/` tells: `name` is empty if it was made by something else than this module."""

    name: str
    mine: bool
    resumable: bool


class Temps:
    """The names of one clone's unfinished files. `scratch` is where the clone keeps who it is; `remote` tells remotes
    apart."""

    def __init__(self, scratch: Path, remote: str) -> None:
        self._scratch = scratch
        self._remote = remote

    @cached_property
    def _maker(self) -> str:
        """The same for every process of this clone on this machine, else for nobody."""
        machine = os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")
        return sha256(f"{self._clone()}\n{machine}".encode()).hexdigest()[:16]

    def _clone(self) -> str:
        path = self._scratch / _MAKER
        try:
            found = path.read_text(encoding="ascii").strip()
            if found:
                return found
        except (OSError, ValueError):
            pass
        made = secrets.token_hex(16)
        try:
            write_file(path, f"{made}\n".encode(), durability=Durability.NONE)
        except LocalError:
            return made  # nothing can be gone on with by another process, then
        return made

    def fresh(self, name: str) -> str:
        """A name that nobody else uses, for a file that is written in one go."""
        return f"{DIRECTORY}/{self._maker}-{secrets.token_hex(6)}-{_flat(name)}"

    @contextmanager
    def claim(self, name: str) -> Iterator[str]:
        """The name under which this clone uploads `name`, now and after an interruption; a fresh one while another
        thread or process of this clone is at it, or where that can't be known."""
        resumable = f"{DIRECTORY}/{self._maker}-part-{_flat(name)}"
        number = int.from_bytes(sha256(f"{self._remote}\n{name}".encode()).digest()[:2]) % _LOCKS
        lock = Lock(self._scratch / "locks" / f"upload-{number:03d}", purpose=f"upload of {name}", wait=False)
        try:
            lock.__enter__()
        except (Locked, LocalError):
            yield self.fresh(name)
            return
        try:
            yield resumable if lock.held else self.fresh(name)
        finally:
            lock.__exit__()

    def understand(self, name: str) -> Unfinished | None:
        """What a name in `tmp/` tells; None for what is no file of datatool's."""
        match = _NAME.fullmatch(name)
        if match is not None:
            return Unfinished(match[3].replace("+", "/"), match[1] == self._maker, match[2] == "part")
        return Unfinished("", False, False) if is_temp_name(name.encode()) else None

    def in_use(self, name: str) -> bool:
        """Whether a thread or process of this clone uploads `name` now."""
        with self.claim(name) as temp:
            return "-part-" not in temp


def _flat(name: str) -> str:
    return name.replace("/", "+")
