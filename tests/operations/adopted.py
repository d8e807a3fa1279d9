"""What tests of adding with hardlinks begin and end with."""

from __future__ import annotations

import os
import random
from pathlib import Path

import needs
from datatool.hashing import digest
from world import Ran, World

BIG = random.Random(2).randbytes(9 << 20)
MIDDLING = BIG[: 70 << 10]


def add(world: World, *words: str) -> Ran:
    """As an ordinary user, whom modes bind."""
    return world.process("add", *words, before=needs.without_root_override())


def cached(world: World, data: bytes) -> Path:
    oid = digest(data)
    return world.cache / "objects" / oid[:2] / oid[2:]


def same(one: Path, two: Path) -> bool:
    return one.exists() and two.exists() and os.path.samefile(one, two)


def all_objects_are_right(world: World) -> bool:
    loose = [path for path in (world.cache / "objects").rglob("*") if path.is_file() and len(path.name) == 62]
    return bool(loose) and all(digest(path.read_bytes()) == path.parent.name + path.name for path in loose)
