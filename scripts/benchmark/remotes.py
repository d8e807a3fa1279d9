"""The servers of the network workloads, on this machine's loopback interface: S3 behind a latency, and sshd.

They are those of the tests. All of them end with this process, however it ends.
"""

from __future__ import annotations

import itertools
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmark.measuring import StepFailed
from benchmark.tools import Place
from servers import latency, openssh, programs, rclone
from servers.ports import HOST
from servers.processes import Processes, ServerFailed

LATENCY_MS = 20
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": rclone.ACCESS_KEY_ID,
    "AWS_SECRET_ACCESS_KEY": rclone.SECRET_ACCESS_KEY,
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""The environment that lets a client into the S3 server, and keeps it from asking others."""
_BUCKET = "bench"
_REGION = "us-east-1"


class Remotes:
    """Places at servers that run. Nobody has used a place before."""

    def __init__(self, processes: Processes, home: Path) -> None:
        self._top = processes.directory
        self._serial = itertools.count(1)
        self._endpoint = _start_s3(processes, self._top / "s3")
        self._ssh = openssh.start(processes, self._top, _programs("sshd", "ssh-keygen"))
        self.known_hosts = _let_in(home / ".ssh", Path(self._ssh["keys"]))

    def s3(self) -> Place:
        """A prefix of a bucket, each request to which takes LATENCY_MS."""
        name = f"round-{next(self._serial)}"
        return Place(
            url=f"s3://{_BUCKET}/{name}",
            settings={"endpoint_url": self._endpoint, "region": _REGION},
            directory=self._top / "s3" / _BUCKET / name,
        )

    def sftp(self) -> Place:
        """A directory that can be reached with SFTP."""
        directory = self._top / "sftp" / f"round-{next(self._serial)}"
        directory.mkdir(parents=True)
        settings = {"port": str(self._ssh["port"]), "user": self._ssh["user"], "keyfile": f"{self._ssh['keys']}/user"}
        return Place(url=f"ssh://{HOST}{directory}", settings=settings, directory=directory)


@contextmanager
def running_servers(top: Path, home: Path) -> Iterator[Remotes]:
    """Servers that keep everything below `top` and let in whoever has `home` as home directory."""
    top.mkdir()
    with Processes(top) as processes:
        try:
            remotes = Remotes(processes, home)
        except ServerFailed as failure:
            raise StepFailed(f"a server does not start: {failure}") from failure
        yield remotes


def find_rclone() -> str:
    return _programs("rclone")["rclone"]


def _programs(*names: str) -> dict[str, str]:
    found = {name: programs.find(name) for name in names}
    if missing := [name for name, path in found.items() if path is None]:
        raise StepFailed(f"W5 and SFTP need {', '.join(missing)}")
    return {name: path for name, path in found.items() if path is not None}


def _start_s3(processes: Processes, data: Path) -> str:
    """Start the S3 server and what makes it slow; the result is the URL."""
    (data / _BUCKET).mkdir(parents=True)
    port = rclone.start(processes, data, _programs("rclone"))["port"]
    slow = [sys.executable, "-S", latency.__file__, "--listen", "0", "--to", str(port), "--ms", str(LATENCY_MS)]
    processes.start("latency", [*slow, "--fix-range"])
    log = processes.log("latency")
    processes.wait_until(lambda: log.read_text().endswith("\n"), seconds=30, what="the latency")
    return f"http://{HOST}:{int(log.read_text())}"


def _let_in(ssh: Path, keys: Path) -> Path:
    """Make `ssh HOST` work for this home directory; the result is its list of known hosts."""
    ssh.mkdir(mode=0o700, exist_ok=True)
    for source, target in (("ssh_config", "config"), ("known_hosts", "known_hosts"), ("user", "id_ed25519")):
        shutil.copyfile(keys / source, ssh / target)
        (ssh / target).chmod(0o600)
    return ssh / "known_hosts"
