"""A store over SSH that its program forgets: its connection ends, and nobody waits for that."""

from __future__ import annotations

import asyncio
import gc
import time
from pathlib import Path

import pytest
from fsspec.asyn import get_loop
from sftp_world import world_at

from datatool.remote.stores import sftp_opening
from patience import LONG
from servers.fixtures import SshServer
from servers.ports import wait_until
from servers.tcp_proxy import TcpProxy

UNNOTICED = 30.0
"""Seconds; the end of a connection is waited for twice as long where it is waited for."""


def test_a_store_that_is_forgotten_in_the_event_loop_does_not_hold_it_up(
    sshd: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def forget() -> float:
        began = time.monotonic()
        forgotten.clear()
        gc.collect()
        return time.monotonic() - began

    with world_at(sshd, tmp_path) as world, TcpProxy(sshd.port) as proxy:
        monkeypatch.setenv("HOME", str(world.home))
        gc.collect()
        monkeypatch.setattr(sftp_opening, "ENDS_WITHIN", 2 * UNNOTICED)
        forgotten = [world.store(port=proxy.port)]
        forgotten[0].put("a", b"a")
        world.opened.clear()
        assert proxy.open_connections == 1
        assert asyncio.run_coroutine_threadsafe(forget(), get_loop()).result() < UNNOTICED
        wait_until(lambda: not proxy.open_connections, seconds=LONG, what="the connection to end")
