"""The proxies of sweeps, and the points that they offer."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from network.fault_kinds import HTTP_KINDS, Asked, Kind, Spot, asked_of
from network.fault_sweep import Point, Traffic
from servers.http_proxy import HttpProxy
from servers.tcp_proxy import TcpProxy
from world import Ran


class HttpWire:
    """Every request of a command over HTTP, disturbed in every way."""

    def __init__(self, proxy: HttpProxy) -> None:
        self._proxy = proxy
        self.asked: list[Asked] = []

    def learn(self, run: Callable[[], Ran]) -> Ran:
        self._proxy.reset()
        ran = run()
        self.asked = asked_of(self._proxy.requests)
        return ran

    def points(self, *, every: bool) -> Iterator[Point]:
        for asked in self.asked:
            for kind in HTTP_KINDS:
                for spot in kind.spots_in(asked, every=every):
                    yield self._point(kind, asked, spot, lasting=False)
                for spot in kind.spots_in(asked, every=False)[:1]:
                    yield self._point(kind, asked, spot, lasting=True)

    def _point(self, kind: Kind, asked: Asked, spot: Spot, *, lasting: bool) -> Point:
        def begin() -> Callable[[], int]:
            fault = kind.begin(self._proxy, asked, spot, lasting=lasting)
            return lambda: fault.happened

        return Point(kind=kind.name, place=str(asked), spot=spot, lasting=lasting, begin=begin)

    def heal(self) -> None:
        self._proxy.heal()

    def forget(self) -> None:
        self._proxy.reset()

    def traffic(self) -> Traffic:
        requests = self._proxy.requests
        return Traffic(
            up=sum(request.bytes_up for request in requests), down=sum(request.bytes_down for request in requests)
        )


_BEGINNING = 6 << 10
"""Bytes in which a connection is agreed upon and somebody let in."""
_END = 12 << 10
"""Bytes in which what was sent gets its names."""
_STEP = 1 << 10
_MIDDLE = 12
_STEPS_OF_A_SHORT_SWEEP = 8


class TcpWire:
    """The connection of a command over a protocol that nobody can look into, disturbed at many of its bytes: close
    together where a request follows the other, and here and there amid the data."""

    def __init__(self, proxy: TcpProxy) -> None:
        self._proxy = proxy
        self._counted_from = 0
        self._clean = Traffic(up=0, down=0)

    def learn(self, run: Callable[[], Ran]) -> Ran:
        self.forget()
        ran = run()
        self._clean = self.traffic()
        return ran

    def points(self, *, every: bool) -> Iterator[Point]:
        for direction, size in (("down", self._clean.down), ("up", self._clean.up)):
            for at in _positions(size, every=every):
                for kind in ("cut", "reset", "stall", "flip", "rate"):
                    yield self._point(kind, direction, at, lasting=False)
                    yield self._point(kind, direction, at, lasting=True)
        yield self._point("refuse", "down", 0, lasting=False)
        yield self._point("refuse", "down", 0, lasting=True)

    def _point(self, kind: str, direction: str, at: int, *, lasting: bool) -> Point:
        options: dict[str, object] = {} if kind == "refuse" else {"direction": direction, "at": at}
        if kind == "rate":
            options["rate"] = 1

        def begin() -> Callable[[], int]:
            fault = self._proxy.fault(kind, **options)  # type: ignore[arg-type]
            if lasting:  # nothing is to be had from then on
                self._proxy.fault("stall" if kind in {"stall", "rate"} else "refuse", times=None)
            return lambda: fault.happened

        name = _NAMES[kind] + (" on the way up" if direction == "up" else "")
        return Point(kind=name, place=direction, spot=f"byte {at}", lasting=lasting, begin=begin)

    def heal(self) -> None:
        self._proxy.heal()
        self._proxy.break_all()

    def forget(self) -> None:
        self._counted_from = len(self._proxy.connections)

    def traffic(self) -> Traffic:
        passed = self._proxy.connections[self._counted_from :]
        return Traffic(up=sum(one.bytes_up for one in passed), down=sum(one.bytes_down for one in passed))


_NAMES = {
    "cut": "cut",
    "reset": "reset",
    "stall": "stall",
    "flip": "flipped bit",
    "rate": "1 B/s",
    "refuse": "refused connection",
}


def _positions(size: int, *, every: bool) -> list[int]:
    if not every:
        return [size * n // _STEPS_OF_A_SHORT_SWEEP for n in range(_STEPS_OF_A_SHORT_SWEEP)] + [size - 1]
    middle = [size * n // _MIDDLE for n in range(1, _MIDDLE)]
    return sorted(
        {0, 1, *range(_STEP, min(_BEGINNING, size), _STEP), *middle, *range(max(0, size - _END), size, _STEP), size - 1}
    )
