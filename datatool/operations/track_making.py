"""A file that a program makes because nobody has it: by one at a time, and never taken for whole when it is not."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from datatool.hashing import digest
from datatool.localfs.atomic import make_dirs, move, remove_file, write_file
from datatool.localfs.locks import Lock
from datatool.model.settings import Durability
from datatool.operations.tracked_files import make_parent
from datatool.project.project import Project


class Making:
    """Held, with `with`, by who makes a file; others on this machine wait."""

    def __init__(self, project: Project, path: bytes) -> None:
        self._project = project
        self._path = path
        lock = project.locks / f"making-{digest(path)[:16]}"
        self._lock = Lock(lock, purpose=f"datatool, process {os.getpid()}", like=project.local.parent)

    def __enter__(self) -> Making:
        self._lock.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.__exit__(kind, error, trace)

    @contextmanager
    def begun(self) -> Iterator[None]:
        """While the file is made and recorded: what is left where that fails, or is killed, is not taken for it."""
        full = _full(self._project, self._path)
        make_parent(os.fspath(full))
        mark = _mark(self._project, self._path)
        write_file(mark, self._path, durability=Durability.NONE)
        try:
            yield
        except BaseException:
            _set_aside(self._project, self._path)
            raise
        finally:
            remove_file(mark)


def set_unfinished_aside(project: Project, path: bytes) -> None:
    """Move away what a killed process left of a file that it was making."""
    if os.path.exists(_mark(project, path)):
        with Making(project, path):
            if os.path.exists(_mark(project, path)):
                _set_aside(project, path)
                remove_file(_mark(project, path))


def _mark(project: Project, path: bytes) -> Path:
    return project.locks / f"making-{digest(path)[:16]}.begun"


def _set_aside(project: Project, path: bytes) -> None:
    full = _full(project, path)
    if os.path.lexists(full):
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime()) + f"-{os.urandom(4).hex()}"
        place = project.local / "lost+found" / stamp / os.fsdecode(path)
        make_dirs(place.parent)
        move(full, place)


def _full(project: Project, path: bytes) -> Path:
    return Path(os.fsdecode(project.workspace.full(path)))
