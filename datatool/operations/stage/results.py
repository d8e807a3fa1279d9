"""Results of stages: found by fingerprint, kept, and turned back into values."""

from __future__ import annotations

import errno
import math
import os
import platform
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Final

from msgspec import Struct

from datatool.errors import DamagedResult, DatatoolError, PathNotFound
from datatool.git.worktree import head_commit
from datatool.hashing import hash_fd
from datatool.localfs.atomic import local_error
from datatool.model.oid import ObjectId
from datatool.model.paths import show
from datatool.model.pointer import ArtifactKind
from datatool.model.result import Encoding, Library, ResultFormat
from datatool.model.run import RunCode, RunEnvironment, RunFile, RunKind, RunRecord
from datatool.model.stage import Fact, FactKind, StageResult
from datatool.project.project import Project
from datatool.stages.environment import host, user
from datatool.stages.result_formats import read_pickle, read_result, write_result
from datatool.stages.run_store import Known, find_runs, keep_lookup, lookup_name, put_run
from datatool.stages.seal import is_ours, seal
from datatool.stages.sink import Sink

_SHOWN: Final = 40
"""Characters of a stranger's word that are told."""


class Result(Struct, frozen=True, kw_only=True):
    """A result that is known: the record of the run that made it, and how its content is read."""

    run: ObjectId
    record: RunRecord
    encoding: Encoding

    @property
    def file(self) -> RunFile:
        """The content."""
        return self.record.outputs[0]


class Made(Struct, frozen=True, kw_only=True):
    """What a stage did: `started` in seconds since 1970, `duration` in seconds."""

    name: str
    fingerprint: str
    facts: tuple[Fact, ...]
    inputs: tuple[RunFile, ...]
    functions: Mapping[str, str]
    started: float
    duration: float
    share: bool


def find_result(
    project: Project, fingerprint: str, *, declared: ResultFormat | None, ttl: float | None, environ: Mapping[str, str]
) -> Result | None:
    """The newest result with a fingerprint that may be read as the stage says, and is not older than `ttl` seconds;
    whether its bytes are here is another matter."""
    for known in find_runs(project.cache, fingerprint, project.config.project or ""):
        found = usable(known, declared, environ)
        if found is not None and (ttl is None or time.time() - found.record.ended <= ttl):
            return found
    return None


def is_here(project: Project, result: Result) -> bool:
    """Whether the cache has the content."""
    return project.cache.has(result.file.oid)


def load(project: Project, result: Result) -> object:
    """The value. Raises FormatError for bytes that are none, PathNotFound where the content is damaged or gone."""
    try:
        opened = project.cache.reader(result.file.oid)
    except KeyError:
        raise PathNotFound(f"{result.record.name}: its result is not in the cache, or was damaged there") from None
    with opened if isinstance(opened, BytesIO) else BufferedReader(opened) as file:
        if result.encoding.format is ResultFormat.PICKLE:
            return read_pickle(file, name=result.record.name)
        return read_result(file, result.encoding, name=result.record.name)


def save(project: Project, value: object, encoding: Encoding, made: Made, environ: Mapping[str, str]) -> Result:
    """Keep a value and the record that leads to it; nothing is synced, see `written`. Raises UsageError for a value
    that the format can't hold, LocalError."""
    size = 0

    def fill(fd: int) -> ObjectId:
        nonlocal size
        try:
            with os.fdopen(os.dup(fd), "w+b") as file:
                write_result(value, encoding, file)
                file.flush()
                size = os.fstat(fd).st_size
        except OSError as error:
            if isinstance(error, DatatoolError) or error.errno not in (errno.ENOSPC, getattr(errno, "EDQUOT", None)):
                raise
            raise local_error(error, project.cache.top, _size_of(value, encoding)) from error
        os.lseek(fd, 0, os.SEEK_SET)
        return hash_fd(fd, size)

    with project.cache.writer(synced=False) as writer:
        oid = writer.receive(fill, 0)
        output = RunFile(path=_label(made.name, encoding), kind=ArtifactKind.FILE, oid=oid, size=size)
        record = _record(project, made, _stage_result(made, encoding, oid, environ), output)
        run = put_run(writer, record)
    keep_lookup(project.cache, made.fingerprint, run, synced=False)
    return Result(run=run, record=record, encoding=encoding)


def _size_of(value: object, encoding: Encoding) -> int:
    sink = Sink()
    write_result(value, encoding, sink)  # type: ignore[arg-type]
    return sink.tell()


def written(project: Project, result: Result) -> Sequence[Path]:
    """The files that hold a result and its record, to be synced."""
    cache = project.cache
    return (
        cache.loose_path(result.file.oid),
        cache.loose_path(result.run),
        cache.top / lookup_name(result.record.fingerprint, result.run),
    )


def usable(known: Known, declared: ResultFormat | None, environ: Mapping[str, str]) -> Result | None:
    """A record as a result, if it is one that the stage's own definition allows to be read."""
    with suppress(DamagedResult):
        return as_result(known, declared, environ)
    return None


def as_result(known: Known, declared: ResultFormat | None, environ: Mapping[str, str]) -> Result:
    """A record as a result; nothing that it says by itself decides how its content is read. Raises DamagedResult for
    one that the stage's own definition does not allow to be read."""
    record = known.record
    stage = record.stage
    if stage is None or len(record.outputs) != 1:
        raise _no_good(known, "it is of no stage with one result")
    try:
        encoding = Encoding(format=ResultFormat(stage.format), library=Library(stage.library))
    except ValueError:
        name = f"{stage.format[:_SHOWN]} of {stage.library[:_SHOWN]}"
        raise _no_good(known, f"nobody knows how to read {show(name)}") from None
    if declared is not None and encoding.format is not declared:
        raise _no_good(known, f"it is kept as {encoding.format}, and the stage says {declared}")
    oid = record.outputs[0].oid
    if encoding.format is ResultFormat.PICKLE and not is_ours(stage.seal, record.fingerprint, oid, environ):
        raise _no_good(known, "it is a pickle that was not made here")
    if math.isinf(record.ended):
        raise _no_good(known, "it does not say when it was made")
    return Result(run=known.oid, record=record, encoding=encoding)


def _no_good(known: Known, why: str) -> DamagedResult:
    return DamagedResult(f"run {known.oid[:12]}: {why}")


def _stage_result(made: Made, encoding: Encoding, oid: ObjectId, environ: Mapping[str, str]) -> StageResult:
    pickled = encoding.format is ResultFormat.PICKLE
    return StageResult(
        format=encoding.format.value,
        library=encoding.library.value,
        facts=made.facts,
        share=made.share and not pickled,
        seal=seal(made.fingerprint, oid, environ) if pickled else None,
    )


def _record(project: Project, made: Made, stage: StageResult, output: RunFile) -> RunRecord:
    packages = {fact.name: fact.shown for fact in made.facts if fact.kind is FactKind.PACKAGE}
    return RunRecord(
        fingerprint=made.fingerprint,
        project=project.config.project or "",
        kind=RunKind.STAGE,
        name=made.name,
        code=RunCode(commit=_commit(project), functions=made.functions),
        inputs=made.inputs,
        outputs=(output,),
        parameters={fact.name: fact.shown for fact in made.facts if fact.kind is FactKind.ARGUMENT},
        metrics={},
        started=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(made.started)),
        duration=round(made.duration, 3),
        host=host(),
        user=user(),
        environment=RunEnvironment(python=platform.python_version(), platform=platform.platform(), packages=packages),
        stage=stage,
    )


def _label(name: str, encoding: Encoding) -> bytes:
    """What a result is called in its record; no place in the workspace."""
    return os.fsencode(name.replace(":", ".") + encoding.suffix)


_commits: dict[Path, tuple[tuple[int, ...], str | None]] = {}
"""The commit of each work tree, as long as git notes no other: asking git takes longer than a short stage."""


def _commit(project: Project) -> str | None:
    worktree = project.worktree
    if worktree is None:
        return None
    stamp = tuple(_changed_at(worktree.git_dir / name) for name in ("HEAD", "logs/HEAD"))
    if 0 in stamp:  # git keeps no log, or has nothing to log yet; whatever moves HEAD makes a lock beside it
        stamp += (_changed_at(worktree.git_dir),)
    known = _commits.get(worktree.git_dir)
    if known is None or known[0] != stamp:
        known = _commits[worktree.git_dir] = (stamp, head_commit(worktree))
    return known[1]


def _changed_at(path: Path) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0
