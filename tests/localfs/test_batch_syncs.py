"""Batches: one sync for many files, and nothing published that isn't on disk."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from on_disk import files

import needs
from datatool.errors import LocalError, NoSpace
from datatool.localfs import native, syncing
from datatool.localfs.batch import Batch
from datatool.localfs.syncing import FEW
from datatool.model.settings import Durability

BATCH = Durability.BATCH


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
