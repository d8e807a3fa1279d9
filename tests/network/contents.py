"""What lies under the names of a remote, or of a cache, read behind everybody's back and compared with what the names
promise."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from datatool.errors import FormatError
from datatool.formats.gc_record import decode_condemn, decode_drop
from datatool.formats.index_list import decode_index_list
from datatool.formats.pack import pack_path, read_pack
from datatool.formats.remote_format import decode_cache_format, decode_remote_format
from datatool.formats.shard import LOOSE, Shard
from datatool.remote.state import alternative_path

TEMP = ".datatool-tmp-"
"""What files are called that are being written."""

Contents = Mapping[str, bytes]
"""The bytes of every name."""


def directory_contents(top: Path, *, without: tuple[str, ...] = ("tmp",)) -> dict[str, bytes]:
    """Every file below a directory by its name there, but those in the parts `without`."""
    found: dict[str, bytes] = {}
    for directory, parts, files in os.walk(top):
        if Path(directory) == top:
            parts[:] = [part for part in parts if part not in without]
        for file in files:
            path = Path(directory, file)
            found[path.relative_to(top).as_posix()] = path.read_bytes()
    return found


def cache_contents(cache: Path) -> dict[str, bytes]:
    """What a cache holds, without the memory of remotes and users."""
    return directory_contents(cache, without=("tmp", "remotes", "users"))


def troubles_of(contents: Contents, *, listed: bool = True) -> list[str]:
    """What is wrong: names whose bytes are cut off, not theirs, or not readable, and names that nobody knows. With
    `listed`, what a shard names must be there too."""
    found = [text for name, data in sorted(contents.items()) if (text := _trouble(name, data))]
    if not listed or found:
        return found
    return [
        f"{name} names {missing}, which is not there"
        for name, data in sorted(contents.items())
        if name.startswith("index/")
        for missing in sorted(_named_by(data) - contents.keys())
    ]


def _trouble(name: str, data: bytes) -> str | None:
    part, _, rest = name.partition("/")
    stem, _, suffix = rest.replace("/", "").partition(".")
    try:
        if name == "FORMAT":
            decode_cache_format(data)
        elif name == "datatool-remote.json":
            decode_remote_format(data)
        elif name == "index.list":
            decode_index_list(data)
        elif part not in {"objects", "packs", "index", "gc"}:
            return f"{name} belongs to nobody"
        elif hashlib.sha256(data).hexdigest() != stem:
            return f"{name} has {len(data)} bytes that are not its own"
        elif part == "packs":
            read_pack(data)
        elif part == "index":
            Shard(data)
        elif part == "gc":
            (decode_condemn if suffix == "condemn" else decode_drop)(data)
    except FormatError as error:
        return f"{name}: {error}"
    return None


def _named_by(shard_data: bytes) -> set[str]:
    """The names that a shard needs."""
    shard = Shard(shard_data)
    names = {pack_path(pack) for pack in shard.header.packs}
    for record in shard.records():
        if record.kind == LOOSE:
            suffix = shard.header.alt[record.ordinal - 1] if record.ordinal else ""
            names.add(alternative_path(record.oid, suffix) if suffix else f"objects/{record.oid[:2]}/{record.oid[2:]}")
    return names


def in_shards(contents: Contents) -> set[str]:
    """The names that some shard knows of: what the next push counts on."""
    return {name for part, data in contents.items() if part.startswith("index/") for name in _named_by(data)}


def unlisted(contents: Contents) -> list[str]:
    """The shards that readers who can't list would not find."""
    listed = decode_index_list(contents["index.list"]).shards if "index.list" in contents else ()
    shards = {name: Shard(data).header for name, data in contents.items() if name.startswith("index/")}
    superseded = {old for header in shards.values() for old in header.supersedes}
    return [name for name in sorted(shards) if name[6:70] not in {*listed, *superseded}]
