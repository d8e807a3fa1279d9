"""Pushes over what gc has condemned or let expire: what may not be counted on is sent again."""

from __future__ import annotations

from pathlib import Path

import pytest
from remotes import (
    DAY,
    OTHER_PROJECT,
    FaultyStore,
    a_machine,
    condemn,
    drop,
    holds_all,
    live_records,
    names,
    some_files,
)

from datatool.errors import DamageFound
from datatool.formats.pack import object_path
from datatool.hashing import digest

BIG = 5 << 20


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


def test_nothing_is_pushed_while_a_gc_record_can_not_be_read(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    machine.push(machine.root(*some_files(2)))
    machine.store.put(f"gc/{'0' * 64}.condemn", b"damaged")
    with pytest.raises(DamageFound, match="is damaged"):
        machine.push(machine.root(*some_files(3, seed=9)))
