"""Run records in the cache: an object each, and the look-up from a fingerprint to the records that have it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Set
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from datatool.cache.local import Cache
from datatool.cache.writer import CacheWriter
from datatool.errors import FormatError
from datatool.formats.run_record import decode_run, encode_run
from datatool.hashing import digest
from datatool.localfs.atomic import write_file
from datatool.model.oid import ObjectId, parse_oid
from datatool.model.run import RunCode, RunKind, RunRecord
from datatool.model.settings import Durability
from datatool.store.objects import Wanted

_FINGERPRINT: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


class Known(NamedTuple):
    """A record and its id."""

    oid: ObjectId
    record: RunRecord


def lookup_name(fingerprint: str, oid: ObjectId) -> str:
    """The name in a store that leads from a fingerprint to a record; it holds nothing."""
    return f"{lookup_directory(fingerprint)}/{oid}"


def lookup_directory(fingerprint: str) -> str:
    """Where the names of all records with a fingerprint lie. Raises ValueError for what is none.

    >>> lookup_directory("ab" * 32)[:8]
    'runs/ab/'
    """
    if not _FINGERPRINT.fullmatch(fingerprint):
        raise ValueError(f"not a fingerprint (64 lower-case hex digits): {fingerprint!r:.80}")
    return f"runs/{fingerprint[:2]}/{fingerprint[2:]}"


def save_run(cache: Cache, record: RunRecord, *, synced: bool = True) -> ObjectId:
    """Keep a record, then its look-up; its id. What is not `synced` the caller makes durable. Raises FormatError for
    what a record can't hold, and LocalError."""
    data = encode_run(record)
    oid = digest(data)
    cache.keep([(oid, data)], synced=synced)
    keep_lookup(cache, record.fingerprint, oid, synced=synced)
    return oid


def put_run(writer: CacheWriter, record: RunRecord) -> ObjectId:
    """Keep a record together with what else a writer takes; its id. The look-up comes afterwards, see `keep_lookup`.
    Raises FormatError for what a record can't hold."""
    data = encode_run(record)
    oid = digest(data)
    writer.put(Wanted(oid, len(data), b"", True), data)
    return oid


def keep_lookup(cache: Cache, fingerprint: str, oid: ObjectId, *, synced: bool = True) -> None:
    """Make a record that is in the cache known by its fingerprint."""
    path = cache.top / lookup_name(fingerprint, oid)
    if not path.exists():
        write_file(path, b"", durability=cache.durability if synced else Durability.NONE, like=cache.top)


_decoded: Final[dict[ObjectId, RunRecord]] = {}
"""Records that this process has read, the one used last at the end: what an id names never changes."""
_KEPT: Final = 2000


def load_run(cache: Cache, oid: ObjectId) -> RunRecord | None:
    """The record with an id; None where the cache has none that reads: another version's, or a stranger's."""
    with suppress(KeyError, FormatError):
        return read_run(cache, oid)
    return None


def read_run(cache: Cache, oid: ObjectId) -> RunRecord:
    """The record with an id. Raises KeyError where the cache lacks it, FormatError for what is none."""
    known = _decoded.pop(oid, None)
    if known is None or not cache.has(oid):
        known = decode_run(cache.load(oid), name=f"run {oid[:12]}")
    _decoded[oid] = known
    while len(_decoded) > _KEPT:
        del _decoded[next(iter(_decoded))]
    return known


def find_runs(cache: Cache, fingerprint: str, project: str) -> list[Known]:
    """A project's records that have a fingerprint, the newest first."""
    top = cache.top / lookup_directory(fingerprint)
    found = [known for known in _loaded(cache, top) if known.record.fingerprint == fingerprint]
    ours = [known for known in found if known.record.project == project]
    return sorted(ours, key=lambda known: _age(top, known), reverse=True) if len(ours) > 1 else ours


def all_runs(cache: Cache, project: str) -> Iterator[Known]:
    """All records of a project, in no order."""
    for first in _names(cache.top / "runs"):
        for rest in _names(cache.top / "runs" / first):
            for known in _loaded(cache, cache.top / "runs" / first / rest):
                if known.record.project == project:
                    yield known


def stage_runs(cache: Cache, project: str) -> list[Known]:
    """All records of a project's stages, the newest first."""
    found = [known for known in all_runs(cache, project) if known.record.stage is not None]
    return sorted(
        found, key=lambda known: _age(cache.top / lookup_directory(known.record.fingerprint), known), reverse=True
    )


def look_ups(cache: Cache) -> Iterator[tuple[Path, ObjectId]]:
    """Every look-up, of any project, with the id of the record that it leads to."""
    for first in _names(cache.top / "runs"):
        for rest in _names(cache.top / "runs" / first):
            for name in _names(cache.top / "runs" / first / rest):
                with suppress(ValueError):
                    yield cache.top / "runs" / first / rest / name, parse_oid(name)


def recorded_inputs(cache: Cache, project: str, entry: str, cells: Set[str] = frozenset()) -> list[bytes]:
    """What the newest run of a script or notebook read, and the newest of each block in it, as paths from the project's
    root; empty if none is known. A kernel that did not know its notebook's file is known by the `cells` (hashes) of the
    notebook, if most that ran in it are there."""
    runs = list(all_runs(cache, project))
    found = [known for known in runs if known.record.code.entry == entry]
    found = found or [known for known in runs if _mostly(known.record.code, cells)]
    found.sort(key=lambda known: _age(cache.top / lookup_directory(known.record.fingerprint), known))
    newest = {_part(known.record): known.record for known in found}
    return sorted({file.path for record in newest.values() for file in record.inputs})


def _part(record: RunRecord) -> str | None:
    """The name of the block of a program that a record describes; None for the program as a whole."""
    return record.name if record.kind is RunKind.BLOCK else None


def _mostly(code: RunCode, cells: Set[str]) -> bool:
    ran = set(code.functions.values()) if code.entry is None else set()
    return len(ran & cells) * 2 > len(ran)


def _loaded(cache: Cache, directory: Path) -> Iterator[Known]:
    for name in _names(directory):
        with suppress(ValueError):
            oid = parse_oid(name)
            record = load_run(cache, oid)
            if record is not None:
                yield Known(oid, record)


def _age(directory: Path, known: Known) -> tuple[str, int]:
    return known.record.started, _kept_at(directory, known.oid)


def _kept_at(directory: Path, oid: ObjectId) -> int:
    """When a record came here: tells runs of one second apart."""
    try:
        return os.stat(directory / oid).st_mtime_ns
    except OSError:
        return 0


def _names(directory: Path) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return []
