"""Temporary files: how they are named, and when one is known to be left over.

A name is `.datatool-tmp-` and 16 hex digits: 4 that stand for this machine since it was started (and for the
container, if any), 6 for the process, 6 that count. So another process on the same machine can tell that the
maker has gone and the file may be deleted; one made elsewhere is deleted when it was last written a day ago, by
the clock of the filesystem it lies on.
"""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from itertools import count
from pathlib import Path

from datatool.model.paths import TEMP_PREFIX, is_temp_name

FORGOTTEN = 24 * 3600 * 1_000_000_000
"""Nanoseconds after which a temporary file is left over whoever made it."""

PREFIX = os.fsencode(TEMP_PREFIX)
NEW_FILE = (
    os.O_RDWR
    | os.O_CREAT
    | os.O_EXCL
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
"""How a temporary file is opened: nothing that is there already is ever opened or followed."""

NAMELESS = hasattr(os, "O_TMPFILE")
"""Whether files can be made that have no name yet (Linux)."""

_counter = count(int.from_bytes(os.urandom(3)))


@cache
def _stem(pid: int) -> bytes:
    return b"%s%04x%06x" % (PREFIX, _machine(), pid & 0xFFFFFF)


def temp_name() -> bytes:
    """A name for a temporary file that no other living process on this machine uses."""
    return b"%s%06x" % (_stem(os.getpid()), next(_counter) & 0xFFFFFF)


def new_temp(directory: Path, mode: int = 0o600) -> tuple[int, Path]:
    """Make an empty file in `directory` with the bits of `mode` that the umask leaves; give its descriptor and path."""
    fd, path = open_temp(os.fspath(directory), mode)
    return fd, Path(path)


def open_temp(directory: str, mode: int = 0o600) -> tuple[int, str]:
    """`new_temp` without a Path, for those who write file after file."""
    while True:
        path = os.path.join(directory, os.fsdecode(temp_name()))
        try:
            return os.open(path, NEW_FILE, mode), path
        except FileExistsError:
            continue


def open_nameless(directory: int | None) -> int:
    """An empty file without a name, for reading and writing, on the filesystem of an open directory. Raises OSError
    where there are no such files."""
    return os.open(".", os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600, dir_fd=directory)  # type: ignore[attr-defined,unused-ignore]


def give_name(fd: int, name: bytes, directory: int | None) -> None:
    """Give a file that has no name one in an open directory, on the same filesystem. Raises OSError."""
    os.link(b"/proc/self/fd/%d" % fd, name, dst_dir_fd=directory, follow_symlinks=True)


@contextmanager
def scratch_file(directory: Path) -> Iterator[int]:
    """An empty file to write and read, that is gone afterwards. Raises OSError."""
    fd, path = new_temp(directory)
    try:
        yield fd
    finally:
        os.close(fd)
        os.unlink(path)


def clock(directory: Path) -> int:
    """What time it is by the clock of the filesystem that a directory lies on, in nanoseconds. Raises OSError."""
    with scratch_file(directory) as fd:
        return os.fstat(fd).st_mtime_ns


@contextmanager
def mark_file(directory: Path) -> Iterator[str]:
    """An empty file whose name nobody else knows, for as long as it takes; its name. Raises OSError."""
    fd, path = new_temp(directory)
    os.close(fd)
    try:
        yield path.name
    finally:
        with suppress(FileNotFoundError):
            os.unlink(path)


def is_left_over(name: bytes, mtime_ns: int, now_ns: int) -> bool:
    """Whether a temporary file, last written at `mtime_ns`, is no longer anybody's; both times by its filesystem."""
    if now_ns - mtime_ns > FORGOTTEN:
        return True
    digits = name[len(PREFIX) :]
    if digits[:4] != b"%04x" % _machine():
        return False
    return not _alive(int(digits[4:10], 16))


def left_over(directory: Path) -> list[Path]:
    """The temporary files, and directories, in `directory` (not below it) whose makers have gone."""
    try:
        names = [name for name in os.listdir(os.fsencode(directory)) if is_temp_name(name)]
    except OSError:
        return []
    if not names:
        return []
    try:
        now = clock(directory)
    except OSError:
        return []  # what can't be written to can't be swept
    found: list[Path] = []
    for name in names:
        path = directory / os.fsdecode(name)
        try:
            at = os.lstat(path)
            is_link = stat.S_ISREG(at.st_mode) and at.st_nlink > 1
            linked = at.st_ctime_ns if is_link else 0  # a second name of an old file may be new
            if is_left_over(name, max(at.st_mtime_ns, linked), now):
                found.append(path)
        except OSError:
            continue  # gone meanwhile
    return found


def sweep_temps(directory: Path) -> int:
    """Delete the temporary files in `directory` (not below it) whose makers have gone; how many there were."""
    swept = 0
    for path in left_over(directory):
        try:
            os.unlink(path)
            swept += 1
        except OSError:
            continue  # gone meanwhile, or somebody else's: the next sweep tries again
    return swept


@cache
def _machine() -> int:
    """16 bits that stand for this machine since it was started, and for the container it looks like from inside."""
    marks = [os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")]
    for read in (_boot, _pid_space):
        try:
            marks.append(read())
        except OSError:
            continue
    return zlib.crc32("\n".join(marks).encode()) & 0xFFFF


def _boot() -> str:
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read()


def _pid_space() -> str:
    return os.readlink("/proc/self/ns/pid")


def _alive(pid: int) -> bool:
    if os.name == "nt":
        return True  # there, asking would end the process; such files go when they are a day old
    if pid == os.getpid():
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
