"""What the programs inside `datatool run` tell of themselves: lines in a file that the environment names.

A program that finds the variable records nothing itself: what it read and made belongs to the command's run. Each line
is a JSON object. Every program adds its lines at once, when it ends.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct, field

from datatool.errors import FormatError
from datatool.formats.run_record import canonical, decode_file, file_values
from datatool.localfs.append import append
from datatool.model.run import RunFile

VARIABLE: Final = "DATATOOL_RUN"
"""The environment variable that names the file."""
_LIMIT: Final = 64 << 20


class Notes(Struct, kw_only=True):
    """What was told of one project: files read, paths written, and what the program said of itself."""

    inputs: dict[bytes, RunFile] = field(default_factory=dict)
    outputs: dict[bytes, None] = field(default_factory=dict)
    parameters: dict[str, object] = field(default_factory=dict)
    metrics: dict[str, object] = field(default_factory=dict)
    python: str | None = None
    packages: dict[str, str] = field(default_factory=dict)


def tell(
    path: Path,
    root: Path,
    *,
    inputs: Iterable[RunFile] = (),
    outputs: Iterable[bytes] = (),
    parameters: Mapping[str, object] | None = None,
    metrics: Mapping[str, object] | None = None,
    python: str | None = None,
    packages: Mapping[str, str] | None = None,
    create: bool = False,
) -> None:
    """Add what a program has to tell of the project at `root`; with `create` the file may be made. Raises
    LocalError, and FormatError for values that JSON has not."""
    where = str(root)
    lines: list[dict[str, object]] = [{"role": "input", **file_values(file)} for file in inputs]
    lines += [{"role": "output", "path": output.decode("utf-8", "surrogateescape")} for output in outputs]
    told = {"parameters": parameters, "metrics": metrics, "python": python, "packages": packages}
    said: dict[str, object] = {key: value for key, value in told.items() if value}
    if said:
        lines.append({"role": "program", **said})
    if lines:
        append(path, b"".join(canonical({"root": where, **line}) + b"\n" for line in lines), create=create)


def read_notes(path: Path, root: Path) -> Notes:
    """What was told of the project at `root`; lines that do not read, as of a killed program, are left out."""
    notes = Notes()
    try:
        data = path.read_bytes()[:_LIMIT]
    except OSError:
        return notes
    for values in _lines(data, root):
        _take(notes, values)
    return notes


def read_files(path: Path, root: Path, after: int = 0) -> tuple[list[RunFile | bytes], int]:
    """What was told behind the first `after` bytes of the project at `root`, in order: the files read and, as their
    paths, those written; and how many bytes that was until then. A line that is half there is left for later."""
    try:
        with open(path, "rb") as file:
            file.seek(after)
            data = file.read(_LIMIT)
    except OSError:
        return [], after
    found: list[RunFile | bytes] = []
    whole = data[: data.rfind(b"\n") + 1]
    for values in _lines(whole, root):
        notes = Notes()
        _take(notes, values)
        found += [*notes.inputs.values(), *notes.outputs]
    return found, after + len(whole)


def _lines(data: bytes, root: Path) -> Iterator[dict[str, object]]:
    for line in data.splitlines():
        try:
            values = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(values, dict) and values.get("root") == str(root):
            yield values


def _take(notes: Notes, values: dict[str, object]) -> None:
    try:
        if values.get("role") == "input":
            file = decode_file(values)
            notes.inputs.setdefault(file.path, file)  # what it saw first is what it saw
        elif values.get("role") == "output":
            notes.outputs[str(values.get("path")).encode("utf-8", "surrogateescape")] = None
        elif values.get("role") == "program":
            for name in ("parameters", "metrics", "packages"):
                told = values.get(name)
                if isinstance(told, dict):
                    getattr(notes, name).update(told)
            python = values.get("python")
            notes.python = python if isinstance(python, str) else notes.python
    except (FormatError, UnicodeEncodeError):
        return
