"""Where files lie that are no remote, on real servers, for tests that ask the same of each of them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from servers.fixtures import S3Server, SshServer, WebServer
from servers.tcp_proxy import TcpProxy
from world import World

NAMES = {
    "a.csv": b"a,1\n",
    "deep/er/b c.txt": b"blanks\n",
    "deep/er/é ü 漢.txt": b"letters\n",
    "deep/100% #1?.txt": b"marks\n",
    "deep/it's & more;.txt": b"others\n",
    "empty.bin": b"",
}
"""A directory as people have them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A directory somewhere: its URL, what a user types to get at it, and how to change what is in it."""

    kind: str
    url: str
    write: Callable[[str, bytes], None]
    delete: Callable[[str], None]
    settings: dict[str, str] = field(default_factory=dict)
    greet: Callable[[World], None] = lambda world: None

    @property
    def options(self) -> list[str]:
        return [word for key, value in self.settings.items() for word in ("--set", f"{key}={value}")]

    def at(self, name: str) -> str:
        """The URL of a name, escaped where URLs of this kind are."""
        return f"{self.url}/{name if self.kind in ('directory', 's3') else quote(name)}"

    def fill(self) -> None:
        for name, data in NAMES.items():
            self.write(name, data)


def directory_source(top: Path) -> Source:
    def write(name: str, data: bytes) -> None:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        fresh = top.with_name("fresh")
        fresh.write_bytes(data)
        os.replace(fresh, top / name)

    return Source(kind="directory", url=str(top), write=write, delete=lambda name: (top / name).unlink())


def s3_source(server: S3Server) -> Source:
    bucket, raw = server.bucket(), server.raw()

    def write(name: str, data: bytes) -> None:
        answer = raw.send("PUT", f"/{bucket}/raw/{quote(name)}", data)
        assert answer.status == 200, answer

    def delete(name: str) -> None:
        assert raw.send("DELETE", f"/{bucket}/raw/{quote(name)}").status in (200, 204)

    return Source(kind="s3", url=f"s3://{bucket}/raw", write=write, delete=delete, settings=server.settings())


def ssh_source(server: SshServer, *, proxy: TcpProxy | None = None) -> Source:
    top = server.directory() / "raw"
    top.mkdir()
    local = directory_source(top)

    def greet(world: World) -> None:
        place = world.home / ".ssh"
        place.mkdir(mode=0o700, exist_ok=True)
        shutil.copyfile(server.known_hosts, place / "known_hosts")

    return Source(
        kind="sftp",
        url=f"ssh://{server.host}{top}",
        write=local.write,
        delete=local.delete,
        settings=server.settings(port=proxy.port if proxy is not None else None),
        greet=greet,
    )


def web_source(server: WebServer, *, ranges: bool = True) -> Source:
    local = directory_source(server.directory)
    url = server.url if ranges else server.url_without_ranges
    return Source(kind="http", url=url, write=local.write, delete=local.delete)
