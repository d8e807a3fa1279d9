"""What the SFTP store does when connections break, uploads are killed, servers stall, refuse or are full."""

from __future__ import annotations

import inspect
import os
import pkgutil
import shutil
import subprocess
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import asyncssh
import pytest
from conformance import opened
from sftp_world import SftpWorld, names, reconfigure, world_at

from datatool.errors import RemoteBusy, RemoteDenied, RemoteError
from datatool.hashing import digest
from datatool.progress import Spared
from datatool.remote.sink import Stopped
from datatool.remote.stores.sftp_errors import KINDS, Kind, kind_of, reason, remote_error
from datatool.store.protocol import NameMissing, WrongBytes
from servers.fixtures import OwnSshServer, SshServer
from servers.tcp_proxy import TcpProxy

BIG = os.urandom(24 << 20)
NAME = "objects/ab/" + "c" * 62
SLACK = 2 << 20
"""Bytes that may be under way and lost when a connection breaks, and what the protocol adds."""


@pytest.fixture
def world(sshd: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SftpWorld]:
    with world_at(sshd, tmp_path) as world:
        monkeypatch.setenv("HOME", str(world.home))
        yield world


@pytest.fixture
def proxy(sshd: SshServer) -> Iterator[TcpProxy]:
    with TcpProxy(sshd.port) as proxy:
        yield proxy


@pytest.fixture
def big(tmp_path: Path) -> Path:
    path = tmp_path / "big"
    path.write_bytes(BIG)
    return path


def up(proxy: TcpProxy) -> int:
    return sum(connection.bytes_up for connection in proxy.connections)


def down(proxy: TcpProxy) -> int:
    return sum(connection.bytes_down for connection in proxy.connections)


def unfinished(top: Path) -> list[Path]:
    return sorted((top / "tmp").iterdir()) if (top / "tmp").exists() else []


# Killed uploads


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
    process.kill()
    process.communicate()
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
    assert list(other.leftovers()) == []  # it may be alive
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
        process.kill()
        process.communicate()
    (left,) = unfinished(top)
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


# Connections that break


def test_an_upload_goes_on_behind_a_break(world: SftpWorld, proxy: TcpProxy, big: Path) -> None:
    top = world.server.directory()
    for at in (6 << 20, 9 << 20):
        proxy.fault("reset", at=at, direction="up")
    told: list[int] = []
    world.store(top, port=proxy.port).put_file(NAME, big, digest(BIG), advance=told.append)
    assert (top / NAME).read_bytes() == BIG
    assert len(proxy.connections) >= 2
    assert up(proxy) < len(BIG) + 2 * (9 << 20)
    assert sum(told) == len(BIG)


def test_a_download_goes_on_behind_a_break(world: SftpWorld, proxy: TcpProxy, tmp_path: Path) -> None:
    top = world.server.directory()
    (top / "a").write_bytes(BIG)
    for at in (7 << 20, 10 << 20):
        proxy.fault("cut", at=at, direction="down")
    store = world.store(top, port=proxy.port)
    told: list[int] = []
    with opened(tmp_path / "target") as fd:
        store.get_file("a", fd, digest(BIG), len(BIG), advance=told.append)
    assert (tmp_path / "target").read_bytes() == BIG
    assert len(proxy.connections) >= 2
    assert down(proxy) < len(BIG) + 2 * (9 << 20)
    assert sum(told) == len(BIG)


def test_a_request_over_a_broken_connection_is_busy_and_the_next_one_works(world: SftpWorld, proxy: TcpProxy) -> None:
    store = world.store(port=proxy.port)
    store.put("a", b"x" * 100_000)
    proxy.break_all()
    outcomes = []
    for _ in range(3):
        try:
            outcomes.append(store.get("a"))
        except RemoteBusy:
            outcomes.append(b"busy")
    assert outcomes in ([b"x" * 100_000] * 3, [b"busy", b"x" * 100_000, b"x" * 100_000])
    assert len(proxy.connections) == 2


def test_what_breaks_under_a_request_is_busy(world: SftpWorld, proxy: TcpProxy) -> None:
    top = world.server.directory()
    (top / "a").write_bytes(BIG)
    proxy.fault("reset", at=3 << 20, direction="down")
    store = world.store(top, port=proxy.port)
    with pytest.raises(RemoteBusy):
        store.get("a")
    assert store.get("a") == BIG


def test_a_server_process_that_is_killed_is_busy_once(
    own_sshd: OwnSshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with world_at(own_sshd, tmp_path) as world:
        monkeypatch.setenv("HOME", str(world.home))
        store = world.store()
        store.put("a", b"1")
        for _ in range(3):
            assert own_sshd.kill_connections()
            outcomes = []
            for _ in range(3):
                try:
                    outcomes.append(store.get("a"))
                except RemoteBusy:
                    outcomes.append(b"busy")
            assert outcomes in ([b"1"] * 3, [b"busy", b"1", b"1"])


def test_the_upload_of_a_small_file_over_a_broken_connection_is_busy(world: SftpWorld, proxy: TcpProxy) -> None:
    top = world.server.directory()
    store = world.store(top, port=proxy.port)
    proxy.fault("cut", at=1 << 20, direction="up")
    with pytest.raises(RemoteBusy):
        store.put("a", BIG)
    assert not (top / "a").exists()
    store.put("a", BIG)
    assert (top / "a").read_bytes() == BIG


# Servers that refuse


def test_a_server_that_closes_before_the_login_is_busy(world: SftpWorld, proxy: TcpProxy) -> None:
    proxy.fault("cut", at=100, direction="down")
    with pytest.raises(RemoteBusy, match="before the login"):
        world.store(port=proxy.port).get("a")


# Servers that refuse


def test_a_directory_that_may_only_be_read_is_told(
    own_sshd: OwnSshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, big: Path
) -> None:
    reconfigure(own_sshd, "internal-sftp -R", instead_of="internal-sftp")
    with world_at(own_sshd, tmp_path) as world:
        monkeypatch.setenv("HOME", str(world.home))
        top = own_sshd.directory()
        (top / "a").write_bytes(b"to be read")
        store = world.store(top)
        assert store.get("a") == b"to be read"
        for write in (
            lambda: store.put("b", b""),
            lambda: store.put("b", b"", exclusive=True),
            lambda: store.put_file("b", big, digest(BIG)),
            lambda: store.delete_many(["a"]),
        ):
            with pytest.raises(RemoteDenied, match=str(top)):
                write()
        assert abs(store.server_time() - time.time()) < 5
        assert [row.name for row in store.list("")] == ["a"]


def test_a_server_without_file_transfer_is_told(
    own_sshd: OwnSshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reconfigure(own_sshd, "", instead_of="Subsystem sftp internal-sftp\n")
    with world_at(own_sshd, tmp_path) as world:
        monkeypatch.setenv("HOME", str(world.home))
        with pytest.raises(RemoteError, match="no file transfer") as caught:
            world.store().get("a")
        assert caught.value.hint is not None and "Subsystem sftp" in caught.value.hint


def test_a_server_whose_shell_prints_something_is_told(
    own_sshd: OwnSshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reconfigure(own_sshd, "Subsystem sftp /bin/echo Welcome to the lab", instead_of="Subsystem sftp internal-sftp")
    with world_at(own_sshd, tmp_path) as world:
        monkeypatch.setenv("HOME", str(world.home))
        with pytest.raises(RemoteError, match="no file transfer"):
            world.store().get("a")


def test_a_server_that_allows_one_session_is_enough(
    own_sshd: OwnSshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, big: Path
) -> None:
    reconfigure(own_sshd, "MaxSessions 1", instead_of="MaxSessions 200")
    with world_at(own_sshd, tmp_path) as world:
        monkeypatch.setenv("HOME", str(world.home))
        store = world.store()
        store.put("small", b"1")
        store.put_file(NAME, big, digest(BIG), advance=lambda _: store.put("small", b"2"))
        assert store.get(NAME) == BIG


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A directory on a disk of two megabytes."""
    path = tmp_path / "full"
    path.mkdir()
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("needs root, to mount a small disk")
    if subprocess.run([mount, "-t", "tmpfs", "-o", "size=2m", "tmpfs", path], check=False).returncode:
        pytest.skip("needs to be allowed to mount")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=True)


def test_a_full_disk_is_told_and_nothing_left_on_it(world: SftpWorld, full_disk: Path, big: Path) -> None:
    store = world.store(full_disk)
    store.put("a", b"1")
    for write in (lambda: store.put("b", BIG), lambda: store.put_file(NAME, big, digest(BIG))):
        with pytest.raises(RemoteError, match="no room left"):
            write()
        assert sorted(names(full_disk)) == ["a"]
    store.put("c", b"2")


def test_the_parent_of_a_name_may_be_a_file(world: SftpWorld) -> None:
    store = world.store()
    store.put("index", b"a file")
    with pytest.raises(RemoteError):
        store.put("index/a", b"")
    with pytest.raises(NameMissing):
        store.get("index/a")
    assert list(store.list("index/")) == []


@pytest.mark.parametrize("path", ["file", "file/remote", "file/far/below"])
def test_a_path_through_a_file_is_told_with_the_file_and_what_to_do(world: SftpWorld, path: str) -> None:
    top = world.server.directory()
    (top / "file").write_bytes(b"")
    with pytest.raises(RemoteError, match=f"{top}/file is a file there") as caught:
        world.store(top / path).put("datatool-remote.json", b"{}")
    assert "datatool remote set NAME url=" in (caught.value.hint or "")


def test_a_path_where_nothing_can_be_made_is_told_with_what_to_do(world: SftpWorld) -> None:
    with pytest.raises(RemoteError, match="nothing can be made in /proc there") as caught:
        world.store("/proc/no/remote").put("datatool-remote.json", b"{}")
    assert "datatool remote set NAME url=" in (caught.value.hint or "")


# What the libraries raise


def exceptions_of_asyncssh() -> set[type[BaseException]]:
    found: set[type[BaseException]] = set()
    for module in pkgutil.walk_packages(asyncssh.__path__, "asyncssh."):
        try:
            loaded = import_module(module.name)
        except ImportError:
            continue  # for another system, or for a package that is not installed
        found |= {
            thing
            for thing in vars(loaded).values()
            if inspect.isclass(thing) and issubclass(thing, BaseException) and thing.__module__.startswith("asyncssh")
        }
    return found


def test_every_exception_of_asyncssh_has_a_meaning() -> None:
    found = exceptions_of_asyncssh()
    assert len(found) > 60
    assert sorted(thing.__name__ for thing in found - set(KINDS)) == []


@pytest.mark.parametrize("kind", sorted(KINDS, key=lambda kind: kind.__name__), ids=lambda kind: kind.__name__)
def test_every_meaning_is_an_error_of_ours(kind: type[BaseException]) -> None:
    try:
        error = kind("what \x1b[31m the\nserver said")
    except TypeError:
        try:
            error = kind(4, "what \x1b[31m the\nserver said")
        except TypeError:
            error = kind.__new__(kind)
    made = remote_error(error, "sftp://host/x")
    assert isinstance(made, RemoteError)
    assert str(made).startswith("sftp://host/x: ")
    assert str(made).isprintable()
    expected = {
        Kind.BUSY: RemoteBusy,
        Kind.ENDED: RemoteBusy,
        Kind.UNREACHABLE: RemoteBusy,
        Kind.DENIED: RemoteDenied,
        Kind.LOGIN: RemoteDenied,
    }.get(kind_of(error), RemoteError)
    assert type(made) is expected


def test_what_a_server_says_is_kept_short() -> None:
    assert len(reason(asyncssh.SFTPFailure("x" * 10_000))) < 400


def test_what_newer_servers_say_of_their_disk_is_understood() -> None:
    for error in (asyncssh.SFTPNoSpaceOnFilesystem("x"), asyncssh.SFTPQuotaExceeded("x")):
        assert "no room left" in str(remote_error(error, "sftp://host/x"))
