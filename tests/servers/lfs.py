"""A Git LFS server with the repositories it belongs to: git over HTTP, the batch API, and a storage of objects.

Made from the documents of the API and git's own `http-backend`; it does as it is told to, wrongly too.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from servers.ports import HOST

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A request that came: `headers` by lower-case name, `body` of a question to the API."""

    method: str
    path: str
    headers: dict[str, str]
    body: Json | None = None


class LfsServer(ThreadingHTTPServer):
    """Repositories below `top` are at `<url>/<name>`, each with its `info/lfs`; objects are at `<url>/storage/<oid>`.

    `login` is a user and a password that the API wants; `storage_secret` a header's value that the storage wants, and
    which the API tells. `plan` may answer any request in place of the server: it returns a status, headers and a body,
    or None. `action` may change what the API says of one object.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, top: Path) -> None:
        super().__init__((HOST, 0), _Handler)
        self.top = top
        self.objects: dict[str, bytes] = {}
        self.login: tuple[str, str] | None = None
        self.storage_secret: str | None = None
        self.storage_url = f"{self.url}/storage"
        self.authenticated = False
        self.plan: Callable[[Asked], tuple[int, dict[str, str], bytes] | None] = lambda asked: None
        self.action: Callable[[str, Json], Json] = lambda oid, answer: answer
        self.asked: list[Asked] = []

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.server_address[1]}"

    def keep(self, data: bytes) -> str:
        """Have an object; gives its id."""
        oid = hashlib.sha256(data).hexdigest()
        self.objects[oid] = data
        return oid

    @property
    def batches(self) -> list[Asked]:
        """The questions where objects are."""
        return [asked for asked in self.asked if asked.path.endswith("/objects/batch")]

    @property
    def downloads(self) -> list[Asked]:
        """What the storage was asked for."""
        return [asked for asked in self.asked if asked.path.startswith("/storage/")]

    def handle_error(self, request: object, client_address: object) -> None:
        """Connections that break are what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: LfsServer

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        length = self.headers["Content-Length"]
        self._serve(self._chunks() if length is None else self.rfile.read(int(length)))

    def _chunks(self) -> bytes:
        data = b""
        while size := int(self.rfile.readline(), 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data

    def _serve(self, data: bytes) -> None:
        api = self.path.endswith("/objects/batch")
        asked = Asked(
            method=self.command,
            path=self.path,
            headers={key.lower(): value for key, value in self.headers.items()},
            body=json.loads(data) if api else None,
        )
        self.server.asked.append(asked)
        planned = self.server.plan(asked)
        if planned is not None:
            self._answer(*planned)
        elif api:
            self._batch(asked)
        elif self.path.startswith("/storage/"):
            self._object(asked)
        else:
            self._git(data)

    def _batch(self, asked: Asked) -> None:
        login = self.server.login
        if login is not None:
            wanted = "Basic " + base64.b64encode(":".join(login).encode()).decode()
            if asked.headers.get("authorization") != wanted:
                self._json(401, {"message": "who are you?"}, {"LFS-Authenticate": 'Basic realm="Git LFS"'})
                return
        assert asked.body is not None
        assert asked.body["operation"] == "download"
        answers = [self.server.action(item["oid"], self._about(item)) for item in asked.body["objects"]]
        self._json(200, {"transfer": "basic", "objects": answers})

    def _about(self, item: Json) -> Json:
        oid = item["oid"]
        answer: Json = {"oid": oid, "size": item["size"]}
        if oid not in self.server.objects:
            return {**answer, "error": {"code": 404, "message": "Object does not exist"}}
        download: Json = {"href": f"{self.server.storage_url}/{oid}"}
        if self.server.storage_secret is not None:
            download["header"] = {"Authorization": self.server.storage_secret}
        if self.server.authenticated:
            answer["authenticated"] = True
        return {**answer, "actions": {"download": download}}

    def _object(self, asked: Asked) -> None:
        secret = self.server.storage_secret
        if secret is not None and asked.headers.get("authorization") != secret:
            self._answer(403, {}, b"no")
            return
        data = self.server.objects.get(asked.path.rpartition("/")[2])
        if data is None:
            self._answer(404, {}, b"not here")
            return
        wanted = asked.headers.get("range")
        if wanted is None:
            self._answer(200, {}, data)
            return
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        start, stop = int(first), min(int(last) + 1 if last else len(data), len(data))
        self._answer(206, {"Content-Range": f"bytes {start}-{stop - 1}/{len(data)}"}, data[start:stop])

    def _git(self, data: bytes) -> None:
        path, _, query = self.path.partition("?")
        environ = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.server.top),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_COUNT": "2",
            "GIT_CONFIG_KEY_0": "uploadpack.allowFilter",
            "GIT_CONFIG_VALUE_0": "true",
            "GIT_CONFIG_KEY_1": "uploadpack.allowAnySHA1InWant",
            "GIT_CONFIG_VALUE_1": "true",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(data)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        out = subprocess.run(["git", "http-backend"], input=data, env=environ, capture_output=True, check=False).stdout
        head, _, body = out.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode("latin-1").split("\r\n") if line)
        status = int(headers.pop("Status", "200").split()[0])
        self._answer(status, headers, body)

    def _json(self, status: int, value: Json, headers: dict[str, str] | None = None) -> None:
        kind = {"Content-Type": "application/vnd.git-lfs+json"}
        self._answer(status, {**kind, **(headers or {})}, json.dumps(value).encode())

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def lfs_server(top: Path) -> Iterator[LfsServer]:
    """A server for the repositories in a directory."""
    server = LfsServer(top)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
