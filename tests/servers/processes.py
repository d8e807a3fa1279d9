"""The processes that make up one server: they log to files, and none of them outlives the process that started it."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from servers.ports import wait_until
from servers.process_tree import descendants

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class ServerFailed(Exception):
    """A server did not start; the message holds the end of its log."""


class Processes:
    """Starts processes in one directory and ends them all."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._running: list[tuple[str, subprocess.Popen[bytes]]] = []

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, name: str, command: Sequence[str | os.PathLike[str]]) -> int:
        """Start a program that stays in the foreground and return its process id; it logs to `NAME.log`."""
        with open(self.log(name), "ab") as log:
            process = subprocess.Popen(
                command,
                cwd=self.directory,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - the keeper has no threads
            )
        self._running.append((name, process))
        return process.pid

    def run(self, name: str, command: Sequence[str | os.PathLike[str]], *, seconds: float = 60) -> str:
        """Run a program to its end and return what it printed; a failure is `ServerFailed`."""
        try:
            done = subprocess.run(
                command,
                cwd=self.directory,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=seconds,
                preexec_fn=_die_with_parent,
            )
        except subprocess.TimeoutExpired as error:
            raise ServerFailed(f"{name} took more than {seconds} s") from error
        if done.returncode != 0:
            raise ServerFailed(f"{name} failed ({done.returncode}): {done.stdout[-1000:]}{done.stderr[-2000:]}")
        return done.stdout

    def wait_until(self, happened: Callable[[], bool], *, seconds: float, what: str) -> None:
        """Wait for a server to be ready; one that ended meanwhile, or is too slow, is `ServerFailed`."""

        def happened_or_died() -> bool:
            for name, process in self._running:
                if process.poll() is not None:
                    raise ServerFailed(f"{name} ended with {process.returncode}: {self._tail(name)}")
            return happened()

        try:
            wait_until(happened_or_died, seconds=seconds, what=what)
        except TimeoutError as error:
            logs = "".join(f"\n{name}: {self._tail(name)}" for name, _ in self._running)
            raise ServerFailed(f"{error}{logs}") from error

    def stop(self) -> None:
        """End all of them, the last one first, with all they started; no test server has anything to save."""
        while self._running:
            _, process = self._running.pop()
            for pid in (process.pid, *descendants(process.pid)):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            process.wait()

    def log(self, name: str) -> Path:
        return self.directory / f"{name}.log"

    def environment(self) -> dict[str, str]:
        """Nothing of the user's, as in the tests themselves."""
        return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self.directory), "LC_ALL": "C.UTF-8"}

    def _tail(self, name: str) -> str:
        return self.log(name).read_text(errors="replace")[-2000:]


def _die_with_parent() -> None:
    """Called in the child: the kernel kills it when its parent ends, however that ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
