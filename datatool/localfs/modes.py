"""The permission bits that new files in a workspace get."""

from __future__ import annotations

from functools import cache

from datatool.localfs.umask import umask


@cache
def file_mode(*, executable: bool) -> int:
    """The bits of a new file, by the umask this process was started with."""
    return (0o777 if executable else 0o666) & ~umask()
