"""Many small files given to a batch at once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from on_disk import files

from datatool.index.stamp import stamp_of
from datatool.localfs.batch import Batch, NewFile, Published
from datatool.model.settings import Durability

BATCH = Durability.BATCH


def new(*names: str) -> Iterator[NewFile]:
    """A file of each name, which it also says."""
    for name in names:
        yield NewFile(name.encode(), name.encode(), 0o666, False, name)


@pytest.mark.parametrize("whole", [True, False])
def test_files_of_many_directories_in_any_order_come_to_their_places(tmp_path: Path, whole: bool) -> None:
    names = ["b/one", "a/one", "b/two", "top", "a/deep/one", "a/two", "b/three"]
    (tmp_path / "b").mkdir()
    heard: list[Published] = []
    with Batch(tmp_path, durability=BATCH, on_published=heard.extend, whole_directories=whole) as batch:
        batch.write_many(new(*names))
        assert files(tmp_path).keys().isdisjoint(names)
    assert files(tmp_path) == {name: name.encode() for name in names}
    assert [(item.target.decode(), item.tag) for item in heard] == [(name, name) for name in names]
    assert [item.stat and stamp_of(item.stat) for item in heard] == [stamp_of(os.lstat(tmp_path / n)) for n in names]


@pytest.mark.parametrize("whole", [True, False])
def test_a_batch_that_is_full_on_the_way_goes_on(tmp_path: Path, whole: bool) -> None:
    names = [f"d{number // 4}/{number}" for number in range(20)]
    with Batch(tmp_path, durability=BATCH, max_files=3, whole_directories=whole) as batch:
        batch.write_many(new(*names))
    assert files(tmp_path) == {name: name.encode() for name in names}


def test_one_that_is_given_twice_stays_as_it_came_first(tmp_path: Path) -> None:
    twice = [NewFile(b"d/file", data, 0o666, False) for data in (b"first", b"second")]
    with Batch(tmp_path, durability=BATCH, whole_directories=True) as batch:
        batch.write_many(twice)
    assert files(tmp_path) == {"d/file": b"first"}


def test_a_directory_that_somebody_deletes_meanwhile_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()

    def deleting() -> Iterator[NewFile]:
        for file in new("e/one", "d/one"):
            yield file
            if file.target == b"e/one":
                (tmp_path / "d").rmdir()

    with Batch(tmp_path, durability=BATCH) as batch:
        batch.open_temp(b"e")
        batch.directory(b"d")
        batch.write_many(deleting())
    assert files(tmp_path) == {"d/one": b"d/one", "e/one": b"e/one"}


@pytest.mark.parametrize("whole", [True, False])
def test_what_goes_wrong_on_the_way_leaves_nothing(tmp_path: Path, whole: bool) -> None:
    def failing() -> Iterator[NewFile]:
        yield from new("d/one", "d/two")
        raise RuntimeError

    with pytest.raises(RuntimeError), Batch(tmp_path, durability=BATCH, whole_directories=whole) as batch:
        batch.write_many(failing())
    assert files(tmp_path) == {}
