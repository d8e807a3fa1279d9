"""Uploads to an SFTP server that were killed or interrupted, and how the next one goes on with them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from sftp_world import BIG, NAME, SLACK, SftpWorld, up

from datatool.hashing import digest
from datatool.progress import Spared
from datatool.remote.sink import Stopped
from datatool.store.protocol import WrongBytes
from patience import LONG
from servers.ports import wait_until
from servers.process_tree import is_open
from servers.tcp_proxy import TcpProxy


def unfinished(top: Path) -> list[Path]:
    return sorted((top / "tmp").iterdir()) if (top / "tmp").exists() else []


def killed(process: subprocess.Popen[str], left: Path, proxy: TcpProxy) -> None:
    """Kill who uploads, and wait until the server has written what was under way."""
    process.kill()
    process.communicate()
    proxy.break_all()  # which may not notice, as long as it takes nothing more
    wait_until(lambda: not is_open(left), seconds=LONG, what="the server to be done with the upload")


def test_an_upload_that_was_killed_is_gone_on_with_by_the_next_process(
    world: SftpWorld, proxy: TcpProxy, big: Path
) -> None:
    top = world.server.directory()
    half = proxy.fault("stall", at=len(BIG) // 2, direction="up")
    code = "store.put_file(arguments[0], Path(arguments[1]), arguments[2])"
    process = world.process(code, NAME, big, digest(BIG), path=top, port=proxy.port)
    half.wait()
    (left,) = unfinished(top)
    assert not (top / NAME).exists()
    killed(process, left, proxy)
    there = left.stat().st_size
    assert there > len(BIG) // 2 - SLACK
    assert left.read_bytes() == BIG[:there]  # a beginning, without holes

    (seen,) = world.store(top).leftovers()
    assert (seen.name, seen.size) == (NAME, there)

    before = up(proxy)
    world.run(code, NAME, big, digest(BIG), path=top, port=proxy.port)
    assert up(proxy) - before < len(BIG) - there + SLACK
    assert (top / NAME).read_bytes() == BIG
    assert unfinished(top) == []


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, Stopped])
def test_an_upload_that_was_interrupted_is_gone_on_with(
    world: SftpWorld, proxy: TcpProxy, big: Path, interruption: type[BaseException]
) -> None:
    top = world.server.directory()
    store = world.store(top, port=proxy.port)
    told = [0]

    def interrupt(count: int) -> None:
        told[0] += count
        if told[0] > len(BIG) // 2:
            raise interruption

    with pytest.raises(interruption):
        store.put_file(NAME, big, digest(BIG), advance=interrupt)
    store.close()
    before = up(proxy)
    heard: list[int] = []
    store.put_file(NAME, big, digest(BIG), advance=heard.append)
    assert sum(heard) == len(BIG)
    assert sum(count for count in heard if isinstance(count, Spared)) > len(BIG) // 2 - SLACK
    assert up(proxy) - before < len(BIG) // 2 + SLACK
    assert (top / NAME).read_bytes() == BIG


def test_another_clone_does_not_go_on_with_what_it_did_not_begin(
    world: SftpWorld, big: Path, tmp_path: Path, proxy: TcpProxy
) -> None:
    top = world.server.directory()
    half = proxy.fault("stall", at=len(BIG) // 2, direction="up")
    code = "store.put_file(arguments[0], Path(arguments[1]), arguments[2])"
    process = world.process(code, NAME, big, digest(BIG), path=top, port=proxy.port)
    half.wait()
    other = world.store(top, scratch=tmp_path / "other clone")
    assert [found.name for found in other.leftovers()] == [NAME]  # by its date, it may be alive
    other.put_file(NAME, big, digest(BIG))
    process.kill()
    process.communicate()
    assert (top / NAME).read_bytes() == BIG
    assert len(unfinished(top)) == 1


def test_two_processes_of_one_clone_do_not_write_one_file(world: SftpWorld, big: Path, proxy: TcpProxy) -> None:
    top = world.server.directory()
    half = proxy.fault("stall", at=len(BIG) // 2, direction="up")
    code = "store.put_file(arguments[0], Path(arguments[1]), arguments[2])"
    process = world.process(code, NAME, big, digest(BIG), path=top, port=proxy.port)
    half.wait()
    store = world.store(top)
    assert list(store.leftovers()) == []  # it is being gone on with
    store.put_file(NAME, big, digest(BIG))
    assert len(unfinished(top)) == 1
    process.kill()
    process.communicate()
    assert (top / NAME).read_bytes() == BIG


@pytest.fixture
def begun(world: SftpWorld, big: Path) -> tuple[Path, Path]:
    """A directory with an unfinished upload of the big file, and that upload."""
    top = world.server.directory()
    with TcpProxy(world.server.port) as proxy:
        half = proxy.fault("stall", at=len(BIG) // 2, direction="up")
        code = "store.put_file(arguments[0], Path(arguments[1]), arguments[2])"
        process = world.process(code, NAME, big, digest(BIG), path=top, port=proxy.port)
        half.wait()
        (left,) = unfinished(top)
        killed(process, left, proxy)
    return top, left


@pytest.mark.parametrize("at", [0, 5_000_000, -1])
def test_a_beginning_that_was_changed_is_sent_again_from_there(
    world: SftpWorld, begun: tuple[Path, Path], big: Path, proxy: TcpProxy, at: int
) -> None:
    top, left = begun
    data = bytearray(left.read_bytes())
    data[at] ^= 1
    left.write_bytes(data)
    world.store(top, port=proxy.port).put_file(NAME, big, digest(BIG))
    assert (top / NAME).read_bytes() == BIG
    assert up(proxy) < len(BIG) - (at % len(data)) + SLACK


def test_a_beginning_that_is_too_long_is_cut(world: SftpWorld, begun: tuple[Path, Path], big: Path) -> None:
    top, left = begun
    left.write_bytes(BIG + b"and more")
    world.store(top).put_file(NAME, big, digest(BIG))
    assert (top / NAME).read_bytes() == BIG


def test_a_beginning_that_is_all_of_it_is_only_published(
    world: SftpWorld, begun: tuple[Path, Path], big: Path, proxy: TcpProxy
) -> None:
    top, left = begun
    left.write_bytes(BIG)
    told: list[int] = []
    world.store(top, port=proxy.port).put_file(NAME, big, digest(BIG), advance=told.append)
    assert (top / NAME).read_bytes() == BIG
    assert up(proxy) < SLACK
    assert sum(told) == len(BIG)


def test_a_link_in_place_of_a_beginning_is_not_followed(
    world: SftpWorld, begun: tuple[Path, Path], big: Path, tmp_path: Path
) -> None:
    top, left = begun
    (tmp_path / "precious").write_bytes(b"precious")
    left.unlink()
    left.symlink_to(tmp_path / "precious")
    world.store(top).put_file(NAME, big, digest(BIG))
    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert (top / NAME).read_bytes() == BIG and not (top / NAME).is_symlink()


def test_a_beginning_of_another_content_is_overwritten(
    world: SftpWorld, begun: tuple[Path, Path], tmp_path: Path
) -> None:
    top, _ = begun
    other = os.urandom(5 << 20)
    (tmp_path / "other").write_bytes(other)
    world.store(top).put_file(NAME, tmp_path / "other", digest(other))
    assert (top / NAME).read_bytes() == other


def test_wrong_bytes_leave_no_beginning(world: SftpWorld, begun: tuple[Path, Path], big: Path) -> None:
    top, _ = begun
    with pytest.raises(WrongBytes):
        world.store(top).put_file(NAME, big, digest(b"other"))
    assert unfinished(top) == []
    assert not (top / NAME).exists()


def test_a_file_that_becomes_shorter_while_it_is_sent_is_noticed(world: SftpWorld, big: Path) -> None:
    top = world.server.directory()

    def cut(_: int) -> None:
        os.truncate(big, 1 << 20)

    with pytest.raises(WrongBytes):
        world.store(top).put_file(NAME, big, digest(BIG), advance=cut)
    assert not (top / NAME).exists()


def test_nothing_has_its_name_before_it_is_complete(world: SftpWorld, big: Path) -> None:
    top = world.server.directory()
    store, onlooker = world.store(top), world.store(top)
    seen: list[list[str]] = []
    store.put_file(NAME, big, digest(BIG), advance=lambda _: seen.append([row.name for row in onlooker.list("")]))
    assert all(found == [] for found in seen[:-1])
    assert (top / NAME).read_bytes() == BIG
