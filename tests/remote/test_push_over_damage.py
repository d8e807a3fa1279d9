"""Pushes over a remote, or a cache, that lost or damaged something."""

from __future__ import annotations

from pathlib import Path

import pytest
from remotes import (
    a_machine,
    holds_all,
    names,
    some_files,
)

from datatool.errors import RemoteError
from datatool.formats.pack import object_path
from datatool.hashing import digest
from datatool.remote.damage import report_damage
from datatool.remote.source import RemoteSource
from datatool.store.memory import MemoryStore

BIG = 5 << 20


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
    with pytest.raises(RemoteError, match="no remote any more"):
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
