"""Starting a program on Linux without `subprocess`, whose import costs more than running git does."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping

_CHUNK = 1 << 20
_RESTORED = (signal.SIGPIPE, signal.SIGXFSZ)
"""Python ignores these two; a program it starts must not inherit that."""


def run_process(
    line: list[bytes], environ: Mapping[str, str], input: bytes | None, *, relay: bool, output: int | None = None
) -> tuple[int, bytes, bytes]:
    """Run a program, given by its full path, to its end: exit code (minus the signal), stdout, stderr.

    With `relay`, both outputs go to our stderr as they come, and are returned as stderr; with `output`, stdout goes
    into that open file and is not returned.
    Input and stderr lie in memory files, so that only one pipe is open and no side can wait for the other.
    """
    opened: list[int] = []
    try:
        actions: list[tuple[int, ...] | tuple[int, int, str, int, int]] = []
        if input is None:
            actions.append((os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0))
        else:
            source = _memory_file(opened, input)
            actions.append((os.POSIX_SPAWN_DUP2, source, 0))
        out, target = os.pipe()
        opened += [out, target]
        actions.append((os.POSIX_SPAWN_DUP2, target if output is None else output, 1))
        errors = -1 if relay else _memory_file(opened, b"")
        actions.append((os.POSIX_SPAWN_DUP2, target if relay else errors, 2))
        pid = 0
        try:
            pid = os.posix_spawn(line[0], line, environ, file_actions=actions, setsigdef=_RESTORED)
            opened.remove(target)
            os.close(target)
            chunks: list[bytes] = []
            while chunk := os.read(out, _CHUNK):
                chunks.append(chunk)
                if relay:
                    os.write(2, chunk)
            _, status = os.waitpid(pid, 0)
        except BaseException:
            # An interrupt: the program must not outlive the command that asked for it.
            if pid:
                os.kill(pid, signal.SIGTERM)
                os.waitpid(pid, 0)
            raise
        code = os.waitstatus_to_exitcode(status)
        return (code, b"", b"".join(chunks)) if relay else (code, b"".join(chunks), _whole(errors))
    finally:
        for fd in opened:
            os.close(fd)


def _memory_file(opened: list[int], data: bytes) -> int:
    fd = os.memfd_create("datatool-git")
    opened.append(fd)
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _whole(fd: int) -> bytes:
    size = os.fstat(fd).st_size
    parts: list[bytes] = []
    at = 0
    while at < size:
        part = os.pread(fd, min(_CHUNK, size - at), at)
        if not part:
            break
        parts.append(part)
        at += len(part)
    return b"".join(parts)
