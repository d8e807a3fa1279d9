"""The proxies of sweeps, and the points that they offer."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from network.fault_kinds import HTTP_KINDS, Asked, Kind, Spot, asked_of
from network.fault_sweep import Point, Traffic
from servers.http_proxy import HttpProxy
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

        return Point(kind=kind.name, where=f"{asked}, {spot}", lasting=lasting, begin=begin)

    def heal(self) -> None:
        self._proxy.heal()

    def forget(self) -> None:
        self._proxy.reset()

    def traffic(self) -> Traffic:
        requests = self._proxy.requests
        return Traffic(
            up=sum(request.bytes_up for request in requests), down=sum(request.bytes_down for request in requests)
        )
