"""What the program of this process has read and written until now: in all of its runs, and in all of its processes.

Memory knows no blocks: what a block writes may come of a file that was read before it, and what a worker process writes
of one that its parent read. So each process remembers what it tracked, a forked child what its parent had tracked, too,
and where a program may have several processes they tell each other, in a file of the project's local directory.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from msgspec import Struct, field

from datatool.forks import wait_before_forks
from datatool.model.oid import ObjectId
from datatool.model.run import RunFile
from datatool.operations.runs.process_names import name_of_process

_KEY: Final = "datatool_program"
"""Among what `multiprocessing` hands from a process to the workers that it starts, however it starts them."""


class Files(Struct, kw_only=True):
    """What was read and written in one project; what was written before it was read is no news from outside."""

    read: dict[tuple[bytes, ObjectId], RunFile] = field(default_factory=dict)
    written: dict[bytes, None] = field(default_factory=dict)

    def note_read(self, file: RunFile) -> bool:
        """A file was read; whether that is news."""
        if (file.path, file.oid) in self.read or self.wrote(file.path):
            return False
        self.read[file.path, file.oid] = file
        return True

    def note_written(self, path: bytes) -> bool:
        """A file is written by the program, or is going to be; whether that is news."""
        is_news = path not in self.written
        self.written[path] = None
        return is_news

    def wrote(self, path: bytes) -> bool:
        """Whether a file, or a directory around it, was written."""
        while path and path not in self.written:
            path = path.rpartition(b"/")[0]
        return bool(path)


class _Program:
    def __init__(self) -> None:
        self.lock = wait_before_forks(threading.Lock())
        self.files: dict[Path, Files] = {}
        self.untold: dict[Path, tuple[list[RunFile], list[bytes]]] = {}
        self.places: set[Path] = set()
        self.name: str | None = None
        self.forked = False


_program: Final = _Program()


def note_read(root: Path, file: RunFile) -> None:
    """This process read a file in the project at `root`."""
    with _program.lock:
        if _program.files.setdefault(root, Files()).note_read(file):
            _program.untold.setdefault(root, ([], []))[0].append(file)


def note_written(root: Path, path: bytes) -> None:
    """This process writes a file in the project at `root`."""
    with _program.lock:
        if _program.files.setdefault(root, Files()).note_written(path):
            _program.untold.setdefault(root, ([], []))[1].append(path)


def files_of_program(root: Path, heard: Files | None = None) -> list[RunFile]:
    """What the program read in the project at `root`, as far as this process knows: by itself, and as it `heard`."""
    heard = heard or Files()
    with _program.lock:
        known = list((_program.files.get(root) or Files()).read.values())
    own = [file for file in known if (file.path, file.oid) not in heard.read and not heard.wrote(file.path)]
    return [*heard.read.values(), *own]


def untold(root: Path, local: Path) -> tuple[list[RunFile], list[bytes]]:
    """What this process read and wrote in a project since the last call: what its program's other processes have to be
    told, in the project's local directory."""
    with _program.lock:
        _program.places.add(local)
        return _program.untold.pop(root, ([], []))


def places_of_first() -> list[Path]:
    """The local directories in which this process told others, where it is its program's first."""
    is_first = _program.name is not None and _program.name.partition("-")[0] == str(os.getpid())
    return sorted(_program.places) if is_first else []


def may_have_workers() -> bool:
    """Whether this process may have children that work for it, or be one."""
    return _program.forked or "multiprocessing.process" in sys.modules


def program_name() -> str:
    """What all processes of this program call it, and no other program that runs here."""
    if _program.name is None:
        _program.name = _given() or name_of_process(os.getpid()) or f"{os.getpid()}-{os.urandom(8).hex()}"
    return _program.name


def program_names() -> Iterable[str]:
    """The same, and what workers called it that were started before it said so."""
    return dict.fromkeys((program_name(), name_of_process(os.getpid()) or program_name()))


def tell_workers_the_name() -> None:
    """See that workers that are started from now on know of which program they are."""
    process = sys.modules.get("multiprocessing.process")
    if process is not None:
        config = getattr(process.current_process(), "_config", None)
        if isinstance(config, dict):
            config.setdefault(_KEY, program_name())


def _given() -> str | None:
    """The name that a worker's parent has for the program."""
    process = sys.modules.get("multiprocessing.process")
    if process is None:
        return None
    config, parent = getattr(process.current_process(), "_config", None), process.parent_process()
    given = config.get(_KEY) if isinstance(config, dict) else None
    if isinstance(given, str) and given.replace("-", "").isalnum():
        return given
    return name_of_process(parent.pid) if parent is not None and parent.pid is not None else None


def _before_fork() -> None:
    _program.forked = True
    program_name()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork)
