"""The standard streams: results go to stdout, whoever reads them or stops reading, or closed it before."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout


def write_result(text: str) -> int:
    """Write to stdout now; 0, or 1 with an error on stderr when the bytes could not be written.

    A reader that has gone away (`datatool list | head`) is no error: the command did its work, as its exit code says.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_stdout()
    except OSError as error:
        _discard_stdout()
        sys.stderr.write(f"error: the result can't be written to stdout: {error.strerror}\n")
        return 1
    return 0


@contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """Send what other code prints to stderr, also what programs print that it starts: stdout is for the result."""
    ours = sys.stdout
    ours.flush()
    try:
        kept = os.dup(1)
        os.dup2(2, 1)
    except OSError:  # one of them is closed
        kept = None
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        ours.flush()
        if kept is not None:
            os.dup2(kept, 1)
            os.close(kept)


def replace_closed_streams() -> None:
    """Have a standard stream lead nowhere where whoever started us closed it (`>&-`): else the next file that is opened
    gets its number, and a program that we start writes into that."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_WRONLY if number else os.O_RDONLY)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            os.set_inheritable(number, True)
            setattr(sys, name, os.fdopen(number, "w" if number else "r", encoding="utf-8", closefd=False))


def _discard_stdout() -> None:
    # Python flushes stdout once more at exit and would complain there; what is left must go nowhere.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
