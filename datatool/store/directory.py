"""A store in a directory of this machine, or of one that is mounted here.

A name is published by link or rename once its bytes are on disk (temporary files lie in `tmp/` of the same
directory), and what is created is shared as the top directory is.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from datatool.errors import DatatoolError, LocalError, NoSpace, ReadFailed, RemoteDenied, RemoteError, RemoteUnreachable
from datatool.hashing import copy_and_hash
from datatool.localfs.atomic import (
    fsync_dir,
    local_error,
    make_dirs,
    new_temp,
    remove_file,
    replace,
    sweep_temps,
    write_all,
)
from datatool.localfs.clock import scratch_stat
from datatool.localfs.positions import cut
from datatool.localfs.publish import publish_new
from datatool.localfs.sharing import Sharing
from datatool.model.oid import ObjectId
from datatool.model.paths import is_temp_name, show
from datatool.model.settings import Durability
from datatool.store.names import check_name, is_name
from datatool.store.protocol import (
    Advance,
    ByteRange,
    Capabilities,
    Leftover,
    Listed,
    NameMissing,
    NameTaken,
    WrongBytes,
    noting,
)

TEMPORARY = "tmp"
"""The directory, beside the store's names, in which files are written before they get theirs."""

_READ = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_NONBLOCK", 0)  # so that a FIFO is opened, seen and closed, not waited for
)
_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)
_GONE = frozenset(
    getattr(errno, name, -1)
    for name in ("ESTALE", "ENOTCONN", "EHOSTDOWN", "EHOSTUNREACH", "ETIMEDOUT", "ENODEV", "ECONNABORTED", "EREMOTEIO")
)


class DirectoryStore:
    """A store at `path`; the directory is made by the first `put`.

    >>> import tempfile
    >>> store = DirectoryStore(Path(tempfile.mkdtemp()))
    >>> store.put("index/a", b"abc")
    >>> [row.name for row in store.list("index/")]
    ['index/a']
    """

    def __init__(self, path: Path, *, durability: Durability = Durability.BATCH) -> None:
        """With any `durability` but NONE, a name is on disk when `put` returns."""
        self._top = path
        self._durability = durability
        self._swept = False

    @property
    def label(self) -> str:
        """What to call it in messages: its path."""
        return str(self._top)

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        return Capabilities(checksum=True, conditional=True)

    # Reading

    def list(self, prefix: str) -> Iterator[Listed]:
        """Every name that starts with `prefix`, sorted; links and other things that are no plain file are none."""
        directory = prefix.rpartition("/")[0]
        if directory:
            check_name(directory)
        return self._list(directory, prefix)

    def _list(self, directory: str, prefix: str) -> Iterator[Listed]:
        rows: list[tuple[str, Listed | None]] = []
        try:
            with os.scandir(self._top / directory if directory else self._top) as entries:
                for entry in entries:
                    name = f"{directory}/{entry.name}" if directory else entry.name
                    inside = name + "/"
                    if not is_name(name) or is_temp_name(os.fsencode(entry.name)) or name == TEMPORARY:
                        continue
                    if entry.is_dir():
                        if inside.startswith(prefix) or prefix.startswith(inside):
                            rows.append((inside, None))
                    elif name.startswith(prefix):
                        found = _lstat(entry)
                        if found is not None and stat.S_ISREG(found.st_mode):
                            rows.append((name, Listed(name, found.st_size, found.st_mtime_ns / 1e9)))
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise self._error(error, directory) from error
        rows.sort(key=lambda row: row[0])
        for key, listed in rows:
            if listed is None:
                yield from self._list(key[:-1], prefix)
            else:
                yield listed

    def get(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """The bytes of a name, or a range of them."""
        fd, size = self._open(name)
        try:
            return _read_range(fd, start, max(0, size - start) if length is None else length)
        except OSError as error:
            raise self._error(error, name) from error
        finally:
            os.close(fd)

    def get_many(self, ranges: Sequence[ByteRange]) -> Iterator[bytes]:
        """The bytes of each range, in the order asked."""
        last: str | None = None
        fd = -1
        try:
            for name, start, length in ranges:
                if name != last:
                    if fd >= 0:
                        os.close(fd)
                        fd = -1
                    fd, _ = self._open(name)
                    last = name
                try:
                    data = _read_range(fd, start, length)
                except OSError as error:
                    raise self._error(error, name) from error
                yield data
        finally:
            if fd >= 0:
                os.close(fd)

    def get_file(
        self, name: str, target: int, sha256: ObjectId, size: int, *, have: int = 0, advance: Advance | None = None
    ) -> None:
        """Copy `name`, or what is missing of it, into an open local file, hashing the copy."""
        fd, found = self._open(name)
        try:
            if found != size:
                raise WrongBytes(name)
            done = max(0, min(have, size, os.fstat(target).st_size))
            cut(target, done)
            if copy_and_hash(fd, target, size, have=done, advance=noting(have, done, advance)) != sha256:
                raise WrongBytes(name)
        except OSError as error:
            if error.errno is None:  # it became shorter while it was read
                raise WrongBytes(name) from error
            if error.errno == errno.EIO:
                raise self._error(error, name) from error
            raise local_error(error, "the file being fetched", size) from error
        finally:
            os.close(fd)

    def _open(self, name: str) -> tuple[int, int]:
        try:
            fd = os.open(self._top / check_name(name), _READ)
        except (FileNotFoundError, NotADirectoryError):
            raise NameMissing(name) from None
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENXIO, errno.EMLINK):  # a link or a socket: no file of ours
                raise NameMissing(name) from None
            raise self._error(error, name) from error
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            os.close(fd)
            raise NameMissing(name)
        return fd, found.st_size

    # Writing

    def put(self, name: str, data: bytes, *, exclusive: bool = False) -> None:
        """Publish `data` under `name`."""
        check_name(name)
        try:
            fd, temp = self._temporary()
            try:
                try:
                    write_all(fd, data)
                    self._finish(fd)
                finally:
                    os.close(fd)
                self._publish(temp, name, exclusive=exclusive)
            except BaseException:
                remove_file(temp)
                raise
        except OSError as error:
            raise self._error(error, name, len(data)) from error

    def put_file(self, name: str, source: Path, sha256: ObjectId, *, advance: Advance | None = None) -> None:
        """Copy a local file to `name`, hashing the copy."""
        check_name(name)
        try:
            origin = os.open(source, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0))
        except OSError as error:
            raise ReadFailed(f"{show(str(source))}: can't be read: {error.strerror}", path=str(source)) from error
        size = None
        try:
            size = os.fstat(origin).st_size
            fd, temp = self._temporary()
            try:
                try:
                    if copy_and_hash(origin, fd, size, advance=advance) != sha256:
                        raise WrongBytes(name)
                    self._finish(fd)
                finally:
                    os.close(fd)
                self._publish(temp, name, exclusive=False)
            except BaseException:
                remove_file(temp)
                raise
        except OSError as error:
            if error.errno is None and not isinstance(error, DatatoolError):  # it became shorter while it was read
                raise WrongBytes(name) from error
            raise self._error(error, name, size) from error
        finally:
            os.close(origin)

    def delete_many(self, names: Iterable[str]) -> None:
        """Delete names; those that are not there are no error."""
        touched: set[Path] = set()
        for name in names:
            path = self._top / check_name(name)
            try:
                remove_file(path)
            except OSError as error:
                raise self._error(error, name) from error
            touched.add(path.parent)
        if self._durability is not Durability.NONE:
            for directory in sorted(touched):
                if directory.is_dir():
                    fsync_dir(directory)

    def server_time(self) -> float:
        """Now, by the clock of the filesystem; by this machine's while nothing was, or can be, written there."""
        if not self._top.is_dir():
            return time.time()
        try:
            self._prepare()
            return scratch_stat(self._top / TEMPORARY).st_mtime_ns / 1e9
        except OSError as error:
            if error.errno in _DENIED:
                return time.time()
            raise self._error(error, "") from error

    def leftovers(self) -> Iterator[Leftover]:
        """None to speak of: temporary files of processes that are gone are swept by the next one that writes."""
        return iter(())

    def discard(self, leftover: Leftover) -> None:
        """Nothing to do."""

    def _temporary(self) -> tuple[int, Path]:
        self._prepare()
        return new_temp(self._top / TEMPORARY)

    def _prepare(self) -> None:
        place = self._top / TEMPORARY
        if not self._swept or not place.is_dir():
            make_dirs(self._top, like=self._top.parent, durability=self._durability)
            make_dirs(place, like=self._top, durability=self._durability)
            sweep_temps(place)  # of pushes that were killed
            self._swept = True

    def _finish(self, fd: int) -> None:
        Sharing.like(self._top).dress_file(fd, 0o666)
        if self._durability is not Durability.NONE:
            os.fsync(fd)

    def _publish(self, temp: Path, name: str, *, exclusive: bool) -> None:
        path = self._top / name
        make_dirs(path.parent, like=self._top, durability=self._durability)
        if not exclusive:
            replace(temp, path)
        elif not publish_new(os.fsencode(temp), os.fsencode(path)):
            raise NameTaken(name)
        if self._durability is not Durability.NONE:
            fsync_dir(path.parent)

    def _error(self, error: OSError, name: str, needed: int | None = None) -> DatatoolError:
        """What an OSError of the store's filesystem means for a remote."""
        if isinstance(error, RemoteError | NoSpace | ReadFailed):
            return error
        path = str(self._top / name) if name else str(self._top)
        known = local_error(error, path, needed) if not isinstance(error, LocalError) else error
        if isinstance(known, NoSpace) or error.errno == errno.EFBIG:
            return known
        if error.errno in _DENIED:
            return RemoteDenied(
                f"{show(path)}: {os.strerror(error.errno or 0)}",
                hint="ask whoever owns the directory for permission, or use another remote",
                path=path,
            )
        if error.errno in _GONE:
            return RemoteUnreachable(f"{show(path)}: {known.message.rpartition(': ')[2]}", path=path)
        return RemoteError(known.message, path=path)


def _lstat(entry: os.DirEntry[str]) -> os.stat_result | None:
    try:
        return entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None


def _read_range(fd: int, start: int, length: int) -> bytes:
    if not hasattr(os, "pread"):
        os.lseek(fd, start, os.SEEK_SET)
        with open(fd, "rb", closefd=False) as file:
            return file.read(length)
    data = os.pread(fd, length, start)
    if len(data) == length or not data:
        return data
    parts = [data]
    got = len(data)
    while got < length and (more := os.pread(fd, length - got, start + got)):
        parts.append(more)
        got += len(more)
    return b"".join(parts)
