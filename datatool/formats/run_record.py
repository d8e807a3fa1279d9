"""Run records: canonical JSON, so that what is equal has equal bytes and one id (formats §5)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Final

from datatool.errors import FormatError
from datatool.formats.fields import Fields
from datatool.formats.json_text import hex_text, others, read_json, required
from datatool.model.oid import prefixed
from datatool.model.paths import PathRefused, check_escape
from datatool.model.pointer import ArtifactKind
from datatool.model.run import RunCode, RunEnvironment, RunFile, RunKind, RunRecord
from datatool.model.stage import Fact, FactKind, StageResult

VERSION: Final = 1
LIMIT: Final = 16 << 20
"""Bytes: a record is never larger."""

_KEYS: Final = (
    *("datatool_run", "fingerprint", "project", "kind", "name", "code", "command", "directory", "parameters"),
    *("noted_parameters", "inputs", "outputs", "metrics", "started", "duration", "host", "user", "environment"),
    *("secrets", "stage", "around", "more_around"),
)
_MAX: Final = (1 << 63) - 1


def canonical(values: Mapping[str, object]) -> bytes:
    """JSON that is the same for equal values: keys sorted, no spaces, ASCII. Raises FormatError for what JSON has not:
    NaN, keys that are no text, objects."""
    try:
        return json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
    except (ValueError, TypeError, RecursionError) as error:
        raise FormatError(f"a run record can't hold this: {error}") from error


def encode_run(record: RunRecord) -> bytes:
    """The bytes of a run record; its id is their sha256. Raises FormatError for values that JSON has not, for paths
    that break an escape rule, which nobody would read back, and for a record that is too large."""
    for path in (*(file.path for file in (*record.read, *record.outputs)), *_texts_of(record)):
        try:
            check_escape(path)
        except PathRefused as error:
            raise FormatError(f"{error}, so the record of {record.name} can't name it") from error
    every: dict[str, object] = {
        **record.more,
        "datatool_run": VERSION,
        "fingerprint": record.fingerprint,
        "project": record.project,
        "kind": str(record.kind),
        "name": record.name,
        "code": _code_values(record.code),
        "command": None if record.command is None else list(record.command),
        "directory": record.directory,
        "parameters": dict(record.parameters),
        "noted_parameters": dict(record.noted_parameters),
        "secrets": record.secrets,
        "inputs": [file_values(file) for file in record.inputs],
        "around": [file_values(file) for file in record.around] or None,
        "more_around": record.more_around or None,
        "outputs": [file_values(file) for file in record.outputs],
        "metrics": dict(record.metrics),
        "started": record.started,
        "duration": record.duration,
        "host": record.host,
        "user": record.user,
        "stage": _stage_values(record.stage) if record.stage is not None else None,
        "environment": _present(
            {
                "python": record.environment.python,
                "platform": record.environment.platform,
                "packages": dict(record.environment.packages),
            }
        ),
    }
    data = canonical(_present(every))
    if len(data) > LIMIT:
        raise FormatError(f"the record of {record.name} is too large (at most {LIMIT >> 20} MiB)")
    return data


def decode_run(data: bytes, *, name: str = "run record") -> RunRecord:
    """Read a run record, perhaps a stranger's. Raises FormatError, and NewerFormat for a later version."""
    if len(data) > LIMIT:
        raise FormatError(f"{name}: too large for a run record (at most {LIMIT >> 20} MiB)", path=name)
    fields = read_json(data, name, version="datatool_run")
    kind = fields.choice("kind", RunKind)
    if kind is None:
        raise fields.missing("kind")
    directory = fields.text("directory")
    if directory:
        _path(fields, "directory")
    return RunRecord(
        fingerprint=hex_text(fields, "fingerprint", 64),
        project=required(fields, "project"),
        kind=kind,
        name=required(fields, "name"),
        code=_code(fields.inner("code")),
        command=fields.texts("command") if fields.values.get("command") is not None else None,
        directory=directory,
        parameters=_values(fields, "parameters"),
        noted_parameters=_values(fields, "noted_parameters"),
        secrets=_seal(fields, "secrets"),
        inputs=_files(fields, "inputs"),
        around=_files(fields, "around") if fields.values.get("around") is not None else (),
        more_around=_more(fields, "more_around"),
        outputs=_files(fields, "outputs"),
        metrics=_values(fields, "metrics"),
        started=required(fields, "started"),
        duration=_seconds(fields, "duration"),
        host=fields.text("host") or "",
        user=fields.text("user") or "",
        environment=_environment(fields.inner("environment")),
        stage=_stage(fields.inner("stage")),
        more=others(fields, _KEYS),
    )


# Writing


def _texts_of(record: RunRecord) -> list[bytes]:
    places = (record.directory, record.code.entry)
    return [place.encode("utf-8", "surrogateescape") for place in places if place]


def _present(values: Mapping[str, object]) -> dict[str, object]:
    """What is there: None and empty mappings are left out."""
    return {key: value for key, value in values.items() if value is not None and value != {}}


def _code_values(code: RunCode) -> dict[str, object]:
    return _present({"commit": code.commit, "diff": code.diff, "entry": code.entry, "functions": dict(code.functions)})


def _stage_values(stage: StageResult) -> dict[str, object]:
    facts = [
        _present(
            {
                "kind": str(fact.kind),
                "name": fact.name,
                "digest": fact.digest,
                "shown": fact.shown or None,
                "where": fact.where or None,
                "lines": " ".join(fact.lines) or None,
            }
        )
        for fact in stage.facts
    ]
    values = {"format": stage.format, "library": stage.library, "facts": facts}
    return _present({**values, "share": stage.share or None, "seal": stage.seal})


def file_values(file: RunFile) -> dict[str, object]:
    """One of a record's files, as JSON has it."""
    return _present(
        {
            "path": file.path.decode("utf-8", "surrogateescape"),
            "kind": str(file.kind),
            "oid": prefixed(file.oid),
            "size": file.size,
            "files": file.files,
            "executable": file.executable or None,
            "noted": file.noted or None,
        }
    )


# Reading


def decode_file(values: Mapping[str, object]) -> RunFile:
    """Read one of a record's files. Raises FormatError."""
    return _file(Fields(values, "run record"))


def _code(fields: Fields | None) -> RunCode:
    if fields is None:
        return RunCode()
    if fields.text("entry") is not None:
        _path(fields, "entry")
    return RunCode(
        commit=fields.text("commit"),
        diff=fields.text("diff"),
        entry=fields.text("entry"),
        functions=dict(fields.pairs("functions")),
    )


def _environment(fields: Fields | None) -> RunEnvironment:
    if fields is None:
        return RunEnvironment(python="", platform="")
    return RunEnvironment(
        python=fields.text("python") or "",
        platform=fields.text("platform") or "",
        packages=dict(fields.pairs("packages")),
    )


def _stage(fields: Fields | None) -> StageResult | None:
    if fields is None:
        return None
    facts = fields.values.get("facts")
    if not isinstance(facts, list) or not all(isinstance(value, Mapping) for value in facts):
        raise fields.wrong("facts", "a list of facts")
    return StageResult(
        format=required(fields, "format"),
        library=required(fields, "library"),
        share=bool(fields.switch("share")),
        seal=_seal(fields, "seal"),
        facts=tuple(_fact(Fields(value, fields.name, f"stage.facts[{at}].")) for at, value in enumerate(facts)),
    )


def _fact(fields: Fields) -> Fact:
    kind = fields.choice("kind", FactKind)
    if kind is None:
        raise fields.missing("kind")
    return Fact(
        kind=kind,
        name=required(fields, "name"),
        digest=hex_text(fields, "digest", 64),
        shown=fields.text("shown") or "",
        where=fields.text("where") or "",
        lines=tuple((fields.text("lines") or "").split()),
    )


def _files(fields: Fields, key: str) -> tuple[RunFile, ...]:
    values = fields.values.get(key)
    if not isinstance(values, list) or not all(isinstance(value, Mapping) for value in values):
        raise fields.wrong(key, "a list of files")
    return tuple(_file(Fields(value, fields.name, f"{key}[{number}].")) for number, value in enumerate(values))


def _more(fields: Fields, key: str) -> int:
    number = fields.number(key) or 0
    if number > _MAX:
        raise fields.wrong(key, "a number of files")
    return number


def _file(fields: Fields) -> RunFile:
    kind, oid = fields.choice("kind", ArtifactKind), fields.oid("oid")
    if kind is None or oid is None:
        raise fields.missing("kind" if kind is None else "oid")
    size, files = fields.number("size"), fields.number("files")
    if size is None or size > _MAX:
        raise fields.wrong("size", "a number of bytes")
    if files is not None and files > _MAX:
        raise fields.wrong("files", "a number of files")
    return RunFile(
        path=_path(fields, "path"),
        kind=kind,
        oid=oid,
        size=size,
        files=files,
        executable=bool(fields.switch("executable")),
        noted=bool(fields.switch("noted")),
    )


def _path(fields: Fields, key: str) -> bytes:
    """A path inside the project, by the escape rules: what is read from a record is written to, and run."""
    text = required(fields, key)
    try:
        path = text.encode("utf-8", "surrogateescape")
        check_escape(path)
    except (UnicodeEncodeError, PathRefused):
        raise fields.wrong(key, "a path inside the project") from None
    if path.decode("utf-8", "surrogateescape") != text:
        raise fields.wrong(key, "a path, with escapes only for bytes that are no UTF-8")
    return path


def _values(fields: Fields, key: str) -> dict[str, object]:
    inner = fields.inner(key)
    return {} if inner is None else dict(inner.values)


def _seal(fields: Fields, key: str) -> str | None:
    return hex_text(fields, key, 64) if fields.text(key) is not None else None


def _seconds(fields: Fields, key: str) -> float:
    value = fields.values.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise fields.wrong(key, "seconds")
    try:
        seconds = float(value)
    except OverflowError:
        seconds = math.inf
    if not 0 <= seconds <= _MAX:
        raise fields.wrong(key, "seconds")
    return seconds
