"""Remotes on real servers, for tests that ask the same of each of them."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

from servers.fixtures import S3Server, SshServer, WebServer
from world import World

SECRETS = ("secret_access_key", "password", "token")


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A remote: its URL and settings, how to read and overwrite the files in it, and what makes it known to a user."""

    url: str
    settings: dict[str, str]
    names: Callable[[], dict[str, int]]
    """Everything there: sizes by name."""
    read: Callable[[str], bytes]
    """The bytes of a name, read behind datatool's back."""
    write: Callable[[str, bytes], None]
    """Put other bytes under a name, behind datatool's back."""
    delete: Callable[[str], None]
    unfinished: Callable[[], dict[str, int]]
    """What uploads that were begun and can be gone on with were to become, and how many bytes of it are there."""
    abort: Callable[[], None]
    """Do away with those uploads."""
    greet: Callable[[World], None]
    """Do what a user does once, such as to accept a host key."""

    def add_to(self, world: World, name: str = "net", **more: str) -> None:
        """Make it the default remote of a project; credentials go into the local configuration by themselves."""
        self.greet(world)
        options = [word for key, value in {**self.settings, **more}.items() for word in ("--set", f"{key}={value}")]
        world.ok("remote", "add", "-d", name, self.url, *options)

    def join(self, world: World, name: str = "net") -> World:
        """A colleague's clone: the remote comes with git, credentials are set here."""
        self.greet(world)
        private = {"keyfile", "user", "profile", "access_key_id", *SECRETS}
        words = [f"{key}={value}" for key, value in self.settings.items() if key in private]
        if words:
            world.ok("remote", "set", name, *words)
        return world


def s3_place(server: S3Server) -> Place:
    bucket = server.bucket()
    raw = server.raw()

    def names() -> dict[str, int]:
        found: dict[str, int] = {}
        start = "data/"
        while True:
            query = urlencode({"list-type": "2", "prefix": "data/", "start-after": start}, quote_via=quote, safe="")
            answer = raw.send("GET", f"/{bucket}?{query}")
            assert answer.status == 200, answer
            body = answer.body.decode()
            rows = re.findall(r"<Key>data/([^<]*)</Key>.*?<Size>(\d+)</Size>", body, re.DOTALL)
            found.update((name, int(size)) for name, size in rows)
            if "<IsTruncated>true</IsTruncated>" not in body or not rows:
                return found
            start = "data/" + rows[-1][0]

    def write(name: str, data: bytes) -> None:
        assert raw.send("PUT", f"/{bucket}/data/{name}", data).status == 200

    def delete(name: str) -> None:
        assert raw.send("DELETE", f"/{bucket}/data/{name}").status in (200, 204)

    def read(name: str) -> bytes:
        answer = raw.send("GET", f"/{bucket}/data/{name}")
        assert answer.status == 200, answer
        body: bytes = answer.body
        return body

    def uploads() -> list[tuple[str, str]]:
        answer = raw.send("GET", f"/{bucket}?uploads=")
        rows = re.findall(r"<Upload>(.*?)</Upload>", answer.body.decode(), re.DOTALL)
        return [(_inside("Key", row).removeprefix("data/"), _inside("UploadId", row)) for row in rows]

    def unfinished() -> dict[str, int]:
        found: dict[str, int] = {}
        for name, upload in uploads():
            parts = raw.send("GET", f"/{bucket}/data/{name}?uploadId={upload}").body.decode()
            size = sum(map(int, re.findall("<Size>([0-9]+)</Size>", parts)))
            found[name] = max(size, found.get(name, 0))
        return found

    def abort() -> None:
        for name, upload in uploads():
            assert raw.send("DELETE", f"/{bucket}/data/{name}?uploadId={upload}").status == 204

    return Place(
        url=f"s3://{bucket}/data",
        settings=server.settings(),
        names=names,
        read=read,
        write=write,
        delete=delete,
        unfinished=unfinished,
        abort=abort,
        greet=lambda world: None,
    )


def ssh_place(server: SshServer, *, port: int | None = None) -> Place:
    directory = server.directory()
    top = directory / "data"

    def names() -> dict[str, int]:
        return {
            path.relative_to(top).as_posix(): path.stat().st_size
            for path in top.rglob("*")
            if path.is_file() and path.relative_to(top).parts[0] != "tmp"
        }

    def write(name: str, data: bytes) -> None:
        other = top / (name + ".new")
        other.write_bytes(data)
        os.replace(other, top / name)

    def unfinished() -> dict[str, int]:
        parts = (top / "tmp").glob("*-part-*")
        return {path.name.partition("-part-")[2].replace("+", "/"): path.stat().st_size for path in parts}

    def greet(world: World) -> None:
        place = world.home / ".ssh"
        place.mkdir(mode=0o700, exist_ok=True)
        shutil.copyfile(server.known_hosts, place / "known_hosts")

    return Place(
        url=f"ssh://{server.host}{top}",
        settings=server.settings(port=port),
        names=names,
        read=lambda name: (top / name).read_bytes(),
        write=write,
        delete=lambda name: (top / name).unlink(),
        unfinished=unfinished,
        abort=lambda: shutil.rmtree(top / "tmp", ignore_errors=True),
        greet=greet,
    )


def web_place(server: WebServer, *, ranges: bool = True) -> Place:
    """A remote that is read over HTTP; `write` is how it gets there, as a nightly copy would."""
    top = server.directory / "data"

    def write(name: str, data: bytes) -> None:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(data)

    return Place(
        url=f"{server.url if ranges else server.url_without_ranges}/data",
        settings={},
        names=lambda: {
            path.relative_to(top).as_posix(): path.stat().st_size for path in top.rglob("*") if path.is_file()
        },
        read=lambda name: (top / name).read_bytes(),
        write=write,
        delete=lambda name: (top / name).unlink(),
        unfinished=dict,
        abort=lambda: None,
        greet=lambda world: None,
    )


def left_in(cache: Path) -> list[Path]:
    """Temporary files that a command left in a cache."""
    return [path for path in (cache / "tmp").rglob("*") if path.is_file()]


def _inside(tag: str, text: str) -> str:
    found = re.search(f"<{tag}>([^<]*)</{tag}>", text)
    assert found, text
    return found[1]
