"""The HTTP proxy writes down what the server is asked, and makes go wrong what a test asks for, and nothing else."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Iterator

import pytest

from servers import programs
from servers.http_proxy import HttpProxy
from servers.ports import HOST, wait_until
from servers.trivial import TrivialServer, trivial_server

BODY = bytes(range(256)) * 40


@pytest.fixture(autouse=True)
def _on_linux() -> None:
    programs.only_on_linux()


@pytest.fixture
def server() -> Iterator[TrivialServer]:
    with trivial_server() as server:
        server.kept["/name"] = BODY
        yield server


@pytest.fixture
def proxy(server: TrivialServer) -> Iterator[HttpProxy]:
    with HttpProxy(server.server_port) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: HttpProxy) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection(HOST, proxy.port, timeout=30)
    yield connection
    connection.close()


def ask(
    client: http.client.HTTPConnection,
    method: str = "GET",
    target: str = "/name",
    body: bytes | None = None,
    **headers: str,
) -> tuple[int, bytes]:
    client.request(method, target, body, headers)
    response = client.getresponse()
    return response.status, response.read()


# What is written down.


def test_requests_are_written_down(proxy: HttpProxy, client: http.client.HTTPConnection) -> None:
    assert ask(client, "PUT", "/new?part=1", b"12345", Agent="test") == (200, b"")
    assert ask(client) == (200, BODY)
    assert ask(client, "HEAD") == (200, b"")
    put, get, head = proxy.requests
    assert (put.method, put.path, put.query, put.status, put.bytes_up, put.bytes_down) == (
        *("PUT", "/new", "part=1", 200, 5, 0),
    )
    assert put.header("agent") == "test"
    assert (get.method, get.target, get.status, get.bytes_up, get.bytes_down) == ("GET", "/name", 200, 0, len(BODY))
    assert (head.method, head.status, head.bytes_down) == ("HEAD", 200, 0)
    assert proxy.counts() == {"GET": 1, "HEAD": 1, "PUT": 1}
    assert [request.connection for request in proxy.requests] == [1, 1, 1]
    assert proxy.connections == 1
    proxy.reset()
    assert proxy.requests == []


@pytest.mark.parametrize("kind", ["chunked", "unmeasured"])
def test_bodies_of_unknown_length_pass(server: TrivialServer, proxy: HttpProxy, kind: str) -> None:
    server.kept[f"/{kind}"] = BODY
    client = http.client.HTTPConnection(HOST, proxy.port, timeout=30)
    try:
        assert ask(client, target=f"/{kind}") == (200, BODY)
        assert ask(client, target=f"/{kind}") == (200, BODY)
    finally:
        client.close()
    assert [request.bytes_down for request in proxy.requests] == [len(BODY), len(BODY)]
    assert proxy.connections == (1 if kind == "chunked" else 2)


def test_an_answer_before_the_body_arrives(proxy: HttpProxy, client: http.client.HTTPConnection) -> None:
    client.putrequest("POST", "/name")
    client.putheader("Content-Length", "1000000")
    client.endheaders()
    client.send(b"only the beginning")
    response = client.getresponse()
    assert (response.status, response.read()) == (403, b"no")


def test_a_body_follows_when_the_server_says_continue(server: TrivialServer, proxy: HttpProxy) -> None:
    with socket.create_connection((HOST, proxy.port), timeout=30) as client, client.makefile("rb") as answers:
        client.sendall(b"PUT /new HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert answers.readline() == b"HTTP/1.1 100 Continue\r\n"
        assert answers.readline() == b"\r\n"
        client.sendall(b"12345")
        assert answers.readline() == b"HTTP/1.1 200 OK\r\n"
    assert server.kept["/new"] == b"12345"


def test_ranges_are_repaired_when_asked_for(server: TrivialServer, client: http.client.HTTPConnection) -> None:
    assert ask(client, Range="bytes=2-4") == (200, BODY[2:5])
    with HttpProxy(server.server_port, fix_ranges=True) as proxy:
        other = http.client.HTTPConnection(HOST, proxy.port, timeout=30)
        assert ask(other, Range="bytes=2-4") == (206, BODY[2:5])
        assert ask(other) == (200, BODY)
        other.close()


def test_latency_is_added_to_every_request(server: TrivialServer) -> None:
    with HttpProxy(server.server_port, latency=0.05) as proxy:
        client = http.client.HTTPConnection(HOST, proxy.port, timeout=30)
        began = time.monotonic()
        ask(client)
        ask(client)
        assert time.monotonic() - began >= 0.1
        client.close()


# Which requests a fault is for.


def test_a_fault_is_for_the_nth_request_that_matches(proxy: HttpProxy, client: http.client.HTTPConnection) -> None:
    fault = proxy.fault("answer", status=500, nth=2, times=2, method="GET", path=r"^/name\?part=\d")
    statuses = [
        ask(client, method, target)[0]
        for method, target in [
            ("GET", "/name"),
            ("HEAD", "/name?part=1"),
            *[("GET", f"/name?part={number}") for number in range(1, 5)],
        ]
    ]
    assert statuses == [200, 404, 404, 500, 500, 404]
    assert fault.happened == 2
    assert [request.fault for request in proxy.requests] == ["", "", "", "answer", "answer", ""]


def test_a_fault_may_last_until_it_is_healed(proxy: HttpProxy, client: http.client.HTTPConnection) -> None:
    proxy.fault("answer", status=500, times=None)
    assert [ask(client)[0] for _ in range(3)] == [500, 500, 500]
    proxy.heal()
    assert ask(client)[0] == 200


def test_faults_that_make_no_sense_are_refused(proxy: HttpProxy) -> None:
    for wrong in ({"kind": "explode"}, {"kind": "flip"}, {"kind": "rate"}, {"kind": "cut", "rate": 1}):
        with pytest.raises(ValueError):
            proxy.fault(**wrong)


# Answers in place of the server's.


@pytest.mark.parametrize("status", [403, 429, 500, 503])
def test_a_status_in_place_of_the_answer(
    server: TrivialServer, proxy: HttpProxy, client: http.client.HTTPConnection, status: int
) -> None:
    proxy.fault("answer", status=status, headers={"Retry-After": "7"}, body=b"<Error/>", method="PUT")
    client.request("PUT", "/new", b"12345")
    response = client.getresponse()
    assert (response.status, response.headers["Retry-After"], response.read()) == (status, "7", b"<Error/>")
    assert "/new" not in server.kept
    assert ask(client, "PUT", "/new", b"12345") == (200, b"")
    assert [(request.status, request.bytes_up) for request in proxy.requests] == [(status, 5), (200, 5)]
    assert proxy.connections == 1


def test_a_login_page_in_place_of_the_answer(proxy: HttpProxy, client: http.client.HTTPConnection) -> None:
    proxy.fault("login_page")
    client.request("GET", "/name")
    response = client.getresponse()
    assert response.status == 200
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert b"Please sign in" in response.read()


def test_an_answer_with_other_headers(proxy: HttpProxy, client: http.client.HTTPConnection) -> None:
    proxy.fault("headers", headers={"ETag": '"other"', "Date": None})
    client.request("GET", "/name")
    response = client.getresponse()
    assert response.headers["ETag"] == '"other"'
    assert "Date" not in response.headers
    assert response.read() == BODY


def test_the_content_of_another_offset(server: TrivialServer, client: http.client.HTTPConnection) -> None:
    with HttpProxy(server.server_port, fix_ranges=True) as proxy:
        other = http.client.HTTPConnection(HOST, proxy.port, timeout=30)
        proxy.fault("shift", at=1)
        other.request("GET", "/name", headers={"Range": "bytes=2-4"})
        response = other.getresponse()
        assert (response.status, response.headers["Content-Range"]) == (206, f"bytes 2-4/{len(BODY)}")
        assert response.read() == bytes([BODY[3], BODY[4], BODY[2]])
        proxy.fault("shift", headers={"Content-Range": f"bytes 3-5/{len(BODY)}"})
        other.request("GET", "/name", headers={"Range": "bytes=2-4"})
        response = other.getresponse()
        assert response.headers["Content-Range"] == f"bytes 3-5/{len(BODY)}"
        response.read()
        other.close()


def test_a_body_that_never_ends(proxy: HttpProxy, client: http.client.HTTPConnection) -> None:
    proxy.fault("endless")
    client.request("GET", "/name")
    response = client.getresponse()
    assert response.headers["Content-Length"] is None
    wanted = len(BODY) + 5_000_000
    found = response.read(wanted)
    assert found == BODY + bytes(5_000_000)
    response.close()
    client.close()
    assert proxy.requests[0].bytes_down >= wanted


def test_a_body_that_is_too_long(proxy: HttpProxy, client: http.client.HTTPConnection) -> None:
    proxy.fault("endless", at=3)
    assert ask(client) == (200, BODY + bytes(3))


# What happens on the way down.


@pytest.mark.parametrize("at", [0, 1, 1000, len(BODY) - 1])
@pytest.mark.parametrize("kind", ["cut", "reset"])
def test_a_body_that_breaks_off(proxy: HttpProxy, client: http.client.HTTPConnection, kind: str, at: int) -> None:
    fault = proxy.fault(kind, at=at)
    client.request("GET", "/name")
    response = client.getresponse()
    assert response.headers["Content-Length"] == str(len(BODY))
    with pytest.raises(http.client.IncompleteRead if kind == "cut" else ConnectionResetError) as caught:
        response.read()
    if isinstance(caught.value, http.client.IncompleteRead):
        assert caught.value.partial == BODY[:at]
    assert fault.happened == 1
    assert proxy.requests[0].bytes_down == at
    client.close()
    assert ask(client) == (200, BODY)


@pytest.mark.parametrize("name", ["/name", "/chunked"])
def test_where_a_body_breaks_off_may_depend_on_its_length(
    server: TrivialServer, proxy: HttpProxy, client: http.client.HTTPConnection, name: str
) -> None:
    server.kept["/chunked"] = BODY
    proxy.fault("cut", at=lambda length: 10 if length is None else length // 2)
    client.request("GET", name)
    with pytest.raises(http.client.IncompleteRead):
        client.getresponse().read()
    assert proxy.requests[0].bytes_down == (10 if name == "/chunked" else len(BODY) // 2)


def test_a_chunked_body_that_breaks_off(
    server: TrivialServer, proxy: HttpProxy, client: http.client.HTTPConnection
) -> None:
    server.kept["/chunked"] = BODY
    proxy.fault("cut", at=1234)
    client.request("GET", "/chunked")
    with pytest.raises(http.client.IncompleteRead) as caught:
        client.getresponse().read()
    assert caught.value.partial == BODY[:1230]  # the client's own doing: it keeps whole chunks
    assert proxy.requests[0].bytes_down == 1234


def test_a_flipped_bit(server: TrivialServer, proxy: HttpProxy, client: http.client.HTTPConnection) -> None:
    fault = proxy.fault("flip", at=1000)
    assert ask(client) == (200, BODY[:1000] + bytes([BODY[1000] ^ 1]) + BODY[1001:])
    assert fault.happened == 1
    proxy.fault("flip", at=2, direction="up")
    assert ask(client, "PUT", "/new", b"\0\0\0\0") == (200, b"")
    assert server.kept["/new"] == b"\0\0\1\0"
    assert proxy.connections == 1


def test_a_fault_beyond_the_end_does_not_happen(proxy: HttpProxy, client: http.client.HTTPConnection) -> None:
    fault = proxy.fault("cut", at=len(BODY) + 1)
    assert ask(client) == (200, BODY)
    assert fault.happened == 0


def test_a_body_that_stalls(proxy: HttpProxy, client: http.client.HTTPConnection) -> None:
    proxy.fault("stall", at=1000)
    client.request("GET", "/name")
    response = client.getresponse()
    assert response.read(1000) == BODY[:1000]
    client.sock.settimeout(0.2)
    with pytest.raises(TimeoutError):
        response.read(1)
    response.close()


def test_a_body_that_crawls(proxy: HttpProxy, client: http.client.HTTPConnection) -> None:
    fault = proxy.fault("rate", at=1000, rate=1)
    began = time.monotonic()
    client.request("GET", "/name")
    response = client.getresponse()
    assert response.read(1001) == BODY[:1001]
    assert time.monotonic() - began >= 1
    assert fault.happened == 1
    response.close()


def test_an_answer_that_is_lost(server: TrivialServer, proxy: HttpProxy, client: http.client.HTTPConnection) -> None:
    fault = proxy.fault("cut", method="PUT")
    with pytest.raises(http.client.RemoteDisconnected):
        ask(client, "PUT", "/new", b"12345")
    assert server.kept["/new"] == b"12345"
    assert fault.happened == 1
    assert proxy.requests[0].status is None


def test_an_answer_that_never_comes(
    server: TrivialServer, proxy: HttpProxy, client: http.client.HTTPConnection
) -> None:
    fault = proxy.fault("stall", method="PUT")
    client.timeout = 0.2
    with pytest.raises(TimeoutError):
        ask(client, "PUT", "/new", b"12345")
    fault.wait()
    assert server.kept["/new"] == b"12345"


# What happens on the way up.


@pytest.mark.parametrize("kind", ["cut", "reset"])
def test_a_request_that_is_never_heard_of(
    server: TrivialServer, proxy: HttpProxy, client: http.client.HTTPConnection, kind: str
) -> None:
    proxy.fault(kind, direction="up", method="PUT")
    with pytest.raises(ConnectionError):
        ask(client, "PUT", "/new", b"12345")
    assert "/new" not in server.kept
    assert proxy.requests[0].bytes_up == 0
    client.close()
    assert ask(client, "PUT", "/new", b"12345") == (200, b"")


@pytest.mark.parametrize("kind", ["cut", "reset"])
def test_an_upload_that_breaks_off(
    server: TrivialServer, proxy: HttpProxy, client: http.client.HTTPConnection, kind: str
) -> None:
    fault = proxy.fault(kind, direction="up", at=1_000_000)
    with pytest.raises(ConnectionError):
        ask(client, "PUT", "/new", bytes(30_000_000))
    assert fault.happened == 1
    assert proxy.requests[0].bytes_up == 1_000_000
    assert "/new" not in server.kept


def test_an_upload_that_stalls(server: TrivialServer, proxy: HttpProxy, client: http.client.HTTPConnection) -> None:
    fault = proxy.fault("stall", direction="up", at=1_000_000)
    client.timeout = 0.5
    with pytest.raises(TimeoutError):
        ask(client, "PUT", "/new", bytes(30_000_000))
    fault.wait()
    assert proxy.requests[0].bytes_up == 1_000_000
    assert "/new" not in server.kept


# Faults end.


@pytest.mark.parametrize("wrong", [{"kind": "stall", "at": 10}, {"kind": "rate", "rate": 1}, {"kind": "endless"}])
@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_fault_ends_when_the_client_goes(
    server: TrivialServer, proxy: HttpProxy, wrong: dict[str, object], direction: str
) -> None:
    proxy.fault(**wrong, direction=direction)  # type: ignore[arg-type]
    with socket.create_connection((HOST, proxy.port), timeout=30) as client:
        if direction == "up":
            client.sendall(b"PUT /new HTTP/1.1\r\nContent-Length: 500000\r\n\r\n" + bytes(500_000))
        else:
            client.sendall(b"GET /name HTTP/1.1\r\n\r\n")
        wait_until(lambda: proxy.requests != [], seconds=30, what="the request")
    wait_until(lambda: proxy.open_connections == 0, seconds=30, what="the end of the connection")


def test_a_proxy_closes_in_the_middle_of_a_fault(server: TrivialServer) -> None:
    with HttpProxy(server.server_port) as proxy:
        fault = proxy.fault("stall", at=10)
        client = socket.create_connection((HOST, proxy.port), timeout=30)
        client.sendall(b"GET /name HTTP/1.1\r\n\r\n")
        fault.wait()
    with client:
        try:
            while client.recv(1000):
                pass
        except ConnectionResetError:
            pass


def test_a_client_that_goes_takes_its_request_with_it(server: TrivialServer, proxy: HttpProxy) -> None:
    with socket.create_connection((HOST, proxy.port), timeout=30) as client:
        client.sendall(b"PUT /new HTTP/1.1\r\nContent-Length: 10\r\n\r\n12345")
        wait_until(lambda: proxy.requests != [] and proxy.requests[0].bytes_up == 5, seconds=30, what="the request")
    wait_until(lambda: proxy.open_connections == 0, seconds=30, what="the end of the connection")
    assert server.kept.keys() == {"/name"}


def test_a_server_that_is_not_there_breaks_the_connection(proxy: HttpProxy) -> None:
    from servers.ports import free_port

    with HttpProxy(free_port()) as lonely:
        client = http.client.HTTPConnection(HOST, lonely.port, timeout=30)
        with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
            ask(client)
        client.close()
