"""Batches: of what was published, nothing is remembered that may have changed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from datatool.localfs import batch as batch_module
from datatool.localfs.batch import Batch, Published
from datatool.model.settings import Durability

BATCH = Durability.BATCH


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
