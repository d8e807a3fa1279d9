"""The proxy for measurements adds a round trip to every request, and nothing to what one request carries."""

from __future__ import annotations

import http.client
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from servers import programs
from servers.ports import HOST
from servers.trivial import TrivialServer, trivial_server

PROGRAM = Path(__file__).with_name("latency.py")


@pytest.fixture(autouse=True)
def _on_linux() -> None:
    programs.only_on_linux()


@pytest.fixture
def server() -> Iterator[TrivialServer]:
    with trivial_server() as server:
        server.kept["/name"] = b"0123456789"
        server.kept["/big"] = bytes(50_000_000)
        yield server


@contextmanager
def far_away(server: TrivialServer, *words: str) -> Iterator[http.client.HTTPConnection]:
    command = [sys.executable, str(PROGRAM), "--listen", "0", "--to", str(server.server_port), *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            client = http.client.HTTPConnection(HOST, int(process.stdout.readline()), timeout=30)
            yield client
            client.close()
        finally:
            process.kill()


def get(client: http.client.HTTPConnection, target: str = "/name", **headers: str) -> tuple[int, bytes]:
    client.request("GET", target, headers=headers)
    response = client.getresponse()
    return response.status, response.read()


def test_every_request_takes_a_round_trip(server: TrivialServer) -> None:
    with far_away(server, "--ms", "50", "--connect-ms", "100") as client:
        began = time.monotonic()
        for _ in range(4):
            assert get(client) == (200, b"0123456789")
        assert time.monotonic() - began >= 0.3


def test_a_big_answer_takes_one_round_trip(server: TrivialServer) -> None:
    with far_away(server, "--ms", "500") as client:
        began = time.monotonic()
        assert get(client, "/big") == (200, bytes(50_000_000))
        assert 1 <= time.monotonic() - began < 30


def test_a_big_request_arrives(server: TrivialServer) -> None:
    with far_away(server, "--ms", "20") as client:
        client.request("PUT", "/new", bytes(50_000_000))
        assert client.getresponse().read() == b""
    assert server.kept["/new"] == bytes(50_000_000)


def test_ranges_are_repaired_when_asked_for(server: TrivialServer) -> None:
    with far_away(server, "--ms", "0", "--fix-range") as client:
        assert get(client, Range="bytes=2-4") == (206, b"234")
        assert get(client) == (200, b"0123456789")


def test_a_client_is_told_when_the_server_is_not_there(server: TrivialServer) -> None:
    server.server_close()
    with far_away(server, "--ms", "0") as client, pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
        get(client)
