"""A trivial HTTP server to try proxies on: it keeps what is put, and gives it back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from servers.ports import HOST


class TrivialServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__((HOST, 0), _Handler)
        self.kept: dict[str, bytes] = {}

    def handle_error(self, request: object, client_address: object) -> None:
        """Connections that break are what the tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: TrivialServer

    def do_PUT(self) -> None:
        """Keep the body, once all of it is here."""
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) == length:
            self.server.kept[self.path] = body
            self._answer(200, b"")

    def do_GET(self) -> None:
        """Give it back: in chunks from below /chunked, until the end of the connection from below /endless."""
        body = self.server.kept.get(self.path)
        if body is None:
            self._answer(404, b"not here")
        elif self.path.startswith("/chunked"):
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for start in range(0, len(body), 10):
                piece = body[start : start + 10]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
        elif self.path.startswith("/unmeasured"):
            self.send_response(200)
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)
        elif wanted := self.headers["Range"]:
            first, last = (int(end) for end in wanted.removeprefix("bytes=").split("-"))
            # 200, as `rclone serve s3` has it.
            self._answer(200, body[first : last + 1], {"Content-Range": f"bytes {first}-{last}/{len(body)}"})
        else:
            self._answer(200, body)

    do_HEAD = do_GET

    def do_POST(self) -> None:
        """Refuse, without looking at the body."""
        self.close_connection = True
        self._answer(403, b"no")

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def trivial_server() -> Iterator[TrivialServer]:
    server = TrivialServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
