"""The servers as fixtures. A server that is missing skips the test by name, and fails it with CI=true."""

from __future__ import annotations

import itertools
import os
import re
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from servers import programs
from servers.http_connection import Request
from servers.http_proxy import HttpProxy
from servers.ports import HOST, listens, wait_until
from servers.process_tree import descendants

if TYPE_CHECKING:
    from servers.shared import Membership

REGION = "us-east-1"
_serial = itertools.count(1)


def _fresh(stem: str) -> str:
    """A name that no other worker uses either."""
    return f"{stem}-{os.getpid()}-{next(_serial)}-{secrets.token_hex(3)}"


def _run_directory(factory: pytest.TempPathFactory) -> Path:
    """One directory for all workers of this run."""
    base = factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "servers"


@contextmanager
def _member(factory: pytest.TempPathFactory, kind: str, *needed: str, name: str = "") -> Iterator[Membership]:
    found = programs.require(*needed)
    from servers.shared import join  # here, because it takes Linux, which `require` has made sure of

    with join(kind, _run_directory(factory) / (name or kind), found) as member:
        yield member


@dataclass(frozen=True, kw_only=True, slots=True)
class S3Server:
    """An S3 server behind a proxy of the test's own."""

    proxy: HttpProxy
    direct_port: int
    access_key_id: str
    secret_access_key: str
    region: str = REGION
    buckets: list[str] = field(default_factory=list)

    @property
    def endpoint(self) -> str:
        """The URL of the proxy: what goes through it is in `requests`."""
        return self.proxy.url

    @property
    def requests(self) -> list[Request]:
        return self.proxy.requests

    def reset(self) -> None:
        """Forget the requests so far."""
        self.proxy.reset()

    def settings(self) -> dict[str, str]:
        """The settings of a remote that lies here."""
        return {
            "endpoint_url": self.endpoint,
            "region": self.region,
            "access_key_id": self.access_key_id,
            "secret_access_key": self.secret_access_key,
        }

    def raw(self) -> Any:
        """A `signing.RawS3` that goes past the proxy."""
        from servers.signing import RawS3  # here, because botocore takes its time

        return RawS3(
            port=self.direct_port,
            access_key_id=self.access_key_id,
            secret_access_key=self.secret_access_key,
            region=self.region,
        )

    def bucket(self) -> str:
        """Make a bucket that is this test's own and empty, without leaving a trace in `requests`."""
        name = _fresh("bucket")
        answer = self.raw().send("PUT", f"/{name}")
        assert answer.status == 200, answer
        self.buckets.append(name)
        return name

    def empty(self, bucket: str) -> None:
        """Delete all objects and unfinished uploads of a bucket."""
        raw = self.raw()
        before: list[str] = []
        while keys := re.findall(r"<Key>([^<]*)</Key>", raw.send("GET", f"/{bucket}?list-type=2").body.decode()):
            if keys == before:
                break  # they can't be deleted; the next test has a bucket of its own
            before = keys
            for key in keys:
                raw.send("DELETE", f"/{bucket}/{quote(unescape(key))}")
        uploads = raw.send("GET", f"/{bucket}?uploads=").body.decode()
        for key, upload in re.findall(r"<Key>([^<]*)</Key>.*?<UploadId>([^<]*)</UploadId>", uploads, re.DOTALL):
            raw.send("DELETE", f"/{bucket}/{key}?uploadId={upload}")


@pytest.fixture(scope="session")
def _rclone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Membership]:
    with _member(tmp_path_factory, "rclone", "rclone") as member:
        yield member


@pytest.fixture(scope="session")
def _radosgw(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Membership]:
    needed = ("ceph", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin")
    with _member(tmp_path_factory, "radosgw", *needed) as member:
        yield member


def _s3(member: Membership, *, fix_ranges: bool) -> Iterator[S3Server]:
    facts = dict(member.facts)
    port = facts.pop("port")
    with HttpProxy(port, fix_ranges=fix_ranges) as proxy:
        server = S3Server(proxy=proxy, direct_port=port, **facts)
        yield server
        for bucket in server.buckets:
            server.empty(bucket)


@pytest.fixture
def s3_server(_rclone: Membership) -> Iterator[S3Server]:
    """`rclone serve s3`."""
    yield from _s3(_rclone, fix_ranges=True)


@pytest.fixture
def radosgw(_radosgw: Membership) -> Iterator[S3Server]:
    """Ceph's gateway. It takes some ten seconds to start, once per run."""
    yield from _s3(_radosgw, fix_ranges=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class SshServer:
    """An sshd for the user who runs the tests."""

    port: int
    user: str
    keys: Path
    process: int
    top: Path
    host: str = HOST

    @property
    def key(self) -> Path:
        """The private key that lets the user in."""
        return self.keys / "user"

    @property
    def unknown_key(self) -> Path:
        """A private key that lets nobody in."""
        return self.keys / "stranger"

    @property
    def known_hosts(self) -> Path:
        return self.keys / "known_hosts"

    @property
    def ssh_config(self) -> Path:
        """For `ssh -F`: everything it takes to get in."""
        return self.keys / "ssh_config"

    def settings(self, *, port: int | None = None) -> dict[str, str]:
        """The settings of a remote that lies here; `port` is that of a proxy, if one is to stand in between."""
        return {"port": str(port or self.port), "user": self.user, "keyfile": str(self.key)}

    def directory(self) -> Path:
        """A fresh, empty directory to be a remote; the server runs on this machine, so the path is the same there."""
        path = self.top / _fresh("remote")
        path.mkdir()
        return path


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnSshServer(SshServer):
    """An sshd that nobody but this test uses, so that it can be disturbed."""

    member: Membership

    def change_host_key(self) -> None:
        """Go on with another host key, as a stranger's server would; `known_hosts` tells the old one."""
        shutil.copyfile(self.keys / "other_host", self.keys / "host_in_use")
        os.kill(self.process, signal.SIGHUP)  # makes sshd start itself anew
        scan = ["ssh-keyscan", "-T", "5", "-t", "ed25519", "-p", str(self.port), self.host]
        key = (self.keys / "other_host.pub").read_text().split()[1]

        def changed() -> bool:
            return key in subprocess.run(scan, capture_output=True, text=True, check=False).stdout

        wait_until(changed, seconds=30, what="the other host key")

    def kill_connections(self) -> int:
        """Kill what serves the connections of now; new ones are welcome. Returns how many processes there were."""
        processes = descendants(self.process)
        for process in processes:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                pass  # went with its parent
        return len(processes)

    def stop(self) -> None:
        """End it: the port refuses connections from now on. Connections that there are go as well."""
        self.kill_connections()
        self.member.leave()
        wait_until(lambda: not listens(self.port), seconds=30, what="sshd to end")


def _ssh_facts(member: Membership, top: Path) -> dict[str, Any]:
    return {**member.facts, "keys": Path(member.facts["keys"]), "top": top}


@pytest.fixture(scope="session")
def _sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Membership]:
    with _member(tmp_path_factory, "openssh", "sshd", "ssh-keygen") as member:
        yield member


@pytest.fixture
def sshd(_sshd: Membership, tmp_path: Path) -> SshServer:
    """OpenSSH, shared by all tests: don't disturb it."""
    return SshServer(**_ssh_facts(_sshd, tmp_path))


@pytest.fixture
def own_sshd(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Iterator[OwnSshServer]:
    """OpenSSH for this test alone."""
    with _member(tmp_path_factory, "openssh", "sshd", "ssh-keygen", name=_fresh("openssh")) as member:
        server = OwnSshServer(member=member, **_ssh_facts(member, tmp_path))
        yield server
        server.kill_connections()


@dataclass(frozen=True, kw_only=True, slots=True)
class WebServer:
    """nginx with a directory of the test's own, behind a proxy of the test's own."""

    proxy: HttpProxy
    directory: Path
    """Fresh and empty; what is put here is served."""
    user: str
    password: str

    @property
    def url(self) -> str:
        """The directory, from a server that answers ranges."""
        return f"{self.proxy.url}/files/{self.directory.name}"

    @property
    def url_without_ranges(self) -> str:
        """The same directory, from a server that answers a range with all there is."""
        return f"{self.proxy.url}/without-ranges/{self.directory.name}"

    @property
    def url_with_password(self) -> str:
        """The same directory, for those who say `user` and `password` (basic authentication)."""
        return f"{self.proxy.url}/with-password/{self.directory.name}"

    @property
    def requests(self) -> list[Request]:
        return self.proxy.requests

    def reset(self) -> None:
        """Forget the requests so far."""
        self.proxy.reset()


@pytest.fixture(scope="session")
def _nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Membership]:
    with _member(tmp_path_factory, "nginx", "nginx") as member:
        yield member


@pytest.fixture
def web_server(_nginx: Membership) -> Iterator[WebServer]:
    """nginx."""
    facts = _nginx.facts
    directory = Path(facts["files"]) / _fresh("web")
    directory.mkdir()
    with HttpProxy(facts["port"]) as proxy:
        yield WebServer(proxy=proxy, directory=directory, user=facts["user"], password=facts["password"])
    shutil.rmtree(directory)
