"""The process that holds one server for a whole test run: `python -m servers.keeper KIND DIRECTORY PROGRAMS`.

It starts the server, writes the port it can be joined at to DIRECTORY/keeper.json and goes into the background.
Whoever uses the server holds a connection to that port. The kernel closes it when the user ends, in whatever way; when
nobody holds one any more, the keeper ends what it started, then itself. If the keeper is killed, the kernel kills its
children.
"""

from __future__ import annotations

import importlib
import json
import os
import secrets
import selectors
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

from servers.ports import HOST
from servers.processes import Processes, ServerFailed

STATE = "keeper.json"
DATA = "data"
"""What the server stores. It goes when the keeper ends; logs stay."""

_FIRST_USER_WITHIN = 60.0
_ATTEMPTS = 3


def main(kind: str, directory: Path, programs: dict[str, str]) -> int:
    ready, tell = os.pipe()
    if os.fork():  # whoever started us waits for the answer, not for us
        os.close(tell)
        with open(ready, encoding="utf-8") as answer:
            failure = answer.read()
        sys.stderr.write(failure)
        return 1 if failure else 0
    os.close(ready)
    os.setsid()
    with open(tell, "w", encoding="utf-8") as answer, Processes(directory) as processes:
        try:
            facts = _start(kind, processes, programs)
        except Exception as error:  # noqa: BLE001 - told to the one who waits
            answer.write(f"{type(error).__name__}: {error}\n")
            return 1
        with socket.create_server((HOST, 0)) as listener:
            token = secrets.token_hex(16)
            state = json.dumps({"port": listener.getsockname()[1], "token": token})
            (directory / STATE).write_text(state)
            _quieten()
            answer.close()
            last = _serve(listener, json.dumps({"token": token, "facts": facts}).encode() + b"\n")
        processes.stop()
        shutil.rmtree(directory / DATA, ignore_errors=True)
        if last is not None:
            last.close()  # tells the last user that nothing is left
    return 0


def _start(kind: str, processes: Processes, programs: dict[str, str]) -> dict[str, Any]:
    server = importlib.import_module(f"servers.{kind}")
    for attempt in range(1, _ATTEMPTS + 1):
        shutil.rmtree(processes.directory / DATA, ignore_errors=True)
        (processes.directory / DATA).mkdir()
        try:
            facts: dict[str, Any] = server.start(processes, processes.directory / DATA, programs)
        except ServerFailed:  # most likely a port that somebody else took meanwhile
            processes.stop()
            if attempt == _ATTEMPTS:
                raise
        else:
            return facts
    raise AssertionError("unreachable")


def _serve(listener: socket.socket, greeting: bytes) -> socket.socket | None:
    """Greet users until the last one has gone; its connection is returned, half closed."""
    users: set[socket.socket] = set()
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        while True:
            events = selector.select(timeout=None if users else _FIRST_USER_WITHIN)
            if not events:
                return None
            for key, _ in events:
                if key.fileobj is listener:
                    user, _ = listener.accept()
                    user.sendall(greeting)
                    users.add(user)
                    selector.register(user, selectors.EVENT_READ)
                    continue
                user = key.fileobj  # type: ignore[assignment]
                selector.unregister(user)
                users.remove(user)
                if not users:
                    return user
                user.close()


def _quieten() -> None:
    """Let go of the output of whoever started us, who may wait for its end."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    os.close(nothing)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3])))
