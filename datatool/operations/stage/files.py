"""The files and directories among the arguments of a stage: found by what names them, and counted by content."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from datatool.errors import PathNotFound, Refused, UsageError
from datatool.hashing import Hasher
from datatool.model.oid import ObjectId
from datatool.model.run import RunFile
from datatool.operations.stage.home import Home
from datatool.operations.track.place import locate
from datatool.operations.track.tracker import Tracker

Tracking = Callable[[Path], AbstractContextManager[Tracker]]
"""Opens the project at a root."""

_LONGEST_NAME: Final = 4096
_SEPARATORS: Final = "./\\"
_SPECIAL: Final = (
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISLNK, "a link that leads nowhere"),
)


class Input(Struct, frozen=True, kw_only=True):
    """A file or directory among the arguments: `given` is what named it, `full` where it lies, `path` what that is in
    the project at `root` (None outside any), `oid` its content. `file` is it as a run's input, where datatool tracks
    it. Of a link that nothing tracks, all but `full` is about what it leads to."""

    given: str
    full: str
    root: Path | None
    path: bytes
    oid: ObjectId
    file: RunFile | None = None


class Files:
    """Finds what arguments name; relative paths start where the program stands, or at the code of the stage."""

    def __init__(self, home: Home, tracking: Tracking, known: Mapping[str, Input] | None = None) -> None:
        """`known` are the files where somebody else has found them, by where they stand; then nothing else is one."""
        self._home = home
        self._tracking = tracking
        self._known = known
        self._cwd = _working_directory()
        self._tracked: dict[tuple[Path, str], bool] = {}

    def named(self, path: str, place: str) -> Input | None:
        """What a `File` or a path names. Raises PathNotFound where nothing is there, UsageError for what has no
        content, and what keeps from knowing what is pinned."""
        if self._known is not None:
            return self._given(path, place)
        at = locate(path, cwd=self._cwd, beside=lambda: self._home.directory)
        found = self.look(path, at.full, at.root)
        if found is not None:
            return found
        special = _special(at.full)
        if special is not None:
            raise UsageError(f"File({path!r}): is {special}, which has no content to count", path=path)
        raise PathNotFound(f"File({path!r}): no such file or directory, and nothing tracks it", path=path)

    def in_text(self, text: str, place: str) -> Input | None:
        """What a text names, as `perhaps` finds it. None for a text that could mean anything, as `.` or `raw`."""
        return self.perhaps(text, place) if _may_name_a_file(text) else None

    def perhaps(self, path: str, place: str) -> Input | None:
        """A file, or a directory below the top of a project, that is there or tracked; None for anything else."""
        if self._known is not None:
            return self._given(path, place)
        at = locate(path, cwd=self._cwd, beside=lambda: self._home.directory)
        if os.path.isfile(at.full):
            return self.look(path, at.full, at.root)
        if at.root is None or not _is_below(at.full, at.root):
            return None
        if not os.path.isdir(at.full) and not self._is_tracked(at.root, at.full):
            return None
        try:
            return self.look(path, at.full, at.root)
        except Refused:  # in another repository
            return None

    def look(self, given: str, full: str, root: Path | None) -> Input | None:
        """A file or directory as it is, or is going to be once it is fetched; None where there is none. Raises
        PathNotFound where what lists a tracked directory can't be had."""
        if root is None:
            outside = _hashed(full)
            name = os.fsencode(os.path.basename(full))
            return None if outside is None else Input(given=given, full=full, root=None, path=name, oid=outside)
        with self._tracking(root) as tracker:
            path = tracker.path(full, self._cwd)
            target = tracker.link(path)
            if target is not None:  # the link itself may not be here yet
                return self.look(given, os.path.join(root, os.fsdecode(target)), root)
            file, tracked = tracker.input(path)
        if file is not None:
            return Input(given=given, full=full, root=root, path=path, oid=file.oid, file=file if tracked else None)
        return self._behind_link(given, full)

    def _behind_link(self, given: str, full: str) -> Input | None:
        target = os.path.realpath(full)
        if not os.path.islink(full) or os.path.islink(target):  # a link in a circle
            return None
        found = self.look(given, target, locate(target, cwd=self._cwd, beside=lambda: None).root)
        return None if found is None else replace(found, full=full)

    def _given(self, path: str, place: str) -> Input | None:
        assert self._known is not None
        known = self._known.get(place)
        return None if known is None else replace(known, given=path)

    def _is_tracked(self, root: Path, full: str) -> bool:
        """Whether a path that is not there is tracked: by itself, or in a tracked directory."""
        if os.path.exists(full + ".dt"):
            return True
        directory = os.path.dirname(full)
        key = root, directory
        if key not in self._tracked:
            above = directory
            while _is_below(above, root) and not os.path.exists(above + ".dt"):
                above = os.path.dirname(above)
            self._tracked[key] = _is_below(above, root)
        return self._tracked[key]


def _may_name_a_file(text: str) -> bool:
    return (
        0 < len(text) <= _LONGEST_NAME
        and "\0" not in text
        and "\n" not in text
        and any(char in text for char in _SEPARATORS)
        and bool(text.strip(_SEPARATORS))
    )


def _is_below(full: str, root: Path) -> bool:
    return full.startswith(os.path.join(root, ""))


def _special(full: str) -> str | None:
    """What lies at a path that is neither a file nor a directory."""
    try:
        mode = os.stat(full).st_mode if os.path.exists(full) else os.lstat(full).st_mode
    except OSError:
        return None
    return next((name for is_such, name in _SPECIAL if is_such(mode)), None)


def _hashed(full: str) -> ObjectId | None:
    """The content of a file or directory outside any project."""
    hasher = Hasher()
    if os.path.isfile(full):
        _take(full, hasher)
        return hasher.oid
    if not os.path.isdir(full):
        return None
    for directory, names, files in os.walk(full):
        names.sort()
        for name in sorted(files):
            path = os.path.join(directory, name)
            hasher.update(os.fsencode(os.path.relpath(path, full)) + b"\0%d\0" % os.path.getsize(path))
            _take(path, hasher)
    return hasher.oid


def _take(path: str, hasher: Hasher) -> None:
    with open(path, "rb") as file:
        while data := file.read(1 << 20):
            hasher.update(data)


def _working_directory() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:
        return os.sep
