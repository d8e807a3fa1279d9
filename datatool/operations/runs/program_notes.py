"""What the processes of one program tell each other: a file in the project's local directory, named by the program."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from datatool.errors import DatatoolError
from datatool.localfs.atomic import make_dirs, remove_file
from datatool.model.run import RunFile
from datatool.operations.runs.process_names import name_of_process
from datatool.stages.notes import VARIABLE, read_files, tell

_OLD: Final = 30 * 24 * 3600.0
"""Seconds without news, after which nobody reads such a file any more: the program was killed, say."""
_GONE: Final = 24 * 3600.0
"""The same where its first process is not on this machine: it ended without a look at what its workers told, or runs on
another one that shares the directory."""


def tell_program(local: Path, program: str, root: Path, read: Iterable[RunFile], written: Iterable[bytes]) -> None:
    """Add what a process of a program read and wrote in the project at `root`. Inside `datatool run` nothing, as there
    all of it belongs to one run. Where the disk refuses, no record will come about either."""
    if os.environ.get(VARIABLE):
        return
    path = _directory(local) / program
    with suppress(DatatoolError):
        if not path.exists():
            make_dirs(path.parent, like=local.parent)
            _forget_old(path.parent)
        tell(path, root, inputs=read, outputs=written, create=True)


def told_to_program(local: Path, programs: Iterable[str], root: Path, read: dict[str, int]) -> list[RunFile | bytes]:
    """What was told under the names of a program since the last call: the files read and, as their paths, those
    written, in order. `read` is how far that was, by name, and is changed."""
    found: list[RunFile | bytes] = []
    for program in programs:
        news, read[program] = read_files(_directory(local) / program, root, read.get(program, 0))
        found += news
    return found


def forget_program(local: Path, programs: Iterable[str]) -> None:
    """Take away what was told. Raises LocalError."""
    for program in programs:
        remove_file(_directory(local) / program)


def _directory(local: Path) -> Path:
    return local / "tmp" / "programs"


def _forget_old(directory: Path) -> None:
    now = time.time()
    for path in directory.iterdir():
        with suppress(OSError, DatatoolError):
            age = now - path.stat().st_mtime
            if age > _GONE and (age > _OLD or name_of_process(path.name.partition("-")[0]) != path.name):
                remove_file(path)
