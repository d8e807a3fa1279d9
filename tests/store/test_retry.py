"""Which failures are tried again, how often, and after how long."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from datatool.errors import RemoteBusy, RemoteDenied
from datatool.remote.connect import TIMEOUT
from datatool.store.retry import Retries, Stalled


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def retries(self, tries: int = 5) -> Retries:
        return Retries(tries=tries, sleep=self.sleep, clock=lambda: self.now, pick=lambda low, high: high)


def failing(*errors: Exception) -> Callable[[], str]:
    left = list(errors)

    def attempt() -> str:
        if left:
            raise left.pop(0)
        return "done"

    return attempt


def test_what_may_pass_is_tried_again_each_time_after_longer() -> None:
    clock = Clock()
    assert clock.retries().call(failing(RemoteBusy("a"), RemoteBusy("b"), RemoteBusy("c"))) == "done"
    assert clock.slept == [0.5, 1.0, 2.0]


def test_what_will_not_pass_is_not_tried_again() -> None:
    clock = Clock()
    with pytest.raises(RemoteDenied):
        clock.retries().call(failing(RemoteDenied("no")))
    assert clock.slept == []


def test_after_the_last_try_the_failure_is_told() -> None:
    clock = Clock()
    with pytest.raises(RemoteBusy, match="third"):
        clock.retries(3).call(failing(*(RemoteBusy(word) for word in ("first", "second", "third"))))
    assert len(clock.slept) == 2


def test_a_server_that_asks_for_time_gets_it_up_to_a_limit() -> None:
    clock = Clock()
    assert clock.retries().call(failing(RemoteBusy("a", retry_after=3.0))) == "done"
    assert clock.slept == [3.0]
    clock = Clock()
    assert clock.retries().call(failing(RemoteBusy("a", retry_after=3600.0))) == "done"
    assert clock.slept == [15.0]


def test_patience_ends_before_the_tries_do() -> None:
    clock = Clock()
    with pytest.raises(RemoteBusy):
        clock.retries(50).call(failing(*(RemoteBusy("x", retry_after=7.0) for _ in range(49))))
    assert clock.now <= 20.0


def test_a_request_that_stands_still_is_made_again_and_told_within_30_seconds() -> None:
    clock = Clock()
    attempts: list[float] = []

    def stands_still() -> None:
        attempts.append(clock.now)
        clock.now += TIMEOUT
        raise RemoteBusy("nothing has moved")

    with pytest.raises(RemoteBusy):
        clock.retries().call(stands_still)
    assert len(attempts) == 2 and clock.now < 28  # starting the program takes its time too


def test_two_clients_do_not_wait_equally_long() -> None:
    waits = {Retries().wait(3, None) for _ in range(8)}
    assert len(waits) == 8
    assert max(waits) <= 2.0


def test_what_stands_still_twice_in_a_row_is_not_tried_a_third_time() -> None:
    answers = iter([Stalled("still"), RemoteBusy("cut"), Stalled("still"), Stalled("still"), "late"])
    retries = Retries(stalls=2, tries=9, sleep=lambda _: None)

    def attempt() -> object:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    with pytest.raises(Stalled):
        retries.call(attempt)
    assert next(answers) == "late"
