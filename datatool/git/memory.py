"""What git tracks and ignores, asked once for many files: for one who starts to track them one by one."""

from __future__ import annotations

import os
import re
from bisect import bisect_left
from collections.abc import Iterator
from typing import NamedTuple

from datatool.git.ignore import tracked_under
from datatool.git.worktree import Worktree, ask, exclude_path
from datatool.localfs.reading import read_whole

_Stamp = tuple[int, int, int] | None
_STAR = re.compile(rb"([*?])")
_DIFFICULT = re.compile(rb"[\[\\]")
_FITTING = {b"*": b".*", b"?": b"."}


class _Names(NamedTuple):
    """A file's rules: the last names of their patterns fit exactly these names, or what an expression fits."""

    stamp: _Stamp
    text: bytes
    exact: frozenset[bytes]
    patterns: tuple[re.Pattern[bytes], ...]


_NONE = _Names(None, b"", frozenset(), ())


class GitMemory:
    """Answers about one work tree, as of the index and the ignore files as they are at each question."""

    def __init__(self, worktree: Worktree) -> None:
        self._worktree = worktree
        self._index: tuple[_Stamp, list[bytes]] | None = None
        self._names: dict[bytes, _Names] = {}
        self._own_file: bytes | None = None
        self._top = os.fsencode(worktree.top)
        self._exclude = os.fsencode(exclude_path(worktree))
        self._index_file = os.fsencode(worktree.git_dir / "index")

    def tracked_under(self, path: bytes) -> list[bytes]:
        """The files that git tracks at or below a path, sorted; the index is read again when it changed."""
        stamp = _stamp(self._index_file)
        if self._index is None or self._index[0] != stamp:
            self._index = stamp, tracked_under(self._worktree, b"")
        tracked = self._index[1]
        first = bisect_left(tracked, path)
        found = tracked[first : first + 1] if tracked[first : first + 1] == [path] else []
        return found + tracked[bisect_left(tracked, path + b"/") : bisect_left(tracked, path + b"0")]

    def may_ignore(self, path: bytes) -> bool:
        """Whether some rule might fit a path, so that git has to be asked; where none can, git does not ignore it.

        A rule that holds for a path fits, with its last name, one name in it: the file's, or that of a directory.
        """
        names = [name.lower() for name in path.split(b"/")]
        for file in self._files(path):
            known = self._read(file)
            if not known.exact.isdisjoint(names):
                return True
            if any(pattern.fullmatch(name) for pattern in known.patterns for name in names):
                return True
        return False

    def _files(self, path: bytes) -> Iterator[bytes]:
        """Every file that may hold rules for a path."""
        parts = path.split(b"/")
        for depth in range(len(parts)):
            yield b"/".join([self._top, *parts[:depth], b".gitignore"])
        yield self._exclude
        if self._own_file is None:
            self._own_file = self._find_own_file()
        yield self._own_file

    def _find_own_file(self) -> bytes:
        found = ask(self._worktree, ["config", "--type=path", "--get", "core.excludesFile"], check=False)
        if found.code == 0:
            return os.path.join(os.fsencode(self._worktree.top), found.out.rstrip(b"\n"))
        settings = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
        return os.fsencode(os.path.join(settings, "git", "ignore"))

    def _read(self, file: bytes) -> _Names:
        stamp = _stamp(file)
        known = self._names.get(file, _NONE)
        if known.stamp != stamp:
            known = self._names[file] = _names(stamp, _text(file), known)
        return known


def _names(stamp: _Stamp, text: bytes, before: _Names) -> _Names:
    """A file's rules, where it has changed: mostly it has one line more, for what was tracked last."""
    if not text.startswith(before.text) or not before.text.endswith(b"\n"):
        before = _NONE
    exact: set[bytes] = set()
    patterns: list[re.Pattern[bytes]] = []
    for line in text[len(before.text) :].lower().splitlines():
        if not line or line.startswith((b"#", b"!")):
            continue
        name, is_open = _last_name(line)
        if is_open or _STAR.search(name):
            patterns.append(_wider(name, is_open))
        else:
            exact.add(name)
    return _Names(stamp, text, before.exact | exact, (*before.patterns, *patterns))


def _last_name(pattern: bytes) -> tuple[bytes, bool]:
    """The last name of a pattern, as far as it is plain; whether it goes on."""
    difficult = _DIFFICULT.search(pattern)
    if difficult is not None:
        return pattern[: difficult.start()].rpartition(b"/")[2], True
    name = pattern.rstrip(b" /").rpartition(b"/")[2]
    return name, not name


def _wider(name: bytes, is_open: bool) -> re.Pattern[bytes]:
    """An expression for all names that a pattern fits, and perhaps some more.

    >>> bool(_wider(b"*.csv", False).fullmatch(b"a.csv.dt"))
    False
    """
    fitting = b"".join(_FITTING.get(part) or re.escape(part) for part in _STAR.split(name))
    return re.compile(fitting + (b".*" if is_open else b""), re.DOTALL)


def _stamp(path: bytes) -> _Stamp:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _text(path: bytes) -> bytes:
    try:
        return read_whole(path)
    except OSError:
        return b""
