"""Pushes that are killed, late, crossed by others or by gc: the product's own code on a memory store."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
from remotes import DAY, FaultyStore, Killed, Machine, a_machine, holds_all, some_files

from datatool.errors import DamageFound, RemoteError
from datatool.formats.gc_record import Condemn, Drop, encode_condemn, encode_drop
from datatool.formats.pack import object_path
from datatool.formats.remote_format import RemoteFormat, encode_remote_format
from datatool.formats.shard import Shard
from datatool.hashing import digest
from datatool.remote import sink as sink_module
from datatool.remote.damage import report_damage
from datatool.remote.source import RemoteSource
from datatool.remote.state import Location
from datatool.store.memory import MemoryStore
from datatool.store.protocol import Listed
from patience import LONG

OTHER_PROJECT = "22222222-2222-4222-8222-222222222222"
BIG = 5 << 20


def names(machine: Machine, prefix: str) -> list[str]:
    return [item.name for item in machine.store.list(prefix)]


def condemn(machine: Machine, *bad: str, reason: str = "unused") -> str:
    data = encode_condemn(Condemn(nonce=os.urandom(16).hex(), project=machine.project, reason=reason, names=bad))
    machine.store.put(f"gc/{digest(data)}.condemn", data)
    return digest(data)


def drop(machine: Machine, condemned: str, *bad: str, expired: tuple[str, ...] = ()) -> None:
    value = Drop(nonce=os.urandom(16).hex(), condemn=(condemned,), names=bad, expired=expired)
    data = encode_drop(value)
    machine.store.put(f"gc/{digest(data)}.drop", data)
    machine.store.delete_many(bad)


def live_records(machine: Machine) -> list[str]:
    remote = machine.other().remote()
    remote.open()
    return sorted(remote.state.live)


def test_a_push_killed_before_any_request_is_completed_by_the_next(tmp_path: Path) -> None:
    files = [*some_files(20), *some_files(1, BIG)]
    for kill_at in range(100):
        machine = a_machine(tmp_path)
        root = machine.root(*files)
        faulty = FaultyStore(machine.store, kill_at=kill_at)
        try:
            machine.push(root, store=faulty)
        except Killed:
            if live_records(machine):  # whatever is recorded is whole at any moment
                assert holds_all(machine, root)
            result = machine.other().push(root)
            assert not result.failed and holds_all(machine, root)
        else:
            assert kill_at > 8
            return
    pytest.fail("the push never ended")


def test_a_second_push_killed_before_any_request_is_completed_by_the_next(tmp_path: Path) -> None:
    for kill_at in range(100):
        machine = a_machine(tmp_path)
        first = machine.root(*some_files(20))
        machine.push(first)
        second = machine.root(*some_files(20)[:15], *some_files(5, seed=1))
        try:
            machine.push(second, store=FaultyStore(machine.store, kill_at=kill_at))
        except Killed:
            assert not machine.push(second).failed
            assert holds_all(machine, first, second)
        else:
            assert kill_at > 8
            return
    pytest.fail("the push never ended")


def with_small_packs(machine: Machine) -> None:
    value = RemoteFormat(id="33333333-3333-4333-8333-333333333333", pack_target=100_000)
    machine.store.put("datatool-remote.json", encode_remote_format(value))


def test_packs_that_a_killed_push_sent_are_listed_by_the_next_and_not_sent_again(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    with_small_packs(machine)
    root = machine.root(*some_files(30, 20_000))  # six packs of files: none is listed before the last
    faulty = FaultyStore(machine.store)
    for _ in range(4):
        faulty.on("put", "packs/", lambda: None)
    faulty.on("put", "packs/", faulty.kill)
    with pytest.raises(Killed):
        machine.push(root, store=faulty, jobs=1)
    sent = names(machine, "packs/")
    assert len(sent) == 4 and not names(machine, "index/")
    again = FaultyStore(machine.store)
    result = machine.push(root, store=again)
    assert len([name for name in again.puts() if name.startswith("packs/")]) == 3
    assert result.objects + result.skipped_objects == 31
    (shard,) = (Shard(machine.store.get(name)) for name in names(machine, "index/"))
    assert {f"packs/{pack[:2]}/{pack[2:]}.pack" for pack in shard.header.packs} == set(names(machine, "packs/"))
    assert holds_all(machine, root)


@pytest.mark.parametrize("what", ["gone", "condemned"])
def test_a_sent_pack_that_is_no_longer_to_be_counted_on_is_not_listed(tmp_path: Path, what: str) -> None:
    machine = a_machine(tmp_path)
    with_small_packs(machine)
    root = machine.root(*some_files(10, 20_000))
    faulty = FaultyStore(machine.store)
    faulty.on("put", "packs/", lambda: None)
    faulty.on("put", "packs/", faulty.kill)
    with pytest.raises(Killed):
        machine.push(root, store=faulty, jobs=1)
    (bad,) = names(machine, "packs/")
    if what == "gone":
        machine.store.delete_many([bad])
    else:
        condemn(machine, bad)
    assert machine.push(root).objects == 11
    assert bad not in {place.name for place in every_place(machine)}
    assert holds_all(machine, root)


def every_place(machine: Machine) -> list[Location]:
    remote = machine.other().remote()
    remote.open()
    return [Location(name, record.kind, 0, 0, 0) for name, _, record in remote.state.names()]


def test_two_pushes_that_cross_at_any_request_both_end_whole(tmp_path: Path) -> None:
    for moment in range(100):
        machine = a_machine(tmp_path)
        one = machine.root(*some_files(12))
        other = machine.other(OTHER_PROJECT if moment % 2 else None)
        two = other.root(*some_files(8), *some_files(4, seed=2))
        faulty = FaultyStore(machine.store)
        crossed = []

        def request(method: str, name: str, faulty: FaultyStore = faulty) -> None:
            if len(faulty.requests) == moment and not crossed:  # noqa: B023
                crossed.append(other.push(two))  # noqa: B023
            faulty.requests.append((method, name))

        faulty._request = request  # type: ignore[method-assign]
        machine.push(one, store=faulty)
        if not crossed:
            assert moment > 8
            return
        assert holds_all(machine, one, two)
        listed = machine.store.get("index.list").decode()
        assert all(name[6:-4] in listed for name in names(machine, "index/"))
    pytest.fail("the push never ended")


def test_a_machine_that_sleeps_between_check_and_commit_checks_again(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    root = machine.root(*some_files(10))
    real = machine.store.list
    faulty = FaultyStore(machine.store)
    gone: list[str] = []

    def list_and_sleep(prefix: str) -> Iterator[Listed]:
        """The lid is shut just after the final check; meanwhile gc takes what was uploaded."""
        found = list(real(prefix))
        if faulty.requests.count(("list", "gc/")) == 2 and prefix == "gc/" and not gone:
            gone.extend(item.name for item in real("packs/"))
            machine.clock.pass_(30 * DAY)
            drop(machine, condemn(machine, *gone), *gone)
        return iter(found)

    machine.store.list = list_and_sleep  # type: ignore[method-assign]
    result = machine.push(root, store=faulty)
    del machine.store.list  # type: ignore[method-assign]
    assert gone and not result.failed
    assert len([name for name in faulty.puts() if name.startswith("index/")]) == 1  # nothing was committed unchecked
    assert holds_all(machine, root)


def test_a_record_that_reaches_the_server_too_late_is_void_and_written_again(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    root = machine.root(*some_files(10))
    faulty = FaultyStore(machine.store)
    faulty.on("put", "index/", lambda: machine.clock.pass_(3600))  # the request itself hangs for an hour
    machine.push(root, store=faulty)
    assert len([name for name in faulty.puts() if name.startswith("index/")]) == 2
    assert len(live_records(machine)) == 1


def test_a_push_killed_after_a_late_commit_is_not_believed(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    root = machine.root(*some_files(10))
    faulty = FaultyStore(machine.store)

    def late_and_killed() -> None:
        machine.clock.pass_(3600)
        faulty.kill_at = len(faulty.requests)

    faulty.on("put", "index/", late_and_killed)
    with pytest.raises(Killed):
        machine.push(root, store=faulty)
    assert live_records(machine) == []
    counted = FaultyStore(machine.store)
    machine.push(root, store=counted)
    assert len(live_records(machine)) == 1
    assert not [name for name in counted.puts() if name.startswith("packs/")]


def test_a_commit_that_never_comes_in_time_fails_and_keeps_what_was_sent(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    root = machine.root(*some_files(10))
    faulty = FaultyStore(machine.store)
    for _ in range(50):
        faulty.on("put", "index/", lambda: machine.clock.pass_(3600))
    with pytest.raises(RemoteError, match="could not be committed"):
        machine.push(root, store=faulty)
    counted = FaultyStore(machine.store)
    machine.push(root, store=counted)
    assert not [name for name in counted.puts() if name.startswith("packs/")]


def test_what_was_condemned_is_sent_again_under_another_name(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    root = machine.root(*some_files(10), *some_files(1, BIG))
    machine.push(root)
    bad = [*names(machine, "packs/"), *names(machine, "objects/")]
    key = condemn(machine, *bad)
    machine.clock.pass_(8 * DAY)  # the record is too old to be believed without looking
    machine.push(root)
    drop(machine, key, *bad)
    assert holds_all(machine, root)
    assert all(name.count(".") == 1 for name in names(machine, "objects/"))


def test_objects_condemned_while_a_push_is_under_way_are_sent_again(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    first = machine.root(*some_files(10))
    machine.push(first)
    bad = names(machine, "packs/")
    machine.clock.pass_(8 * DAY)
    second = machine.root(*some_files(10), *some_files(1, seed=3))
    faulty = FaultyStore(machine.store)
    keys: list[str] = []
    faulty.on("put", "packs/", lambda: keys.append(condemn(machine, *bad)))
    machine.push(second, store=faulty)
    drop(machine, keys[0], *bad)
    assert holds_all(machine, second)


def test_a_loose_object_that_was_adopted_and_then_condemned_is_sent_under_another_name(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    machine.push(machine.root(*some_files(1)))
    (data,) = some_files(1, BIG, seed=4)
    root = machine.root(data)
    left = object_path(digest(data))
    machine.store.put(left, data)  # by a push that was killed
    faulty = FaultyStore(machine.store)
    keys: list[str] = []
    faulty.on("put", "packs/", lambda: keys.append(condemn(machine, left)))
    machine.push(root, store=faulty)
    drop(machine, keys[0], left)
    assert holds_all(machine, root)


def test_an_object_that_a_killed_push_left_is_not_sent_again(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    machine.push(machine.root(*some_files(1)))
    (data,) = some_files(1, BIG, seed=4)
    machine.store.put(object_path(digest(data)), data)
    faulty = FaultyStore(machine.store)
    root = machine.root(data)
    machine.push(root, store=faulty)
    assert not [name for name in faulty.puts() if name.startswith("objects/")]
    assert holds_all(machine, root)


def test_what_a_first_push_left_before_its_first_shard_is_not_sent_again(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    root = machine.root(*some_files(3, BIG))
    faulty = FaultyStore(machine.store)

    def over() -> None:
        faulty.kill_at = len(faulty.requests)
        raise Killed

    faulty.on("put", "index/", over)
    with pytest.raises(Killed):
        machine.push(root, store=faulty)
    assert len(names(machine, "objects/")) == 3 and names(machine, "index/") == []
    again = FaultyStore(machine.store)
    machine.push(root, store=again)
    assert not [name for name in again.puts() if name.startswith("objects/")]
    assert holds_all(machine, root)


@pytest.mark.parametrize("is_heard", [True, False], ids=["lost answer", "lost request"])
def test_a_push_that_broke_off_before_index_list_is_completed_by_the_next(tmp_path: Path, is_heard: bool) -> None:
    machine = a_machine(tmp_path)
    root = machine.root(*some_files(3))
    faulty = FaultyStore(machine.store)

    def over() -> None:
        faulty.kill_at = len(faulty.requests)
        raise Killed

    if is_heard:
        faulty.on("put", "index/", over, after=True)
    else:
        faulty.on("put", "index.list", over)
    with pytest.raises(Killed):
        machine.push(root, store=faulty)
    assert len(names(machine, "index/")) == 1 and names(machine, "index.list") == []
    assert machine.push(root).objects == 0
    (listed,) = [machine.store.get(name).decode() for name in names(machine, "index.list")]
    assert all(name[6:-4] in listed for name in names(machine, "index/"))
    again = FaultyStore(machine.store)
    machine.push(root, store=again)
    assert len(again.requests) == 2


def test_an_expired_record_makes_its_roots_be_pushed_again(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    root = machine.root(*some_files(10))
    machine.push(root)
    (record,) = live_records(machine)
    drop(machine, condemn(machine, "packs/aa/none.pack"), expired=(record,))
    machine.push(root)
    assert live_records(machine) not in ([], [record])


def test_another_projects_record_is_not_believed_but_its_objects_are_used(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    root = machine.root(*some_files(10))
    machine.push(root)
    other = machine.other(OTHER_PROJECT)
    faulty = FaultyStore(other.store)
    other.push(root, store=faulty)
    assert len(live_records(machine)) == 2
    assert not [name for name in faulty.puts() if name.startswith(("packs/", "objects/"))]


def test_a_record_older_than_seven_days_is_renewed_without_sending_objects(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    root = machine.root(*some_files(10))
    machine.push(root)
    machine.clock.pass_(8 * DAY)
    faulty = FaultyStore(machine.store)
    machine.push(root, store=faulty)
    assert len(live_records(machine)) == 2
    assert not [name for name in faulty.puts() if name.startswith("packs/")]


def test_ctrl_c_publishes_what_arrived_so_that_the_next_push_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = a_machine(tmp_path)
    root = machine.root(*some_files(4, BIG))
    faulty = FaultyStore(machine.store)
    arrived = Event()
    faulty.on("put", "objects/", arrived.set, after=True)
    read = machine.objects.read

    def interrupted(wanted):  # type: ignore[no-untyped-def]
        for number, item in enumerate(read(wanted)):
            if number == 4:
                assert arrived.wait(LONG)
                raise KeyboardInterrupt
            yield item

    monkeypatch.setattr(machine.objects, "read", interrupted)
    with pytest.raises(KeyboardInterrupt):
        machine.push(root, store=faulty)
    monkeypatch.undo()
    there = len(names(machine, "objects/"))
    assert there and len(names(machine, "index/")) == 1 and not live_records(machine)
    again = FaultyStore(machine.store)
    result = machine.push(root, store=again)
    assert result.skipped_objects == there
    assert len([name for name in again.puts() if name.startswith("objects/")]) == 4 - there
    assert holds_all(machine, root)


def test_an_interim_shard_follows_every_eighth_pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sink_module, "MAX_PACK", 2 * 4096)
    machine = a_machine(tmp_path)
    root = machine.root(*some_files(40, 3000))
    faulty = FaultyStore(machine.store)
    machine.push(root, store=faulty)
    shards = [Shard(machine.store.get(name)) for name in faulty.puts() if name.startswith("index/")]
    assert len(shards) >= 2 and not shards[0].header.pushes and len(shards[-1].header.pushes) == 1
    assert holds_all(machine, root)


def test_an_interim_shard_follows_half_a_minute(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    root = machine.root(*some_files(6, BIG))
    faulty = FaultyStore(machine.store)
    for _ in range(6):
        faulty.on("put", "objects/", lambda: machine.clock.pass_(20))
    machine.push(root, store=faulty)
    assert len([name for name in faulty.puts() if name.startswith("index/")]) >= 2


def test_a_lost_pack_is_found_by_verify_and_restored(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    root = machine.root(*some_files(10), *some_files(1, BIG))
    machine.push(root)
    machine.store.delete_many([*names(machine, "packs/"), *names(machine, "objects/")])
    assert not holds_all(machine, root)
    assert machine.push(root).objects == 0  # the index is trusted
    assert machine.push(root, verify=True).objects == 12
    assert holds_all(machine, root)
    assert machine.push(root, verify=True).objects == 0


def test_a_truncated_object_is_found_by_verify_and_restored_under_another_name(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    (data,) = some_files(1, BIG)
    root = machine.root(data)
    machine.push(root)
    name = object_path(digest(data))
    machine.store.put(name, data[:-1])
    machine.push(root, verify=True)
    assert machine.store.get(name) == data[:-1]  # never overwritten
    assert holds_all(machine, root)


@pytest.mark.parametrize("size", [100, BIG, 17 << 20], ids=["packed", "loose", "large"])
def test_damage_that_a_fetch_meets_is_healed_by_the_next_push(tmp_path: Path, size: int) -> None:
    machine = a_machine(tmp_path)
    root = machine.root(*some_files(2, size))
    machine.push(root)
    name = next(iter(names(machine, "objects/") or names(machine, "packs/")))
    bytes_ = bytearray(machine.store.get(name))
    bytes_[50] ^= 1
    machine.store.put(name, bytes(bytes_))
    reader = machine.other()
    remote = reader.remote()
    remote.open()
    source = RemoteSource(remote)
    _received, result = reader.fetch(root)
    assert [absent.damaged for absent in result.absent] == [True]
    wanted = [absent.wanted for absent in result.absent]
    for item in wanted:
        list(source.read([item]))
        source.reject(item)
    assert report_damage(remote, source.suspects) == (name,)
    assert machine.push(root).objects >= 1
    assert holds_all(machine, root)
    assert machine.push(root).objects == 0


def test_what_reads_well_the_second_time_is_not_condemned(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    root = machine.root(*some_files(3))
    machine.push(root)
    remote = machine.remote()
    remote.open()
    source = RemoteSource(remote)
    source.reject(root[1][1])
    assert len(source.suspects) == 1
    assert report_damage(remote, source.suspects) == ()
    assert names(machine, "gc/") == []


def test_nothing_is_pushed_while_a_gc_record_can_not_be_read(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    machine.push(machine.root(*some_files(2)))
    machine.store.put(f"gc/{'0' * 64}.condemn", b"damaged")
    with pytest.raises(DamageFound, match="is damaged"):
        machine.push(machine.root(*some_files(3, seed=9)))


def test_a_damaged_shard_counts_for_nothing_and_is_healed_by_a_push(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    root = machine.root(*some_files(10))
    machine.push(root)
    (name,) = names(machine, "index/")
    machine.store.put(name, machine.store.get(name)[:-1] + b"\xff")
    other = machine.other()
    assert other.push(root).objects == 11
    assert holds_all(machine, root)


def test_an_object_missing_here_costs_its_own_root_only(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    good, bad = machine.root(*some_files(5)), machine.root(*some_files(5, seed=1))
    lost = bad[1][3]
    del machine.objects.data[lost.oid]
    result = machine.push(good, bad)
    assert result.pushed == {good[0].root.oid}
    assert [absent.wanted for absent in result.failed[bad[0].root.oid]] == [lost]
    assert holds_all(machine, good)
    assert machine.push(good, bad).pushed == {good[0].root.oid}


@pytest.mark.parametrize("size", [100, BIG, 9 << 20], ids=["packed", "loose", "large"])
def test_wrong_bytes_here_are_never_sent(tmp_path: Path, size: int) -> None:
    machine = a_machine(tmp_path)
    (data,) = some_files(1, size)
    root = machine.root(data)
    machine.objects.data[digest(data)] = data[:-1] + b"?"
    result = machine.push(root)
    assert result.pushed == frozenset()
    assert [absent.damaged for absent in result.failed[root[0].root.oid]] == [True]
    assert machine.objects.rejected
    assert names(machine, "objects/") == []


def test_a_tree_that_can_not_be_read_here_fails_alone(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    good, bad = machine.root(*some_files(2)), machine.root(*some_files(2, seed=1))

    class Broken(list):  # type: ignore[type-arg]
        def __iter__(self):  # type: ignore[no-untyped-def]
            raise KeyError(bad[0].root.oid)

    result = machine.push(good, (bad[0], Broken()))
    assert result.pushed == {good[0].root.oid} and list(result.failed) == [bad[0].root.oid]


def test_a_remote_that_is_gone_is_not_made_anew_by_accident(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    root = machine.root(*some_files(2))
    machine.push(root)
    machine.store = MemoryStore(clock=machine.clock)  # not mounted
    with pytest.raises(RemoteError, match="is it mounted"):
        machine.push(root)
    assert list(machine.store.list("")) == []
    machine.push(root, force=True)
    assert holds_all(machine, root)


def test_another_remote_at_the_same_place_is_noticed(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    root = machine.root(*some_files(2))
    machine.push(root)
    fresh = machine.other()
    fresh.store = machine.store = MemoryStore(clock=machine.clock)
    fresh.push(machine.root(*some_files(1, seed=7)))
    assert machine.push(root).objects == 3
    assert holds_all(machine, root)
