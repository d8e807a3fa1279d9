"""The world of the protocol's model: a remote, its clock, what was promised, and the rules that may be left out."""

from __future__ import annotations

import itertools
import random
from collections import Counter, defaultdict
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from enum import Enum

Steps = Generator[None, None, None]

WINDOW = 4.0  # the model's 10 minutes
GRACE = 12.0  # its 24 hours between condemn and drop
OLD = 8.0  # the age from which a name may be condemned: 7 days, but here gc is more eager, to meet more pushes
FRESH = 60.0  # its 7 days for which a record makes a push a no-op
EXPIRES = 100.0  # its 30 days
SUPERSEDED = 8.0  # its 24 hours after which superseded shards go
OBJECTS = range(20)
PROJECTS = ("one", "two")


class Mutant(Enum):
    """A rule to leave out."""

    REUSES_NAMES = "an object is sent again under a condemned name"
    IGNORES_CONDEMNED = "dedup counts what is condemned"
    NO_FINAL_CHECK = "the remote is not read again before the commit"
    NO_WINDOW = "a commit may come any time after the final check"
    CLOCK_STOPS_IN_SLEEP = "the window is judged only before the write, by a clock that stops while the machine sleeps"
    VOID_COUNTS = "a record that came too late counts as live"
    TRUSTS_OTHER_PROJECTS = "another project's record makes a push a no-op"
    TRUSTS_OLD_RECORDS = "a record of any age makes a push a no-op"
    NO_RELOCATION = "the second phase of gc does not look again at what is needed"
    CARRIED_BY_NEW_DATE = "a record carried into another shard is judged by that shard's date"
    FORGETS_SUPERSEDED = "a merged shard goes a moment after what it replaces is deleted, and does not carry its list"


@dataclass(frozen=True)
class Habits:
    """How this world behaves: what is rare in one is common in another, so that each rule is put to the test."""

    roots: int = 10
    killed: float = 0.006
    slow_write: tuple[float, float] = (0.1, 10)  # its chance, and its mean length
    forgets: tuple[float, float] = (0.08, 0.08)  # the chance that a project stops using something
    pushes: float = 0.05
    collects: float = 0.012


USUAL = Habits()
ODD = {
    Mutant.VOID_COUNTS: Habits(
        roots=3, killed=0.03, slow_write=(0.7, 50), forgets=(0.15, 0.15), pushes=0.03, collects=0.05
    ),
    Mutant.TRUSTS_OTHER_PROJECTS: Habits(roots=5, forgets=(0.1, 0.0), pushes=0.02, collects=0.03),
    Mutant.TRUSTS_OLD_RECORDS: Habits(roots=5, forgets=(0.1, 0.1), pushes=0.02, collects=0.03),
}


class DataLost(Exception):
    """The invariant broke."""


@dataclass
class Record:
    id: str
    project: str
    time: float
    checked: float
    objects: frozenset[int]
    committed: float | None = None  # the date of its first shard, once it was carried into another


@dataclass
class Shard:
    places: dict[int, frozenset[str]]
    records: tuple[Record, ...] = ()
    supersedes: frozenset[str] = frozenset()


@dataclass
class Condemn:
    names: frozenset[str]
    damaged: bool = False


@dataclass
class Drop:
    condemn: str
    names: frozenset[str]
    expired: frozenset[str]


@dataclass
class Pack:
    objects: frozenset[int]
    damaged: bool = False


@dataclass
class State:
    shards: dict[str, tuple[Shard, float]]
    gc: dict[str, Condemn | Drop]
    places: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    live: dict[str, Record] = field(default_factory=dict)
    condemned: set[str] = field(default_factory=set)
    dropped: set[str] = field(default_factory=set)


class World:
    """One run: the remote, its clock, and what was promised to whom."""

    def __init__(self, seed: int, mutants: Iterable[Mutant] = (), habits: Habits = USUAL) -> None:
        self.habits = habits
        self.random = random.Random(seed)
        self.mutants = frozenset(mutants)
        self.time = 0.0
        self.remote: dict[str, tuple[object, float]] = {}
        self.promised: dict[str, tuple[str, frozenset[int]]] = {}  # push → its project and objects
        self.hurt: set[int] = set()  # objects that damage took, and nobody has healed yet
        self.stats: Counter[str] = Counter()
        self.changed = False
        self._numbers = itertools.count()
        self.roots = [frozenset(self.random.sample(OBJECTS, self.random.randint(1, 6))) for _ in range(habits.roots)]

    def name(self, prefix: str) -> str:
        return f"{prefix}{next(self._numbers)}"

    def put(self, name: str, value: object) -> None:
        self.remote[name] = (value, self.time)
        self.changed = True

    def delete(self, name: str) -> None:
        self.remote.pop(name, None)
        self.changed = True

    def list(self, prefix: str) -> dict[str, float]:
        return {name: date for name, (_, date) in self.remote.items() if name.startswith(prefix)}

    def get(self, name: str) -> object | None:
        return self.remote[name][0] if name in self.remote else None

    def fold(self, shards: dict[str, tuple[Shard, float]], gc: dict[str, Condemn | Drop]) -> State:
        state = State(shards, gc)
        expired: set[str] = set()
        for record in gc.values():
            if isinstance(record, Condemn):
                state.condemned |= record.names
            else:
                state.dropped |= record.names
                expired |= record.expired
        for shard, date in shards.values():
            for oid, names in shard.places.items():
                state.places[oid] |= names
            for push in shard.records:
                if push.id not in expired and self.valid(push, date):
                    state.live[push.id] = push
        return state

    def valid(self, record: Record, date: float) -> bool:
        if Mutant.VOID_COUNTS in self.mutants:
            return True
        carried = record.committed is not None and Mutant.CARRIED_BY_NEW_DATE not in self.mutants
        return (record.committed if carried else date) - record.checked <= WINDOW

    def usable(self, state: State, oid: int) -> bool:
        ignore = Mutant.IGNORES_CONDEMNED in self.mutants
        return any(
            name not in state.dropped and (ignore or name not in state.condemned) for name in state.places.get(oid, ())
        )

    def check(self) -> None:
        """The invariant, as a fresh reader sees it."""
        missing = frozenset[int]().union(*{objects for _, objects in self.promised.values()}) - self.hurt
        dropped: set[str] = set()
        shards: list[Shard] = []
        for value, _ in self.remote.values():
            if isinstance(value, Drop):
                dropped |= value.names
            elif isinstance(value, Shard):
                shards.append(value)
        for shard in reversed(shards):
            if not missing:
                return
            missing -= {
                oid
                for oid in missing
                if any(name not in dropped and self._readable(name, oid) for name in shard.places.get(oid, ()))
            }
        if missing:
            raise DataLost(f"at {self.time:.1f} these objects were lost: {sorted(missing)}")

    def _readable(self, name: str, oid: int) -> bool:
        pack = self.get(name)
        return isinstance(pack, Pack) and not pack.damaged and oid in pack.objects

    def wait(self, probability: float, mean: float) -> Steps:
        """Perhaps a slow network or a slow disk."""
        if self.random.random() < probability:
            until = self.time + self.random.expovariate(1 / mean)
            while self.time < until:
                yield


def read_state(world: World) -> Generator[None, None, State]:
    """Two listings and what is new, as `Remote.refresh` does it."""
    while True:
        got: dict[str, dict[str, tuple[object, float]]] = {}
        for part in ("index/", "gc/"):
            listed = world.list(part)
            yield
            found = {name: (world.get(name), date) for name, date in listed.items()}
            if any(value is None for value, _ in found.values()):
                break  # a superseded shard went meanwhile: list again
            got[part] = found
            yield from world.wait(0.1, 10)
        else:
            shards = {name: (value, date) for name, (value, date) in got["index/"].items() if isinstance(value, Shard)}
            gc = {name: value for name, (value, _) in got["gc/"].items() if isinstance(value, Condemn | Drop)}
            return world.fold(shards, gc)
