"""Move objects from any source to any sink, letting no wrong byte through.

Push and fetch are this one function with its two ends swapped: it knows neither of them.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence

from msgspec import Struct

from datatool.errors import LocalError
from datatool.hashing import digest
from datatool.localfs.atomic import local_error
from datatool.model.oid import ObjectId
from datatool.model.paths import named
from datatool.progress import Task
from datatool.store.objects import Absent, Large, ObjectSink, ObjectSource, Small, TooLarge, Wanted, Withheld
from datatool.store.protocol import NameMissing, WrongBytes


class TransferResult(Struct, frozen=True, kw_only=True):
    """What one transfer moved: how many objects, of how many bytes, and which the source could not give."""

    objects: int
    bytes: int
    absent: tuple[Absent, ...]


def transfer(
    source: ObjectSource, sink: ObjectSink, wanted: Sequence[Wanted], *, progress_task: Task | None = None
) -> TransferResult:
    """Give the sink every wanted object that the source has, each hashed on the way.

    Bytes that are not what their id says are rejected at the source and asked for once more: a remote may have
    another copy. What still can't be had is listed in the result; the rest goes on. `sink.finish` is the caller's.
    """
    first = _pass(source, sink, wanted, progress_task)
    if not first.wrong:
        return TransferResult(objects=first.objects, bytes=first.bytes, absent=tuple(first.absent))
    for item in first.wrong:
        source.reject(item)
    second = _pass(source, sink, first.wrong, progress_task)
    for item in second.wrong:
        source.reject(item)
    damaged: dict[ObjectId, Absent] = {item.oid: Absent(item, damaged=True) for item in first.wrong}
    absent = (
        *first.absent,
        *(damaged[found.wanted.oid] for found in second.absent),
        *(damaged[item.oid] for item in second.wrong),
    )
    return TransferResult(objects=first.objects + second.objects, bytes=first.bytes + second.bytes, absent=absent)


class _Pass:
    """The tally of one pass over the wanted objects."""

    __slots__ = ("absent", "bytes", "objects", "wrong")

    def __init__(self) -> None:
        self.objects = 0
        self.bytes = 0
        self.absent: list[Absent] = []
        self.wrong: list[Wanted] = []


def _pass(source: ObjectSource, sink: ObjectSink, wanted: Sequence[Wanted], task: Task | None) -> _Pass:
    tally = _Pass()
    put = sink.put
    for item in source.read(wanted):
        if isinstance(item, Small):
            want, data = item.wanted, item.data
            if digest(data) != want.oid:
                tally.wrong.append(want)
                continue
            try:
                put(want, data, task)
            except TooLarge:
                tally.absent.append(Absent(want, refused=too_large(want)))
                continue
            size = len(data)
        elif isinstance(item, Large):
            want = item.wanted
            try:
                sink.put_large(item, task)
            except WrongBytes:
                tally.wrong.append(want)
                continue
            except NameMissing:
                tally.absent.append(Absent(want))
                continue
            except Withheld as held:
                tally.absent.append(Absent(want, refused=held.cause))
                continue
            except TooLarge:
                tally.absent.append(Absent(want, refused=too_large(want)))
                continue
            size = want.size
        else:
            tally.absent.append(item)
            continue
        tally.objects += 1
        tally.bytes += size
    return tally


def too_large(wanted: Wanted) -> LocalError:
    """What to tell of an object that is larger than a file may be where it goes: no reason to give up the others."""
    return local_error(OSError(errno.EFBIG, ""), named(wanted.label))
