"""What in a work tree leads to objects: files named `*.dt`, and links into a cache.

Looked for everywhere, whatever git tracks or ignores: who asks is about to throw away what nothing leads to.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from datatool.errors import ReadFailed
from datatool.model.oid import ObjectId, parse_oid
from datatool.model.paths import show
from datatool.workspace.pointers import LIMIT, SUFFIX

_OBJECT: Final = re.compile(rb".*/objects/([0-9a-f]{2})/([0-9a-f]{62})", re.DOTALL)


def references(top: Path, *, leave_out: Path) -> Iterator[bytes | ObjectId]:
    """The bytes of every file named `*.dt`, and the id of every object that a link leads to, in a directory without its
    `.git`s and without the directory `leave_out`. Raises ReadFailed."""
    other = os.fsencode(os.path.realpath(leave_out))
    pending = [os.fsencode(os.path.realpath(top))]
    while pending:
        directory = pending.pop()
        if directory == other:
            continue
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    if entry.is_symlink():
                        yield from _object_of(os.readlink(entry.path))
                    elif entry.is_dir(follow_symlinks=False):
                        if entry.name != b".git":
                            pending.append(entry.path)
                    elif entry.name.endswith(SUFFIX):
                        yield from _text_of(entry.path)
        except (FileNotFoundError, NotADirectoryError):  # gone meanwhile
            continue
        except OSError as error:
            name = os.fsdecode(error.filename or directory)
            raise ReadFailed(f"{show(name)}: can't be read: {error.strerror}", path=name) from error


def _object_of(target: bytes) -> list[ObjectId]:
    """Any cache's: one too many costs its space."""
    found = _OBJECT.fullmatch(target)
    return [parse_oid((found[1] + found[2]).decode())] if found is not None else []


def _text_of(path: bytes) -> list[bytes]:
    try:
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        return []
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return []
        text = os.read(fd, LIMIT + 1)
    finally:
        os.close(fd)
    return [text] if len(text) <= LIMIT else []
