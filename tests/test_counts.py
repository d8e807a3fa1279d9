"""Counts that must not grow: bytes hashed, requests sent, files opened, memory used."""

from __future__ import annotations

import random
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

import needs
from datatool.workspace.present import Workspace
from measure import files_opened, hashed_bytes, peak_mib, store_requests, syncs, system_calls
from world import World

MANY = 100_000
BIG = 2 << 30


def pushed(world: World) -> None:
    for i in range(50):
        world.write(f"data/{i:02}.txt", b"line\n" * (5000 + i))
    world.write("big.bin", random.Random(1).randbytes(300_000))
    world.settle()
    world.ok("add", "data", "big.bin")
    world.commit()
    world.ok("push")


# ---- bytes hashed


@pytest.mark.parametrize("words", [("status",), ("add", "data", "big.bin"), ("push",)], ids=lambda words: words[0])
def test_a_command_with_nothing_to_do_hashes_nothing(
    words: tuple[str, ...], world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushed(world)
    with hashed_bytes(monkeypatch) as count:
        world.ok(*words)
    assert count() <= 16_384, "names and times may be hashed, the megabyte of data may not"


def test_only_the_changed_file_is_hashed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    pushed(world)
    world.write("data/07.txt", b"changed\n")
    with hashed_bytes(monkeypatch) as count:
        world.ok("status")
    assert 8 <= count() <= 16_384


def test_the_counter_of_hashed_bytes_counts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write("new.bin", b"x" * 100_000)
    with hashed_bytes(monkeypatch) as count:
        world.ok("add", "new.bin")
    assert count() >= 100_000


# ---- requests


def test_a_push_with_nothing_to_do_makes_two_requests(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    pushed(world)
    with store_requests(monkeypatch) as counts:
        document = world.json("push")
    assert document["requests"] <= 2
    assert sum(counts.values()) <= 2
    assert not counts["put"]


@pytest.mark.slow
def test_twenty_thousand_small_files_travel_in_few_requests(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = random.Random(2)
    for i in range(20_000):
        world.write(f"data/{i // 500:02}/{i:05}.bin", noise.randbytes(noise.randint(4096, 20480)))
    world.ok("add", "data")
    world.commit()
    with store_requests(monkeypatch) as counts:
        world.ok("push")
    assert counts["put"] + counts["put_file"] <= 16
    world.write("data/07/03600.bin", b"changed")
    world.ok("add", "data")
    with store_requests(monkeypatch) as counts:
        world.ok("push")
    assert counts["put"] + counts["put_file"] <= 4
    copy_of = world.clone()
    with store_requests(monkeypatch) as counts:
        copy_of.ok("pull")
    assert sum(counts.values()) <= 40


# ---- syncs


def test_many_single_files_are_checked_out_for_few_syncs(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    needs.linux()
    names = [f"{i:03}.bin" for i in range(300)]
    for name in names:
        world.write(name, name.encode())
    world.ok("add", *names)
    for name in names:
        (world.root / name).unlink()
    with syncs(monkeypatch) as count:
        world.ok("checkout")
    assert 1 <= count() <= 20
    assert world.json("status")["clean"]


# ---- calls for each file

SMALL_FILES = 400
BESIDES = SMALL_FILES // 4
"""Calls that are not for a file among them: far fewer than one for each."""


def small_files(world: World) -> None:
    for i in range(SMALL_FILES):
        world.write(f"data/{i:03}.bin", b"%d" % i * 1000)
    world.settle()


def test_a_small_file_is_read_once_and_looked_at_once_more_when_it_is_added(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_files(world)
    with system_calls(monkeypatch, "fstat", "read") as count:
        world.ok("add", "data")
    assert SMALL_FILES <= count()["read"] <= SMALL_FILES + BESIDES
    assert SMALL_FILES <= count()["fstat"] <= SMALL_FILES + BESIDES


def test_a_small_file_is_checked_out_without_a_call_for_its_mode_or_for_reading_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs.linux()
    small_files(world)
    world.ok("add", "data")
    (world.root / "data").rename(world.top / "aside")
    with system_calls(monkeypatch, "fchmod", "pread", "fstat", "open") as count:
        world.ok("checkout")
    assert SMALL_FILES <= count()["open"] <= SMALL_FILES + BESIDES
    assert SMALL_FILES <= count()["fstat"] <= SMALL_FILES + BESIDES
    assert count()["fchmod"] <= BESIDES
    assert 1 <= count()["pread"] <= BESIDES
    assert world.tree("data") == {name: world.top.joinpath("aside", name).read_bytes() for name in world.tree("data")}


def test_small_objects_are_pushed_without_a_call_for_reading_each(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs.linux()
    small_files(world)
    world.ok("add", "data")
    world.commit()
    with system_calls(monkeypatch, "pread", "write") as count:
        world.ok("push")
    assert 1 <= count()["pread"] <= BESIDES
    assert 1 <= count()["write"] <= BESIDES


# ---- files looked at


def test_a_checkout_into_nothing_looks_for_nothing_there(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write("data/a.txt", b"a")
    world.ok("add", "data")
    (world.root / "data").rename(world.top / "aside")

    def look(*_: object, **__: object) -> NoReturn:
        raise AssertionError("the directory was made just now")

    monkeypatch.setattr(Workspace, "look", look)
    world.ok("checkout")
    assert world.read("data/a.txt") == b"a"


# ---- a hundred thousand files


@dataclass(frozen=True, kw_only=True, slots=True)
class Costs:
    """Peak memory in MiB by command, and the files that no-op commands opened."""

    peaks: dict[str, float]
    opened: dict[str, list[str]]


def many(top: Path) -> Costs:
    world = World(top)
    data = world.root / "data"
    for i in range(MANY):
        if i % 500 == 0:
            directory = data / f"d{i // 500:03}"
            directory.mkdir(parents=True)
        (directory / f"{i:06}.bin").write_bytes(b"%d\n" % i)
    world.settle()
    peaks = {"add": peak_mib(world, "add", "data")}
    world.commit()
    peaks["push"] = peak_mib(world, "push")
    opened = {
        command: files_opened(world, *words)
        for command, words in {"status": ["status"], "add": ["add", "data"], "push": ["push"]}.items()
    }
    peaks["status"] = peak_mib(world, "status")
    copy = world.clone()
    peaks["pull"] = peak_mib(copy, "pull")
    (copy.root / "data").rename(copy.top / "aside")
    peaks["checkout"] = peak_mib(copy, "checkout")
    assert sum(1 for _ in (copy.root / "data").rglob("*.bin")) == MANY
    return Costs(peaks=peaks, opened=opened)


@pytest.mark.slow
def test_a_hundred_thousand_files_need_little_memory_and_nothing_to_do_opens_none_of_them(tmp_path: Path) -> None:
    costs = many(tmp_path)  # one test, because the world takes a minute to make
    assert {command: peak for command, peak in costs.peaks.items() if peak > 300} == {}
    stores = ("/cache/objects/", "/cache/packs/", f"{tmp_path}/remote/")
    for command, opened in costs.opened.items():
        assert any("datatool" in name for name in opened), "strace saw the command's files"
        assert not [name for name in opened if name.endswith(".bin")][:5], command
        assert not [name for name in opened if any(store in name for store in stores)][:5], command
        assert len(opened) < 2_000, command


# ---- one big file


def big(top: Path) -> dict[str, float]:
    world = World(top)
    enough_room(world.top, 4 * BIG)
    with (world.root / "big.bin").open("wb") as file:
        file.truncate(BIG)  # takes no room here; every copy does
        file.seek(BIG // 2)
        file.write(b"not only zeros")
    peaks = {"add": peak_mib(world, "add", "big.bin")}
    world.commit()
    peaks["push"] = peak_mib(world, "push")
    copy = world.clone()
    peaks["pull"] = peak_mib(copy, "pull")
    (copy.root / "big.bin").unlink()
    peaks["checkout"] = peak_mib(copy, "checkout")
    assert (copy.root / "big.bin").stat().st_size == BIG
    return peaks


def enough_room(directory: Path, needed: int) -> None:
    free = shutil.disk_usage(directory).free
    if free < needed:
        needs.lacking(f"{needed / 1e9:.0f} GB of free disk")


@pytest.mark.slow
def test_a_file_of_two_gigabytes_needs_little_memory() -> None:
    with tempfile.TemporaryDirectory(prefix="datatool-big-") as on_disk:  # `tmp_path` may lie in memory
        peaks = big(Path(on_disk))
    assert {command: peak for command, peak in peaks.items() if peak > 200} == {}
