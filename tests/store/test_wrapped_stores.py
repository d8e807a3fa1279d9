"""Stores around stores: trying again, and keeping to a rate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pytest
from conformance import NAME, Conformance, opened

from datatool.errors import RemoteBusy, RemoteDenied
from datatool.hashing import digest
from datatool.model.oid import ObjectId
from datatool.progress import Spared
from datatool.store.counting import CountingStore
from datatool.store.limited import Allowance, LimitedStore
from datatool.store.memory import MemoryStore
from datatool.store.protocol import Advance, ByteRange, Listed, NameTaken, Store
from datatool.store.retry import Retries
from datatool.store.retrying import RetryingStore


def impatient() -> Retries:
    return Retries(tries=3, sleep=lambda seconds: None)


class TestRetryingStore(Conformance):
    @pytest.fixture
    def store(self) -> Store:
        return RetryingStore(MemoryStore(), impatient())


class TestLimitedStore(Conformance):
    @pytest.fixture
    def store(self) -> Store:
        return LimitedStore(MemoryStore(), Allowance(1 << 40))


class Shaky(MemoryStore):
    """Fails `failures` times: before the request is carried out, or (`late`) when only the answer is missing; a
    listing or several ranges after each single one."""

    def __init__(self, failures: int, *, late: bool = False) -> None:
        super().__init__()
        self.failures = failures
        self.late = late
        self.attempts = 0

    def _carry_out(self, request: Callable[[], object]) -> None:
        self.attempts += 1
        if self.failures and not self.late:
            self.failures -= 1
            raise RemoteBusy("the connection broke")
        request()
        if self.failures:
            self.failures -= 1
            raise RemoteBusy("the answer was lost")

    def _one_by_one(self, items: Iterable[object]) -> Iterator[object]:
        self.attempts += 1
        for item in items:
            yield item
            if self.failures:
                self.failures -= 1
                raise RemoteBusy("the connection broke")

    def list(self, prefix: str) -> Iterator[Listed]:
        return self._one_by_one(super().list(prefix))  # type: ignore[return-value]

    def get_many(self, ranges: Sequence[ByteRange]) -> Iterator[bytes]:
        return self._one_by_one([super(Shaky, self).get(*part) for part in ranges])  # type: ignore[return-value]

    def put(self, name: str, data: bytes, *, exclusive: bool = False) -> None:
        self._carry_out(lambda: super(Shaky, self).put(name, data, exclusive=exclusive))

    def get_file(
        self, name: str, target: int, sha256: ObjectId, size: int, *, have: int = 0, advance: Advance | None = None
    ) -> None:
        self._carry_out(lambda: advance(size // 2) if advance is not None and self.failures else None)
        super().get_file(name, target, sha256, size, have=have, advance=advance)


def test_a_broken_request_is_made_again() -> None:
    inner = Shaky(2)
    RetryingStore(inner, impatient()).put(NAME, b"data")
    assert inner.get(NAME) == b"data"
    assert inner.attempts == 3


def test_after_the_last_attempt_the_failure_is_told() -> None:
    inner = Shaky(3)
    with pytest.raises(RemoteBusy):
        RetryingStore(inner, impatient()).put(NAME, b"data")
    assert inner.attempts == 3


def test_a_refusal_is_not_tried_again() -> None:
    class Refusing(MemoryStore):
        asked = 0

        def get(self, name: str, start: int = 0, length: int | None = None) -> bytes:
            self.asked += 1
            raise RemoteDenied("no")

    inner = Refusing()
    with pytest.raises(RemoteDenied):
        RetryingStore(inner, impatient()).get(NAME)
    assert inner.asked == 1


def test_a_listing_goes_on_behind_the_last_name() -> None:
    inner = Shaky(2)
    for n in range(5):
        MemoryStore.put(inner, f"index/{n}", b"")
    assert [row.name for row in RetryingStore(inner, impatient()).list("index/")] == [f"index/{n}" for n in range(5)]
    assert inner.attempts == 3


def test_ranges_go_on_behind_the_last_one() -> None:
    inner = Shaky(2)
    MemoryStore.put(inner, NAME, b"0123456789")
    ranges = [ByteRange(NAME, n, 1) for n in range(10)]
    assert b"".join(RetryingStore(inner, impatient()).get_many(ranges)) == b"0123456789"


def test_a_long_answer_may_break_more_often_than_one_request() -> None:
    inner = Shaky(20)
    MemoryStore.put(inner, NAME, b"x" * 30)
    ranges = [ByteRange(NAME, n, 1) for n in range(30)]
    assert len(list(RetryingStore(inner, impatient()).get_many(ranges))) == 30


def test_an_exclusive_put_whose_answer_was_lost_counts_as_ours() -> None:
    inner = Shaky(1, late=True)
    RetryingStore(inner, impatient()).put(NAME, b"mine", exclusive=True)
    assert inner.get(NAME) == b"mine"


def test_an_exclusive_put_that_somebody_else_won_meanwhile_is_refused() -> None:
    inner = Shaky(1)
    MemoryStore.put(inner, NAME, b"theirs")
    with pytest.raises(NameTaken):
        RetryingStore(inner, impatient()).put(NAME, b"mine", exclusive=True)


def test_bytes_that_are_moved_twice_are_told_of_once(tmp_path: Path) -> None:
    inner = Shaky(1, late=True)
    MemoryStore.put(inner, NAME, b"0123456789")
    heard: list[int] = []
    with opened(tmp_path / "target") as fd:
        RetryingStore(inner, impatient()).get_file(NAME, fd, digest(b"0123456789"), 10, advance=heard.append)
    assert sum(heard) == 10


def test_a_limited_store_waits_for_every_byte_in_either_direction(tmp_path: Path) -> None:
    slept: list[float] = []
    store = LimitedStore(MemoryStore(), Allowance(1000, clock=lambda: 0.0, sleep=slept.append))
    store.put(NAME, bytes(1500))  # nothing was saved up before
    assert slept == [1.5]
    assert len(store.get(NAME, 0, 500)) == 500
    assert slept[-1] == 2.0
    (tmp_path / "file").write_bytes(bytes(2000))
    heard: list[int] = []
    store.put_file("objects/a", tmp_path / "file", digest(bytes(2000)), advance=heard.append)
    assert slept[-1] == 4.0
    assert heard == [2000]
    assert sum(map(len, store.get_many([ByteRange(NAME, 0, 250), ByteRange(NAME, 250, 250)]))) == 500
    assert slept[-1] == 4.5


def test_what_an_earlier_attempt_had_sent_costs_nothing(tmp_path: Path) -> None:
    class HalfThere(MemoryStore):
        def put_file(self, name: str, source: Path, sha256: ObjectId, *, advance: Advance | None = None) -> None:
            assert advance is not None
            advance(Spared(3000))
            advance(2500)

    slept: list[float] = []
    (tmp_path / "file").write_bytes(bytes(5500))
    heard: list[int] = []
    limited = LimitedStore(HalfThere(), Allowance(1000, clock=lambda: 0.0, sleep=slept.append))
    counting = CountingStore(RetryingStore(limited, impatient()))
    counting.put_file(NAME, tmp_path / "file", digest(bytes(5500)), advance=heard.append)
    assert sum(heard) == 5500 and counting.bytes_out == 2500
    assert slept == [2.5]


def test_bytes_are_told_of_when_they_are_paid_for(tmp_path: Path) -> None:
    """So that no rate that is shown, the first one included, is above the limit."""
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    class InPieces(MemoryStore):
        def put_file(self, name: str, source: Path, sha256: ObjectId, *, advance: Advance | None = None) -> None:
            assert advance is not None
            for _ in range(10):
                advance(700)

    rates: list[float] = []
    told = 0

    def heard(count: int) -> None:
        nonlocal told
        told += count
        rates.append(told / now)

    store = LimitedStore(InPieces(), Allowance(1000, clock=lambda: now, sleep=sleep))
    store.put_file(NAME, tmp_path, digest(b""), advance=heard)
    assert max(rates) <= 1000.1


def test_an_allowance_is_earned_while_nothing_is_moved() -> None:
    now = 0.0
    slept: list[float] = []
    allowance = Allowance(100, clock=lambda: now, sleep=slept.append)
    now = 60.0
    allowance.take(100)
    assert slept == []
    allowance.take(50)
    assert slept == [0.5]
