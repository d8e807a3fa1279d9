"""Joining a server that all workers of a test run share: the first one starts it, the last one to leave ends it."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from servers.keeper import STATE
from servers.ports import HOST
from servers.processes import ServerFailed

_MODULES = str(Path(__file__).parents[1])
_START_WITHIN = 300.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Membership:
    """A hold on a running server. The server lives as long as anyone holds it."""

    facts: Mapping[str, Any]
    connection: socket.socket

    def __enter__(self) -> Membership:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()

    def leave(self) -> None:
        """Let go; returns when the others still hold the server, or when all of it has ended."""
        with self.connection:
            try:
                self.connection.shutdown(socket.SHUT_WR)
                self.connection.recv(1)
            except OSError:
                pass  # the keeper has gone already


def join(kind: str, directory: Path, programs: Mapping[str, str]) -> Membership:
    """Hold the server of this kind that lives in `directory`, starting it if need be.

        with join("rclone", run / "rclone", programs.require("rclone")) as member:
            member.facts["port"]

    Raises ServerFailed with the end of its log if it does not start.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with open(directory / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        member = _running(directory)
        if member is None:
            _start(kind, directory, programs)
            member = _running(directory)
        if member is None:
            raise ServerFailed(f"{kind} ended as soon as it had started; its logs are in {directory}")
        return member


def _running(directory: Path) -> Membership | None:
    """Join the keeper that the state file tells of, if it is still there."""
    try:
        state = json.loads((directory / STATE).read_text())
        connection = socket.create_connection((HOST, state["port"]), timeout=10)
    except (OSError, ValueError):
        return None
    try:
        with connection.makefile("rb") as lines:
            greeting = json.loads(lines.readline())
        if greeting["token"] == state["token"]:
            connection.settimeout(60)
            return Membership(facts=greeting["facts"], connection=connection)
    except (OSError, ValueError, LookupError, TypeError):
        pass  # it was about to end, or the port is somebody else's by now
    connection.close()
    return None


def _start(kind: str, directory: Path, programs: Mapping[str, str]) -> None:
    command = [sys.executable, "-S", "-m", "servers.keeper", kind, str(directory), json.dumps(dict(programs))]
    try:
        done = subprocess.run(
            command,
            env={"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": _MODULES, "PYTHONDONTWRITEBYTECODE": "1"},
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=_START_WITHIN,
        )
    except subprocess.TimeoutExpired as error:
        raise ServerFailed(f"{kind} did not start in {_START_WITHIN} s; its logs are in {directory}") from error
    if done.returncode != 0:
        raise ServerFailed(f"{kind} did not start: {done.stderr[-4000:]}")
