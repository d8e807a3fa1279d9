"""Writing results to stdout, whoever reads them or stops reading."""

from __future__ import annotations

import os
import sys


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


def _discard_stdout() -> None:
    # Python flushes stdout once more at exit and would complain there; what is left must go nowhere.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
