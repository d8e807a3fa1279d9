"""A sweep: one command, disturbed once at each of its requests by each kind of fault, and what must hold after each.

    run it cleanly and write down its requests → for every point: the same state again, the command with the fault,
    look behind the proxy and into the cache, heal, the command again, a fresh clone

A run that was disturbed may end well, because it tried again, or fail with a code and an error line that say so. It
may never leave anything partial or wrong under a final name, nor end with success and without the data.
"""

from __future__ import annotations

import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from network.contents import TEMP, Contents, cache_contents, troubles_of
from network.haste import hopeless
from world import Ran, World

FAILURES = (4, 5, 6)
"""How a command may end that was disturbed too much: partly done, damage, unreachable."""
TOLD_WITHIN = 60.0
"""Seconds within which any command must have ended: `haste` takes the long waits out."""
RECORDS = 64 << 10
"""Bytes of formats, shards, lists and records."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Traffic:
    """Bytes on the wire since the last look."""

    up: int
    down: int


class Wire(Protocol):
    """The proxy of a sweep, of whatever kind: the points it offers, the traffic it counts."""

    def learn(self, run: Callable[[], Ran]) -> Ran:
        """Run the command without a fault and write down what it asks for."""

    def points(self, *, every: bool) -> Iterator[Point]:
        """Where what can go wrong."""

    def heal(self) -> None:
        """Let everything go right from now on."""

    def forget(self) -> None:
        """Count from here."""

    def traffic(self) -> Traffic:
        """What has passed since."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """One fault at one spot of one place. `begin` makes it happen and returns how to learn how often it has."""

    kind: str
    place: str
    spot: str
    lasting: bool
    begin: Callable[[], Callable[[], int]]

    @property
    def where(self) -> str:
        return f"{self.place}, {self.spot}"

    def __str__(self) -> str:
        return f"{self.kind} at {self.where}{', and from there on' if self.lasting else ''}"


class Scene(Protocol):
    """A command on a prepared state."""

    name: str
    words: tuple[str, ...]
    world: World
    """Whose command it is."""

    def restore(self) -> None:
        """The prepared state again: clone, cache, store."""

    def contents(self) -> Contents:
        """What the store holds, read behind the proxy."""

    def unfinished(self) -> Iterable[str]:
        """Uploads in the store that were begun and not finished."""

    def troubles(self, *, done: bool) -> list[str]:
        """What is wrong with the user's files, and with the data where the command says that it is done."""

    def kept(self) -> int:
        """Bytes of data that a second run need not move: they have arrived."""

    def moved(self, traffic: Traffic) -> int:
        """The bytes that go the command's way."""


class Outcome(StrEnum):
    """How a point ended."""

    HEALED = "healed by retry"
    FAILED = "failed cleanly"
    MISSED = "did not happen"
    BAD = "bad"


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What came of one point; `troubles` says why it is bad."""

    scene: str
    kind: str
    where: str
    lasting: bool
    outcome: Outcome
    code: int
    seconds: float
    said: str
    """The error lines."""
    troubles: tuple[str, ...] = ()


@dataclass(kw_only=True, slots=True)
class Sweep:
    """All points of one scene."""

    scene: Scene
    wire: Wire
    names: tuple[str, ...]
    """What an error line may call the remote by."""
    spare: int = RECORDS
    """Bytes that a second run may move besides data that is missing."""
    patience: int = 1
    """Seconds without a byte that are a stall to the disturbed command. The others have the usual patience, which no
    pause of a busy machine exhausts."""
    clean: Traffic = field(init=False)

    def learn(self) -> None:
        """The run without faults, which must be right itself."""
        self.scene.restore()
        self.wire.forget()
        ran = self.wire.learn(self._command)
        self.clean = self.wire.traffic()
        assert ran.code == 0, str(ran)
        assert self.scene.contents(), "nothing is seen behind the proxy"
        troubles = [*self._lasting_troubles(), *self.scene.troubles(done=True)]
        assert not troubles, troubles

    def points(self, *, every: bool) -> list[Point]:
        """Where what can go wrong, in an order whose beginning has something of everything."""
        return _mixed(list(self.wire.points(every=every)))

    def run(self, point: Point) -> Verdict:
        """Try one point."""
        self.scene.restore()
        happened = point.begin()
        began = time.monotonic()
        with hopeless(really=point.lasting):
            ran = self._command({"DATATOOL_REMOTES_NET_TIMEOUT": str(self.patience)})
        seconds = time.monotonic() - began
        self.wire.heal()
        troubles = [*self._said(ran, seconds), *self._lasting_troubles(), *self.scene.troubles(done=ran.code == 0)]
        if not happened() and ran.code != 0:
            troubles.append(f"failed without a fault: {ran}")
        troubles += self._again(was_done=ran.code == 0)
        outcome = Outcome.HEALED if happened() else Outcome.MISSED
        if ran.code != 0:
            outcome = Outcome.FAILED
        if troubles:
            outcome = Outcome.BAD
            troubles.append(str(ran))
        return Verdict(
            scene=self.scene.name,
            kind=point.kind,
            where=point.where,
            lasting=point.lasting,
            outcome=outcome,
            code=ran.code,
            seconds=seconds,
            said="\n".join(_error_lines(ran)),
            troubles=tuple(troubles),
        )

    def _command(self, env: Mapping[str, str] | None = None) -> Ran:
        return self.scene.world.run(*self.scene.words, env=env)

    def _said(self, ran: Ran, seconds: float) -> Iterator[str]:
        """What is wrong with how it ended, and with what it said."""
        if seconds > TOLD_WITHIN:
            yield f"took {seconds:.0f} s"
        if "Traceback" in ran.err or "internal error" in ran.err:
            yield "a traceback"
        if ran.code == 0:
            return
        if ran.code not in FAILURES:
            yield f"exit code {ran.code}"
        errors = _error_lines(ran)
        if not any(name in line for line in errors for name in self.names):
            yield f"no error line names the remote: {errors}"

    def _lasting_troubles(self) -> list[str]:
        """What is wrong under final names, in the store and in the cache, and what is left lying about."""
        world = self.scene.world
        found = [f"store: {text}" for text in troubles_of(self.scene.contents())]
        found += [f"cache: {text}" for text in troubles_of(cache_contents(world.cache))]
        found += [f"left behind: {path.relative_to(world.root)}" for path in world.root.rglob(f"*{TEMP}*")]
        return found

    def _again(self, *, was_done: bool) -> Iterator[str]:
        """The command once more, with everything in order: it completes the work, and moves only what is missing."""
        kept = self.scene.kept()
        self.wire.forget()
        again = self._command()
        moved, needed = self.scene.moved(self.wire.traffic()), self.scene.moved(self.clean)
        if again.code != 0:
            yield f"failed again: {again}"
            return
        if moved > needed - kept + self.spare:
            yield f"moved {moved} bytes again, though {kept} of {needed} were there"
        yield from (f"afterwards: {text}" for text in self._lasting_troubles())
        if not was_done:
            yield from (f"afterwards: {text}" for text in self.scene.troubles(done=True))
        yield from (f"never finished: {name}" for name in self.scene.unfinished())


def _mixed(points: list[Point]) -> list[Point]:
    """Points in an order in which each kind, and each place, comes up as often as the others."""
    points.sort(key=str)  # the same for every process that has a share of them
    random.Random(len(points)).shuffle(points)
    taken: Counter[object] = Counter()
    mixed = []
    while points:
        point = min(points, key=lambda p: (taken[p.kind, p.lasting] + taken[p.place], taken[p.kind, p.lasting]))
        points.remove(point)
        taken.update([(point.kind, point.lasting), point.place])
        mixed.append(point)
    return mixed


def _error_lines(ran: Ran) -> list[str]:
    return re.findall(r"^error: .*$", ran.err, re.MULTILINE)
