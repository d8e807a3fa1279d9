"""Running the user's command: in the foreground, with what is typed and shown passed through."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from datatool.errors import LocalError, NotFoundError
from datatool.interruption import Terminated, deferred
from datatool.model.paths import show


def run_process(
    command: Sequence[str], *, directory: Path, environ: Mapping[str, str], stdout: int | None = None
) -> int:
    """Run a command to its end: its exit code, minus the signal that ended it. `stdout` is a file descriptor for its
    standard output, ours otherwise.

    Interrupted, it waits until the command has ended, then raises KeyboardInterrupt or Terminated; interrupted once
    more, it kills the command. Raises NotFoundError for a program that is not there, LocalError for one that can't run.
    """
    process: subprocess.Popen[bytes] | None = None
    try:
        with deferred():
            process = subprocess.Popen(command, cwd=directory, env=dict(environ), stdout=stdout)
        return process.wait()
    except (KeyboardInterrupt, Terminated) as error:
        if process is not None:
            _stop(process, error)
        raise
    except FileNotFoundError as error:
        raise NotFoundError(
            f"{show(command[0])}: no such command", hint="what stands behind -- is run as it is, without a shell"
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise LocalError(f"{show(command[0])}: can't be run: {reason}", path=command[0]) from error


def _stop(process: subprocess.Popen[bytes], error: BaseException) -> None:
    """Let the command end: a terminal has told it of Ctrl-C itself, anything else told only us."""
    try:
        if isinstance(error, Terminated):
            process.terminate()
        elif not _shares_terminal():
            process.send_signal(signal.SIGINT)
        process.wait()
    except (KeyboardInterrupt, Terminated):
        process.kill()
        process.wait()


def _shares_terminal() -> bool:
    """Whether Ctrl-C at a terminal reaches the command as it reaches us."""
    try:
        return os.isatty(0) and os.tcgetpgrp(0) == os.getpgrp()
    except (OSError, AttributeError):
        return False
