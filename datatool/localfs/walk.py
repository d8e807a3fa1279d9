"""Walking a directory: everything in it, in the order that trees are kept in, following no link."""

from __future__ import annotations

import os
import stat as stat_module
from collections.abc import Callable, Iterator
from functools import partial
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
) -> Iterator[list[Found]]:
    """Everything below `top`, sorted by raw bytes of the full path (an empty directory's with `/` appended);
    a list for what lies in a row in one directory, so that much of the work for it is done at once.

    `skip(path, is_directory)` leaves things out, as do `skip_names` (of anything) and `skip_directories`, which cost
    nothing; our own temporary files always are left out. `on_special(path, what)`
    hears of FIFOs, sockets and devices, which are left out, never opened; `on_temp(directory)` of our own temporary
    files, by the directory they lie in. A `top` that is no directory gives
    one Found with an empty path; one that is not there gives nothing. Raises ReadFailed for a directory that
    can't be read, Refused where a git repository lies inside.
    """
    try:
        found = os.lstat(top)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise _unreadable(top, error) from error
    if stat_module.S_ISDIR(found.st_mode):
        yield from _walk(top, skip, skip_names, skip_names | skip_directories, on_special, on_temp)
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
) -> Iterator[list[Found]]:
    IFMT, IFREG, IFDIR, IFLNK = 0o170000, stat_module.S_IFREG, stat_module.S_IFDIR, stat_module.S_IFLNK
    temp = os.fsencode(TEMP_PREFIX)
    base = top + b"/"
    # A stack of directories under way: (its path with `/`, its lstat, what is left in it in order, found any).
    stack: list[_Level] = [_Level(b"", None, iter(_listed(top, top)))]
    while stack:
        level = stack[-1]
        prefix = level.prefix
        run: list[Found] = []
        for _, name, found in level.rest:
            path = prefix + name
            kind = found.st_mode & IFMT
            if name[:1] == b".":
                if name.startswith(temp):
                    if on_temp is not None:
                        on_temp(prefix[:-1])
                    continue
                if name == b".git":
                    raise _git_inside(top, prefix)
            if name in (skip_directories if kind == IFDIR else skip_names):
                continue
            if skip is not None and skip(path, kind == IFDIR):
                continue
            if kind == IFREG:
                run.append(_make_found((path, found, "f", None)))
            elif kind == IFDIR:
                if _is_junction(found):
                    if on_special is not None:
                        on_special(path, "junction")
                    continue
                level.any = True
                stack.append(_Level(path + b"/", found, iter(_listed(base + path, top))))
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
            stack.pop()
            if not run and not level.any and level.stat is not None:
                run.append(Found(prefix[:-1], level.stat, "d", None))
        if run:
            level.any = True
            yield run


class _Level:
    __slots__ = ("any", "prefix", "rest", "stat")

    def __init__(
        self, prefix: bytes, stat: os.stat_result | None, rest: Iterator[tuple[bytes, bytes, os.stat_result]]
    ) -> None:
        self.prefix, self.stat, self.rest = prefix, stat, rest
        self.any = False


def _listed(directory: bytes, top: bytes) -> list[tuple[bytes, bytes, os.stat_result]]:
    """(sort key, name, lstat) of everything in a directory; what vanishes meanwhile is not there."""
    rows: list[tuple[bytes, bytes, os.stat_result]] = []
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                try:
                    found = os.lstat(entry.path) if _WINDOWS else entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                name = entry.name
                rows.append((name + b"/" if found.st_mode & 0o170000 == 0o040000 else name, name, found))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unreadable(directory, error) from error
    rows.sort()  # keys are unique but for a name seen as file and as directory, which no directory holds
    return rows


_WINDOWS = os.name == "nt"  # there, a directory entry knows no inode


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
