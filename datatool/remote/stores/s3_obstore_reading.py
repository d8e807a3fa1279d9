"""Reading through obstore: ranges, several at a time, given out in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

import obstore

from datatool.errors import RemoteBusy, RemoteError
from datatool.remote.stores.budget import Budget
from datatool.remote.stores.options import PART_RETRIES
from datatool.remote.stores.s3_answers import Refused
from datatool.remote.stores.s3_obstore_client import ObstoreClient
from datatool.remote.stores.s3_obstore_errors import is_about_ranges
from datatool.store.protocol import WrongBytes

T = TypeVar("T")

PART: Final = 16 << 20
"""What one request of an upload carries, at least."""
READ_PART: Final = 8 << 20
"""What one request for a part of a large file asks for."""
_SIDE_BY_SIDE: Final = 4
"""Parts of a large file that are on their way: what obstore holds beside their bytes grows with them, to 250 MB for
eight of them."""
LARGEST_GET: Final = 64 << 20
"""No record and no range that datatool asks for is larger."""
STEP: Final = 1 << 20


class Piece(NamedTuple):
    """The bytes of a range, the size of the whole, and what tells this version of it from another."""

    data: memoryview
    size: int
    etag: str | None


class Reader:
    """Reads for one store, within its budget."""

    def __init__(self, client: ObstoreClient, budget: Budget) -> None:
        self._client = client
        self._budget = budget
        self._has_ranges = True
        """Off once the service has answered a range with the whole."""
        self._pool = ThreadPoolExecutor(client.jobs, thread_name_prefix="s3")

    def get(self, name: str, start: int, length: int | None, etag: str | None = None) -> Piece:
        """A range of a name, to its end without a length; no more than 64 MiB."""
        if length == 0:
            about = self._client.call("head_object", name, partial(obstore.head, path=self._client.place.key(name)))
            return Piece(memoryview(b""), about["size"], about["e_tag"])
        options: Any = {} if etag is None else {"if_match": etag}
        if length is not None:
            options["range"] = (start, start + length)
        elif start:
            options["range"] = {"offset": start}
        read = partial(self._read, name, start, length, options)
        return self._client.call("get_object", name, read, size=length or LARGEST_GET)

    def file(self, name: str, start: int, size: int) -> Iterator[memoryview]:
        """All of a name that is `size` bytes long from `start` on, in order; WrongBytes where it is not."""
        if start == size > 0:
            return
        data, found, etag = self._patiently(name, partial(self.get, name, start, min(READ_PART, size - start)))
        if found != size:
            raise WrongBytes(name)
        yield data
        rest = range(start + READ_PART, size, READ_PART)
        if rest and not self._has_ranges:
            yield from self._whole(name, rest[0], size, etag)
            return
        sizes = (min(READ_PART, size - at) for at in rest)
        gets = ((size, partial(self.get, name, at, size, etag)) for at, size in zip(rest, sizes, strict=True))
        tasks = ((size, partial(self._patiently, name, get)) for size, get in gets)
        for piece in self.in_order(tasks, at_once=_SIDE_BY_SIDE):
            yield piece.data

    def in_order(self, tasks: Iterable[tuple[int, Callable[[], T]]], *, at_once: int | None = None) -> Iterator[T]:
        """What each task gives, in order; several are under way, `at_once` at most and as many as the budget has room
        for."""
        most = min(self._client.jobs, at_once or self._client.jobs)
        waiting = deque(tasks)
        under_way: deque[tuple[int, Future[T]]] = deque()
        try:
            while waiting or under_way:
                while waiting and len(under_way) < most:
                    size = waiting[0][0]
                    if not under_way:
                        self._budget.take(size)
                    elif not self._budget.try_take(size):
                        break
                    future = self._pool.submit(waiting.popleft()[1])
                    under_way.append((size, future))
                    future.add_done_callback(partial(self._arrived, size))
                found = under_way[0][1].result()
                self._budget.give(under_way.popleft()[0], parked=True)
                yield found
                del found
        finally:
            for size, future in under_way:
                future.cancel()
                future.add_done_callback(partial(self._let_go, size))

    def _arrived(self, size: int, _: Future[Any]) -> None:
        self._budget.park(size)

    def _let_go(self, size: int, _: Future[Any]) -> None:
        self._budget.give(size, parked=True)

    def _whole(self, name: str, start: int, size: int, etag: str | None) -> Iterator[memoryview]:
        """What lies behind `start`, in one answer: the service has no ranges."""
        options: Any = {"if_match": etag}
        begin = partial(obstore.get, path=self._client.place.key(name), options=options)
        answer = self._client.call("get_object", name, begin, size=size)
        pieces = _cut_out(answer, start, size - start)
        while (piece := self._client.call("get_object", name, lambda _: next(pieces, None))) is not None:
            yield piece

    def _read(self, name: str, start: int, length: int | None, options: Any, handle: Any) -> Piece:
        key = self._client.place.key(name)
        try:
            answer = obstore.get(handle, key, options=options)
        except obstore.exceptions.GenericError as error:
            if "status code: 416" in str(error):
                return Piece(memoryview(b""), start, None)
            if not is_about_ranges(error):
                raise
            self._has_ranges = False
            whole: Any = {name: value for name, value in options.items() if name != "range"}
            answer = obstore.get(handle, key, options=whole)
        size, (first, last) = answer.meta["size"], answer.range
        wanted = max(0, size - start) if length is None else min(length, max(0, size - start))
        if min(last - first, wanted) > LARGEST_GET:
            raise RemoteError(
                f"{self._client.place.label}: {name} is too large to be what it should be",
                path=self._client.place.label,
            )
        if (first, last) == (start, start + wanted):
            data = _held(answer, 0, wanted) if wanted > STEP else memoryview(answer.bytes())
        elif first == 0:
            data = _held(answer, start, wanted)
        else:
            raise RemoteBusy(
                f"{self._client.place.label}: {name}: it answered with another range", path=self._client.place.label
            )
        if len(data) != wanted:
            raise RemoteBusy(
                f"{self._client.place.label}: {name}: the answer was cut",
                hint="try again",
                path=self._client.place.label,
            )
        return Piece(data, size, answer.meta["e_tag"])

    def _patiently(self, name: str, attempt: Callable[[], T]) -> T:
        try:
            return PART_RETRIES.call(attempt)
        except Refused as refused:
            if refused.status == 412:
                raise RemoteBusy(
                    f"{self._client.place.label}: {name} changed while it was read", path=self._client.place.label
                ) from refused
            raise


def _held(answer: Any, start: int, wanted: int) -> memoryview:
    """A part of an answer in memory, once: all of it put together at its end would be there twice."""
    data = memoryview(bytearray(wanted))
    at = 0
    for piece in _cut_out(answer, start, wanted):
        data[at : at + len(piece)] = piece
        at += len(piece)
    return data[:at].toreadonly()


def _cut_out(answer: Any, start: int, wanted: int) -> Iterator[memoryview]:
    """A range from the whole, where the server has no ranges: nothing but the range is kept."""
    at = 0
    for piece in answer.stream(min_chunk_size=STEP):
        view = memoryview(piece)
        yield view[max(0, start - at) : max(0, start + wanted - at)]
        at += len(view)
        if at >= start + wanted:
            return
