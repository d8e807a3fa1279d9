"""A web server that says what the test tells it to, byte by byte: for what no honest server does."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A request: its method, path (with query) and headers by lower-case name."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass(kw_only=True, slots=True)
class Speaker:
    """What a script talks through."""

    connection: socket.socket
    over: threading.Event

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def head(self, status: str = "200 OK", **headers: object) -> None:
        """A head; `content_length=3` becomes `Content-Length: 3`."""
        lines = [f"HTTP/1.1 {status}", *(f"{key.replace('_', '-').title()}: {value}" for key, value in headers.items())]
        self.send("\r\n".join([*lines, "", ""]).encode("latin-1"))

    def answer(self, body: bytes = b"", status: str = "200 OK", **headers: object) -> None:
        self.head(status, **{"content_length": len(body), **headers})
        self.send(body)

    def redirect(self, to: str, status: str = "302 Found") -> None:
        self.answer(status=status, location=to)

    def drip(self, pieces: bytes, pause: float) -> None:
        """Send over and over, a byte at a time, until the other side has had enough."""
        while not self.over.wait(pause):
            for byte in pieces:
                self.send(bytes([byte]))

    def silence(self) -> None:
        """Say nothing until the test is over, or the other side hangs up."""
        self.connection.settimeout(30)
        self.connection.recv(1)


Script = Callable[[Speaker, Asked], None]


@dataclass(slots=True)
class ScriptedServer:
    """Runs `script` for each request; afterwards the connection is closed, unless `keep_alive`. A `deaf` one talks
    as soon as there is a connection."""

    script: Script
    tls: ssl.SSLContext | None = None
    keep_alive: bool = False
    deaf: bool = False
    asked: list[Asked] = field(default_factory=list)
    _listener: socket.socket = field(init=False)
    _over: threading.Event = field(default_factory=threading.Event)
    _open: set[socket.socket] = field(default_factory=set)

    def __enter__(self) -> ScriptedServer:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for connection in (self._listener, *self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it has ended already
            connection.close()

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/data"

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self.tls is not None:
                raw, connection = connection, self.tls.wrap_socket(connection, server_side=True)
                self._open.discard(raw)
                self._open.add(connection)
            with connection, connection.makefile("rb") as lines:
                if self.deaf:
                    self.script(Speaker(connection=connection, over=self._over), Asked(method="", path="", headers={}))
                    connection.recv(1 << 16)
                    return
                while (asked := _read_request(lines.readline)) is not None:
                    self.asked.append(asked)
                    self.script(Speaker(connection=connection, over=self._over), asked)
                    if not self.keep_alive:
                        return
        except OSError:
            pass  # the other side has gone
        finally:
            self._open.discard(connection)


def _read_request(line: Callable[[], bytes]) -> Asked | None:
    words = line().decode("latin-1").split()
    if len(words) != 3:
        return None
    headers = {}
    while text := line().decode("latin-1").strip():
        key, _, value = text.partition(":")
        headers[key.lower()] = value.strip()
    return Asked(method=words[0], path=words[1], headers=headers)
