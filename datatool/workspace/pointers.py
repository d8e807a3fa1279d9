"""Finding artifacts by the pointers beside them."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from datatool.errors import FormatError
from datatool.formats.pointer_file import is_pointer, parse_pointer
from datatool.model.paths import named
from datatool.model.pointer import Pointer
from datatool.workspace.ignore_lines import has_line

SUFFIX = b".dt"
LIMIT = 64 << 10
"""Bytes: a pointer file is never larger (formats §2)."""


class Artifact(Struct, frozen=True, kw_only=True):
    """A file or directory that datatool tracks: its path (raw bytes, from the project's root), what its pointer
    says, and the pointer's own bytes."""

    path: bytes
    pointer: Pointer
    text: bytes

    @property
    def pointer_path(self) -> bytes:
        """The pointer file beside it."""
        return self.path + SUFFIX

    @property
    def name(self) -> str:
        """The path as Python and JSON spell it."""
        return os.fsdecode(self.path)


def read_pointer_file(root: Path, pointer_path: bytes) -> bytes | None:
    """The bytes of a pointer file, or None when what lies there is none: no regular file, or no `datatool:` line."""
    text = _read(os.fsencode(root), pointer_path)
    return text if text is not None and is_pointer(text) else None


def _read(root: bytes, path: bytes) -> bytes | None:
    """The bytes of a file, as many as a pointer has at most; none of what is no regular file, None for nothing."""
    full = root + b"/" + path
    try:
        found = os.lstat(full)
        if not stat.S_ISREG(found.st_mode):
            return b""
        fd = os.open(full, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:  # so nothing can lie there
            return None
        raise FormatError(f"{named(path)}: can't be read: {error.strerror}", path=os.fsdecode(path)) from error
    try:
        return os.read(fd, LIMIT + 1)
    finally:
        os.close(fd)


def _pointer_text(root: bytes, path: bytes) -> bytes | None:
    """The bytes of the pointer beside a path, if there is one. FormatError for one that is damaged."""
    text = _read(root, path + SUFFIX)
    return text if text is None or is_pointer(text) else _look_again(root, path)


def _look_again(root: bytes, path: bytes) -> bytes | None:
    """What to make of a `*.dt` file that is no pointer: it is an ordinary file, unless an ignore line says that data
    lies beside it. Then it is damaged, or is being written by another process: when that is done, it is given."""
    full = root + b"/" + path
    if not os.path.isfile(full + SUFFIX):
        return None
    directory, name = os.path.split(full)
    try:
        with open(os.path.join(directory, b".gitignore"), "rb") as file:
            damaged = has_line(file.read(), name)
    except OSError:
        return None
    text = _read(root, path + SUFFIX)
    is_one = text is not None and is_pointer(text)
    if not is_one and damaged and os.path.isfile(full + SUFFIX):
        pointer = os.fsdecode(path + SUFFIX)
        raise FormatError(
            f"{named(path + SUFFIX)}: is no pointer any more: its first line is not `datatool: 1`",
            hint=_brought_back(path + SUFFIX),
            path=pointer,
        )
    return text if is_one else None


def _parsed(text: bytes, path: bytes) -> Pointer:
    """A pointer of the work tree, which git may have as it was before it was damaged."""
    try:
        return parse_pointer(text, name=os.fsdecode(path))
    except FormatError as error:
        error.hint = error.hint or f"mend that line, or {_brought_back(path)}"
        raise


def _brought_back(path: bytes) -> str:
    return f"git checkout -- {named(path)} brings the last one back"


def find_artifact(root: Path, path: bytes) -> Artifact | None:
    """The artifact at exactly this path, by a direct look at the pointer beside it."""
    return _find(os.fsencode(root), path) if path and not path.endswith(b"/") else None


def _find(root: bytes, path: bytes) -> Artifact | None:
    text = _pointer_text(root, path)
    if text is None:
        return None
    return Artifact(path=path, pointer=_parsed(text, path + SUFFIX), text=text)


def owner(root: Path, path: bytes) -> Artifact | None:
    """The artifact at or around a path: the outermost one, as nothing inside an artifact is ever a pointer."""
    top, at = os.fsencode(root), 0
    while at != -1:
        at = path.find(b"/", at + 1)
        found = _find(top, path if at == -1 else path[:at])
        if found is not None:
            return found
    return None


def walk_pointers(root: Path) -> Iterator[bytes]:
    """Every file named `*.dt`, where there is no git to ask; tracked directories are not entered."""
    pending = [b""]
    base = os.fsencode(root)
    while pending:
        directory = pending.pop()
        with os.scandir(os.path.join(base, directory) if directory else base) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        pointed = {entry.name[: -len(SUFFIX)] for entry in found if entry.name.endswith(SUFFIX)}
        for entry in found:
            path = directory + b"/" + entry.name if directory else entry.name
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in (b".git", b".datatool") and entry.name not in pointed:
                    pending.append(path)
            elif entry.name.endswith(SUFFIX) and entry.is_file(follow_symlinks=False):
                yield path


def artifacts_from(root: Path, pointer_paths: Iterator[bytes] | list[bytes]) -> Iterator[Artifact | FormatError]:
    """Read each pointer; one that does not read is given as its error, so that it costs only itself."""
    top = os.fsencode(root)
    tops: set[bytes] = set()
    for pointer_path in sorted(pointer_paths):
        if any(pointer_path.startswith(top) for top in _parents(pointer_path, tops)):
            continue
        try:
            path = pointer_path[: -len(SUFFIX)]
            text = _pointer_text(top, path)
            if text is None:
                continue
            yield Artifact(path=path, pointer=_parsed(text, pointer_path), text=text)
            tops.add(path + b"/")
        except FormatError as error:
            if error.path is None:
                error.path = os.fsdecode(pointer_path)
            yield error


def _parents(path: bytes, tops: set[bytes]) -> Iterator[bytes]:
    at = path.find(b"/")
    while at != -1:
        if path[: at + 1] in tops:
            yield path[: at + 1]
        at = path.find(b"/", at + 1)
