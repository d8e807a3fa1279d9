"""Walking a directory: everything in it, in the order that trees are kept in, following no link."""

from __future__ import annotations

import os
import stat as stat_module
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import NamedTuple, cast

from datatool.errors import ReadFailed, Refused
from datatool.model.paths import TEMP_PREFIX, show_bytes


class Found(NamedTuple):
    """One path that the walk found: raw bytes, relative to the directory walked.

    `kind` is `f` (regular file), `l` (symlink, with its raw `target`) or `d` (a directory in which nothing was
    found); `stat` is its lstat.
    """

    path: bytes
    stat: os.stat_result
    kind: str
    target: bytes | None


_NONE: frozenset[bytes] = frozenset()

# Skips the named tuple's own constructor, which costs three times as much.
_make_found = cast("Callable[[tuple[object, ...]], Found]", partial(tuple.__new__, Found))


def runs(
    top: bytes,
    *,
    skip: Callable[[bytes, bool], bool] | None = None,
    skip_names: frozenset[bytes] = _NONE,
    skip_directories: frozenset[bytes] = _NONE,
    on_special: Callable[[bytes, str], None] | None = None,
    on_temp: Callable[[bytes], None] | None = None,
    on_left_out: Callable[[], None] | None = None,
) -> Iterator[list[Found]]:
    """Everything below `top`, sorted by raw bytes of the full path (an empty directory's with `/` appended);
    a list for what lies in a row in one directory, so that much of the work for it is done at once.

    `skip(path, is_directory)` leaves things out, as do `skip_names` (of anything) and `skip_directories`, which cost
    nothing; our own temporary files always are left out. `on_special(path, what)`
    hears of FIFOs, sockets and devices, which are left out, never opened; `on_temp(directory)` of our own temporary
    files, by the directory they lie in; `on_left_out()` that something was left out by a rule. A `top` that is no
    directory gives one Found with an empty path; one that is not there gives nothing. Raises ReadFailed for a directory
    that can't be read, Refused where a git repository lies inside.
    """
    try:
        found = os.lstat(top)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise _unreadable(top, error) from error
    if stat_module.S_ISDIR(found.st_mode):
        yield from _walk(top, skip, skip_names, skip_names | skip_directories, on_special, on_temp, on_left_out)
    elif stat_module.S_ISREG(found.st_mode):
        yield [Found(b"", found, "f", None)]
    elif stat_module.S_ISLNK(found.st_mode):
        yield [Found(b"", found, "l", os.readlink(top))]
    elif on_special is not None:
        on_special(b"", _name_of(found.st_mode))


def _walk(
    top: bytes,
    skip: Callable[[bytes, bool], bool] | None,
    skip_names: frozenset[bytes],
    skip_directories: frozenset[bytes],
    on_special: Callable[[bytes, str], None] | None,
    on_temp: Callable[[bytes], None] | None,
    on_left_out: Callable[[], None] | None,
) -> Iterator[list[Found]]:
    IFMT, IFREG, IFDIR, IFLNK = 0o170000, stat_module.S_IFREG, stat_module.S_IFDIR, stat_module.S_IFLNK
    temp = os.fsencode(TEMP_PREFIX)
    base = top + b"/"
    names = skip_names if skip is None else None
    stack: list[_Level] = [_Level(b"", None, _listed(top, top), names)]
    while stack:
        level = stack[-1]
        prefix = level.prefix
        run: list[Found] = []
        for at in level.unusual:
            if at != level.done:
                run += level.plain_until(at)
            level.done = at + 1
            key = level.keys[at]
            found = level.found[key]
            kind = found.st_mode & IFMT
            name = key[:-1] if kind == IFDIR else key
            path = prefix + name
            if name[:1] == b".":
                if name.startswith(temp):
                    if on_temp is not None:
                        on_temp(prefix[:-1])
                    continue
                if name == b".git":
                    raise _git_inside(top, prefix)
            if name in (skip_directories if kind == IFDIR else skip_names) or (
                skip is not None and skip(path, kind == IFDIR)
            ):
                if on_left_out is not None:
                    on_left_out()
                continue
            if kind == IFREG:
                run.append(_make_found((path, found, "f", None)))
            elif kind == IFDIR:
                if _is_junction(found):
                    if on_special is not None:
                        on_special(path, "junction")
                    continue
                level.any = True
                stack.append(_Level(path + b"/", found, _listed(base + path, top), names))
                break
            elif kind == IFLNK:
                try:
                    target = os.readlink(base + path)
                except FileNotFoundError:
                    continue
                except OSError as error:
                    raise _unreadable(base + path, error) from error
                run.append(Found(path, found, "l", target))
            elif on_special is not None:
                on_special(path, _name_of(found.st_mode))
        else:
            run += level.plain_until(len(level.keys))
            stack.pop()
            if not run and not level.any and level.stat is not None:
                run.append(Found(prefix[:-1], level.stat, "d", None))
        if run:
            level.any = True
            yield run


class _Level:
    """A directory under way: its path with `/`, its lstat, what lies in it and how much of that was told.

    `unusual` gives the places in `keys` that are looked at one by one: all that is no regular file, or may be left out
    for its name. Regular files between them are told at once.
    """

    __slots__ = ("any", "done", "found", "keys", "prefix", "stat", "unusual")

    def __init__(
        self,
        prefix: bytes,
        stat: os.stat_result | None,
        found: dict[bytes, os.stat_result],
        skip_names: frozenset[bytes] | None,
    ) -> None:
        """`skip_names` is None where any name may be left out."""
        self.prefix, self.stat = prefix, stat
        self.any = False
        self.done = 0
        unusual = _with_slashes(found)
        self.found, self.keys = found, sorted(found)
        self.unusual = iter(self._places(unusual, skip_names))

    def _places(self, unusual: list[bytes], skip_names: frozenset[bytes] | None) -> Iterable[int]:
        keys = self.keys
        if skip_names is None:
            return range(len(keys))
        places = {bisect_left(keys, key) for key in unusual}
        places.update(range(bisect_left(keys, b"."), bisect_left(keys, b"/")))
        if not skip_names.isdisjoint(keys):
            places.update(place for place, key in enumerate(keys) if key in skip_names)
        return sorted(places)

    def plain_until(self, place: int) -> list[Found]:
        """The regular files between what was told and a place."""
        prefix, found = self.prefix, self.found
        return [_make_found((prefix + key, found[key], "f", None)) for key in self.keys[self.done : place]]


def _with_slashes(found: dict[bytes, os.stat_result]) -> list[bytes]:
    """Give each directory the key that it is sorted by; returns the keys of all that is no regular file."""
    keys: list[bytes] = []
    for name in [name for name, at in found.items() if at.st_mode & 0o170000 != 0o100000]:
        if found[name].st_mode & 0o170000 == 0o040000:
            found[name + b"/"] = found.pop(name)
            keys.append(name + b"/")
        else:
            keys.append(name)
    return keys


def _listed(directory: bytes, top: bytes) -> dict[bytes, os.stat_result]:
    """The lstat of everything in a directory, by name; what vanishes meanwhile is not there."""
    found: dict[bytes, os.stat_result] = {}
    try:
        with os.scandir(directory) as entries:
            while some := list(islice(entries, _AT_ONCE)):
                try:
                    found.update(_lstats(some))
                except FileNotFoundError:
                    for entry in some:
                        with suppress(FileNotFoundError):
                            found.update(_lstats([entry]))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _unreadable(directory, error) from error
    return found


def _lstats(entries: list[os.DirEntry[bytes]]) -> dict[bytes, os.stat_result]:
    if _WINDOWS:
        return {entry.name: os.lstat(entry.path) for entry in entries}
    return {entry.name: entry.stat(follow_symlinks=False) for entry in entries}


_WINDOWS = os.name == "nt"  # there, a directory entry knows no inode

_AT_ONCE = 512
"""Entries of a directory that are held at once."""


def _is_junction(found: os.stat_result) -> bool:
    return _WINDOWS and getattr(found, "st_reparse_tag", 0) == getattr(stat_module, "IO_REPARSE_TAG_MOUNT_POINT", -1)


def _name_of(mode: int) -> str:
    if stat_module.S_ISFIFO(mode):
        return "FIFO"
    if stat_module.S_ISSOCK(mode):
        return "socket"
    if stat_module.S_ISCHR(mode):
        return "character device"
    if stat_module.S_ISBLK(mode):
        return "block device"
    return "special file"


def _git_inside(top: bytes, prefix: bytes) -> Refused:
    inside = top + b"/" + prefix[:-1] if prefix else top
    return Refused(
        f"{show_bytes(inside)}: contains a git repository",
        hint="move the repository elsewhere, or list its directory in .datatoolignore",
        path=os.fsdecode(inside),
    )


def _unreadable(path: bytes, error: OSError) -> ReadFailed:
    return ReadFailed(f"{show_bytes(path)}: can't be read: {error.strerror}", path=os.fsdecode(path))
