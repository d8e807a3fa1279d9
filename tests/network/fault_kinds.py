"""Kinds of network faults, and where in a request each of them is tried."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from servers.http_connection import Request
from servers.http_faults import HttpFault
from servers.http_proxy import HttpProxy


class Spot(StrEnum):
    """A position in what travels."""

    BEFORE = "before"
    """Before anything at all: not even the head of an answer has come."""
    FIRST = "0"
    SECOND = "1"
    HALF = "half"
    LAST = "size-1"

    def of(self, size: int) -> int | None:
        """The position in a body of this size; None is before the head."""
        return {Spot.BEFORE: None, Spot.FIRST: 0, Spot.SECOND: 1, Spot.HALF: size // 2, Spot.LAST: max(size - 1, 0)}[
            self
        ]

    def is_in(self, size: int) -> bool:
        """Whether a body of this size has the position, and no other spot means the same one."""
        return self is Spot.BEFORE or {Spot.FIRST: 1, Spot.SECOND: 2, Spot.LAST: 3, Spot.HALF: 4}[self] <= size


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """One request of a command, as a run without faults made it: found again as the `nth` that `pattern` fits."""

    method: str
    pattern: str
    nth: int
    number: int
    """Which request of the whole command it is."""
    up: int
    down: int
    status: int

    def __str__(self) -> str:
        shown = re.sub(r"[\\^$]", "", self.pattern.replace("[^&.]+", "*"))
        return f"{self.method} {_OF_THE_TEST.sub('', shown)} #{self.nth}"


_CHANGING = re.compile(r"packs/[0-9a-f]{2}/[0-9a-f]{62}|(?:index|gc)/[0-9a-f]{64}|uploadId=[^&]+")
"""What is called otherwise in every run."""
_OF_THE_TEST = re.compile(r"^.*?(?:bucket|web)-[0-9a-f-]+(?:/data/)?")
"""Where in the server the place of a test is."""


def asked_of(requests: list[Request]) -> list[Asked]:
    """What a run asked for, without the names that are drawn anew each time."""
    seen: dict[tuple[str, str], int] = {}
    found = []
    for number, request in enumerate(requests, 1):
        pattern = "^" + "".join(_pattern_pieces(request.target)) + "$"
        nth = seen[request.method, pattern] = seen.get((request.method, pattern), 0) + 1
        found.append(
            Asked(
                method=request.method,
                pattern=pattern,
                nth=nth,
                number=number,
                up=request.bytes_up,
                down=request.bytes_down,
                status=request.status or 0,
            )
        )
    return found


def _pattern_pieces(target: str) -> Iterator[str]:
    end = 0
    for match in _CHANGING.finditer(target):
        yield re.escape(target[end : match.start()])
        kind, separator, _ = re.split("([/=])", match[0], maxsplit=1)
        yield f"{kind}{separator}[^&.]+"
        end = match.end()
    yield re.escape(target[end:])


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """One row of the table: a fault that a proxy knows, in one direction."""

    name: str
    fault: str
    up: bool = False
    spots: tuple[Spot, ...] = (Spot.BEFORE,)
    usual: tuple[Spot, ...] = (Spot.BEFORE,)
    """The spots of a short sweep."""
    only_ranges: bool = False
    options: Mapping[str, object] = field(default_factory=dict)

    def spots_in(self, asked: Asked, *, every: bool) -> list[Spot]:
        """Where in this request the fault can be."""
        size = asked.up if self.up else asked.down
        if (self.up and not size) or (self.only_ranges and (asked.status != 206 or size < 2)):
            return []
        if self.fault == "endless" and asked.method == "HEAD":
            return []
        usual = self.usual if any(spot.is_in(size) for spot in self.usual) else self.spots[:1]
        return [spot for spot in (self.spots if every else usual) if spot.is_in(size)]

    def begin(self, proxy: HttpProxy, asked: Asked, spot: Spot, *, lasting: bool) -> HttpFault:
        """Make it happen: once at this request, or at all requests from this one on."""
        size = asked.up if self.up else asked.down
        options = dict(self.options)
        if spot is not Spot.BEFORE:
            options["at"] = lambda length: spot.of(size if length is None else length)
        if self.up:
            options["direction"] = "up"
        if lasting:
            return proxy.fault(self.fault, nth=asked.number, times=None, **options)
        return proxy.fault(self.fault, nth=asked.nth, method=asked.method, path=asked.pattern, **options)


_BREAKS = (Spot.BEFORE, Spot.FIRST, Spot.SECOND, Spot.HALF, Spot.LAST)
_BYTES = (Spot.FIRST, Spot.HALF, Spot.LAST)
_PATIENCE = {"headers": {"Retry-After": "7"}}

HTTP_KINDS = (
    Kind(name="cut", fault="cut", spots=_BREAKS, usual=(Spot.BEFORE, Spot.HALF)),
    Kind(name="cut on the way up", fault="cut", up=True, spots=_BREAKS, usual=(Spot.BEFORE, Spot.HALF)),
    Kind(name="reset", fault="reset", spots=_BREAKS, usual=(Spot.BEFORE, Spot.LAST)),
    Kind(name="reset on the way up", fault="reset", up=True, spots=_BREAKS, usual=(Spot.LAST,)),
    Kind(name="stall", fault="stall", spots=_BREAKS, usual=(Spot.HALF,)),
    Kind(name="stall on the way up", fault="stall", up=True, spots=_BREAKS, usual=(Spot.HALF,)),
    Kind(name="1 B/s", fault="rate", spots=(Spot.FIRST, Spot.HALF), usual=(Spot.HALF,), options={"rate": 1}),
    Kind(
        name="1 B/s on the way up",
        fault="rate",
        up=True,
        spots=(Spot.FIRST, Spot.HALF),
        usual=(Spot.HALF,),
        options={"rate": 1},
    ),
    Kind(name="flipped bit", fault="flip", spots=_BYTES, usual=(Spot.HALF,)),
    Kind(name="flipped bit on the way up", fault="flip", up=True, spots=_BYTES, usual=(Spot.HALF,)),
    Kind(name="500", fault="answer", options={"status": 500}),
    Kind(name="503, Retry-After", fault="answer", options={"status": 503, **_PATIENCE}),
    Kind(name="429, Retry-After", fault="answer", options={"status": 429, **_PATIENCE}),
    Kind(name="login page with 200", fault="login_page"),
    Kind(name="another range, unsaid", fault="shift", only_ranges=True),
    Kind(
        name="another range, as it says",
        fault="shift",
        only_ranges=True,
        options={"headers": {"Content-Range": "bytes 1-2/3"}},
    ),
    Kind(name="endless body", fault="endless"),
)
"""Every kind that a proxy between HTTP clients and servers can make."""
