"""What is in the workspace now, as entries: remembered hashes where they hold, fresh ones where asked for."""

from __future__ import annotations

import errno
import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import NamedTuple, TypeVar

from msgspec import Struct, field
from msgspec.structs import force_setattr

from datatool.errors import ChangedWhileRead, DatatoolError, LocalError, PathNotFound, ReadFailed
from datatool.hashing import hash_fd
from datatool.index.listing import Looked, Mark, Seen, recall
from datatool.index.stamp import Stamp, changed_in, size_in, stamp_many, stamp_of, stamps_of
from datatool.index.state import Part, State
from datatool.localfs.atomic import local_error
from datatool.localfs.batch import Published
from datatool.localfs.clock import granularity, scratch_time
from datatool.localfs.removal import sweep_left_over
from datatool.localfs.walk import Found, runs
from datatool.model.entry import DIRECTORY, EXECUTABLE, FILE, SYMLINK, Entry
from datatool.model.oid import ObjectId, from_digest, to_digest
from datatool.model.paths import PathRefused, check_link, named, show
from datatool.workspace.ignore_rules import NameRules

T = TypeVar("T")

ATTEMPTS = 3
"""How often a file that changes while it is read is read again before that is an error."""

_INTO_A_CACHE = rb"[/\\]objects[/\\][0-9a-f]{2}[/\\][0-9a-f]{62}\Z"

OPEN = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
"""How files of the workspace are opened to be read."""

_TOGETHER = 4096
"""Paths that are looked up together."""
KEPT = 1 << 16
"""Paths that a glance keeps: about 60 MB of memory, with what is remembered of them."""


class Glance(NamedTuple):
    """A directory at one moment. `found` is all that is in it, None where that is too much to keep."""

    mark: bytes
    found: list[tuple[list[Found], list[Stamp]]] | None


class Workspace(Struct, frozen=True):
    """The files under `root`, and what `state` remembers of them.

    `modes_bind` says whether executable bits mean anything here; `skip` is `.datatoolignore`.
    """

    root: Path
    state: State
    modes_bind: bool = True
    skip: Callable[[bytes, bool], bool] | None = None
    _clocks: dict[int, int] = field(default_factory=dict)
    _littered: set[bytes] = field(default_factory=set)
    _ruled: set[bytes] = field(default_factory=set)
    _prefix: bytes = b""

    def __post_init__(self) -> None:
        force_setattr(self, "_prefix", os.path.join(os.fsencode(self.root), b""))

    def full(self, path: bytes) -> bytes:
        """The absolute path of something in the project."""
        return self._prefix + path

    def kind(self, path: bytes) -> str | None:
        """What lies at a path: `f`, `l`, `d`, `?` (no regular file), or None for nothing."""
        try:
            mode = os.lstat(self.full(path)).st_mode
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:  # so nothing can lie there
                return None
            raise
        if stat.S_ISREG(mode):
            return FILE
        if stat.S_ISDIR(mode):
            return DIRECTORY
        return SYMLINK if stat.S_ISLNK(mode) else "?"

    def holds_file(self, artifact: bytes, path: bytes) -> bool:
        """Whether a regular file lies at a path inside an artifact, or a link out of it that stands for one, such as
        one into the cache."""
        kind = self.kind(artifact + b"/" + path)
        if kind != SYMLINK:
            return kind == FILE
        try:
            target = os.readlink(self.full(artifact + b"/" + path))
            return leaves(path, target) and os.path.isfile(self.full(artifact + b"/" + path))
        except OSError:  # it went meanwhile
            return False

    def look(self, artifact: bytes, *, within: bytes = b"") -> Iterator[Seen]:
        """Everything in a directory artifact, sorted, each file with its remembered hash if that holds.

        Paths are relative to the artifact. A link that leaves the artifact stands for the file it points to, if
        it does; callers that must not follow check `found.kind`. Raises ReadFailed for what can't be read.
        """
        return chain.from_iterable(self.look_by_many(artifact, within=within))

    def look_by_many(
        self, artifact: bytes, *, within: bytes = b"", on_special: Callable[[bytes, str], None] | None = None
    ) -> Iterator[list[Seen]]:
        """The same, some thousand at a time."""
        for looked in self.look_by_columns(artifact, within=within, on_special=on_special):
            yield looked.each()

    def look_by_columns(
        self, artifact: bytes, *, within: bytes = b"", on_special: Callable[[bytes, str], None] | None = None
    ) -> Iterator[Looked]:
        """The same for who needs few of them one by one."""
        for found in self._walk(artifact, within, on_special):
            yield recall(self.state, artifact + b"/", found, stamps_of(found))

    def glance(self, artifact: bytes) -> Glance:
        """A directory artifact as it is now, by its mark; no remembered hash is looked up."""
        mark = Mark()
        kept: list[tuple[list[Found], list[Stamp]]] | None = []
        count = 0
        for found in self._walk(artifact):
            stamps = stamps_of(found)
            mark.saw(found, stamps)
            count += len(found)
            if count > KEPT:
                kept = None
            elif kept is not None:
                kept.append((found, stamps))
        return Glance(mark.finish(), kept)

    def look_again(self, artifact: bytes, glance: Glance) -> Iterator[Looked] | None:
        """What `look_by_columns` would have given instead of that glance, if it kept enough."""
        if glance.found is None:
            return None
        return (recall(self.state, artifact + b"/", found, stamps) for found, stamps in glance.found)

    def _walk(
        self, artifact: bytes, within: bytes = b"", on_special: Callable[[bytes, str], None] | None = None
    ) -> Iterator[list[Found]]:
        """What lies in a directory artifact, links followed where that is right, up to `_TOGETHER` at a time."""
        top = self.full(artifact)
        some: list[Found] = []
        for run in self._named(self._runs(artifact, within, on_special)):
            if within:
                run = [item._replace(path=within + b"/" + item.path if item.path else within) for item in run]
            if SYMLINK in [item[2] for item in run]:
                run = [item for each in run if (item := _stands_for(top, each)) is not None]
            some += run
            if len(some) >= _TOGETHER:
                yield from (some[start : start + _TOGETHER] for start in range(0, len(some), _TOGETHER))
                some = []
        if some:
            yield some

    def _runs(
        self, artifact: bytes, within: bytes, on_special: Callable[[bytes, str], None] | None
    ) -> Iterator[list[Found]]:
        top = self.full(artifact)
        start = os.path.join(top, within) if within else top
        rules = self.skip
        by_name = isinstance(rules, NameRules)
        return runs(
            start,
            skip=None if by_name else self._skip(artifact),
            skip_names=rules.anything if isinstance(rules, NameRules) else frozenset(),
            skip_directories=rules.directories if isinstance(rules, NameRules) else frozenset(),
            on_special=on_special,
            on_temp=lambda directory: self._littered.add(os.path.join(start, directory)),
            on_left_out=lambda: self._ruled.add(artifact),
        )

    def left_some_out(self, artifact: bytes) -> bool:
        """Whether a rule left something out of a directory artifact, when it was looked at."""
        return artifact in self._ruled

    def remember_published(self, published: list[Published]) -> None:
        """Remember what a batch wrote, by the racy rule as it told; its tags begin with path from the root and id."""
        known = [item for item in published if item.stat is not None and isinstance(item.tag, tuple)]
        stamps = stamp_many([item.stat for item in known if item.stat is not None])
        tags = [item.tag for item in known if isinstance(item.tag, tuple)]
        self.state.remember(
            [(path, stamp, to_digest(oid)) for (path, oid, *_), stamp in zip(tags, stamps, strict=True)]
        )

    def remember_part(self, artifact: bytes, tree: ObjectId, published: list[Published]) -> None:
        """Remember which of those files are now just what a tree has at their paths; their tags end with its entry."""
        if not self.modes_bind:
            return
        right = [
            (entry.path, item.stat)
            for item in published
            if item.stat is not None
            and isinstance(item.tag, tuple)
            and isinstance(entry := item.tag[-1], Entry)
            and stat.S_ISREG(item.stat.st_mode)
            and item.stat.st_size == entry.size
            and bool(item.stat.st_mode & 0o111) == (entry.kind == EXECUTABLE)
        ]
        if right:
            part = Part.of([path for path, _ in right], stamp_many([at for _, at in right]))
            self.state.add_parts(artifact, tree, [part])

    def sweep(self) -> None:
        """Delete temporary files and directories that were met, and whose process is gone; the caller holds the lock of
        the pointer."""
        while self._littered:
            with suppress(LocalError):  # somebody else's: the next sweep tries again
                sweep_left_over(Path(os.fsdecode(self._littered.pop())))

    def _named(self, seen: Iterator[T]) -> Iterator[T]:
        """Errors of the walk name a path on this machine; here they name it from the project's root."""
        try:
            yield from seen
        except DatatoolError as error:
            root = os.fspath(self.root) + os.sep
            error.message = error.message.replace(show(root), "", 1)
            error.path = error.path.removeprefix(root) if error.path is not None else None
            raise

    def look_at_file(self, path: bytes, *, recall_from: int = 0) -> Seen:
        """One file, with its remembered hash if that holds; PathNotFound if it isn't there. Nothing is recalled of one
        with fewer than `recall_from` bytes."""
        target = None
        try:
            found = os.lstat(self.full(path))
            if stat.S_ISLNK(found.st_mode):  # a link into the cache, or one that the user made
                target = os.readlink(self.full(path))
                found = os.stat(self.full(path))
        except OSError as error:
            if target is None and not isinstance(error, FileNotFoundError | NotADirectoryError):
                raise
            raise PathNotFound(f"{named(path)}: no such file", path=os.fsdecode(path)) from error
        stamp = stamp_of(found)
        row = self.state.row(path) if found.st_size >= recall_from else None
        if row is not None and row.stamp == stamp:
            return Seen(Found(b"", found, FILE, target), stamp, from_digest(row.digest))
        return Seen(Found(b"", found, FILE if stat.S_ISREG(found.st_mode) else "?", target), stamp, None)

    def stands_for_nothing(self, path: bytes) -> bool:
        """Whether a broken link leads into a cache, that was moved or has lost the object; then nothing is lost with
        it."""
        try:
            return re.search(_INTO_A_CACHE, os.readlink(self.full(path))) is not None
        except FileNotFoundError:
            return True
        except OSError:  # no link: somebody has just put something there
            return False

    def entry(self, seen: Seen, oid: ObjectId | None, before: Entry | None = None) -> Entry:
        """The tree entry for something seen; `before` gives the letter where modes don't bind."""
        path, found, kind, target = seen.found
        if kind == SYMLINK:
            return Entry(SYMLINK, path, None, len(target or b""), target)
        if kind == DIRECTORY:
            return Entry(DIRECTORY, path, None, 0)
        if self.modes_bind:
            letter = EXECUTABLE if found.st_mode & 0o111 else FILE
        else:
            letter = before.kind if before is not None and before.is_file else FILE
        return Entry(letter, path, oid, found.st_size)

    def hash(self, path: bytes) -> tuple[ObjectId, Stamp]:
        """Hash a file that no remembered hash holds for, and remember it by the racy rule."""
        try:
            changed = os.lstat(self.full(path)).st_ctime_ns
        except OSError:
            changed = 0
        now = self.clock(path, changed)
        oid, stamp = self.read_stable(path, lambda fd, found: hash_fd(fd, found.st_size))
        self.remember([(path, stamp, oid)], now)
        return oid, stamp

    def read_as_seen(self, path: bytes, stamp: Stamp) -> bytes | None:
        """The bytes of a small file that is still what the walk saw, looked at once more after they were read. None
        where it is not, or can't be read so simply: then `read_stable` is to be asked."""
        try:
            fd = os.open(self._prefix + path, OPEN)
        except OSError:
            return None
        size = size_in(stamp)
        try:
            data = os.read(fd, size + 1)
            unchanged = stamp_of(os.fstat(fd)) == stamp
        except OSError:
            return None
        finally:
            os.close(fd)
        return data if unchanged and len(data) == size else None

    def read_stable(self, path: bytes, read: Callable[[int, os.stat_result], T]) -> tuple[T, Stamp]:
        """Read an open file, again if it changed meanwhile; ChangedWhileRead if it keeps changing."""
        full = self.full(path)
        for _ in range(ATTEMPTS):
            try:
                fd = os.open(full, OPEN)
            except OSError as error:
                try:  # a link that stands for the file it points to
                    if not stat.S_ISLNK(os.lstat(full).st_mode):
                        raise error
                    fd = os.open(full, OPEN & ~getattr(os, "O_NOFOLLOW", 0))
                except OSError:
                    raise ReadFailed(
                        f"{named(path)}: can't be read: {error.strerror}", path=os.fsdecode(path)
                    ) from error
            try:
                before = os.fstat(fd)
                result = read(fd, before)
                stamp = stamp_of(before)
                if stamp_of(os.fstat(fd)) == stamp:
                    return result, stamp
            except OSError as error:
                if error.errno == errno.EFBIG:  # its copy, which `read` writes
                    raise local_error(OSError(errno.EFBIG, ""), named(path)) from error
                if isinstance(error, LocalError):
                    raise
                raise ReadFailed(f"{named(path)}: {error.strerror}", path=os.fsdecode(path)) from error
            finally:
                os.close(fd)
        raise ChangedWhileRead(
            f"{named(path)}: kept changing while it was read",
            hint="stop the program that writes it, then run the command again",
            path=os.fsdecode(path),
        )

    def clock(self, path: bytes, newest: int, *, wait: bool = False) -> int:
        """The time (ns) on the data's filesystem before which a file must have changed for its hash to be remembered.

        Taken from a scratch file before anything is hashed, and again only for files newer than the last time
        (`newest`, a ctime); with `wait`, a moment later, so that files written just now count too. 0 if unknown.
        """
        place = os.path.dirname(self.full(path))
        try:
            device = os.lstat(place).st_dev
            known = self._clocks.get(device, 0)
            if newest < known:
                return known
            directory = Path(os.fsdecode(place))
            grain = granularity(directory)
            now = scratch_time(directory)
            for _ in range(10 if wait and newest <= now else 0):  # the clock of files may tick in steps of 10 ms
                if newest < now - grain:
                    break
                time.sleep((newest + grain - now) / 1e9 + 0.002)
                now = scratch_time(directory)
            self._clocks[device] = now - grain
            return now - grain
        except OSError:
            return 0

    def remember(self, hashed: list[tuple[bytes, Stamp, ObjectId]], before: int) -> bool:
        """Remember hashes of files that last changed before the moment `clock` gave (formats §4, racy rule); returns
        whether that was so for all."""
        rows = [(path, stamp, to_digest(oid)) for path, stamp, oid in hashed if changed_in(stamp) < before]
        self.state.remember(rows)
        return len(rows) == len(hashed)

    def _skip(self, artifact: bytes) -> Callable[[bytes, bool], bool] | None:
        skip = self.skip
        if skip is None:
            return None
        return lambda path, is_directory: skip(artifact + b"/" + path, is_directory)


def _stands_for(top: bytes, item: Found) -> Found | None:
    return _followed(top, item) if item.kind == SYMLINK else item


def _followed(top: bytes, item: Found) -> Found | None:
    """A link that leaves the artifact stands for the file it points to; one into a cache that was moved for nothing."""
    if not leaves(item.path, item.target or b""):
        return item
    try:
        there = os.stat(os.path.join(top, item.path))
    except OSError:
        return None if re.search(_INTO_A_CACHE, item.target or b"") else item
    return Found(item.path, there, FILE, item.target) if stat.S_ISREG(there.st_mode) else item


def leaves(path: bytes, target: bytes) -> bool:
    """Whether a symlink at `path` inside an artifact may point out of it (formats §3)."""
    try:
        check_link(path, target)
    except PathRefused:
        return True
    return False
