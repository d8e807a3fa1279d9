"""Reading from a remote: few requests, and another place when one fails."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from remotes import FaultyStore, Machine, Received, a_machine, some_files

from datatool.errors import RemoteDenied
from datatool.formats.gc_record import Condemn, Drop, encode_condemn, encode_drop
from datatool.formats.pack import PackBuilder, object_path, pack_path
from datatool.formats.shard import LOOSE, ShardRecord, encode_shard
from datatool.hashing import digest
from datatool.model.oid import ObjectId
from datatool.remote.check import check, lost_names, present, status
from datatool.remote.damage import report_damage
from datatool.remote.source import RemoteSource
from datatool.store.memory import MemoryStore
from datatool.store.objects import Absent, Small, Wanted
from datatool.store.protocol import Advance, Capabilities, Store, WrongBytes
from datatool.store.transfer import transfer


def gets(store: FaultyStore) -> list[str]:
    return [name for method, name in store.requests if method == "get" and name.startswith(("packs/", "objects/"))]


def publish(machine: Machine, datas: list[bytes]) -> str:
    """A pack with these objects, and a shard for it, as a relocation by gc writes them."""
    builder = PackBuilder()
    for data in datas:
        builder.add(digest(data), data)
    pieces: list[bytes] = []
    built = builder.build(pieces.append)
    machine.store.put(pack_path(built.id), b"".join(pieces))
    records = [ShardRecord(oid, kind, 0, off, clen, ulen) for oid, kind, off, clen, ulen in built.records]
    shard = encode_shard(records, packs=(built.id,))
    machine.store.put(f"index/{digest(shard)}.dti", shard)
    return pack_path(built.id)


def drop(machine: Machine, *names: str) -> None:
    condemn = encode_condemn(Condemn(nonce=os.urandom(16).hex(), project="p", reason="unused", names=names))
    machine.store.put(f"gc/{digest(condemn)}.condemn", condemn)
    record = encode_drop(Drop(nonce=os.urandom(16).hex(), condemn=(digest(condemn),), names=names))
    machine.store.put(f"gc/{digest(record)}.drop", record)
    machine.store.delete_many(names)


def test_a_whole_pack_is_one_request(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    root = machine.root(*some_files(500, 2000))
    machine.push(root)
    faulty = FaultyStore(machine.store)
    _, result = machine.fetch(root, store=faulty)
    assert not result.absent and len(gets(faulty)) == 2


def test_distant_objects_of_a_pack_are_requests_of_their_own_and_neighbours_are_not(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    files = some_files(3000, 1000)
    root = machine.root(*files)
    machine.push(root)
    remote = machine.remote(faulty := FaultyStore(machine.store))
    remote.open()
    chosen = [digest(files[n]) for n in (0, 100, 2900, 2999)]
    found = list(RemoteSource(remote).read([Wanted(oid, 1000, b"") for oid in chosen]))
    assert {digest(item.data) for item in found if isinstance(item, Small)} == set(chosen)
    assert len(gets(faulty)) == 2


def test_an_object_that_gc_moved_meanwhile_is_found_after_one_refresh(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    files = some_files(5)
    root = machine.root(*files)
    machine.push(root)
    faulty = FaultyStore(machine.store)
    old = [item.name for item in machine.store.list("packs/")]

    def move() -> None:
        publish(machine, [machine.objects.data[item.oid] for item in root[1]])
        drop(machine, *old)

    faulty.on("get", "packs/", move)
    received, result = machine.fetch(root, store=faulty)
    assert not result.absent and len(received.data) == 6
    assert faulty.requests.count(("list", "index/")) == 2


def test_a_wrong_copy_is_passed_over_for_a_right_one(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    files = some_files(5)
    root = machine.root(*files)
    machine.push(root)
    machine.clock.pass_(1)
    bad = publish(machine, files)  # the newest is tried first
    data = bytearray(machine.store.get(bad))
    data[8:508] = bytes(500)
    machine.store.put(bad, bytes(data))
    received, result = machine.fetch(root)
    assert not result.absent and {digest(data) for data in received.data.values()} == set(received.data)


class Flipping(FaultyStore):
    """Changes a bit of the first so many answers that hold objects, on their way."""

    def __init__(self, inner: Store, times: int) -> None:
        super().__init__(inner)
        self.times = times

    def _is_flipped(self, name: str) -> bool:
        due = name.startswith(("packs/", "objects/")) and self.times > 0
        self.times -= due
        return due

    def get(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        data = super().get(name, start, length)
        return bytes([data[0] ^ 1]) + data[1:] if self._is_flipped(name) else data

    def get_file(
        self, name: str, target: int, sha256: ObjectId, size: int, *, have: int = 0, advance: Advance | None = None
    ) -> None:
        super().get_file(name, target, sha256, size, have=have, advance=advance)
        if self._is_flipped(name):
            raise WrongBytes(name)


SIZES = pytest.mark.parametrize("size", [100, 5 << 20, 17 << 20], ids=["packed", "loose", "large"])


@SIZES
def test_bytes_that_were_changed_on_their_way_are_asked_for_once_more(tmp_path: Path, size: int) -> None:
    machine = a_machine(tmp_path)
    root = machine.root(*some_files(2, size))
    machine.push(root)
    remote = machine.remote(Flipping(machine.store, times=1))
    remote.open()
    source, received = RemoteSource(remote), Received(tmp_path)
    result = transfer(source, received, root[1])
    assert not result.absent and {digest(data) for data in received.data.values()} == {w.oid for w in root[1]}
    assert report_damage(remote, source.suspects) == ()


@SIZES
def test_bytes_that_are_wrong_twice_are_damage_and_not_asked_for_again(tmp_path: Path, size: int) -> None:
    machine = a_machine(tmp_path)
    (data,) = some_files(1, size)
    root = machine.root(data)
    machine.push(root)
    (bad,) = [item.name for item in machine.store.list("") if data in machine.store.get(item.name)]
    wanted = [item for item in root[1] if item.oid == digest(data)]
    machine.store.put(bad, bytes(len(machine.store.get(bad))))
    faulty = FaultyStore(machine.store)
    remote = machine.remote(faulty)
    remote.open()
    source = RemoteSource(remote)
    result = transfer(source, Received(tmp_path), wanted)
    assert [absent.damaged for absent in result.absent] == [True]
    assert report_damage(remote, source.suspects) == (bad,)
    assert [name for method, name in faulty.requests if method.startswith("get") and name == bad] == [bad, bad]


@pytest.mark.parametrize("size", [100, 17 << 20], ids=["small", "large"])
def test_what_is_nowhere_is_absent_after_one_refresh(tmp_path: Path, size: int) -> None:
    machine = a_machine(tmp_path)
    root = machine.root(*some_files(1, size))
    machine.push(root)
    machine.store.delete_many([item.name for part in ("packs/", "objects/") for item in machine.store.list(part)])
    faulty = FaultyStore(machine.store)
    _, result = machine.fetch(root, store=faulty)
    assert result.absent and {absent.damaged for absent in result.absent} == {False}
    assert faulty.requests.count(("list", "index/")) == 2


def test_a_large_object_is_copied_from_another_name_if_the_first_is_wrong(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    (data,) = some_files(1, 17 << 20)
    root = machine.root(data)
    machine.push(root)
    machine.clock.pass_(1)
    oid = digest(data)
    machine.store.put(f"{object_path(oid)}.0badc0de", b"?" * len(data))
    shard = encode_shard([ShardRecord(oid, LOOSE, 1, 0, 0, len(data))], packs=(), alt=("0badc0de",))
    machine.store.put(f"index/{digest(shard)}.dti", shard)
    received, result = machine.fetch(root)
    assert not result.absent and received.data[oid] == data


def test_an_index_that_points_outside_a_pack_costs_that_object_only(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    root = machine.root(b"good")
    machine.push(root)
    (pack, *_) = (ObjectId(i.name[6:8] + i.name[9:71]) for i in machine.store.list("packs/"))
    lost = digest(b"lost")
    shard = encode_shard([ShardRecord(lost, 0, 0, 1000, 4, 4)], packs=(pack,))
    machine.store.put(f"index/{digest(shard)}.dti", shard)
    remote = machine.remote()
    remote.open()
    received = Received(tmp_path)
    result = transfer(RemoteSource(remote), received, [Wanted(lost, 4, b"lost"), *root[1]])
    assert [absent.wanted.oid for absent in result.absent] == [lost] and len(received.data) == 2


def test_a_remote_without_the_object_gives_absent(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    machine.push(machine.root(b"x"))
    remote = machine.remote()
    remote.open()
    wanted = Wanted(digest(b"other"), 5, b"other")
    assert list(RemoteSource(remote).read([wanted])) == [Absent(wanted)]


def test_closing_a_half_read_source_ends_its_threads(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    root = machine.root(*some_files(10))
    machine.push(root)
    remote = machine.remote()
    remote.open()
    reading = RemoteSource(remote).read(root[1])
    assert isinstance(next(reading), Small)
    reading.close()  # type: ignore[attr-defined]


def test_present_and_status_tell_what_is_there_from_what_is_recorded(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    root = machine.root(*some_files(3))
    machine.push(root)
    remote = machine.remote()
    remote.open()
    assert status(remote, [root[0].root]) == {root[0].root.oid}
    assert present(remote, root[1]) == frozenset()
    gone = [item.name for item in machine.store.list("packs/")]
    machine.store.delete_many(gone)
    assert status(remote, [root[0].root]) == {root[0].root.oid}
    assert present(remote, root[1]) == {item.oid for item in root[1]}
    assert lost_names(remote).gone == frozenset(gone)


def test_check_proves_write_read_range_list_and_delete_and_leaves_nothing() -> None:
    store = MemoryStore()
    assert [(step.name, step.ok) for step in check(store)] == [
        (name, True) for name in ("write", "read", "range", "atomic publish", "list", "delete")
    ]
    assert list(store.list("")) == []


def test_check_says_what_does_not_work() -> None:
    class Forgetful(MemoryStore):
        def delete_many(self, names: object) -> None:
            pass

    class Closed(MemoryStore):
        capabilities = Capabilities(write=False)  # type: ignore[assignment]

    assert [step.name for step in check(Forgetful()) if not step.ok] == ["delete"]
    assert [(step.name, step.ok) for step in check(Closed())] == [("read", False)]


def test_check_of_what_is_read_only_by_nature_proves_that_it_can_be_read(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    machine.push(machine.root(b"x"))

    class Mirror(MemoryStore):
        capabilities = Capabilities(write=False, list=False, delete=False)  # type: ignore[assignment]

    mirror = Mirror()
    for item in machine.store.list(""):
        mirror.put(item.name, machine.store.get(item.name))
    steps = [(step.name, step.ok) for step in check(mirror)]
    assert steps == [("read", True), ("range", True), ("index.list", True)]
    mirror.delete_many(["index.list"])
    assert check(mirror)[-1].detail.startswith("there is no index.list at memory://")


class Closed(FaultyStore):
    """A store that does not let some names be read; with `all_of_it`, none."""

    def __init__(self, inner: Store, names: set[str], *, all_of_it: bool = False) -> None:
        super().__init__(inner)
        self.names = names
        self.all_of_it = all_of_it

    def _request(self, method: str, name: str) -> None:
        super()._request(method, name)
        if method.startswith("get") and (self.all_of_it or name in self.names):
            raise RemoteDenied(f"{name}: you may not read", hint="ask the owner")


def test_what_may_not_be_read_is_absent_with_the_reason_and_no_damage(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    files = [*some_files(3, 5 << 20), *some_files(3, 17 << 20, seed=1), *some_files(3, seed=2)]
    root = machine.root(*files)
    machine.push(root)
    closed = {object_path(digest(files[1])), object_path(digest(files[4]))}
    remote = machine.remote(Closed(machine.store, closed))
    remote.open()
    source, received = RemoteSource(remote), Received(tmp_path)
    result = transfer(source, received, root[1])
    found = {object_path(item.wanted.oid): item for item in result.absent}
    assert set(found) == closed and not source.suspects
    assert all(isinstance(item.refused, RemoteDenied) and not item.damaged for item in found.values())
    assert len(received.data) == len(root[1]) - 2


def test_a_copy_that_may_be_read_is_used_in_place_of_one_that_may_not(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    datas = some_files(3)
    first, second = publish(machine, datas), publish(machine, datas)
    remote = machine.remote(Closed(machine.store, {first}))
    machine.push(machine.root(*some_files(1, seed=9)))
    remote.open()
    wanted = [Wanted(digest(data), len(data), b"x") for data in datas]
    result = transfer(RemoteSource(remote), received := Received(tmp_path), wanted)
    assert not result.absent and len(received.data) == 3 and first != second


def test_a_login_that_expires_on_the_way_ends_the_transfer_at_once(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    root = machine.root(*some_files(40, 5 << 20))
    machine.push(root)
    store = Closed(machine.store, set())
    remote = machine.remote(store)
    remote.open()
    store.all_of_it = True
    store.requests.clear()
    with pytest.raises(RemoteDenied):
        transfer(RemoteSource(remote, jobs=2), Received(tmp_path), root[1])
    assert len(store.requests) < 12
