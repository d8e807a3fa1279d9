"""Batches: one sync for many files, nothing published that isn't on disk, nothing remembered that may have changed."""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import needs
from datatool.errors import LocalError, NoSpace, UnsafeInput
from datatool.index.state import stamp_of
from datatool.localfs import batch as batch_module
from datatool.localfs import native, publish, safe_paths, syncing
from datatool.localfs.batch import Batch, Published
from datatool.localfs.syncing import FEW
from datatool.model.settings import Durability

BATCH = Durability.BATCH
EVERY = [Durability.BATCH, Durability.FULL, Durability.NONE]


def files(top: Path) -> dict[str, bytes]:
    """Every file below, temporary ones too."""
    return {p.relative_to(top).as_posix(): p.read_bytes() for p in sorted(top.rglob("*")) if p.is_file()}


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


class Order:
    """Records syncs and publications in the order they happen."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.events: list[str] = []
        self.record(monkeypatch, os, "fsync", lambda fd: "dir" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file")
        self.record(monkeypatch, os, "link", lambda *_: "publish")
        self.record(monkeypatch, os, "replace", lambda *_: "publish")
        self.record(monkeypatch, syncing, "sync_filesystem", lambda fd: "all")

    def record(self, monkeypatch: pytest.MonkeyPatch, where: Any, name: str, what: Callable[..., str]) -> None:
        real = getattr(where, name)

        def call(*arguments: Any, **options: Any) -> Any:
            self.events.append(what(*arguments))
            return real(*arguments, **options)

        monkeypatch.setattr(where, name, call)


@pytest.mark.parametrize(
    ("durability", "count", "expected"),
    [
        (Durability.BATCH, 3, ["file"] * 3 + ["publish"] * 3 + ["dir"]),
        (Durability.BATCH, FEW + 1, ["all"] + ["publish"] * (FEW + 1) + ["dir"]),
        (Durability.FULL, FEW + 1, ["file"] * (FEW + 1) + ["publish"] * (FEW + 1) + ["dir"]),
        (Durability.NONE, 3, ["publish"] * 3),
    ],
)
@pytest.mark.parametrize("replace", [True, False])
def test_all_bytes_are_on_disk_before_any_name_and_all_names_before_the_news(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    durability: Durability,
    count: int,
    expected: list[str],
    replace: bool,
) -> None:
    needs.linux()
    if not native.can_sync_filesystem():
        needs.lacking("Linux 5.8")
    order = Order(monkeypatch)
    with Batch(tmp_path, durability=durability, on_published=lambda _: order.events.append("news")) as batch:
        for n in range(count):
            batch.write(b"f%d" % n, b"", mode=0o666, replace=replace)
    assert order.events == [*expected, "news"]


def test_directories_that_were_made_are_synced_with_those_around_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs.linux()
    synced: set[int] = set()
    real = os.fsync

    def fsync(fd: int) -> None:
        synced.add(os.fstat(fd).st_ino)
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    with Batch(tmp_path, durability=BATCH) as batch:
        batch.write(b"a/b/c", b"", mode=0o666, replace=False)
        batch.directory(b"e/f")
    for name in ("", "a", "a/b", "e"):
        assert (tmp_path / name).stat().st_ino in synced, name


def test_where_the_one_sync_is_not_to_be_had_each_file_is_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs.linux()
    order = Order(monkeypatch)
    monkeypatch.setattr(syncing, "sync_filesystem", lambda fd: False)
    with Batch(tmp_path, durability=BATCH) as batch:
        for n in range(FEW + 6):
            batch.write(b"f%d" % n, b"", mode=0o666, replace=True)
    assert order.events == ["file"] * (FEW + 6) + ["publish"] * (FEW + 6) + ["dir"]


def test_before_linux_5_8_each_file_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs.linux()
    order = Order(monkeypatch)
    monkeypatch.setattr(syncing, "can_sync_filesystem", lambda: False)
    with Batch(tmp_path, durability=BATCH) as batch:
        for n in range(FEW + 6):
            batch.write(b"f%d" % n, b"", mode=0o666, replace=True)
    assert order.events == ["file"] * (FEW + 6) + ["publish"] * (FEW + 6) + ["dir"]


@pytest.mark.parametrize(
    ("release", "can"), [("5.8.0", True), ("6.18.44-x", True), ("5.7.19", False), ("4.19", False), ("odd", False)]
)
def test_only_kernels_that_report_errors_are_trusted_with_it(
    monkeypatch: pytest.MonkeyPatch, release: str, can: bool
) -> None:
    needs.linux()

    class Name:
        def __init__(self) -> None:
            self.release = release

    monkeypatch.setattr(os, "uname", Name)
    assert native.can_sync_filesystem() is can


def test_a_sync_that_fails_publishes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(fd: int) -> bool:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fail)
    monkeypatch.setattr(syncing, "sync_filesystem", fail)
    for count in (1, FEW + 1):
        with pytest.raises(LocalError, match="Input/output"), Batch(tmp_path, durability=BATCH) as batch:
            for n in range(count):
                batch.write(b"f%d" % n, b"", mode=0o666, replace=True)
        assert files(tmp_path) == {}


def test_a_full_disk_names_the_file_and_the_need_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write

    def full(fd: int, data: Any) -> int:
        if len(data) > 10:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(fd, data)

    monkeypatch.setattr(os, "write", full)
    with (
        pytest.raises(NoSpace, match=r"d/big: the disk is full: needs 1\.0 kB"),
        Batch(tmp_path, durability=BATCH) as batch,
    ):
        batch.write(b"small", b"1", mode=0o666, replace=True)
        batch.write(b"d/big", b"x" * 1000, mode=0o666, replace=True)
    assert files(tmp_path) == {}


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


# Links


def test_symlinks_are_made_and_replaced(tmp_path: Path) -> None:
    needs.linux()
    (tmp_path / "old").symlink_to("before")
    with Batch(tmp_path, durability=BATCH) as batch:
        batch.symlink(b"d/new", b"../\xfftarget", replace=False)
        batch.symlink(b"old", b"after", replace=True)
    assert os.readlink(os.fsencode(tmp_path / "d/new")) == b"../\xfftarget"
    assert os.readlink(tmp_path / "old") == "after"
    assert len(list(tmp_path.rglob("*"))) == 3


@pytest.mark.parametrize("replace", [True, False])
def test_a_read_only_file_is_linked_with_its_bytes_shared(tmp_path: Path, replace: bool) -> None:
    needs.linux()
    source = tmp_path / "source"
    source.write_bytes(b"data")
    source.chmod(0o444)
    heard: list[Published] = []
    for _ in range(2):  # the second time it is the same file already: a rename would then do nothing at all
        with Batch(tmp_path / "top", durability=BATCH, on_published=heard.extend) as batch:
            assert batch.adopt_link(b"d/f", os.fsencode(source), kind="hardlink", replace=replace)
        assert os.path.samefile(tmp_path / "top/d/f", source)
        assert os.listdir(tmp_path / "top/d") == ["f"]
    assert source.stat().st_nlink == 2
    assert heard[0].stat is not None


def test_a_file_is_linked_symbolically(tmp_path: Path) -> None:
    needs.linux()
    (tmp_path / "source").write_bytes(b"data")
    with Batch(tmp_path / "top", durability=BATCH) as batch:
        assert batch.adopt_link(b"f", os.fsencode(tmp_path / "source"), kind="symlink", replace=False)
    assert os.readlink(tmp_path / "top/f") == str(tmp_path / "source")


def test_a_file_that_can_be_written_to_is_not_hardlinked(tmp_path: Path) -> None:
    needs.linux()
    source = tmp_path / "source"
    source.write_bytes(b"data")
    source.chmod(0o644)
    with Batch(tmp_path / "top", durability=BATCH) as batch:
        assert not batch.adopt_link(b"f", os.fsencode(source), kind="hardlink", replace=False)


def test_a_file_of_somebody_else_is_not_hardlinked(tmp_path: Path) -> None:
    needs.linux()
    if os.geteuid() != 0:
        pytest.skip("only root may give files away")
    source = tmp_path / "source"
    source.write_bytes(b"data")
    source.chmod(0o444)
    os.chown(source, 1234, 1234)
    with Batch(tmp_path / "top", durability=BATCH) as batch:
        assert not batch.adopt_link(b"f", os.fsencode(source), kind="hardlink", replace=False)


@pytest.mark.parametrize("code", ["EMLINK", "EXDEV", "EPERM", "EOPNOTSUPP"])
def test_where_a_link_is_not_possible_the_caller_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    needs.linux()
    source = tmp_path / "source"
    source.write_bytes(b"data")
    source.chmod(0o444)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(getattr(errno, code), code)

    monkeypatch.setattr(os, "link", refuse)
    with Batch(tmp_path / "top", durability=BATCH) as batch:
        assert not batch.adopt_link(b"f", os.fsencode(source), kind="hardlink", replace=False)
    assert files(tmp_path / "top") == {}


def test_a_missing_source_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LocalError), Batch(tmp_path / "top", durability=BATCH) as batch:
        batch.adopt_link(b"f", os.fsencode(tmp_path / "missing"), kind="hardlink", replace=False)


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


# What may be remembered


class Clock:
    """Stands in for the filesystem's clock and for waiting."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, runs: bool) -> None:
        self.slept: list[float] = []
        self.ahead = 0
        self.runs = runs
        monkeypatch.setattr(batch_module.time, "sleep", self.sleep)
        real = Batch._scratch

        def scratch(batch: Batch) -> Any:
            found = real(batch)
            newest = max(item.stat.st_mtime_ns for item in batch._pending)

            class Stat:
                st_mtime_ns = newest + self.ahead
                st_dev = found.st_dev

            return Stat()

        monkeypatch.setattr(Batch, "_scratch", scratch)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if self.runs:
            self.ahead += round(seconds * 1e9)


def published(top: Path, count: int = 2) -> list[Published]:
    heard: list[Published] = []
    with Batch(top, durability=BATCH, on_published=heard.extend) as batch:
        for n in range(count):
            batch.write(b"f%d" % n, b"", mode=0o666, replace=True)
    return heard


def test_a_batch_waits_once_until_a_change_would_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, runs=True)
    assert all(item.stat is not None for item in published(tmp_path, 5))
    assert len(clock.slept) == 1
    assert 0 < clock.slept[0] <= 2 * 2.5


def test_nothing_is_remembered_while_the_filesystems_clock_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch, runs=False)
    assert all(item.stat is None for item in published(tmp_path))
    assert len(clock.slept) == 1


def test_nobody_waits_when_nothing_is_to_be_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, runs=False)
    with Batch(tmp_path, durability=BATCH) as batch:
        batch.write(b"f", b"", mode=0o666, replace=True)
    assert clock.slept == []


def test_a_file_that_is_changed_right_after_it_got_its_name_is_not_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.replace

    def replace(source: Any, target: Any, **options: Any) -> None:
        real(source, target, **options)
        if os.fsencode(target).endswith(b"f1"):
            (tmp_path / "f1").write_bytes(b"x")

    monkeypatch.setattr(os, "replace", replace)
    assert [(item.target, item.stat is None) for item in published(tmp_path, 3)] == [
        (b"f0", False),
        (b"f1", True),
        (b"f2", False),
    ]


def test_an_older_file_that_takes_its_place_at_once_is_not_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "older").write_bytes(b"y")
    os.utime(tmp_path / "older", (1, 1))
    real = os.replace

    def replace(source: Any, target: Any, **options: Any) -> None:
        real(source, target, **options)
        if os.fsencode(target).endswith(b"f1"):
            real(tmp_path / "older", tmp_path / "f1")

    monkeypatch.setattr(os, "replace", replace)
    assert [item.stat is None for item in published(tmp_path, 3)] == [False, True, False]


def test_a_file_that_is_changed_and_given_its_old_time_and_size_is_not_the_same_file_with_another_inode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.replace

    def replace(source: Any, target: Any, **options: Any) -> None:
        real(source, target, **options)
        if os.fsencode(target).endswith(b"f1"):
            was = os.lstat(tmp_path / "f1")
            (tmp_path / "other").write_bytes(b"")
            os.utime(tmp_path / "other", ns=(was.st_atime_ns, was.st_mtime_ns))
            real(tmp_path / "other", tmp_path / "f1")

    monkeypatch.setattr(os, "replace", replace)
    assert [item.stat is None for item in published(tmp_path, 3)] == [False, True, False]


def test_a_file_whose_time_was_set_at_once_is_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.replace

    def replace(source: Any, target: Any, **options: Any) -> None:
        real(source, target, **options)
        if os.fsencode(target).endswith(b"f1"):
            os.utime(tmp_path / "f1", (1, 1))

    monkeypatch.setattr(os, "replace", replace)
    assert [item.stat is None for item in published(tmp_path, 3)] == [False, True, False]
