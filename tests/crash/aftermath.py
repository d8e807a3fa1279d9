"""What must hold after a command was killed anywhere: every name absent, old or complete, in the promised order."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

from datatool.formats.shard import LOOSE, Shard
from datatool.model.oid import parse_oid

TEMP = ".datatool-tmp-"
_OID = re.compile(rb"^oid: sha256:([0-9a-f]{64})$", re.MULTILINE)

type_of_store = {"FORMAT": "datatool-cache", "datatool-remote.json": "datatool-remote"}


def check_store(top: Path) -> None:
    """Every object, pack and shard below a cache or a directory remote has the bytes its name promises."""
    for name, magic in type_of_store.items():
        if (top / name).exists():
            assert json.loads((top / name).read_bytes())["magic"] == magic, f"{top / name} is torn"
    for path in _named(top, "objects"):
        parts = path.relative_to(top / "objects").parts
        assert _hash(path) == (parts[0] + parts[1])[:64], f"{path} is torn"
    for path in _named(top, "packs"):
        parts = path.relative_to(top / "packs").parts
        assert _hash(path) == parts[0] + parts[1].removesuffix(".pack"), f"{path} is torn"
    for path in _named(top, "index"):
        assert _hash(path) == path.name.removesuffix(".dti"), f"{path} is torn"
        check_shard(top, Shard(path.read_bytes()))
    for path in _named(top, "runs"):
        assert not path.read_bytes(), f"{path} holds something"
        assert is_held(top, path.name), f"{path} leads to a record that is not there"
    for path in _named(top, "gc"):
        assert _hash(path) == path.name.split(".")[0], f"{path} is torn"


def check_shard(top: Path, shard: Shard) -> None:
    """What a shard lists was there before the shard."""
    thrown = {path.stem for path in _named(top / "trash", "packs")}
    for pack in shard.header.packs:
        assert pack in thrown or (top / "packs" / pack[:2] / f"{pack[2:]}.pack").exists(), (
            f"a shard names the pack {pack}, which is missing"
        )
    for record in shard.records():
        if record.kind == LOOSE and record.ordinal == 0:
            hexed = str(record.oid)
            assert loose(top, hexed).exists(), f"a shard names the object {hexed}, which is missing"


def check_pointer(path: str, found: bytes | None, cache: Path, *, old: bytes | None, new: bytes | None) -> None:
    """A pointer is absent, old or new, and what it names is in the cache."""
    assert found in (old, new), f"{path} is neither the old nor the new pointer: {found!r}"
    if found is not None and found == new:
        match = _OID.search(found)
        assert match, f"{path} names no object"
        assert is_held(cache, match[1].decode()), f"{path} names an object that is not in the cache"


def read_oid(pointer: bytes) -> str:
    """The id that a pointer names."""
    match = _OID.search(pointer)
    assert match, "a pointer names no object"
    return match[1].decode()


def is_held(cache: Path, oid: str) -> bool:
    """Whether a cache has the object, by itself or in a pack."""
    if loose(cache, oid).exists():
        return True
    return any(Shard(path.read_bytes()).find(parse_oid(oid)) for path in _named(cache, "index"))


def loose(top: Path, oid: str) -> Path:
    return top / "objects" / oid[:2] / oid[2:]


def temps(top: Path) -> list[str]:
    """What is left of unfinished writes in a work tree."""
    return sorted(str(path) for path in top.rglob(f"{TEMP}*") if ".git" not in path.parts)


def _named(top: Path, area: str) -> Iterator[Path]:
    for path in sorted((top / area).rglob("*")) if (top / area).is_dir() else ():
        if path.is_file() and not path.name.startswith((TEMP, ".")):
            yield path


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
