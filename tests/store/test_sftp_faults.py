"""What the SFTP store does when connections break, and servers refuse or are full."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conformance import opened
from sftp_world import BIG, NAME, SftpWorld, down, names, reconfigure, up, world_at

from datatool.errors import RemoteBusy, RemoteDenied, RemoteError
from datatool.hashing import digest
from datatool.store.protocol import NameMissing
from servers.fixtures import OwnSshServer
from servers.tcp_proxy import TcpProxy

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
    with pytest.raises(RemoteBusy, match="before the login") as caught:
        world.store(port=proxy.port).get("a")
    assert "try again" in (caught.value.hint or "")


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
