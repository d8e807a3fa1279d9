"""How many requests the SFTP store makes: every one that waits for another costs a round trip."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asyncssh.sftp import SFTPClientHandler
from conformance import opened
from sftp_world import SftpWorld

from datatool.hashing import digest
from datatool.remote.stores.sftp_clock import ServerClock
from datatool.remote.stores.sftp_lookahead import SMALLEST, Lookahead
from datatool.store.protocol import ByteRange

_KINDS = {3: "open", 4: "close", 5: "read", 6: "write", 7: "lstat", 8: "fstat", 10: "fsetstat", 11: "opendir"} | {
    12: "readdir",
    13: "remove",
    14: "mkdir",
    17: "stat",
}


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """What was asked for, by kind."""
    found: Counter[str] = Counter()
    send = SFTPClientHandler._send_request

    def counted(handler: SFTPClientHandler, kind: Any, *rest: Any) -> None:
        found[kind.decode().partition("@")[0] if isinstance(kind, bytes) else _KINDS.get(kind, str(kind))] += 1
        send(handler, kind, *rest)

    monkeypatch.setattr(SFTPClientHandler, "_send_request", counted)
    return found


def asked(requests: Counter[str], act: Callable[[], object]) -> dict[str, int]:
    requests.clear()
    act()
    return dict(requests)


def test_small_things_take_few_requests(world: SftpWorld, requests: Counter[str], tmp_path: Path) -> None:
    store = world.store()
    data = b"x" * 1000
    store.put("index/a", data)
    put = {"open": 1, "lstat": 1, "write": 1, "fsetstat": 1, "fstat": 1, "fsync": 1, "close": 1, "posix-rename": 1}
    assert asked(requests, lambda: store.put("index/b", data)) == put
    (tmp_path / "source").write_bytes(data)
    assert asked(requests, lambda: store.put_file("index/c", tmp_path / "source", digest(data))) == put
    assert asked(requests, store.server_time) == {}
    read = {"open": 1, "lstat": 1, "read": 1}
    for get in (lambda: store.get("index/a"), lambda: store.get("index/a", 10, 10)):
        found = asked(requests, get)
        found.pop("close", None)  # nobody waits for that, so it may come later
        assert found == read
    assert asked(requests, lambda: list(store.list("gc/"))).keys() <= {"opendir", "close"}
    found = asked(requests, lambda: list(store.list("index/")))
    assert (found["opendir"], found["readdir"]) == (1, 2)
    assert asked(requests, lambda: store.delete_many(["index/b", "index/none"]))["remove"] == 2


def test_a_large_file_takes_large_requests(world: SftpWorld, requests: Counter[str], tmp_path: Path) -> None:
    data = os.urandom(16 << 20)
    (tmp_path / "source").write_bytes(data)
    store = world.store()
    sent = asked(requests, lambda: store.put_file("a", tmp_path / "source", digest(data)))
    assert sent["write"] < 200
    with opened(tmp_path / "target") as fd:
        fetched = asked(requests, lambda: store.get_file("a", fd, digest(data), len(data)))
    assert fetched["read"] < 200
    many = [ByteRange("a", n << 20, 1 << 20) for n in range(16)]
    assert b"".join(store.get_many(many)) == data


def test_a_slow_transfer_asks_for_little_at_a_time() -> None:
    now = [0.0]
    ahead = Lookahead(clock=lambda: now[0])
    for _ in range(20):
        now[0] += 10.0
        ahead.moved(SMALLEST)
    assert ahead.piece(1 << 18) == SMALLEST
    assert ahead.window == 4 * SMALLEST


def test_a_fast_transfer_soon_asks_for_much() -> None:
    now = [0.0]
    ahead = Lookahead(clock=lambda: now[0])
    now[0] += 0.02
    ahead.moved(4 * SMALLEST)
    assert ahead.window == 8 << 20
    assert ahead.piece(1 << 18) == 1 << 20
    assert ahead.piece(300_000) == 900_000


def test_a_transfer_that_slows_down_is_noticed() -> None:
    now = [0.0]
    ahead = Lookahead(clock=lambda: now[0])
    for _ in range(100):
        now[0] += 0.1
        ahead.moved(10 << 20)
    for _ in range(40):
        now[0] += 1.0
        ahead.moved(100_000)
    assert ahead.window < 1 << 20


def test_a_clock_promises_only_what_it_saw_lately() -> None:
    now = [100.0]
    clock = ServerClock(clock=lambda: now[0])
    assert clock.now() is None
    clock.saw(None)
    assert clock.now() is None
    clock.saw(5000)
    now[0] += 10
    clock.saw(5005)  # a file written earlier says less than what is known
    assert 5009 < (clock.now() or 0) <= 5010
    clock.saw(5011)
    assert clock.now() == 5011
    now[0] += 1000
    assert clock.now() is None
