"""What tests of `gc` share: things that nobody needs, and time that has passed."""

from __future__ import annotations

import os
import time
from pathlib import Path

from datatool.hashing import digest
from world import World, held

NOW = ("gc", "--apply", "--keep-days", "0")
DAY = 86_400


def has(world: World, data: bytes, cache: Path | None = None) -> bool:
    return digest(data) in held(cache or world.cache)


def in_trash(cache: Path) -> list[Path]:
    return [path for path in (cache / "trash").rglob("*") if path.is_file()]


def a_day_later(cache: Path, seconds: int = DAY + 60) -> None:
    """As if what lies in the trash had been put there a day ago."""
    for batch in (cache / "trash").glob("*/*"):
        then = batch.stat().st_mtime - seconds
        os.utime(batch, (then, then))


def aged(cache: Path, days: int) -> None:
    """As if everything had come into the cache some days ago."""
    then = time.time() - days * DAY
    for part in ("objects", "packs"):
        for path in (cache / part).rglob("*"):
            if path.is_file():
                os.utime(path, (then, then))


def unneeded(world: World, path: str = "gone.bin", data: bytes = b"nobody needs this") -> bytes:
    """Data that was added and whose pointer is nowhere any more."""
    world.write(path, data)
    world.ok("add", path)
    world.git("rm", "-q", "-f", "--cached", f"{path}.dt")
    (world.root / f"{path}.dt").unlink()
    (world.root / path).unlink()
    for database in world.local.glob("state.db*"):
        database.unlink()  # what was last saved is needed, too
    return data
