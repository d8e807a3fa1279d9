"""Hashing bytes, files, and copies while they are made."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from datatool import hashing
from datatool.hashing import STEP, Hasher, copy_and_hash, digest, hash_fd
from datatool.model.oid import EMPTY
from patience import LONG

SIZES = [0, 1, 4096, (256 << 10) - 1, 256 << 10, (1 << 20) + 1, STEP - 1, STEP, 2 * STEP + 12345]


@pytest.fixture
def fds() -> Iterator[list[int]]:
    opened: list[int] = []
    yield opened
    for fd in opened:
        os.close(fd)


def source(tmp_path: Path, fds: list[int], data: bytes) -> int:
    (tmp_path / "source").write_bytes(data)
    fds.append(os.open(tmp_path / "source", os.O_RDONLY))
    return fds[-1]


def target(tmp_path: Path, fds: list[int]) -> int:
    fds.append(os.open(tmp_path / "target", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    return fds[-1]


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_an_id_is_the_sha256_of_the_bytes() -> None:
    assert digest(b"") == EMPTY
    assert digest(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert digest(memoryview(bytearray(b"abc"))) == digest(b"abc")


def test_pieces_give_the_id_of_the_whole() -> None:
    hasher = Hasher()
    for piece in (b"a", b"", b"bc"):
        hasher.update(piece)
    assert hasher.oid == digest(b"abc")


@pytest.mark.parametrize("size", SIZES)
def test_a_file_is_hashed_whole(tmp_path: Path, fds: list[int], size: int) -> None:
    data = os.urandom(size)
    assert hash_fd(source(tmp_path, fds, data), size) == sha(data)


def test_a_file_is_hashed_whole_without_vectored_reads(
    tmp_path: Path, fds: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing, "_HAS_READV", False)
    data = os.urandom(1 << 20)
    assert hash_fd(source(tmp_path, fds, data), len(data)) == sha(data)


def test_a_file_that_shrank_gives_the_id_of_what_is_left_and_one_that_grew_of_what_was(
    tmp_path: Path, fds: list[int]
) -> None:
    data = os.urandom(1 << 20)
    fd = source(tmp_path, fds, data)
    assert hash_fd(fd, 2 << 20) == sha(data)
    os.lseek(fd, 0, os.SEEK_SET)
    assert hash_fd(fd, 1000) == sha(data[:1000])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("in_kernel", [True, False])
def test_a_copy_is_whole_and_its_id_right(
    tmp_path: Path, fds: list[int], monkeypatch: pytest.MonkeyPatch, size: int, in_kernel: bool
) -> None:
    if not in_kernel:
        monkeypatch.delattr(os, "copy_file_range", raising=False)
    data = os.urandom(size)
    assert copy_and_hash(source(tmp_path, fds, data), target(tmp_path, fds), size) == sha(data)
    assert (tmp_path / "target").read_bytes() == data


@pytest.mark.parametrize("size", [1000, STEP + 10, 3 * STEP])
@pytest.mark.parametrize("in_kernel", [True, False])
def test_a_copy_that_was_begun_is_gone_on_with(
    tmp_path: Path, fds: list[int], monkeypatch: pytest.MonkeyPatch, size: int, in_kernel: bool
) -> None:
    if not in_kernel:
        monkeypatch.delattr(os, "copy_file_range", raising=False)
    data = os.urandom(size)
    have = size - 500
    fd = target(tmp_path, fds)
    os.pwrite(fd, data[:have], 0)
    told: list[int] = []
    assert copy_and_hash(source(tmp_path, fds, data), fd, size, have=have, advance=told.append) == sha(data)
    assert (tmp_path / "target").read_bytes() == data
    assert sum(told) == (500 if size > STEP else size)
    os.pwrite(fd, b"wrong", 0)
    os.lseek(fd, 0, os.SEEK_SET)
    assert copy_and_hash(source(tmp_path, fds, data), fd, size, have=size) == (
        sha(b"wrong" + data[5:]) if size > STEP else sha(data)
    )


def test_a_copy_is_finished_where_the_kernel_stops(
    tmp_path: Path, fds: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def fails_later(source: int, target: int, count: int) -> int:
        calls.append(count)
        if len(calls) > 1:
            raise OSError(errno.EXDEV, "no")
        return os.write(target, os.read(source, 1000))

    monkeypatch.setattr(os, "copy_file_range", fails_later, raising=False)
    data = os.urandom(STEP + 99)
    assert copy_and_hash(source(tmp_path, fds, data), target(tmp_path, fds), len(data)) == sha(data)
    assert (tmp_path / "target").read_bytes() == data


@pytest.mark.parametrize("size", [10, STEP + 10])
def test_a_source_that_ends_early_is_an_error(tmp_path: Path, fds: list[int], size: int) -> None:
    fd = source(tmp_path, fds, os.urandom(size))
    with pytest.raises(OSError, match=f"ends after {size} of {size + 1} bytes"):
        copy_and_hash(fd, target(tmp_path, fds), size + 1)


@pytest.mark.parametrize("size", [10, STEP + 10])
def test_no_more_than_the_size_is_copied(tmp_path: Path, fds: list[int], size: int) -> None:
    data = os.urandom(size + 5)
    assert copy_and_hash(source(tmp_path, fds, data), target(tmp_path, fds), size) == sha(data[:size])
    assert (tmp_path / "target").read_bytes() == data[:size]


def test_a_full_disk_reaches_the_caller_and_no_thread_stays(
    tmp_path: Path, fds: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "copy_file_range", full, raising=False)
    monkeypatch.setattr(os, "write", full)
    fd = source(tmp_path, fds, os.urandom(STEP))
    with pytest.raises(OSError, match="No space") as caught:
        copy_and_hash(fd, target(tmp_path, fds), STEP)
    assert caught.value.errno == errno.ENOSPC
    assert "datatool-copy" not in {thread.name for thread in threading.enumerate()}


def test_the_id_is_of_the_copy_not_of_the_source(
    tmp_path: Path, fds: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def flips_a_bit(source: int, target: int, count: int) -> int:
        data = bytearray(os.read(source, count))
        data[len(data) // 2] ^= 1
        return os.write(target, data)

    monkeypatch.setattr(os, "copy_file_range", flips_a_bit, raising=False)
    data = os.urandom(STEP)
    oid = copy_and_hash(source(tmp_path, fds, data), target(tmp_path, fds), STEP)
    assert oid != sha(data)
    assert oid == sha((tmp_path / "target").read_bytes())


def test_a_copy_that_cannot_be_read_back_ends_the_copying_too(
    tmp_path: Path, fds: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = threading.Event()
    steps: list[int] = []

    def copies_on(source: int, target: int, count: int) -> int:
        if steps:
            failed.wait(LONG)
        steps.append(count)
        return os.write(target, os.read(source, count))

    def fails(*_: object) -> int:
        failed.set()
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "copy_file_range", copies_on, raising=False)
    monkeypatch.setattr(os, "preadv", fails, raising=False)
    monkeypatch.setattr("datatool.hashing._HAS_PREAD", True)
    fd = source(tmp_path, fds, os.urandom(3 * STEP))
    with pytest.raises(OSError, match="Input/output"):
        copy_and_hash(fd, target(tmp_path, fds), 3 * STEP)
    assert "datatool-copy" not in {thread.name for thread in threading.enumerate()}
    assert len(steps) <= 2, "the copier ends with the step it is in"
