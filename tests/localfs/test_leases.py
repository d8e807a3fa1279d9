"""A file is read while nobody can write to it, and who wants to is noticed."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import needs
from datatool.localfs import leases
from datatool.localfs.leases import is_written_to, leased, unseal
from patience import LONG
from servers.ports import wait_until


@pytest.fixture
def file(tmp_path: Path) -> Path:
    needs.linux()
    path = tmp_path / "file"
    path.write_bytes(b"data")
    path.chmod(0o640)
    return path


@pytest.fixture
def fd(file: Path) -> Iterator[int]:
    fd = os.open(file, os.O_RDONLY)
    yield fd
    os.close(fd)


def mode(file: Path) -> int:
    return file.stat().st_mode & 0o777


def test_a_file_that_somebody_has_open_for_writing_is_not_leased(file: Path, fd: int) -> None:
    with file.open("ab"):
        assert is_written_to(os.fsencode(file))
        with leased(fd) as lease:
            assert lease is None
    assert not is_written_to(os.fsencode(file))
    with leased(fd) as lease:
        assert lease is not None and lease.holds


def test_nor_is_one_that_is_mapped_for_writing(file: Path, fd: int) -> None:
    import mmap

    with file.open("r+b") as opened:
        mapped = mmap.mmap(opened.fileno(), 0)
    with leased(fd) as lease:
        assert lease is None
    mapped.close()
    with leased(fd) as lease:
        assert lease is not None


def test_readers_are_no_hindrance(file: Path, fd: int) -> None:
    with file.open("rb"), leased(fd) as lease:
        assert lease is not None and lease.holds
        assert file.read_bytes() == b"data"
        assert lease.holds


def test_who_opens_a_leased_file_for_writing_waits_until_it_is_given_back_and_breaks_the_lease(
    file: Path, fd: int
) -> None:
    with leased(fd) as lease:
        assert lease is not None
        writer = threading.Thread(target=lambda: file.write_bytes(b"written"))
        writer.start()
        wait_until(lambda: not lease.holds, seconds=LONG, what="the writer")
        assert os.pread(fd, 9, 0) == b"data"
    writer.join()
    assert file.read_bytes() == b"written"


def test_so_does_who_truncates_it(file: Path, fd: int) -> None:
    with leased(fd) as lease:
        assert lease is not None
        writer = threading.Thread(target=lambda: os.truncate(file, 1))
        writer.start()
        wait_until(lambda: not lease.holds, seconds=LONG, what="the writer")
    writer.join()
    assert file.read_bytes() == b"d"


def test_a_sealed_file_is_read_only_until_it_is_unsealed(file: Path, fd: int) -> None:
    with leased(fd) as lease:
        assert lease is not None and lease.seal()
    assert mode(file) == 0o440
    lease.unseal(unless=b"/elsewhere")
    assert mode(file) == 0o640


def test_by_another_of_its_names_it_is_not_unsealed(file: Path, fd: int, tmp_path: Path) -> None:
    temp = tmp_path / "temp"
    os.link(file, temp)
    with leased(fd) as lease:
        assert lease is not None and lease.seal()
    unseal(os.fsencode(temp), lease.rights, unless=os.fsencode(file))
    assert mode(file) == 0o440, "it has that name"
    unseal(os.fsencode(temp), lease.rights, unless=os.fsencode(tmp_path / "missing"))
    assert mode(file) == 0o640


def test_whether_somebody_writes_to_a_file_is_asked_without_a_trace(file: Path) -> None:
    """What a process that was forked meanwhile holds open is no lease."""
    closed = os.close
    kept: list[int] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("datatool.localfs.leases.os.close", lambda fd: kept.append(os.dup(fd)) or closed(fd))
        assert not is_written_to(os.fsencode(file))
    fd = os.open(file, os.O_WRONLY | os.O_NONBLOCK)
    for one in (fd, *kept):
        os.close(one)


def test_a_file_is_not_sealed_for_which_a_writer_waits(file: Path, fd: int) -> None:
    with leased(fd) as lease:
        assert lease is not None
        writer = threading.Thread(target=lambda: file.write_bytes(b"written"))
        writer.start()
        wait_until(lambda: not lease.holds, seconds=LONG, what="the writer")
        assert not lease.seal()
        assert mode(file) == 0o640
    writer.join()


def test_where_there_are_no_leases_there_is_none(file: Path, fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(fd: int) -> None:
        raise OSError(22, "no such thing here")

    monkeypatch.setattr(leases, "_take", refuse)
    with leased(fd) as lease:
        assert lease is None
    with file.open("ab"):
        assert not is_written_to(os.fsencode(file)), "what can't be told is not assumed"


def test_what_is_not_there_is_not_written_to(tmp_path: Path) -> None:
    assert not is_written_to(os.fsencode(tmp_path / "missing"))
