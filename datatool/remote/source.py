"""Reading objects from a remote in few, large requests, several at a time.

Objects of one pack that lie near each other are one request; the answer is cut up here. What turns out missing or
wrong is looked for elsewhere: first in other locations, then, once, in what the remote's index says by now. What was
wrong everywhere is asked for once more: the bytes may be right there, and have been changed on their way. What the
remote does not let read is looked for elsewhere, too, and costs only itself, as long as the remote lets anything read.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Final, NamedTuple

from datatool.errors import FormatError, NotARemote, RemoteError, RemoteUnreachable
from datatool.formats.pack import MAX_PACK, ZSTD
from datatool.formats.shard import LOOSE
from datatool.formats.zstd import decompress
from datatool.model.oid import EMPTY, ObjectId
from datatool.remote.format_file import FORMAT_NAME
from datatool.remote.session import Remote
from datatool.remote.state import Location
from datatool.store.objects import Absent, Large, Small, Wanted, Withheld
from datatool.store.protocol import Advance, Kept, NameMissing, WrongBytes

GAP: Final = 256 << 10
"""Bytes between two objects that are rather read than asked around."""
WHOLE: Final = 0.6
"""The share of a stretch of a pack from which it is read in one go."""
LARGE: Final = 16 << 20
"""Loose objects from this size on are copied to a file, not held in memory."""
_IN_FLIGHT: Final = 64 << 20
"""Bytes asked for and not handed on yet; with what the receiver holds it stays under 96 MiB."""


class _Member(NamedTuple):
    wanted: Wanted
    place: Location


class _Stretch(NamedTuple):
    """One request: `length` bytes of a name from `start` on, and the objects in it, by offset."""

    name: str
    start: int
    length: int
    members: tuple[_Member, ...]


_Pieces = list[bytes | memoryview | None]
"""What a request gave for each object of a stretch."""


class Suspect(NamedTuple):
    """A place in a remote that gave nothing, or wrong bytes, for an object of `size` bytes; `twice` if it was asked
    again and they were wrong again."""

    wanted: Wanted
    place: Location
    twice: bool = False


class RemoteSource:
    """A remote as a source of objects; bytes are not checked here, whoever takes them does."""

    def __init__(self, remote: Remote, *, jobs: int = 8) -> None:
        self.suspects: list[Suspect] = []
        """What was missing or wrong, for `datatool.remote.damage`."""
        self._remote = remote
        self._jobs = max(1, jobs)
        self._bad: dict[ObjectId, set[Location]] = {}
        self._wrong: dict[ObjectId, set[Location]] = {}
        """Of the bad places those that gave wrong bytes, once."""
        self._asked_again: set[tuple[ObjectId, Location]] = set()
        self._damaged: set[ObjectId] = set()
        self._refused: dict[ObjectId, RemoteError] = {}
        """Objects that the remote did not let read at some place, and why."""
        self._refusals = 0
        self._refreshed = False

    def read(self, wanted: Sequence[Wanted]) -> Iterator[Small | Large | Absent]:
        """Each wanted object once, pack by pack; large ones are copied by whoever takes them."""
        pending: Sequence[Wanted] = wanted
        while pending:
            placed, unplaced = self._place(pending)
            again: list[Wanted] = []
            packed: list[_Member] = []
            for member in placed:
                if member.place.kind == LOOSE and member.place.ulen >= LARGE:
                    yield Large(member.wanted, None, partial(self._copy_to, member.wanted))
                else:
                    packed.append(member)
            yield from self._fetch(_stretches(packed, ranges=self._remote.store.capabilities.ranges), again)
            refresh = False
            for item in unplaced:
                if item.oid == EMPTY:
                    yield Small(item, b"")
                elif not self._refreshed:
                    refresh = True
                    again.append(item)
                elif self._pardon(item.oid):
                    again.append(item)
                else:
                    yield Absent(item, damaged=item.oid in self._damaged, refused=self._refused.get(item.oid))
            if refresh:
                self._refresh()
            pending = again

    def reject(self, wanted: Wanted) -> None:
        """What was given last was wrong: another location is used from now on."""
        place = self._first(wanted.oid)
        if place is not None:
            self._mark(wanted, place, wrong=True)

    # Where to look

    def _place(self, wanted: Sequence[Wanted]) -> tuple[list[_Member], list[Wanted]]:
        """The place to try for each object, and those for which there is none (left)."""
        places = self._remote.state.locations([item.oid for item in wanted])
        placed: list[_Member] = []
        unplaced: list[Wanted] = []
        bad = self._bad
        for item in wanted:
            oid = item.oid
            found = places.get(oid)
            if found and bad and oid in bad:
                found = [place for place in found if place not in bad[oid]]
            if found:
                placed.append(_Member(item, found[0]))
            else:
                unplaced.append(item)
        return placed, unplaced

    def _first(self, oid: ObjectId) -> Location | None:
        bad = self._bad.get(oid, set())
        return next((place for place in self._remote.state.locations([oid]).get(oid, ()) if place not in bad), None)

    def _mark(self, wanted: Wanted, place: Location, *, wrong: bool) -> None:
        oid = wanted.oid
        self._bad.setdefault(oid, set()).add(place)
        twice = wrong and (oid, place) in self._asked_again
        if wrong and not twice:
            self._wrong.setdefault(oid, set()).add(place)
        self.suspects.append(Suspect(wanted, place, twice))

    def _pardon(self, oid: ObjectId) -> bool:
        """Whether places that gave wrong bytes are to be asked once more, now that none is left: what they gave may
        have been changed on its way."""
        places = self._wrong.pop(oid, set())
        self._bad.get(oid, set()).difference_update(places)
        self._asked_again.update((oid, place) for place in places)
        self.suspects = [found for found in self.suspects if found.wanted.oid != oid or found.place not in places]
        return bool(places)

    def _mark_refused(self, wanted: Wanted, place: Location, error: RemoteError) -> None:
        """The remote did not let this place be read: it is no damage, and no reason to give up the others."""
        self._bad.setdefault(wanted.oid, set()).add(place)
        self._refused[wanted.oid] = error

    def _require_readable(self) -> None:
        """After a refusal, raise what ails the whole remote, such as a login that has expired: its format file, which
        everybody reads, is asked for after the first refusal, the second, the fourth and so on."""
        self._refusals += 1
        if self._refusals & (self._refusals - 1) == 0:
            with suppress(NameMissing):
                self._remote.store.get(FORMAT_NAME)

    def _refresh(self) -> None:
        """Once: gc may have moved what was looked for."""
        self._refreshed = True
        self._remote.refresh()

    # Small objects

    def _fetch(self, stretches: Sequence[_Stretch], again: list[Wanted]) -> Iterator[Small]:
        """The objects of each stretch; those that it did not hold go into `again`."""
        todo = deque(stretches)
        flying: deque[tuple[_Stretch, Future[_Pieces | None]]] = deque()
        held = 0
        pool = ThreadPoolExecutor(max_workers=min(self._jobs, len(todo)) or 1, thread_name_prefix="fetch")
        try:
            while todo or flying:
                while todo and len(flying) < 2 * self._jobs and (not flying or held + todo[0].length <= _IN_FLIGHT):
                    stretch = todo.popleft()
                    held += stretch.length
                    flying.append((stretch, pool.submit(_load, self._remote, stretch)))
                stretch, future = flying.popleft()
                try:
                    found = future.result()
                except RemoteError as error:
                    if not _is_about_one(error):
                        raise
                    self._require_readable()
                    for member in stretch.members:
                        self._mark_refused(member.wanted, member.place, error)
                        again.append(member.wanted)
                    held -= stretch.length
                    continue
                for member, data in zip(stretch.members, found or [None] * len(stretch.members), strict=True):
                    if data is None:
                        self._mark(member.wanted, member.place, wrong=found is not None)
                        again.append(member.wanted)
                        if found is not None:
                            self._damaged.add(member.wanted.oid)
                    else:
                        yield Small(member.wanted, data)
                del future, found
                held -= stretch.length
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    # Large objects

    def _copy_to(self, wanted: Wanted, fd: int, have: int, advance: Advance | None) -> None:
        """Copy a loose object into an open file, from the first place where it is right; what an earlier attempt left
        in the file may itself be wrong, so that the same place is asked once more without it."""
        wrong = False
        while True:
            place = self._first(wanted.oid)
            if place is None:
                if not self._refreshed:
                    self._refresh()
                elif not self._pardon(wanted.oid):
                    raise self._not_had(wanted.oid, wrong=wrong)
                continue
            size = wanted.size or place.ulen
            try:
                if place.kind == LOOSE:
                    self._remote.store.get_file(place.name, fd, wanted.oid, size, have=have, advance=advance)
                    return
                raise NameMissing(place.name)
            except NameMissing:
                self._mark(wanted, place, wrong=False)
            except WrongBytes:
                again = have.nothing() if isinstance(have, Kept) else 0 if have else None
                if again is not None:
                    have = again
                    continue
                wrong = True
                self._mark(wanted, place, wrong=True)
            except RemoteError as error:
                if not _is_about_one(error):
                    raise
                self._require_readable()
                self._mark_refused(wanted, place, error)

    def _not_had(self, oid: ObjectId, *, wrong: bool) -> Exception:
        """What to raise for a large object that no place gave."""
        if wrong:
            return WrongBytes(oid)
        refused = self._refused.get(oid)
        return NameMissing(oid) if refused is None else Withheld(refused)


def _is_about_one(error: RemoteError) -> bool:
    """Whether a failure to read may be that of one name: one that is not to be read, a disk's bad sector, an archive;
    not a network that is gone, nor a server that is none."""
    return not isinstance(error, RemoteUnreachable | NotARemote)


def read_place(remote: Remote, wanted: Wanted, place: Location) -> bytes | memoryview | None:
    """The bytes at one place, whatever they are; None if there is nothing, or too little."""
    found = _load(remote, _Stretch(place.name, place.off, _length(place), (_Member(wanted, place),)))
    return None if found is None else found[0]


def _load(remote: Remote, stretch: _Stretch) -> _Pieces | None:
    """One request, cut into objects and decompressed: None for each that is damaged, and for a name that is gone."""
    try:
        data = memoryview(remote.store.get(stretch.name, stretch.start, stretch.length))
    except NameMissing:
        return None
    return [_cut(data, stretch.start, wanted, place) for wanted, place in stretch.members]


def _stretches(members: Iterable[_Member], *, ranges: bool) -> list[_Stretch]:
    """Few requests for many objects: neighbours together, the whole of what is wanted mostly, or where a part costs
    as much as the whole (without `ranges`)."""
    by_name: dict[str, list[_Member]] = defaultdict(list)
    for member in members:
        by_name[member.place.name].append(member)
    stretches: list[_Stretch] = []
    for name, group in by_name.items():
        group.sort(key=_offset)
        first, last = group[0].place, group[-1].place
        wanted = sum(_length(member.place) for member in group)
        span = last.off + _length(last) - first.off
        gap = span if wanted >= WHOLE * span or not ranges else GAP
        stretches += _merged(name, group, gap)
    return stretches


def _merged(name: str, group: Sequence[_Member], gap: int) -> Iterator[_Stretch]:
    """Stretches of a sorted group without a gap of more than `gap` bytes in any."""
    run: list[_Member] = []
    start = end = 0
    for member in group:
        place = member.place
        stop = place.off + _length(place)
        if run and (place.off - end > gap or max(end, stop) - start > MAX_PACK):
            yield _Stretch(name, start, end - start, tuple(run))
            run = []
        if not run:
            start = end = place.off
        run.append(member)
        end = max(end, stop)
    if run:
        yield _Stretch(name, start, end - start, tuple(run))


def _offset(member: _Member) -> int:
    return member.place.off


def _length(place: Location) -> int:
    return place.ulen if place.kind == LOOSE else place.clen


def _cut(data: memoryview, start: int, wanted: Wanted, place: Location) -> bytes | memoryview | None:
    """One object out of a stretch; None if it is cut off or does not decompress."""
    begin = place.off - start
    piece = data[begin : begin + _length(place)]
    if len(piece) != _length(place):
        return None
    if place.kind != ZSTD:
        return piece
    limit = min(place.ulen, MAX_PACK) if wanted.metadata or not wanted.size else wanted.size
    try:
        return decompress(bytes(piece), limit=limit)
    except FormatError:
        return None
