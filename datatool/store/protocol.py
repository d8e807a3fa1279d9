"""A store: names that hold bytes, each written once; the one interface every remote speaks.

Names are relative, ASCII, `/` between parts (`packs/ab/cd….pack`). An implementation publishes a name only
when all its bytes are in place and, where a sha256 was given, match it. Every method counts as one request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

from msgspec import Struct

from datatool.model.oid import ObjectId


class Listed(NamedTuple):
    """One name in a listing: its size in bytes and the server's date of it, in seconds since 1970."""

    name: str
    size: int
    time: float


class ByteRange(NamedTuple):
    """`length` bytes of `name` from `start` on."""

    name: str
    start: int
    length: int


class Leftover(NamedTuple):
    """An upload that was begun and never finished: the name it was to get, the bytes that are there, the server's
    date of its beginning in seconds since 1970, and what the store itself calls it."""

    name: str
    size: int
    time: float
    id: str


Advance = Callable[[int], None]
"""Hears of bytes as they are moved, and may wait, to slow the transfer down: so it is never called while others wait
for the same thread."""


class Capabilities(Struct, frozen=True, kw_only=True):
    """What a store can do beyond reading."""

    write: bool = True
    list: bool = True
    delete: bool = True
    checksum: bool = False
    """It checks or remembers the sha256 of what it was given."""
    conditional: bool = False
    """`put(exclusive=True)` is atomic against other machines."""
    multipart: bool = False
    ranges: bool = True
    """A part of a name costs just that part; else about as much as the whole."""


class Store(Protocol):
    """See the module. Errors: `NameMissing` for a name that is not there, else `RemoteError` and its kin;
    `RemoteBusy` for what may work at the next try. Any method may be called by several threads at once."""

    @property
    def label(self) -> str:
        """What to call it in messages, without credentials: a path or URL."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""

    def list(self, prefix: str) -> Iterator[Listed]:
        """Every name that starts with `prefix` (a directory: `index/`), sorted by name; nothing if there is none."""

    def get(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """The bytes of a name, or a range of them (shorter only where the name ends)."""

    def get_many(self, ranges: Sequence[ByteRange]) -> Iterator[bytes]:
        """The bytes of each range, in the order asked, with several requests in flight where that helps."""

    def put(self, name: str, data: bytes, *, exclusive: bool = False) -> None:
        """Publish `data` under `name` at once; with `exclusive`, `NameTaken` if it is there already."""

    def put_file(self, name: str, source: Path, sha256: ObjectId, *, advance: Advance | None = None) -> None:
        """Copy a local file to `name`, hashing what is sent; `WrongBytes`, and nothing published, unless it matches.

        What an earlier attempt at the same name left half sent is gone on with, where the store can.
        """

    def get_file(
        self, name: str, target: int, sha256: ObjectId, size: int, *, have: int = 0, advance: Advance | None = None
    ) -> None:
        """Copy `name` into the open local file descriptor `target`, hashing what arrives; `WrongBytes` unless
        it is exactly `size` bytes with this hash. The caller publishes or discards the file.

        `have` says that an earlier attempt left so many bytes in `target`: where the store can, it fetches only the
        rest, and hashes all of it. Nothing is ever written further than `AHEAD` beyond what is complete.
        """

    def delete_many(self, names: Iterable[str]) -> None:
        """Delete names; those that are not there are no error."""

    def server_time(self) -> float:
        """Now, by the clock that dates the listings, in seconds since 1970; never later than that clock's now."""

    def leftovers(self) -> Iterator[Leftover]:
        """Uploads that were begun and not finished, by anybody, as far as the store can tell; they cost room only."""

    def discard(self, leftover: Leftover) -> None:
        """Delete what an unfinished upload left; it is no error if that is gone already."""


@runtime_checkable
class Versions(Protocol):
    """A store that also keeps former contents of names, as a bucket with versions does; only some can."""

    def get_version(self, name: str, version: str, start: int = 0, length: int | None = None) -> bytes:
        """The bytes of a name as they were in a version, or a range of them; here a name may be any text. Raises as
        `Store.get`, and RemoteError where the store, or the one that it wraps, keeps no versions."""


AHEAD = 64 << 20
"""Bytes by which a download may run ahead of its slowest part: so far behind its end, a file that was broken off is
complete."""


Note = Callable[[int, int], None]
"""Hears from where to where a file was written, when it is; of an empty piece, where it was cut. Any thread may call
it."""


class Kept(int):
    """How many bytes of a file an earlier attempt left from its start on, for `have`; and more of it, in `further`
    stretches (start, end). A store may `note` each piece that it has written: then all that it writes, again too, and
    what it cuts off if it leaves gaps."""

    further: tuple[tuple[int, int], ...]
    note: Note

    @classmethod
    def of(cls, stretches: Sequence[tuple[int, int]], *, least: int, note: Note) -> Kept:
        """From what is noted; `least` bytes are there in any case."""
        first = max([least, *(end for start, end in stretches if start <= least)])
        kept = cls(first)
        kept.further = tuple((max(start, first), end) for start, end in stretches if end > first)
        kept.note = note
        return kept

    def heard_by(self, another: Note) -> Kept:
        """The same, of which `another` hears too."""

        def both(start: int, end: int) -> None:
            self.note(start, end)
            another(start, end)

        kept = Kept(self)
        kept.further = self.further
        kept.note = both
        return kept

    def nothing(self) -> Kept | None:
        """The same file, where what is in it turned out wrong; None if there is nothing in it."""
        return Kept.of((), least=0, note=self.note) if self > 0 or self.further else None


def noting(have: int, done: int, advance: Advance | None) -> Advance | None:
    """Also `note` what is told of: a file that is copied behind what is `done`."""
    if not isinstance(have, Kept):
        return advance

    def heard(count: int) -> None:
        nonlocal done
        have.note(done, done + count)
        done += count
        if advance is not None:
            advance(count)

    return heard


class NameMissing(KeyError):
    """A store has nothing under this name."""


class NameTaken(Exception):
    """An exclusive put found the name taken."""


class WrongBytes(Exception):
    """Bytes that were copied do not have the promised hash or size."""
