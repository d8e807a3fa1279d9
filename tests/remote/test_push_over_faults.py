"""Pushes that are killed, cross each other, or whose machine sleeps: each request is a place where that may happen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
from remotes import (
    DAY,
    OTHER_PROJECT,
    FaultyStore,
    Killed,
    a_machine,
    condemn,
    drop,
    every_place,
    holds_all,
    live_records,
    names,
    some_files,
    with_small_packs,
)

from datatool.errors import RemoteError
from datatool.formats.pack import object_path
from datatool.formats.shard import Shard
from datatool.hashing import digest
from datatool.remote import sink as sink_module
from datatool.store.protocol import Listed
from patience import LONG

BIG = 5 << 20


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
