"""Adding to a file that several processes add to."""

from __future__ import annotations

import os
from pathlib import Path

from datatool.localfs.atomic import local_error, write_all

_APPEND = (
    os.O_WRONLY | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
)


def append(path: Path, data: bytes, *, create: bool = False) -> None:
    """Put `data` at the end of a file, in one piece: what others add at the same moment comes before or after it. One
    that is not there is an error, unless it may be made. Raises LocalError."""
    try:
        fd = os.open(path, _APPEND | (os.O_CREAT if create else 0), 0o600)
        try:
            write_all(fd, data)
        finally:
            os.close(fd)
    except OSError as error:
        raise local_error(error, path, len(data)) from error
