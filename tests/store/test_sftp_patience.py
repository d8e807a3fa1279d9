"""How long the SFTP store waits for a server that says nothing, crawls, or is busy with its disk."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import asyncssh
import pytest
from other_ssh_server import know, other_ssh_server
from sftp_world import BIG, QUICK, SftpWorld

from datatool.errors import RemoteBusy, RemoteUnreachable
from servers.tcp_proxy import TcpProxy

AT_LAST = 30.0
"""Seconds within which what takes `QUICK` is over on any machine; who has no end to the patience takes longer."""
WAITS_LONGER = "datatool remote set NAME timeout=60 waits longer"
"""The hint for a server that is only slow, before the login and after it."""


@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_stall_is_busy_after_the_time_allowed(world: SftpWorld, proxy: TcpProxy, direction: str) -> None:
    top = world.server.directory()
    (top / "a").write_bytes(BIG)
    store = world.store(top, port=proxy.port, timeout=QUICK)
    proxy.fault("stall", at=2 << 20, direction=direction)
    began = time.monotonic()
    with pytest.raises(RemoteBusy, match="no answer for 2 s") as caught:
        if direction == "up":
            store.put("b", BIG)
        else:
            store.get("a")
    assert time.monotonic() - began < AT_LAST
    assert WAITS_LONGER in (caught.value.hint or "")
    assert store.get("a", 0, 3) == BIG[:3]


def test_a_crawling_server_is_busy(world: SftpWorld, proxy: TcpProxy) -> None:
    top = world.server.directory()
    (top / "a").write_bytes(BIG)
    store = world.store(top, port=proxy.port, timeout=QUICK)
    proxy.fault("rate", at=1 << 20, direction="down", rate=20)
    with pytest.raises(RemoteBusy, match="no answer"):
        store.get("a")


def test_a_slow_server_is_waited_for(world: SftpWorld, proxy: TcpProxy) -> None:
    top = world.server.directory()
    data = BIG[: 600 << 10]
    (top / "a").write_bytes(data)
    store = world.store(top, port=proxy.port, timeout=QUICK)
    proxy.fault("rate", at=50_000, direction="down", rate=100_000)
    assert store.get("a") == data


def test_a_server_that_stalls_during_the_login_is_told_in_time(world: SftpWorld, proxy: TcpProxy) -> None:
    proxy.fault("stall", at=1200, direction="down")
    began = time.monotonic()
    with pytest.raises(RemoteUnreachable, match="no answer for 2 s") as caught:
        world.store(port=proxy.port, timeout=QUICK).get("a")
    assert time.monotonic() - began < AT_LAST
    assert WAITS_LONGER in (caught.value.hint or "")


def test_a_server_that_is_long_at_its_disk_is_waited_for_as_long_as_it_lives(world: SftpWorld, tmp_path: Path) -> None:
    synced = threading.Event()

    class SlowDisk(asyncssh.SFTPServer):
        async def fsync(self, file_obj: object) -> None:
            await asyncio.sleep(3 * QUICK)
            synced.set()

    with other_ssh_server(sftp_factory=SlowDisk) as server:
        know(server, world.home)
        world.store(tmp_path / "remote", settings={**server.settings, "port": str(server.port)}, timeout=QUICK).put(
            "a", b"1"
        )
        world.close()
    assert synced.is_set()
    assert (tmp_path / "remote" / "a").read_bytes() == b"1"


def test_a_server_that_dies_over_its_disk_is_not_waited_for(world: SftpWorld, tmp_path: Path) -> None:
    over = threading.Event()

    class DeadDisk(asyncssh.SFTPServer):
        def fsync(self, file_obj: object) -> None:
            over.wait(2 * AT_LAST)  # and with it all that the server has to say

    with other_ssh_server(sftp_factory=DeadDisk) as server:
        know(server, world.home)
        store = world.store(tmp_path / "remote", settings={**server.settings, "port": str(server.port)}, timeout=QUICK)
        began = time.monotonic()
        try:
            with pytest.raises(RemoteBusy, match="no answer"):
                store.put("a", b"1")
            assert time.monotonic() - began < AT_LAST
        finally:
            over.set()
            world.close()
