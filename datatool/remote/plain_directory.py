"""Plain files on this machine, or what is mounted on it: at a path or a file:// URL."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from datatool.errors import PathNotFound, ReadFailed
from datatool.localfs.positions import read_at
from datatool.localfs.walk import Found as Walked
from datatool.localfs.walk import runs
from datatool.model.entry import DIRECTORY, EXECUTABLE, FILE, SYMLINK
from datatool.model.paths import show
from datatool.remote.plain import Changed, Found, PlainFile, changed, sorted_files
from datatool.remote.url import RemoteUrl

_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)


class DirectoryFiles:
    """A file, or a directory with all that is in it. Links in it are links; only the path itself may lead through
    some."""

    def __init__(self, url: RemoteUrl, *, jobs: int = 8) -> None:
        self._typed = Path(url.path)
        self._top = os.path.realpath(url.path)
        self._label = url.shown
        self._jobs = jobs

    @property
    def label(self) -> str:
        """Its path."""
        return self._label

    @property
    def lanes(self) -> int:
        """How many may read at a time."""
        return min(self._jobs, 4)

    def look(self) -> Found:
        """What is there now."""
        try:
            found = os.stat(self._top)
        except (FileNotFoundError, NotADirectoryError):
            raise PathNotFound(
                f"{self._label}: no such file or directory", hint="check the path, or whether it is mounted"
            ) from None
        except OSError as error:
            raise self._unreadable(b"", error) from error
        name = os.fsencode(self._typed.name or Path(self._top).name)
        if not stat.S_ISDIR(found.st_mode):
            if not stat.S_ISREG(found.st_mode):
                raise ReadFailed(f"{self._label}: is neither a file nor a directory", path=self._label)
            return Found(name=name, directory=False, files=(_file(Walked(b"", found, "f", None)),))
        skipped: list[bytes] = []
        walk = runs(os.fsencode(self._top), on_special=lambda path, what: skipped.append(path))
        files = sorted_files(_file(item) for run in walk for item in run if item.path)
        return Found(name=name, directory=True, files=files, skipped=tuple(sorted(skipped)))

    def read(self, file: PlainFile, start: int, length: int) -> bytes:
        """A range of a file. It must be the one that was looked at, before and after."""
        path = os.path.join(os.fsencode(self._top), file.path) if file.path else os.fsencode(self._top)
        try:
            fd = os.open(path, _FLAGS | getattr(os, "O_NOFOLLOW", 0))
        except (FileNotFoundError, NotADirectoryError):
            raise changed(self._label, file.path) from None
        except OSError as error:
            raise self._unreadable(file.path, error) from error
        try:
            self._require_same(fd, file)
            data = read_at(fd, length, start)
            self._require_same(fd, file)
        except Changed:
            raise
        except OSError as error:
            raise self._unreadable(file.path, error) from error
        finally:
            os.close(fd)
        return data

    def stop(self) -> None:
        """Nothing to end: no part takes long."""

    def _require_same(self, fd: int, file: PlainFile) -> None:
        now = os.fstat(fd)
        if not stat.S_ISREG(now.st_mode) or (now.st_size, _mark(now)) != (file.size, file.mark):
            raise changed(self._label, file.path)

    def _unreadable(self, path: bytes, error: OSError) -> ReadFailed:
        name = os.path.join(self._label, show(os.fsdecode(path))) if path else self._label
        return ReadFailed(f"{name}: can't be read: {error.strerror or error}", path=name)


def _file(item: Walked) -> PlainFile:
    if item.kind == "l":
        return PlainFile(item.path, SYMLINK, len(item.target or b""), None, item.target)
    if item.kind == "d":
        return PlainFile(item.path, DIRECTORY, 0, None)
    kind = EXECUTABLE if item.stat.st_mode & 0o111 else FILE
    return PlainFile(item.path, kind, item.stat.st_size, _mark(item.stat))


def _mark(found: os.stat_result) -> str:
    return f"{found.st_size}-{found.st_mtime_ns}"
