"""git's own server, which tells of every request."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from servers.ports import HOST, free_port, listens, wait_until


@dataclass(frozen=True, kw_only=True, slots=True)
class GitDaemon:
    """Serves the repositories below a directory as `git://…/NAME`."""

    port: int
    log: Path

    def url(self, name: str) -> str:
        return f"git://{HOST}:{self.port}/{name}"

    @property
    def requests(self) -> int:
        """How often somebody asked for anything."""
        return len(re.findall(rb"Request upload-pack", self.log.read_bytes()))


@contextmanager
def git_daemon(directory: Path, *, filters: bool = True) -> Iterator[GitDaemon]:
    """A server of its own for one test; `filters` is whether it offers partial clones."""
    log = directory / "daemon.log"
    git = os.environ.get("GIT", "git")
    allow = "true" if filters else "false"
    for attempt in range(5):
        port = free_port()
        options = ["-c", f"uploadpack.allowFilter={allow}", "-c", f"uploadpack.allowAnySHA1InWant={allow}"]
        place = [f"--base-path={directory}", "--export-all", f"--port={port}", f"--listen={HOST}", "--reuseaddr"]
        with log.open("wb") as out:
            process = subprocess.Popen(
                [git, *options, "daemon", *place, "--verbose", "--log-destination=stderr"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=out,
            )
        try:
            wait_until(
                lambda port=port, process=process: listens(port) or process.poll() is not None,
                seconds=30,
                what="git daemon",
            )
            if process.poll() is None:
                yield GitDaemon(port=port, log=log)
                return
            assert attempt < 4, log.read_text()
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait()
