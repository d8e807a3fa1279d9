"""What can be read of a project or registry at one revision, whichever it is."""

from __future__ import annotations

import io
import os
import posixpath
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from msgspec import Struct, field

from datatool.cache.local import Cache
from datatool.errors import DamageFound, PathNotFound
from datatool.formats.tree_object import TreeWriter
from datatool.model.entry import DIRECTORY, SYMLINK, Entry, sort_key
from datatool.model.oid import ObjectId
from datatool.model.paths import named
from datatool.operations.listed import ListEntry
from datatool.store.objects import Wanted
from datatool.store.transfer import transfer

LINKS: Final = 40
"""Symlinks followed on the way to one file, as many as Linux follows."""
_CHUNK: Final = 65_536


class Held(Struct, frozen=True, kw_only=True):
    """Content that is whole in a cache: `oid` is a file's object, or a directory's tree. `pages` are those of a tree
    that no pointer names, such as a part of a larger one; size in bytes."""

    cache: Cache
    oid: ObjectId
    size: int
    directory: bool = False
    executable: bool = False
    pages: Mapping[ObjectId, bytes] = field(default_factory=dict)

    def load(self, oid: ObjectId) -> bytes:
        """The bytes of a tree page; KeyError if it isn't here."""
        return self.pages[oid] if oid in self.pages else self.cache.load(oid)


class Content(Protocol):
    """See the module. Paths are raw bytes from the repository's top, `b""` the top itself; symlinks are not followed
    (`resolve` does)."""

    @property
    def commit(self) -> str | None:
        """The commit that is read; None for the work tree's pointers."""

    def entries(self, path: bytes, *, recursive: bool) -> Sequence[ListEntry]:
        """What is at or below a path, one level deep unless `recursive`. Raises PathNotFound."""

    def look(self, path: bytes) -> ListEntry | None:
        """What a path is; a directory has neither size nor oid. None where there is nothing."""

    def link(self, path: bytes) -> bytes:
        """The text of the symlink at a path."""

    def hold(self, path: bytes) -> Held:
        """Have the content of a file or directory in a cache, every byte of it checked."""

    def gather(self, paths: Sequence[bytes]) -> None:
        """Have many files in a cache in as few requests as that takes, to be opened afterwards; what can't be had is
        left to whoever opens it."""

    def reader(self, path: bytes) -> io.FileIO | io.BytesIO:
        """A file, to be read piece by piece; every byte of it was checked."""

    def url(self, path: bytes) -> str:
        """Where a file's bytes lie as a file of their own. Raises UrlNotFound."""

    def changed(self, path: bytes) -> float:
        """When what is named at a path may last have changed, in seconds since 1970."""

    def not_found(self, path: bytes) -> PathNotFound:
        """The error for a path where there is nothing, with the nearest name."""


def resolve(content: Content, path: bytes) -> tuple[bytes, ListEntry]:
    """Follow symlinks from a path to a file or directory. Raises PathNotFound."""
    at = path
    for _ in range(LINKS):
        entry = content.look(at)
        if entry is None:
            through = _through_link(content, at)
            if through is None:
                raise content.not_found(path)
            at = through
        elif entry.kind == "symlink":
            at = _target(at, content.link(at))
        else:
            return at, entry
    raise PathNotFound(f"{named(path)}: too many symlinks", path=os.fsdecode(path))


def resolve_first(content: Content, paths: Sequence[bytes]) -> tuple[bytes, ListEntry]:
    """`resolve` for the first of several paths at which there is something."""
    first: PathNotFound | None = None
    for path in paths:
        try:
            return resolve(content, path)
        except PathNotFound as error:
            first = first or error
    assert first is not None
    raise first


def reader_by(hold: Callable[[bytes], Held], path: bytes) -> io.FileIO | io.BytesIO:
    """Bring a file into a cache and open it there; what turns out damaged in the cache is brought once more."""
    held = hold(path)
    try:
        return held.cache.reader(held.oid)
    except KeyError:
        held = hold(path)
    try:
        return held.cache.reader(held.oid)
    except KeyError as error:
        raise DamageFound(
            f"{named(path)}: object {held.oid[:12]}… is damaged as soon as it is in the cache",
            hint="check the disk that the cache is on",
            path=os.fsdecode(path),
        ) from error


def borrow(source: Cache, cache: Cache, wanted: Sequence[Wanted]) -> None:
    """Copy into a cache what it lacks and another one on this machine has."""
    lacking = cache.missing([want.oid for want in wanted])
    there = lacking - source.missing(lacking) if lacking else set()
    some = [want for want in wanted if want.oid in there]
    for start in range(0, len(some), _CHUNK):
        with cache.writer() as writer:
            transfer(source, writer, some[start : start + _CHUNK])


def tree_of(entries: Sequence[Entry]) -> tuple[ObjectId, int, dict[ObjectId, bytes]]:
    """The tree that entries make, in any order: its id, its size, its pages."""
    pages: dict[ObjectId, bytes] = {}
    tree = TreeWriter(pages.__setitem__)
    for entry in sorted(entries, key=sort_key):
        tree.add(entry)
    summary = tree.finish()
    return summary.oid, summary.size, pages


def below(entries: Sequence[Entry], within: bytes) -> list[Entry]:
    """Entries of a tree as entries of the directory `within` of it."""
    skip = len(within) + 1
    return [entry._replace(path=entry.path[skip:]) for entry in entries if len(entry.path) > skip]


def wanted_of(entries: Sequence[Entry], prefix: bytes) -> list[Wanted]:
    """The objects behind entries, each once, named from the project's root."""
    found = {
        entry.oid: Wanted(entry.oid, entry.size, prefix + entry.path)
        for entry in entries
        if entry.oid is not None and entry.kind not in (SYMLINK, DIRECTORY)
    }
    return list(found.values())


def directory_entry(path: bytes, origin: str) -> ListEntry:
    """What `look` says of a directory."""
    return ListEntry(path=os.fsdecode(path), kind="directory", origin=origin, size=None, oid=None, executable=False)


def _through_link(content: Content, path: bytes) -> bytes | None:
    """The path behind a symlink that stands in the place of one of its directories."""
    parts = path.split(b"/")
    for depth in range(1, len(parts)):
        prefix = b"/".join(parts[:depth])
        entry = content.look(prefix)
        if entry is None:
            return None
        if entry.kind == "symlink":
            return b"/".join([_target(prefix, content.link(prefix)), *parts[depth:]])
    return None


def _target(path: bytes, text: bytes) -> bytes:
    there = posixpath.normpath(posixpath.join(posixpath.dirname(path), text))
    if there.startswith((b"/", b"../")) or there == b"..":
        raise PathNotFound(f"{named(path)}: is a symlink that leads out of the repository", path=os.fsdecode(path))
    return b"" if there == b"." else there
