"""The TCP proxy counts what passes, and makes go wrong what a test asks for, and nothing else."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Iterator

import pytest

from servers import programs
from servers.ports import HOST, wait_until
from servers.tcp_proxy import TcpProxy

MESSAGE = bytes(range(256)) * 400


class Echo(socketserver.BaseRequestHandler):
    """Sends everything back, and `end` when there is no more."""

    def handle(self) -> None:
        try:
            while data := self.request.recv(1 << 16):
                self.request.sendall(data)
            self.request.sendall(b"end")
        except OSError:
            pass


class EchoServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False


@pytest.fixture(autouse=True)
def _on_linux() -> None:
    programs.only_on_linux()


@pytest.fixture
def proxy() -> Iterator[TcpProxy]:
    with EchoServer((HOST, 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            with TcpProxy(server.server_address[1]) as proxy:
                yield proxy
        finally:
            server.shutdown()
            thread.join()


def echoed(proxy: TcpProxy, message: bytes = MESSAGE) -> bytes:
    """Send a message and its end over a connection of its own; returns what came back, however that ended."""
    found = b""
    try:
        with connect(proxy) as client:
            sender = threading.Thread(target=_send, args=(client, message))
            sender.start()
            try:
                while piece := client.recv(1 << 16):
                    found += piece
            finally:
                sender.join()
    except ConnectionResetError:
        pass
    return found


def _send(client: socket.socket, message: bytes) -> None:
    try:
        client.sendall(message)
        client.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def connect(proxy: TcpProxy) -> socket.socket:
    return socket.create_connection((HOST, proxy.port), timeout=30)


def test_bytes_pass_and_are_counted(proxy: TcpProxy) -> None:
    assert echoed(proxy) == MESSAGE + b"end"
    (connection,) = proxy.connections
    assert (connection.bytes_up, connection.bytes_down) == (len(MESSAGE), len(MESSAGE) + 3)
    assert connection.fault == ""


@pytest.mark.parametrize("kind", ["cut", "reset"])
@pytest.mark.parametrize("at", [None, 0, 1, 70_000])
def test_a_connection_that_breaks_off(proxy: TcpProxy, kind: str, at: int | None) -> None:
    fault = proxy.fault(kind, at=at)
    found = echoed(proxy)
    assert MESSAGE.startswith(found)
    assert len(found) <= (at or 0)
    assert fault.happened == 1
    assert proxy.connections[0].bytes_down == (at or 0)


@pytest.mark.parametrize("kind", ["cut", "reset"])
def test_a_client_is_told_how_it_broke_off(proxy: TcpProxy, kind: str) -> None:
    proxy.fault(kind, at=10)
    with connect(proxy) as client:
        client.sendall(b"0123456789abcdef")
        assert client.recv(10, socket.MSG_WAITALL) == b"0123456789"
        if kind == "cut":
            assert client.recv(1) == b""
        else:
            with pytest.raises(ConnectionResetError):
                client.recv(1)


def test_a_connection_that_breaks_off_on_the_way_up(proxy: TcpProxy) -> None:
    proxy.fault("cut", at=1000, direction="up")
    echoed(proxy)
    assert proxy.connections[0].bytes_up == 1000


def test_a_flipped_bit(proxy: TcpProxy) -> None:
    proxy.fault("flip", at=70_000)
    assert echoed(proxy) == MESSAGE[:70_000] + bytes([MESSAGE[70_000] ^ 1]) + MESSAGE[70_001:] + b"end"


def test_a_connection_that_stalls(proxy: TcpProxy) -> None:
    fault = proxy.fault("stall", at=10)
    with connect(proxy) as client:
        client.sendall(b"0123456789abcdef")
        assert client.recv(100) == b"0123456789"
        fault.wait()
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(1)
    wait_until(lambda: proxy.open_connections == 0, seconds=30, what="the end of the connection")


def test_a_connection_that_crawls(proxy: TcpProxy) -> None:
    proxy.fault("rate", rate=100)
    with connect(proxy) as client, client.makefile("rb") as echo:
        began = time.monotonic()
        client.sendall(b"x" * 30)
        assert echo.read(30) == b"x" * 30
    assert time.monotonic() - began >= 0.3


def test_a_fault_is_for_the_nth_connection(proxy: TcpProxy) -> None:
    proxy.fault("refuse", nth=2, times=2)
    assert [echoed(proxy, b"x") for _ in range(4)] == [b"xend", b"", b"", b"xend"]
    assert [connection.fault for connection in proxy.connections] == ["", "refuse", "refuse", ""]


def test_a_fault_may_last_until_it_is_healed(proxy: TcpProxy) -> None:
    proxy.fault("refuse", times=None)
    assert [echoed(proxy, b"x") for _ in range(3)] == [b"", b"", b""]
    proxy.heal()
    assert echoed(proxy, b"x") == b"xend"


def test_all_connections_can_be_broken(proxy: TcpProxy) -> None:
    with connect(proxy) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        proxy.break_all()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    assert echoed(proxy, b"x") == b"xend"
