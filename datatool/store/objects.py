"""Moving objects, whatever their ends: what a source gives, what a sink takes."""

from __future__ import annotations

import errno
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

from msgspec import Struct

from datatool.errors import LocalError, RemoteError
from datatool.formats.pack import PackRecord
from datatool.localfs.atomic import local_error
from datatool.model.oid import ObjectId
from datatool.progress import Task
from datatool.store.protocol import Advance


class Wanted(Struct, frozen=True, gc=False):
    """An object that is to move. `size` is in bytes; `label` is the path to name in messages (raw bytes,
    relative to the project's root); `metadata` marks tree pages, roots and run records."""

    oid: ObjectId
    size: int
    label: bytes
    metadata: bool = False


class Small(Struct, frozen=True, gc=False):
    """An object that fits in memory, its bytes not yet checked."""

    wanted: Wanted
    data: bytes | memoryview


class Large(Struct, frozen=True):
    """An object to be copied, not held. `path` is the local file it lies in, if there is one (then the copy is
    made by the kernel); else `copy_to(fd, have, advance)` writes all of it into an open local file, checks hash and
    size while it does, and raises `WrongBytes`, `NameMissing` or `Withheld`. `have` bytes are in the file from an
    earlier attempt; `advance` hears of the others as they come."""

    wanted: Wanted
    path: Path | None
    copy_to: Callable[[int, int, Advance | None], None]


class Absent(NamedTuple):
    """An object that the source does not have, or no longer trusts; `damaged` if bytes were there and wrong, `refused`
    if it may be there and was not given, or the sink could not hold it: with why."""

    wanted: Wanted
    damaged: bool = False
    refused: RemoteError | LocalError | None = None


class WholePack(NamedTuple):
    """A pack in a local file, as a remote may have it, too: its `id` is the sha256 of its bytes, which end with
    `footer`."""

    id: ObjectId
    path: Path
    size: int
    footer: bytes
    records: Sequence[PackRecord]


class PackSource(Protocol):
    """A source that has packs of its own."""

    def whole_packs(self, wanted: Collection[ObjectId], *, sizes: range, below: int) -> Iterator[WholePack]:
        """The packs that hold nothing but wanted objects, uncompressed and each smaller than `below`. `sizes` is what
        a pack may have in bytes. Nothing is hashed here."""


class Withheld(Exception):
    """A source has a large object, by its own word, and did not give it: `cause` is why. About that object only."""

    def __init__(self, cause: RemoteError) -> None:
        super().__init__(cause.message)
        self.cause = cause


class ObjectSource(Protocol):
    """Where objects come from: the cache for a push, a remote for a fetch."""

    def read(self, wanted: Sequence[Wanted]) -> Iterator[Small | Large | Absent]:
        """Give each wanted object once, in whatever order is cheapest; memory stays bounded."""

    def reject(self, wanted: Wanted) -> None:
        """The bytes that `read` gave were wrong: never give them again (the cache moves them to `corrupt/`,
        a remote tries another location). A later `read` of it gives another copy or `Absent`."""


class TooLarge(LocalError):
    """A sink can't hold an object: it is larger than a file may be there. About the object at hand only: a sink that
    still works on others raises what becomes of those as it is."""


@contextmanager
def of_this_size(where: Path | str) -> Iterator[None]:
    """Raise TooLarge where the one file that is being written, at or below `where`, becomes too large."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.EFBIG:
            raise
        known = local_error(error, where)
        found = TooLarge(known.message, hint=known.hint, path=known.path)
        found.errno = errno.EFBIG
        raise found from error


class ObjectSink(Protocol):
    """Where objects go. Nothing is readable before `finish`, or promised before it returns. `task` hears of
    bytes and files when they have arrived, which may be some time after they were taken."""

    def put(self, wanted: Wanted, data: bytes | memoryview, task: Task | None = None) -> None:
        """Take an object whose bytes were checked. Raises TooLarge."""

    def put_large(self, large: Large, task: Task | None = None) -> None:
        """Take a large object, checking it while it is copied; `WrongBytes` and TooLarge leave nothing behind."""

    def finish(self) -> None:
        """Make everything taken durable and readable."""
