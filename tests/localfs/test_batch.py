"""Batches of files: all of them or none, as they were asked for, and nowhere but below their top."""

from __future__ import annotations

import errno
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest
from on_disk import files

import needs
from datatool.errors import LocalError, UnsafeInput
from datatool.index.stamp import stamp_of
from datatool.localfs import publish, safe_paths
from datatool.localfs.batch import Batch, Published
from datatool.localfs.syncing import FEW
from datatool.model.settings import Durability

BATCH = Durability.BATCH
EVERY = [Durability.BATCH, Durability.FULL, Durability.NONE]


@pytest.fixture(params=["by handle", "by path"])
def reach(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of reaching a directory: by an open handle, and by its path where handles aren't to be had."""
    if request.param == "by path":
        monkeypatch.setattr(safe_paths, "_HAS_DIR_FD", False)
    return str(request.param)


@pytest.mark.parametrize("durability", EVERY)
@pytest.mark.parametrize("count", [0, 2, FEW + 10])
@pytest.mark.parametrize("replace", [True, False])
def test_everything_taken_is_there_afterwards(
    tmp_path: Path, durability: Durability, count: int, replace: bool, reach: str
) -> None:
    wanted = {f"d{n % 7}/f{n}": b"%d" % n for n in range(count)}
    heard: list[Published] = []
    with Batch(tmp_path, durability=durability, on_published=heard.extend) as batch:
        for name, data in wanted.items():
            batch.write(name.encode(), data, mode=0o666, replace=replace, tag=name)
        assert not any(name in wanted for name in files(tmp_path))
    assert files(tmp_path) == wanted
    assert [(item.target.decode(), item.tag) for item in heard] == [(name, name) for name in wanted]
    for item in heard:
        assert item.stat is not None
        assert stamp_of(item.stat) == stamp_of(os.lstat(tmp_path / item.target.decode()))


def test_an_exception_in_the_block_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), Batch(tmp_path, durability=BATCH) as batch:
        batch.write(b"a", b"1", mode=0o666, replace=False)
        batch.symlink(b"l", b"a", replace=False)
        fd, _ = batch.open_temp(b"")
        os.close(fd)
        raise RuntimeError
    assert os.listdir(tmp_path) == []


def test_what_was_flushed_before_an_exception_stays(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), Batch(tmp_path, durability=BATCH) as batch:
        batch.write(b"a", b"1", mode=0o666, replace=False)
        batch.flush()
        batch.write(b"b", b"2", mode=0o666, replace=False)
        raise RuntimeError
    assert files(tmp_path) == {"a": b"1"}


def test_a_temporary_file_that_is_discarded_or_forgotten_is_deleted(tmp_path: Path) -> None:
    with Batch(tmp_path, durability=BATCH) as batch:
        fd, temp = batch.open_temp(b"")
        batch.discard(temp, fd=fd)
        forgotten, _ = batch.open_temp(b"d")
        os.close(forgotten)
    assert files(tmp_path) == {}


def test_without_replace_a_file_that_is_there_stays_and_is_not_remembered(tmp_path: Path, reach: str) -> None:
    (tmp_path / "a").write_bytes(b"old")
    heard: list[Published] = []
    with Batch(tmp_path, durability=BATCH, on_published=heard.extend) as batch:
        batch.write(b"a", b"new", mode=0o666, replace=False)
        batch.write(b"b", b"new", mode=0o666, replace=False)
    assert files(tmp_path) == {"a": b"old", "b": b"new"}
    assert [(item.target, item.stat is None) for item in heard] == [(b"a", True), (b"b", False)]


def test_with_replace_it_is_replaced_by_another_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    os.link(tmp_path / "a", tmp_path / "other name")
    with Batch(tmp_path, durability=BATCH) as batch:
        batch.write(b"a", b"new", mode=0o666, replace=True)
    assert files(tmp_path) == {"a": b"new", "other name": b"old"}


def without_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)


@pytest.mark.parametrize("in_one_call", [True, False])
def test_where_links_cannot_be_made_a_rename_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_one_call: bool
) -> None:
    needs.linux()
    without_links(monkeypatch)
    if not in_one_call:
        monkeypatch.setattr(publish, "rename_new", lambda *_: None)
    (tmp_path / "a").write_bytes(b"old")
    with Batch(tmp_path, durability=BATCH) as batch:
        batch.write(b"a", b"new", mode=0o666, replace=False)
        batch.write(b"d/b", b"new", mode=0o666, replace=False)
    assert files(tmp_path) == {"a": b"old", "d/b": b"new"}


def test_a_link_that_was_made_though_the_server_said_no_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs.linux()
    real = os.link

    def link(*arguments: Any, **options: Any) -> None:
        real(*arguments, **options)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "link", link)
    with Batch(tmp_path, durability=BATCH) as batch:
        batch.write(b"a", b"new", mode=0o666, replace=False)
    assert files(tmp_path) == {"a": b"new"}


def test_bits_are_those_asked_for_as_far_as_the_umask_or_the_model_lets_them(tmp_path: Path) -> None:
    needs.linux()
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o2770)
    old = os.umask(0o027)
    try:
        for top, like in ((tmp_path / "own", None), (shared, shared)):
            with Batch(top, durability=BATCH, like=like) as batch:
                for name, mode in ((b"d/f", 0o666), (b"d/x", 0o777), (b"d/r", 0o444)):
                    batch.write(name, b"", mode=mode, replace=False)
    finally:
        os.umask(old)
    found = {p.relative_to(tmp_path).as_posix(): stat.S_IMODE(p.stat().st_mode) for p in tmp_path.rglob("*")}
    assert found == {
        "own": 0o750,
        "own/d": 0o750,
        "own/d/f": 0o640,
        "own/d/x": 0o750,
        "own/d/r": 0o440,
        "shared": 0o2770,
        "shared/d": 0o2770,
        "shared/d/f": 0o660,
        "shared/d/x": 0o770,
        "shared/d/r": 0o440,
    }


def test_one_target_that_cannot_be_replaced_is_named_and_no_temporary_file_stays(tmp_path: Path) -> None:
    (tmp_path / "dir" / "x").mkdir(parents=True)
    with pytest.raises(LocalError, match=r"dir: "), Batch(tmp_path, durability=BATCH) as batch:
        batch.write(b"a", b"1", mode=0o666, replace=True)
        batch.write(b"dir", b"2", mode=0o666, replace=True)
        batch.write(b"z", b"3", mode=0o666, replace=True)
    assert files(tmp_path) == {"a": b"1"}


def test_a_batch_is_published_when_it_is_large_enough(tmp_path: Path) -> None:
    heard: list[int] = []

    def published(items: list[Published]) -> None:
        heard.append(len(items))

    with Batch(tmp_path, durability=BATCH, on_published=published, max_files=3) as batch:
        for n in range(7):
            batch.write(b"f%d" % n, b"", mode=0o666, replace=False)
        assert heard == [3, 3]
    assert heard == [3, 3, 1]
    heard.clear()
    with Batch(tmp_path, durability=BATCH, on_published=published, max_bytes=10) as batch:
        for n in range(4):
            batch.write(b"g%d" % n, b"xxxxx", mode=0o666, replace=False)
        assert heard == [2, 2]


def test_a_finished_copy_is_taken_by_its_descriptor(tmp_path: Path) -> None:
    with Batch(tmp_path, durability=BATCH) as batch:
        fd, temp = batch.open_temp(b"elsewhere")
        os.write(fd, b"data")
        os.lseek(fd, 0, os.SEEK_SET)
        assert os.read(fd, 10) == b"data"
        batch.add(temp, b"deep/er/file", fd=fd, mode=0o666, size=4, replace=False)
    assert files(tmp_path) == {"deep/er/file": b"data"}


# Safety


@pytest.mark.parametrize("link", ["a", "a/b"])
def test_nothing_is_written_through_a_link_below_the_top(tmp_path: Path, link: str, reach: str) -> None:
    needs.linux()
    outside = tmp_path / "outside"
    (outside / "b").mkdir(parents=True)
    top = tmp_path / "top"
    (top / link).parent.mkdir(parents=True)
    (top / link).symlink_to(outside)
    with pytest.raises(UnsafeInput, match=f"{link}: is a symlink"), Batch(top, durability=BATCH) as batch:
        batch.write(b"a/b/c", b"evil", mode=0o666, replace=True)
    with pytest.raises(UnsafeInput), Batch(top, durability=BATCH) as batch:
        batch.symlink(b"a/b/c", b"evil", replace=True)
    with pytest.raises(UnsafeInput), Batch(top, durability=BATCH) as batch:
        batch.directory(b"a/b/c")
    assert [p for p in outside.rglob("*") if p.name != "b"] == []


def test_a_link_that_takes_a_directorys_place_meanwhile_leads_nowhere(tmp_path: Path) -> None:
    needs.linux()
    outside = tmp_path / "outside"
    outside.mkdir()
    top = tmp_path / "top"
    with Batch(top, durability=BATCH) as batch:
        batch.write(b"d/one", b"1", mode=0o666, replace=True)
        (top / "d").rename(top / "moved")
        (top / "d").symlink_to(outside)
        batch.write(b"d/two", b"2", mode=0o666, replace=True)
    assert list(outside.iterdir()) == []
    assert files(top / "moved") == {"one": b"1", "two": b"2"}


def test_a_directory_that_was_deleted_meanwhile_is_made_again(tmp_path: Path, reach: str) -> None:
    with Batch(tmp_path / "top", durability=BATCH) as batch:
        batch.write(b"d/e/one", b"1", mode=0o666, replace=True)
        batch.flush()
        for path in ("d/e/one", "d/e", "d"):
            full = tmp_path / "top" / path
            full.unlink() if full.is_file() else full.rmdir()
        batch.write(b"d/e/two", b"2", mode=0o666, replace=True)
    assert files(tmp_path / "top") == {"d/e/two": b"2"}


def test_a_file_where_a_directory_is_needed_is_named(tmp_path: Path, reach: str) -> None:
    (tmp_path / "a").write_bytes(b"")
    told = "a: is a file, where a directory is needed"
    with pytest.raises(LocalError, match=told), Batch(tmp_path, durability=BATCH) as batch:
        batch.write(b"a/b", b"", mode=0o666, replace=True)


def test_more_directories_than_may_be_open_are_no_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safe_paths, "_KEPT_OPEN", 4)
    wanted = {f"{a}/{b}/{c}/f": b"%d%d%d" % (a, b, c) for a in range(3) for b in range(3) for c in range(3)}
    with Batch(tmp_path, durability=BATCH) as batch:
        for name, data in wanted.items():
            fd, temp = batch.open_temp(b"x/y/z")
            os.write(fd, data)
            batch.add(temp, name.encode(), fd=fd, mode=0o666, size=3, replace=False)
    assert files(tmp_path) == wanted


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    needs.linux()
    before = set(os.listdir("/proc/self/fd"))
    for count in (3, FEW + 3):
        with Batch(tmp_path, durability=BATCH) as batch:
            for n in range(count):
                batch.write(b"d%d/f" % n, b"", mode=0o666, replace=True)
        with pytest.raises(RuntimeError), Batch(tmp_path, durability=BATCH) as batch:
            for n in range(count):
                batch.write(b"d%d/f" % n, b"", mode=0o666, replace=True)
            raise RuntimeError
    assert set(os.listdir("/proc/self/fd")) == before


def test_several_threads_may_fill_one_batch(tmp_path: Path) -> None:
    heard: list[Published] = []
    with Batch(tmp_path, durability=BATCH, on_published=heard.extend, max_files=150) as batch:

        def fill(thread: int) -> None:
            for n in range(100):
                batch.write(b"t%d/f%d" % (thread, n), b"%d" % n, mode=0o666, replace=False)

        threads = [threading.Thread(target=fill, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(files(tmp_path)) == 400
    assert len(heard) == 400
