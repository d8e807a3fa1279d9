"""Helpers for tests of the remote: a memory store under a clock the test moves, faults on cue, objects to push."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from datatool.formats.gc_record import Condemn, Drop, encode_condemn, encode_drop
from datatool.formats.remote_format import RemoteFormat, encode_remote_format
from datatool.formats.shard import Root
from datatool.hashing import digest
from datatool.model.oid import ObjectId
from datatool.progress import Task, bytes_of
from datatool.remote.push import PushResult, PushRoot, push
from datatool.remote.session import Remote
from datatool.remote.source import RemoteSource
from datatool.remote.state import Location
from datatool.store.memory import MemoryStore
from datatool.store.objects import Absent, Large, Small, Wanted
from datatool.store.protocol import Advance, ByteRange, Capabilities, Leftover, Listed, Store
from datatool.store.transfer import TransferResult, transfer

DAY = 86400.0
OTHER_PROJECT = "22222222-2222-4222-8222-222222222222"


@dataclass
class Clock:
    """A server's clock, which is also a machine's that runs during sleep; tests move it."""

    time: float = 1_000_000_000.0

    def __call__(self) -> float:
        return self.time

    def pass_(self, seconds: float) -> None:
        self.time += seconds


class Killed(BaseException):
    """The process was killed: nothing of it runs on."""


class FaultyStore:
    """Around another store: before its n-th request something happens; with `kill_at`, all is over from there."""

    def __init__(self, inner: Store, *, kill_at: int | None = None) -> None:
        self.inner = inner
        self.kill_at = kill_at
        self.requests: list[tuple[str, str]] = []
        self.before: dict[tuple[str, str], list[Callable[[], None]]] = {}
        """(method, start of the name) → what to do, once each, before such a request."""
        self.after: dict[tuple[str, str], list[Callable[[], None]]] = {}

    def on(self, method: str, prefix: str, act: Callable[[], None], *, after: bool = False) -> None:
        """Do something once, before (or after) the next request of this kind."""
        (self.after if after else self.before).setdefault((method, prefix), []).append(act)

    def kill(self) -> None:
        """From now on all is over."""
        self.kill_at = 0
        raise Killed

    def puts(self) -> list[str]:
        """The names that were written."""
        return [name for method, name in self.requests if method in ("put", "put_file")]

    @property
    def label(self) -> str:
        return self.inner.label

    @property
    def capabilities(self) -> Capabilities:
        return self.inner.capabilities

    def _request(self, method: str, name: str) -> None:
        if self.kill_at is not None and len(self.requests) >= self.kill_at:
            raise Killed
        self.requests.append((method, name))
        self._act(self.before, method, name)

    @staticmethod
    def _act(acts: dict[tuple[str, str], list[Callable[[], None]]], method: str, name: str) -> None:
        for (wanted, prefix), todo in acts.items():
            if wanted == method and name.startswith(prefix) and todo:
                todo.pop(0)()

    def list(self, prefix: str) -> Iterator[Listed]:
        self._request("list", prefix)
        return self.inner.list(prefix)

    def get(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        self._request("get", name)
        return self.inner.get(name, start, length)

    def get_many(self, ranges: Sequence[ByteRange]) -> Iterator[bytes]:
        for part in ranges:
            yield self.get(*part)

    def put(self, name: str, data: bytes, *, exclusive: bool = False) -> None:
        self._request("put", name)
        self.inner.put(name, data, exclusive=exclusive)
        self._act(self.after, "put", name)

    def put_file(self, name: str, source: Path, sha256: ObjectId, *, advance: Advance | None = None) -> None:
        self._request("put_file", name)
        self.inner.put_file(name, source, sha256, advance=advance)

    def get_file(
        self, name: str, target: int, sha256: ObjectId, size: int, *, have: int = 0, advance: Advance | None = None
    ) -> None:
        self._request("get_file", name)
        self.inner.get_file(name, target, sha256, size, have=have, advance=advance)

    def delete_many(self, names: Iterable[str]) -> None:
        names = tuple(names)
        self._request("delete", " ".join(names))
        self.inner.delete_many(names)

    def server_time(self) -> float:
        self._request("time", "")
        return self.inner.server_time()

    def leftovers(self) -> Iterator[Leftover]:
        self._request("list", "")
        return self.inner.leftovers()

    def discard(self, leftover: Leftover) -> None:
        self._request("delete", leftover.name)
        self.inner.discard(leftover)


class Objects:
    """A source of objects in memory (and, from `LARGE` bytes on, in files), as a cache would be."""

    LARGE = 8 << 20

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.data: dict[ObjectId, bytes] = {}
        self.given: list[ObjectId] = []
        self.rejected: list[ObjectId] = []

    def add(self, data: bytes) -> ObjectId:
        oid = digest(data)
        self.data[oid] = data
        return oid

    def read(self, wanted: Sequence[Wanted]) -> Iterator[Small | Large | Absent]:
        for item in wanted:
            data = self.data.get(item.oid)
            if data is None:
                yield Absent(item)
                continue
            self.given.append(item.oid)
            if len(data) >= self.LARGE:
                path = self.directory / item.oid
                path.write_bytes(data)
                yield Large(item, path, lambda fd: None)
            else:
                yield Small(item, data)

    def reject(self, wanted: Wanted) -> None:
        self.rejected.append(wanted.oid)
        self.data.pop(wanted.oid, None)


class Received:
    """A sink that keeps what it takes, in memory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.data: dict[ObjectId, bytes] = {}

    def put(self, wanted: Wanted, data: bytes | memoryview, task: Task | None = None) -> None:
        self.data[wanted.oid] = bytes(data)

    def put_large(self, large: Large, task: Task | None = None) -> None:
        path = self.directory / f"{large.wanted.oid}.fetched"
        with path.open("w+b") as file:
            large.copy_to(file.fileno(), 0, None if task is None else bytes_of(task))
        self.data[large.wanted.oid] = path.read_bytes()

    def finish(self) -> None:
        """Nothing is left to do."""


_machines = itertools.count()


@dataclass
class Machine:
    """One machine with a clone of a project: its own memory of the remote, its own objects."""

    store: Store
    clock: Clock
    directory: Path
    project: str = "11111111-1111-4111-8111-111111111111"
    objects: Objects = field(init=False)
    memory: Path = field(init=False)

    def __post_init__(self) -> None:
        self.memory = self.directory / f"machine{next(_machines)}"
        self.memory.mkdir()
        self.objects = Objects(self.memory)

    def remote(self, store: Store | None = None) -> Remote:
        return Remote(
            store or self.store,
            memory_dir=self.memory / "remotes",
            project=self.project,
            name="origin",
            now=self.clock,
            boottime=self.clock,
        )

    def root(self, *datas: bytes) -> tuple[PushRoot, list[Wanted]]:
        """A directory of these files: its (pretended) tree page, and they, are objects of this machine from now on."""
        files = [Wanted(self.objects.add(data), len(data), b"dir/%d" % n) for n, data in enumerate(datas)]
        page = self.objects.add("\n".join(sorted(item.oid for item in files)).encode())
        size = sum(item.size for item in files)
        everything = [Wanted(page, 0, b"dir", True), *files]
        return PushRoot(root=Root("tree", page, len(files), size), label=b"dir"), everything

    def push(self, *roots: tuple[PushRoot, list[Wanted]], store: Store | None = None, **options: object) -> PushResult:
        contents = {root.root.oid: items for root, items in roots}
        return push(
            self.remote(store),
            self.objects,
            [root for root, _ in roots],
            lambda root: contents[root.root.oid],
            commit=None,
            **options,  # type: ignore[arg-type]
        )

    def fetch(
        self, *roots: tuple[PushRoot, list[Wanted]], store: Store | None = None
    ) -> tuple[Received, TransferResult]:
        received = Received(self.memory)
        remote = self.remote(store)
        remote.open()
        wanted = list({item.oid: item for _, items in roots for item in items}.values())
        return received, transfer(RemoteSource(remote), received, wanted)

    def other(self, project: str | None = None) -> Machine:
        """Another machine, with the same objects at first."""
        machine = Machine(self.store, self.clock, self.directory, project or self.project)
        machine.objects.data.update(self.objects.data)
        return machine


def a_machine(tmp_path: Path) -> Machine:
    """A machine and a fresh remote under a clock of their own."""
    clock = Clock()
    return Machine(MemoryStore(clock=clock), clock, tmp_path)


def some_files(count: int, size: int = 100, seed: int = 0) -> list[bytes]:
    """Contents that differ, the same for each seed."""
    generator = random.Random(seed)
    return [generator.randbytes(size) for _ in range(count)]


def holds_all(machine: Machine, *roots: tuple[PushRoot, list[Wanted]]) -> bool:
    """Whether a fresh machine can read all of some roots, byte for byte."""
    received, result = machine.other().fetch(*roots)
    return not result.absent and all(
        digest(received.data[item.oid]) == item.oid for _, items in roots for item in items
    )


def names(machine: Machine, prefix: str) -> list[str]:
    """What the store has below a prefix."""
    return [item.name for item in machine.store.list(prefix)]


def condemn(machine: Machine, *bad: str, reason: str = "unused") -> str:
    """Write a gc record that condemns names; its id."""
    data = encode_condemn(Condemn(nonce=os.urandom(16).hex(), project=machine.project, reason=reason, names=bad))
    machine.store.put(f"gc/{digest(data)}.condemn", data)
    return digest(data)


def drop(machine: Machine, condemned: str, *bad: str, expired: tuple[str, ...] = ()) -> None:
    """Delete condemned names, as gc does, with the record of it."""
    value = Drop(nonce=os.urandom(16).hex(), condemn=(condemned,), names=bad, expired=expired)
    data = encode_drop(value)
    machine.store.put(f"gc/{digest(data)}.drop", data)
    machine.store.delete_many(bad)


def live_records(machine: Machine) -> list[str]:
    """The push records that count, as another machine sees them."""
    remote = machine.other().remote()
    remote.open()
    return sorted(remote.state.live)


def with_small_packs(machine: Machine) -> None:
    """Make a remote whose packs are small, so that there are many."""
    value = RemoteFormat(id="33333333-3333-4333-8333-333333333333", pack_target=100_000)
    machine.store.put("datatool-remote.json", encode_remote_format(value))


def every_place(machine: Machine) -> list[Location]:
    """Where the index says that objects lie."""
    remote = machine.other().remote()
    remote.open()
    return [Location(name, record.kind, 0, 0, 0) for name, _, record in remote.state.names()]
