"""Starting a program where `subprocess` is the way: everywhere but on Linux."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping

_CHUNK = 1 << 16


def run_process(
    line: list[bytes], environ: Mapping[str, str], input: bytes | None, *, relay: bool, output: int | None = None
) -> tuple[int, bytes, bytes]:
    """Run a program, given by its full path, to its end: exit code (minus the signal), stdout, stderr.

    With `relay`, both outputs go to our stderr as they come, and are returned as stderr; with `output`, stdout goes
    into that open file and is not returned.
    """
    running = subprocess.Popen(
        [os.fsdecode(word) for word in line] if os.name == "nt" else list(line),
        env=dict(environ),
        stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
        stdout=subprocess.PIPE if output is None else output,
        stderr=subprocess.STDOUT if relay else subprocess.PIPE,
    )
    try:
        if relay and running.stdout is not None:
            out, err = b"", _passed_on(running.stdout.fileno())
            running.communicate()
        else:
            out, err = running.communicate(input)
    except BaseException:
        # An interrupt: the program must not outlive the command that asked for it.
        running.terminate()
        running.communicate()
        raise
    return running.returncode, out or b"", err or b""


def _passed_on(source: int) -> bytes:
    chunks: list[bytes] = []
    while chunk := os.read(source, _CHUNK):
        chunks.append(chunk)
        os.write(2, chunk)
    return b"".join(chunks)
