"""Directories that get their names with all that is in them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from on_disk import files

import needs
from datatool.errors import LocalError, UnsafeInput
from datatool.index.stamp import stamp_of
from datatool.localfs.batch import Batch, Published
from datatool.localfs.removal import sweep_left_over
from datatool.localfs.temps import PREFIX
from datatool.model.settings import Durability
from measure import system_calls

BATCH = Durability.BATCH
WANTED = {"a/1": b"1", "a/2": b"22", "a/b/c/3": b"3", "d/e/f/4": b"4", "d/5": b"5", "6": b"6"}


@pytest.fixture(autouse=True)
def _by_handle() -> None:
    needs.linux()


def fill(batch: Batch) -> None:
    for name, data in WANTED.items():
        batch.write(name.encode(), data, mode=0o666, replace=False, tag=name)


def hear(heard: list[Published]) -> dict[str, bool]:
    return {item.target.decode(): item.stat is not None for item in heard}


def test_everything_is_there_afterwards_and_remembered_as_it_is(tmp_path: Path) -> None:
    heard: list[Published] = []
    with Batch(tmp_path, durability=BATCH, on_published=heard.extend, whole_directories=True) as batch:
        fill(batch)
        batch.symlink(b"a/link", b"1", replace=False)
        batch.directory(b"a/empty/inside")
        batch.directory(b"alone")
    (tmp_path / "a/link").unlink()
    assert files(tmp_path) == WANTED
    assert (tmp_path / "a/empty/inside").is_dir() and (tmp_path / "alone").is_dir()
    assert not [name for name in tmp_path.rglob("*") if os.fsencode(name.name).startswith(PREFIX)]
    for item in heard:
        if item.target != b"a/link":
            assert item.stat is not None  # reading it has changed the time of the last access, and nothing else
            assert stamp_of(item.stat) == stamp_of((tmp_path / os.fsdecode(item.target)).lstat())


def test_files_in_new_directories_are_neither_linked_nor_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [b"%d/%03d" % (i % 3, i) for i in range(300)]
    heard: list[Published] = []
    with system_calls(monkeypatch, "link", "unlink", "stat", "rename") as count:  # noqa: SIM117
        with Batch(tmp_path, durability=BATCH, on_published=heard.extend, whole_directories=True) as batch:
            for name in names:
                batch.write(name, name, mode=0o666, replace=False)
    assert count()["rename"] == 3
    assert count()["link"] == 0
    assert count()["unlink"] + count()["stat"] <= 10
    assert hear(heard) == {name.decode(): True for name in names}


def test_nothing_is_seen_before_it_is_published_and_nothing_stays_of_what_is_not(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), Batch(tmp_path, durability=BATCH, whole_directories=True) as batch:
        fill(batch)
        assert not (tmp_path / "a").exists() and not (tmp_path / "d/e/f").exists()
        raise RuntimeError
    assert files(tmp_path) == {}
    assert not [name for name in tmp_path.rglob("*") if os.fsencode(name.name).startswith(PREFIX)]


def test_what_somebody_else_made_meanwhile_stays_and_the_rest_comes_beside_it(tmp_path: Path) -> None:
    heard: list[Published] = []
    with Batch(tmp_path, durability=BATCH, on_published=heard.extend, whole_directories=True) as batch:
        fill(batch)
        (tmp_path / "a").mkdir()
        (tmp_path / "a/2").write_bytes(b"theirs")
    assert files(tmp_path) == WANTED | {"a/2": b"theirs"}
    assert hear(heard) == dict.fromkeys(WANTED, True) | {"a/2": False}
    assert not [name for name in tmp_path.rglob("*") if os.fsencode(name.name).startswith(PREFIX)]


def test_a_file_that_took_the_name_meanwhile_is_told(tmp_path: Path) -> None:
    with (
        pytest.raises(LocalError, match="a: is a file, where a directory is needed"),
        Batch(tmp_path, durability=BATCH, whole_directories=True) as batch,
    ):
        fill(batch)
        (tmp_path / "a").write_bytes(b"theirs")
    assert (tmp_path / "a").read_bytes() == b"theirs"
    assert not [name for name in tmp_path.rglob("*") if os.fsencode(name.name).startswith(PREFIX)]


def test_a_link_that_took_the_name_meanwhile_leads_nowhere(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    top = tmp_path / "top"
    top.mkdir()
    with pytest.raises(UnsafeInput), Batch(top, durability=BATCH, whole_directories=True) as batch:
        fill(batch)
        (top / "a").symlink_to(outside)
    assert files(outside) == {}


def test_a_batch_after_the_first_finds_its_directories(tmp_path: Path) -> None:
    with Batch(tmp_path, durability=BATCH, whole_directories=True, max_files=2) as batch:
        fill(batch)
    assert files(tmp_path) == WANTED


def test_a_directory_that_a_killed_command_was_filling_is_swept(tmp_path: Path) -> None:
    gone = tmp_path / ".datatool-tmp-0123456789abcdef"
    (gone / "inside").mkdir(parents=True)
    (gone / "inside/file").write_bytes(b"half")
    os.utime(gone, (1, 1))
    sweep_left_over(tmp_path)
    assert list(tmp_path.iterdir()) == []
