"""The fingerprint of a run: the hash of all that determines its outputs. What is equal need not run again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from datatool.formats.run_record import canonical
from datatool.hashing import digest
from datatool.model.oid import ObjectId, prefixed
from datatool.model.run import RunFile, RunKind


def command_fingerprint(
    *,
    command: Sequence[str],
    directory: str,
    parameters: Mapping[str, object],
    inputs: Iterable[RunFile],
    outputs: Iterable[bytes],
    code: Mapping[bytes, ObjectId],
    secrets: str | None = None,
) -> str:
    """Of a command: its words and parameters (already without secrets), where it runs, what it was said to read and
    write, the files of code that it names, and the seal of its secrets. Raises FormatError for parameters that JSON has
    not."""
    values: dict[str, object] = {
        "v": 1,
        "kind": RunKind.COMMAND.value,
        "command": list(command),
        "directory": directory,
        "parameters": dict(parameters),
        "inputs": _inputs(inputs),
        "outputs": sorted(_text(path) for path in outputs),
        "code": {_text(path): prefixed(oid) for path, oid in code.items()},
    }
    return _hash(values, secrets)


def program_fingerprint(
    *,
    kind: RunKind,
    entry: str | None,
    name: str,
    functions: Mapping[str, str],
    arguments: Sequence[str] = (),
    directory: str | None = None,
    parameters: Mapping[str, object],
    inputs: Iterable[RunFile],
    secrets: str | None = None,
) -> str:
    """Of a Python program, or a block in one: the code that its entry reaches, the program's arguments (already without
    secrets), where it ran unless that is the project's root or outside, what it read, and the seal of its secrets;
    blocks of one program are told apart by their names. Raises FormatError for parameters that JSON has not."""
    values: dict[str, object] = {
        "v": 1,
        "kind": kind.value,
        "entry": entry,
        "functions": dict(functions),
        "parameters": dict(parameters),
        "inputs": _inputs(inputs),
    }
    if arguments:
        values["arguments"] = list(arguments)
    if directory:
        values["directory"] = directory
    if kind is RunKind.BLOCK:
        values["name"] = name
    return _hash(values, secrets)


def _inputs(files: Iterable[RunFile]) -> list[list[str]]:
    return sorted([_text(file.path), prefixed(file.oid)] for file in files)


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


def _hash(values: Mapping[str, object], secrets: str | None) -> str:
    return str(digest(canonical(values if secrets is None else {**values, "secrets": secrets})))
