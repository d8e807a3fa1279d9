"""What this machine knows to be pushed, without asking: for `status`, which works offline.

A memory only, with the time it is from; what a remote really has is what `datatool.remote.check` finds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from datatool.errors import LocalError
from datatool.hashing import digest
from datatool.localfs.atomic import make_dirs, remove_file, write_file
from datatool.model.oid import ObjectId, parse_oid
from datatool.model.settings import Durability

_MOST: Final = 100_000
"""Roots remembered per remote; the ones longest not heard of go first."""


def known_pushed(memory_dir: Path, url: str, project: str) -> dict[ObjectId, float]:
    """For each root known to be pushed to the remote at `url`, when that was last known (seconds since 1970)."""
    try:
        found = json.loads(_path(memory_dir, url, project).read_bytes())
        return {parse_oid(oid): float(moment) for oid, moment in found["roots"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def remember_pushed(
    memory_dir: Path,
    url: str,
    project: str,
    roots: Iterable[ObjectId],
    *,
    as_of: float,
    forget: Iterable[ObjectId] = (),
) -> None:
    """Add roots that are pushed and take away those found not to be; a memory that can't be written is no error."""
    kept = known_pushed(memory_dir, url, project)
    for oid in (*forget, *(roots := tuple(roots))):
        kept.pop(oid, None)  # so that what is heard of now comes last
    kept.update(dict.fromkeys(roots, as_of))
    data = json.dumps({"roots": dict(list(kept.items())[-_MOST:])}).encode()
    path = _path(memory_dir, url, project)
    with suppress(LocalError, OSError):
        make_dirs(path.parent, like=path.parent)
        write_file(path, data, durability=Durability.NONE, like=path.parent)


def forget_pushed(memory_dir: Path, url: str, project: str) -> None:
    """Forget all of it: before anything is deleted from the remote, the memory of it goes (reliability, rule 5)."""
    with suppress(LocalError, OSError):
        remove_file(_path(memory_dir, url, project))


def _path(memory_dir: Path, url: str, project: str) -> Path:
    key = f"{url}\n{project}".encode(errors="surrogateescape")
    return memory_dir / "pushed" / f"{digest(key)}.json"
