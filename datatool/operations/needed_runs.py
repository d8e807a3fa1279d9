"""Which run records, and what of their inputs and outputs, are needed."""

from __future__ import annotations

from pathlib import Path

from datatool.cache.gc import Keep
from datatool.cache.local import Cache
from datatool.errors import FormatError, NewerFormat
from datatool.formats.run_record import LIMIT, decode_run
from datatool.model.oid import ObjectId
from datatool.model.run import RunRecord
from datatool.operations.needed import NeededObjects
from datatool.stages.run_store import look_ups


def need_runs(needed: NeededObjects, cache: Cache, *, before: float | None) -> tuple[Path, ...]:
    """Every record of a cache is needed, of whatever project, and so is what it and its program read, and what it made;
    but of those that ended `before` a time (seconds since 1970) only those that a pointer names, alone. Gives the
    look-ups of the others. Raises NewerFormat for a record of a later version: nobody knows what that keeps."""
    old: list[Path] = []
    for path, oid in look_ups(cache):
        record = _record(cache, oid)
        if record is None or oid in needed.runs or before is None or record.ended >= before:
            needed.runs.add(oid)
        else:
            old.append(path)
    for oid in sorted(needed.runs):
        record = _record(cache, oid)
        needed.found.setdefault(oid, Keep.RUNS)
        if record is not None and (before is None or record.ended >= before):
            for file in (*record.read, *record.outputs):
                needed.version(file.oid, file.kind, Keep.RUNS)
    return tuple(old)


def _record(cache: Cache, oid: ObjectId) -> RunRecord | None:
    """None where it isn't here, or is none: what is too large for one is not even read."""
    if cache.sizes([oid]).get(oid, 0) > LIMIT:
        return None
    try:
        return decode_run(cache.load(oid), name=f"run {oid[:12]}")
    except NewerFormat:
        raise
    except (KeyError, FormatError):
        return None
