"""git over HTTP: as a hosting service offers it, git's own http-backend behind a small server; or as plain files."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from servers.ports import HOST

_LINE = b"\r\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class GitHttp:
    """Serves the repositories below a directory as `http://…/NAME`; `requests` are `METHOD path`, in order."""

    port: int
    requests: list[str] = field(default_factory=list)

    def url(self, name: str, *, user: str = "") -> str:
        return f"http://{user + '@' if user else ''}{HOST}:{self.port}/{name}"


@contextmanager
def git_http(directory: Path, *, login: tuple[str, str] | None = None) -> Iterator[GitHttp]:
    """A server for one test; with `login`, user and password are asked for."""
    expected = "Basic " + base64.b64encode(":".join(login).encode()).decode() if login else None
    requests: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def do_GET(self) -> None:
            self._serve(b"")

        def do_POST(self) -> None:
            self._serve(self.rfile.read(int(self.headers.get("Content-Length", 0))))

        def _serve(self, body: bytes) -> None:
            asked = urlsplit(self.path)
            requests.append(f"{self.command} {asked.path}")
            if expected is not None and self.headers.get("Authorization") != expected:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="git"')
                self.end_headers()
                return
            environ = {
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(directory),
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_CONFIG_COUNT": "2",
                "GIT_CONFIG_KEY_0": "uploadpack.allowFilter",
                "GIT_CONFIG_VALUE_0": "true",
                "GIT_CONFIG_KEY_1": "safe.directory",
                "GIT_CONFIG_VALUE_1": "*",
                "PATH_INFO": unquote(asked.path),
                "QUERY_STRING": asked.query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            }
            out = subprocess.run(["git", "http-backend"], input=body, env=environ, capture_output=True).stdout
            head, _, content = out.partition(2 * _LINE)
            fields = [line.decode().split(": ", 1) for line in head.split(_LINE) if line]
            status = next((value for name, value in fields if name == "Status"), "200 OK")
            self.send_response(int(status.split()[0]))
            for name, value in fields:
                if name != "Status":
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None:
            """Tests read `requests`."""

    with _serving(Handler) as port:
        yield GitHttp(port=port, requests=requests)


@contextmanager
def plain_http(directory: Path, *, at_most: int) -> Iterator[GitHttp]:
    """A web server that knows nothing of git ("dumb" HTTP), for one test; it refuses whatever comes after `at_most`
    requests, as a client that goes wrong here asks without end."""
    requests: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(f"GET {self.path}")
            if len(requests) > at_most:
                self.send_error(503)
            else:
                super().do_GET()

        def log_message(self, format: str, *arguments: object) -> None:
            """Tests read `requests`."""

    with _serving(partial(Handler, directory=str(directory))) as port:
        yield GitHttp(port=port, requests=requests)


@contextmanager
def _serving(handler: Callable[..., BaseHTTPRequestHandler]) -> Iterator[int]:
    """A server with this handler; gives its port."""
    server = ThreadingHTTPServer((HOST, 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
