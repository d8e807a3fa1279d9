"""A copy that is made behind whoever writes a file is the file in the end, in whatever order it was written."""

from __future__ import annotations

import errno
import os
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import needs
from datatool.localfs import following
from datatool.localfs.following import Following

SIZE = 3 << 20


@pytest.fixture(params=[True, False], ids=["kernel", "buffer"])
def _ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    needs.linux()
    monkeypatch.setattr(following, "_STEP", 100_000)
    if not request.param:
        monkeypatch.delattr(os, "copy_file_range", raising=False)


@contextmanager
def two_files(top: Path) -> Iterator[tuple[int, int]]:
    fds = [os.open(top / name, os.O_RDWR | os.O_CREAT) for name in ("source", "target")]
    try:
        yield fds[0], fds[1]
    finally:
        for fd in fds:
            os.close(fd)


@pytest.mark.usefixtures("_ways")
def test_a_file_that_is_written_anywhere_again_and_cut_is_copied_as_it_is_in_the_end(tmp_path: Path) -> None:
    chance = random.Random(random.getrandbits(32))
    data = chance.randbytes(SIZE)
    with two_files(tmp_path) as (source, target):
        copy = Following(source, target)
        for _ in range(60):  # attempts that bring something else, break off, and begin again
            start = chance.randrange(SIZE)
            end = min(SIZE, start + chance.randrange(1, 300_000))
            os.pwrite(source, chance.randbytes(end - start), start)
            copy.wrote(start, end)
            if not chance.randrange(5):
                at = chance.randrange(SIZE)
                os.ftruncate(source, at)
                copy.wrote(at, at)
        pieces = [(start, min(SIZE, start + 70_000)) for start in range(0, SIZE, 70_000)]
        chance.shuffle(pieces)
        for start, end in pieces:
            os.pwrite(source, data[start:end], start)
            copy.wrote(start, end)
        copy.finish()
    assert (tmp_path / "target").read_bytes() == data == (tmp_path / "source").read_bytes()


@pytest.mark.usefixtures("_ways")
def test_what_is_written_once_more_is_copied_once_more(tmp_path: Path) -> None:
    first, second = b"1" * 1_000_000, b"2" * 1_000_000
    with two_files(tmp_path) as (source, target):
        copy = Following(source, target)
        for data in (first, second):
            os.pwrite(source, data, 0)
            copy.wrote(0, len(data))
            while os.fstat(target).st_size < len(data) and not _failed(copy):
                os.sched_yield()  # so that the first attempt is copied before the second one
        copy.finish()
    assert (tmp_path / "target").read_bytes() == second


@pytest.mark.usefixtures("_ways")
@pytest.mark.parametrize("have", [0, 500_000])
def test_a_writer_that_tells_nothing_is_copied_at_the_end(have: int, tmp_path: Path) -> None:
    data = random.Random(3).randbytes(SIZE)
    with two_files(tmp_path) as (source, target):
        os.pwrite(source, data[:have], 0)
        copy = Following(source, target, have=have)
        os.pwrite(source, data[have:], have)
        copy.finish()
    assert (tmp_path / "target").read_bytes() == data


@pytest.mark.usefixtures("_ways")
def test_what_was_promised_and_is_not_there_is_no_copy_until_it_is(tmp_path: Path) -> None:
    with two_files(tmp_path) as (source, target):
        copy = Following(source, target, have=1_000_000)  # and somebody cut the file before
        os.pwrite(source, b"3" * 1_500_000, 0)
        copy.wrote(0, 1_500_000)
        os.ftruncate(source, 1_200_000)
        copy.finish()
    assert (tmp_path / "target").read_bytes() == b"3" * 1_200_000


@pytest.mark.usefixtures("_ways")
def test_a_copy_that_fails_says_so_when_it_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"4" * 10)
    source, target = os.open(tmp_path / "source", os.O_RDWR), os.open("/dev/full", os.O_RDWR)
    try:
        copy = Following(source, target, have=10)
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            copy.finish()
    finally:
        os.close(source)
        os.close(target)


@pytest.mark.usefixtures("_ways")
def test_whatever_stops_the_copy_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(self: Following, at: int, count: int) -> int:
        raise MemoryError

    monkeypatch.setattr(Following, "_copy_some", no_memory)
    with two_files(tmp_path) as (source, target):
        os.pwrite(source, b"7" * 10, 0)
        os.pwrite(target, b"7" * 9, 0)
        copy = Following(source, target, have=10)
        with pytest.raises(OSError, match="could not be copied"):
            copy.finish()
    assert (tmp_path / "target").read_bytes() == b""  # no room is taken by what is of no use


@pytest.mark.usefixtures("_ways")
def test_it_never_writes_to_what_another_has_opened_since(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    going, go_on = threading.Event(), threading.Event()
    copied = Following._copy_some

    def slow(self: Following, at: int, count: int) -> int:
        going.set()
        assert go_on.wait(60)
        return copied(self, at, count)

    monkeypatch.setattr(Following, "_copy_some", slow)
    with two_files(tmp_path) as (source, target):
        os.pwrite(source, b"8" * 1000, 0)
        copy = Following(source, target, have=1000)
        assert going.wait(60)
    others = [os.open(tmp_path / "other", os.O_RDWR | os.O_CREAT) for _ in range(8)]  # they have the numbers now
    try:
        go_on.set()
        copy.stop()
    finally:
        for fd in others:
            os.close(fd)
    assert (tmp_path / "other").read_bytes() == b""


@pytest.mark.usefixtures("_ways")
def test_nothing_stays_open(tmp_path: Path) -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    for end in (Following.finish, Following.stop):
        with two_files(tmp_path) as (source, target):
            os.pwrite(source, b"9" * 10, 0)
            end(Following(source, target, have=10))
    assert sorted(os.listdir("/proc/self/fd")) == before


@pytest.mark.usefixtures("_ways")
def test_after_stop_nothing_is_read_or_written(tmp_path: Path) -> None:
    with two_files(tmp_path) as (source, target):
        copy = Following(source, target)
        copy.stop()
        os.pwrite(source, b"5" * 10, 0)
        copy.wrote(0, 10)
        copy.stop()
    assert (tmp_path / "target").read_bytes() == b""


@pytest.mark.usefixtures("_ways")
def test_without_threads_it_is_copied_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "started", lambda thread: False)
    with two_files(tmp_path) as (source, target):
        copy = Following(source, target)
        os.pwrite(source, b"6" * SIZE, 0)
        copy.wrote(0, 1000)
        copy.finish()
    assert (tmp_path / "target").read_bytes() == b"6" * SIZE


def _failed(copy: Following) -> bool:
    return copy._failure is not None
