"""A full disk, in the words of the command that met it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from datatool.errors import NoSpace
from datatool.localfs.atomic import free_text, size_text


@contextmanager
def room_for(
    what: str, needed: int | Callable[[], int] | None, where: str, directory: Path, *, path: str | None = None
) -> Iterator[None]:
    """Say of a full disk what it was for (`data/songs`), how many bytes that needs at most, and how many are free."""
    try:
        yield
    except NoSpace as error:
        total = needed() if callable(needed) else needed
        place = os.path.join(directory, error.path or "")  # which may be on a disk of its own
        needs = f"needs {size_text(total)}, " if total else ""
        raise NoSpace(
            f"{what}: not enough space in {where} ({needs}{free_text(place)} free)",
            hint="free some space, then run the command again: what is finished is kept",
            path=path or error.path,
        ) from error
