"""Writing many files for the price of one sync: all temporary files first, then all names.

For each file: temporary file → bytes → permission bits. For the batch: one sync → all renames or links → the
directories. A kill at any moment leaves each name absent, old or complete; a power cut too, after `flush`
returned for what it published, before that for everything (formats §7).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from datatool.errors import DatatoolError
from datatool.localfs.atomic import local_error, make_dirs, replace, write_all
from datatool.localfs.clock import of_times
from datatool.localfs.links import may_hardlink
from datatool.localfs.new_directories import POSSIBLE, NewDirectories
from datatool.localfs.publish import LINK_FOLLOWS, NO_LINK, publish_new
from datatool.localfs.safe_paths import Directories
from datatool.localfs.sharing import Sharing
from datatool.localfs.syncing import Syncs
from datatool.localfs.temps import NEW_FILE, give_name, temp_name
from datatool.model.settings import Durability, LinkMethod

_LAG = 12_000_000
"""Nanoseconds by which the times that a kernel gives to new files may lag behind: a tick of up to 10 ms, and some."""


_Settled = tuple[int, int]
"""Up to which time files are sure to be what was written, and on which filesystem."""


class NewFile(Struct, frozen=True, gc=False):
    """A file whose bytes are in memory: it will be `target`, with the bits of `mode` that sharing or the umask leave.

    Without `replace`, a target that is there when the batch is published stays as it is.
    """

    target: bytes
    data: bytes | memoryview
    mode: int
    replace: bool
    tag: object = None


class Published(Struct, frozen=True, gc=False):
    """A file that has its final name now. `stat` is its lstat, or None if the file was there already or may have
    been changed since: then nothing must be remembered of it. `tag` is what the caller gave with it."""

    target: bytes
    stat: os.stat_result | None
    tag: object


class _Pending(Struct, frozen=True, gc=False):
    temp: bytes
    target: bytes
    replace: bool
    linked: bool
    stat: os.stat_result
    tag: object
    named_in: bytes = b""
    """The directory, itself temporary, in which `temp` has the name of the target."""


class Batch:
    """Files to be written below `top`, published together; use with `with`.

    Leaving the block without an exception publishes what is left; with one, deletes the temporary files and
    publishes nothing more. Paths are raw bytes relative to `top`; missing directories are made, and no
    symlink is followed on the way (UnsafeInput). Other failures raise LocalError. May be used by several threads.

    >>> import tempfile
    >>> top = Path(tempfile.mkdtemp())
    >>> with Batch(top, durability=Durability.BATCH) as batch:
    ...     batch.write(b"a/b", b"data", mode=0o666, replace=False)
    >>> (top / "a/b").read_bytes()
    b'data'
    """

    def __init__(
        self,
        top: Path,
        *,
        durability: Durability,
        like: Path | None = None,
        on_published: Callable[[list[Published]], None] | None = None,
        max_files: int = 4096,
        max_bytes: int = 1 << 30,
        whole_directories: bool = False,
        whole_names: bool = False,
    ) -> None:
        """Files and directories are shared as `like` is, else by the umask. `on_published` hears of each batch
        after it is durable; a batch is published when it has `max_files` files or `max_bytes` bytes. With
        `whole_directories`, those that are missing get their names with all that is in them, which is faster. Errors
        name paths from `top` on, or with `whole_names` from the root."""
        self._top = top
        self._durability = durability
        self._like = like
        self._named_from = os.fspath(top) if whole_names else ""
        self._on_published = on_published
        self._max_files, self._max_bytes = max_files, max_bytes
        self._sharing = Sharing.like(like)
        self._directories = Directories(top, sharing=self._sharing)
        self._new = NewDirectories(self._directories) if whole_directories and POSSIBLE else None
        self._lock = threading.RLock()
        self._open: set[bytes] = set()
        self._pending: list[_Pending] = []
        self._bytes = 0
        self._syncs = Syncs(durability, self._directories)

    def __enter__(self) -> Batch:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                self.flush()
        finally:
            self.close()

    def close(self) -> None:
        """Delete the temporary files that were not published, and let go of the directories."""
        with self._lock:
            self._give_up()
            self._directories.close()

    # Filling

    def open_temp(self, directory: bytes, mode: int = 0o600, *, target: bytes = b"") -> tuple[int, bytes]:
        """Make an empty temporary file in a directory; its descriptor (for reading and writing) and its path. `target`
        is what errors name, if not the directory."""
        with self._lock:
            for attempt in (0, 1):
                try:
                    home = self._home(directory)
                    fd, prefix = self._at(home)
                    while True:
                        name = temp_name()
                        try:
                            opened = os.open(prefix + name, NEW_FILE, mode, dir_fd=fd)
                            break
                        except FileExistsError:
                            continue
                    temp = home + b"/" + name if home else name
                    self._open.add(temp)
                    return opened, temp
                except FileNotFoundError as error:  # somebody deleted the directory meanwhile: once more
                    if attempt:
                        raise self.error(error, target or directory) from error
                    self._directories.close()
                except OSError as error:
                    raise self.error(error, target or directory) from error
            raise AssertionError

    def adopt(self, directory: bytes, fd: int) -> bytes | None:
        """Make a file that has no name (`open_nameless`) a temporary one in a directory; its path, or None where it
        can't be one there, and then it is closed."""
        try:
            with self._lock:
                home = self._home(directory)
                at, prefix = self._at(home)
                name = temp_name()
                give_name(fd, prefix + name, at)
                temp = home + b"/" + name if home else name
                self._open.add(temp)
                return temp
        except (OSError, DatatoolError):  # told of when a temporary file is made there in its stead
            os.close(fd)
            return None

    def discard(self, temp: bytes, *, fd: int) -> None:
        """Close and delete a temporary file that is not wanted after all."""
        os.close(fd)
        with self._lock:
            self._open.discard(temp)
            self._unlink(temp)

    def add(
        self, temp: bytes, target: bytes, *, fd: int, mode: int, size: int, replace: bool, tag: object = None
    ) -> None:
        """Take a finished temporary file, as what `NewFile` says; `fd` is closed here."""
        with self._lock:  # taken and listed at once, so that another thread's flush syncs it or doesn't know it
            try:
                found, keep = self._finish(fd, mode)
            except OSError as error:
                self.discard(temp, fd=fd)
                raise self.error(error, target, size) from error
            if not keep:
                os.close(fd)
            self._take(_Pending(temp, target, replace, False, found, tag), size)

    def write(self, target: bytes, data: bytes | memoryview, *, mode: int, replace: bool, tag: object = None) -> None:
        """Take one file whose bytes are in memory."""
        self.write_many([NewFile(target, data, mode, replace, tag)])

    def write_many(self, files: Iterable[NewFile]) -> None:
        """Take files whose bytes are in memory; cheapest where those of one directory come one after the other."""
        with self._lock:
            last = None
            for file in files:
                directory, _, name = file.target.rpartition(b"/")
                bits = self._sharing.first_mode(file.mode)
                try:
                    if directory != last:
                        home = self._home(directory)
                        named_in = home if home != directory else b""
                        at, prefix = self._at(home)
                        last = directory
                    temp = name if named_in else temp_name()
                    fd = os.open(prefix + temp, NEW_FILE, bits, dir_fd=at)
                    temp = home + b"/" + temp if home else temp
                except OSError:  # tried again, and told of, there
                    fd, temp = self.open_temp(directory, bits, target=file.target)
                    last, named_in = None, b""
                try:
                    write_all(fd, file.data)
                    found, keep = self._finish(fd, file.mode)
                except BaseException as error:
                    self.discard(temp, fd=fd)
                    if isinstance(error, OSError):
                        raise self.error(error, file.target, len(file.data)) from error
                    raise
                if not keep:
                    os.close(fd)
                if self._take(
                    _Pending(temp, file.target, file.replace, False, found, file.tag, named_in), len(file.data)
                ):
                    last = None

    def symlink(self, target: bytes, link_text: bytes, *, replace: bool, tag: object = None) -> None:
        """Take a symlink at `target` that says `link_text`."""
        try:
            self._take_link(target, link_text, None, replace, tag)
        except OSError as error:
            raise self.error(error, target) from error

    def directory(self, target: bytes) -> None:
        """Make an empty directory, at once; `flush` makes it durable. Raises UnsafeInput, LocalError."""
        try:
            with self._lock:
                self._at(self._home(target))
        except OSError as error:
            raise self.error(error, target) from error

    def adopt_link(self, target: bytes, source: bytes, *, kind: str, replace: bool, tag: object = None) -> bool:
        """Take a `hardlink` or `symlink` to a read-only file elsewhere (`source`, absolute); whether that is possible.

        It is not on another filesystem, with too many links, for a file of somebody else or one that can be
        written to, or where there are no such links: then the caller copies.
        """
        try:
            if kind == LinkMethod.SYMLINK:
                self._take_link(target, source, None, replace, tag)
            elif may_hardlink(os.lstat(source)):
                self._take_link(target, b"", source, replace, tag)
            else:
                return False
        except OSError as error:
            if error.errno in NO_LINK and not isinstance(error, DatatoolError):
                return False
            raise self.error(error, target) from error
        return True

    def _take_link(self, target: bytes, text: bytes, source: bytes | None, replace: bool, tag: object) -> None:
        with self._lock:
            directory = self._home(target.rpartition(b"/")[0])
            fd, prefix = self._at(directory)
            while True:
                name = temp_name()
                try:
                    if source is None:
                        os.symlink(text, prefix + name, dir_fd=fd)
                    else:
                        os.link(source, prefix + name, dst_dir_fd=fd, follow_symlinks=LINK_FOLLOWS)
                    break
                except FileExistsError:
                    continue
            temp = directory + b"/" + name if directory else name
            self._open.add(temp)
            found = os.stat(prefix + name, dir_fd=fd, follow_symlinks=False)
        self._take(_Pending(temp, target, replace, source is not None, found, tag), 0)

    def _finish(self, fd: int, mode: int) -> tuple[os.stat_result, bool]:
        """Give an open file its bits, and sync it now or later; its stat, and whether it stays open until then."""
        found = os.fstat(fd)
        if not self._sharing.is_dressed(found, mode):
            self._sharing.dress_file(fd, mode)
            found = os.fstat(fd)
        return found, self._syncs.take(fd)

    def _take(self, item: _Pending, size: int) -> bool:
        """List what waits for its name; whether the batch was full, and has been published."""
        with self._lock:
            self._open.discard(item.temp)
            self._pending.append(item)
            self._bytes += size
            full = len(self._pending) >= self._max_files or self._bytes >= self._max_bytes
            if full:
                self.flush()
            return full

    # Publishing

    def flush(self) -> None:
        """Publish everything taken so far; it is durable when this returns. Raises LocalError."""
        with self._lock:
            if not self._pending and not self._directories.made:
                return
            try:
                self._syncs.files((item.temp, item.stat) for item in self._pending)
                settled = self._settle() if self._on_published is not None else None
                published = self._publish_all(settled)
                self._directories.made.clear()
                self._bytes = 0
            except DatatoolError:
                raise
            except OSError as error:
                raise local_error(error, self._top, self._bytes) from error
            if self._on_published is not None and published:
                self._on_published(published)

    def _publish_all(self, settled: _Settled | None) -> list[Published]:
        published: list[Published] = []
        moved = self._new.publish() if self._new is not None else {}
        left = self._new.left if self._new is not None else set()
        touched = {moved.get(made, made) for made in self._directories.made - left}
        done = 0
        try:
            for item in self._pending:
                if item.named_in in moved:
                    directory, found = moved[item.named_in], _unchanged(item.stat, settled)
                else:
                    directory, _, name = item.target.rpartition(b"/")
                    at, _, temp = item.temp.rpartition(b"/")
                    is_new = self._publish(item, moved.get(at, at), temp, directory, name)
                    found = self._found(item, directory, name, settled) if is_new else None
                done += 1
                touched.add(directory)
                if settled is not None:
                    published.append(Published(item.target, found, item.tag))
        finally:
            del self._pending[:done]  # what is left has a temporary file that must be deleted
            if self._new is not None:
                self._new.give_up()
        self._syncs.directories(touched)
        return published

    def _publish(self, item: _Pending, at: bytes, temp: bytes, directory: bytes, name: bytes) -> bool:
        """Give the temporary file `temp` in `at` its `name` in a directory; False if that was taken, and stays."""
        try:
            if at == directory:
                fd, prefix = self._directories.at(directory)
                return _give_name(item, prefix + temp, prefix + name, fd, fd)
            with self._directories.held(at) as (fd, prefix):
                to_fd, to_prefix = self._at(directory)
                return _give_name(item, prefix + temp, to_prefix + name, fd, to_fd)
        except OSError as error:
            raise self.error(error, item.target) from error

    def _found(self, item: _Pending, directory: bytes, name: bytes, settled: _Settled | None) -> os.stat_result | None:
        """The lstat of a published file, if no change to it can have gone unseen (formats §4, racy rule)."""
        if settled is None:
            return None
        before, device = settled
        try:
            fd, prefix = self._directories.at(directory)
            found = os.stat(prefix + name, dir_fd=fd, follow_symlinks=False)
        except OSError:
            return None
        was = item.stat
        changed = found.st_mtime_ns
        same = (
            changed == was.st_mtime_ns
            and found.st_size == was.st_size
            and found.st_ino == was.st_ino
            and found.st_dev == was.st_dev == device
            and changed <= before
        )
        return found if same else None

    def _settle(self) -> _Settled:
        """Wait until no file can be changed without changing its time, at most once; the newest time that is safe.

        The private temporary files can't have been touched; from the rename on, a change must show in the time.
        """
        if not self._pending:
            return 0, 0
        now = self._scratch()
        grain = of_times(now.st_mtime_ns)
        newest = max(item.stat.st_mtime_ns for item in self._pending)
        wait = newest + grain - now.st_mtime_ns
        if wait > 0:
            time.sleep(min(wait + _LAG, 2 * grain) / 1e9)
            now = self._scratch()
        return now.st_mtime_ns - grain, now.st_dev

    def _scratch(self) -> os.stat_result:
        """What the filesystem says of a file made now, beside one of those that wait."""
        fd, temp = self.open_temp(self._pending[0].temp.rpartition(b"/")[0])
        try:
            return os.fstat(fd)
        finally:
            self.discard(temp, fd=fd)

    # Helpers

    def _home(self, directory: bytes) -> bytes:
        return directory if self._new is None else self._new.home(directory)

    def _at(self, directory: bytes) -> tuple[int | None, bytes]:
        try:
            return self._directories.at(directory, create=True)
        except FileNotFoundError:
            make_dirs(self._top, like=self._like, durability=self._durability)
            self._directories.close()
            return self._directories.at(directory, create=True)

    def _give_up(self) -> None:
        self._syncs.give_up()
        for temp in [*self._open, *(item.temp for item in self._pending)]:
            self._unlink(temp)
        self._open.clear()
        self._pending.clear()
        if self._new is not None:
            self._new.give_up()

    def error(self, error: OSError, path: bytes, needed: int | None = None) -> Exception:
        """What to raise for an OSError at a path below the top, of a file of `needed` bytes."""
        name = os.path.join(self._named_from, os.fsdecode(path)) or self._top
        return error if isinstance(error, DatatoolError) else local_error(error, name, needed, top=self._top)

    def _unlink(self, temp: bytes) -> None:
        with suppress(OSError):  # what can't be deleted now is swept later
            self._directories.remove(temp)


def _unchanged(was: os.stat_result, settled: _Settled | None) -> os.stat_result | None:
    """What `_found` gives of a file that has had its own name all along, out of everybody's sight."""
    return was if settled is not None and was.st_mtime_ns <= settled[0] and was.st_dev == settled[1] else None


def _give_name(item: _Pending, temp: bytes, target: bytes, fd: int | None, to_fd: int | None) -> bool:
    if not item.replace:
        return publish_new(temp, target, fd=fd, to_fd=to_fd)
    if fd is None:
        replace(temp, target)
    else:
        os.replace(temp, target, src_dir_fd=fd, dst_dir_fd=to_fd)
    if item.linked:  # renaming one name of a file to another name of it does nothing at all
        with suppress(FileNotFoundError):
            os.unlink(temp, dir_fd=fd)
    return True
