"""What can go wrong with one HTTP request, besides what can happen to bytes on their way."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from servers.wire import Direction, Happening, Turns, WireFault


class Misbehaviour(StrEnum):
    """What a server, or something that stands in its place, does with a request."""

    ANSWER = "answer"
    """The request is answered in place of the server, with `status`, `headers` and `body`; the server sees nothing."""
    LOGIN_PAGE = "login_page"
    """The same, with 200 and a page of HTML, as hotels have it."""
    HEADERS = "headers"
    """The server's answer arrives with other `headers`; None takes one away."""
    SHIFT = "shift"
    """The content is that of another offset, `at` bytes on; what it says about itself stays, but for `headers`."""
    ENDLESS = "endless"
    """The answer does not say how long it is, and goes on after its end; for `at` more bytes, or for ever."""


LOGIN_PAGE = b"<!DOCTYPE html>\n<html><title>Sign in</title><body>Please sign in to use this network.</body></html>\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpFault:
    """A fault and the requests that it is meant for."""

    turns: Turns
    method: str
    path: re.Pattern[str]
    headers: Mapping[str, str | None]
    wire: WireFault | None = None
    direction: Direction = Direction.DOWN
    misbehaviour: Misbehaviour | None = None
    at: int | None = None
    status: int = 503
    body: bytes = b""
    happening: Happening = field(default_factory=Happening)

    @property
    def name(self) -> str:
        return str(self.misbehaviour or (self.wire and self.wire.kind))

    def is_due(self, method: str, target: str) -> bool:
        """Whether this request, which has just come in, is its turn."""
        return self.method in {"", method} and bool(self.path.search(target)) and self.turns.come()

    def on_the_way(self, direction: Direction) -> WireFault | None:
        return self.wire if self.direction is direction else None

    @property
    def happened(self) -> int:
        """How often it has come true."""
        return self.happening.count

    def wait(self) -> None:
        """Wait until it has come true once."""
        self.happening.wait()
