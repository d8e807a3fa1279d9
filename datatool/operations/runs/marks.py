"""Marks of runs under way: files in the git directory that name each run's outputs, and in which programs tell of it.

A run that is killed leaves its mark. What then lies at its outputs is half a result, and nobody's edits.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from datatool.formats.run_record import canonical
from datatool.localfs.append import append
from datatool.localfs.atomic import make_dirs, remove_file
from datatool.project.project import Project


@contextmanager
def marked(project: Project, outputs: Sequence[bytes]) -> Iterator[Path]:
    """Mark a run as under way, for as long as the block lasts; gives the file in which programs tell of it.

    Older marks of the same outputs go: whoever holds the outputs' locks knows that nobody works on them.
    """
    directory = _directory(project)
    make_dirs(directory, like=project.local.parent)
    path = directory / secrets.token_hex(8)
    lines = [{"role": "command", "root": str(project.root), "path": _text(output)} for output in outputs]
    append(path, b"".join(canonical(line) + b"\n" for line in lines), create=True)
    for old, named in _marks(project):
        if old != path and named and named <= set(outputs):
            remove_file(old)
    try:
        yield path
    finally:
        remove_file(path)


def left_over(project: Project, outputs: Sequence[bytes]) -> frozenset[bytes]:
    """Those of some outputs, whose locks are held, at which a run was killed."""
    return frozenset(output for _, named in _marks(project) for output in outputs if output in named)


def forget_marks(project: Project, outputs: Sequence[bytes]) -> None:
    """Take away the marks of killed runs, once what they left is out of the way."""
    for path, named in _marks(project):
        if named and named <= set(outputs):
            remove_file(path)


def _directory(project: Project) -> Path:
    return project.local / "tmp" / "runs"


def _marks(project: Project) -> Iterator[tuple[Path, set[bytes]]]:
    try:
        names = sorted(os.listdir(_directory(project)))
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in names:
        path = _directory(project) / name
        try:
            data = path.read_bytes()
        except OSError:
            continue  # it ended just now
        yield path, {output for line in data.splitlines() if (output := _output(line, project)) is not None}


def _output(line: bytes, project: Project) -> bytes | None:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, dict) or values.get("role") != "command" or values.get("root") != str(project.root):
        return None
    return str(values.get("path")).encode("utf-8", "surrogateescape")


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")
