"""A file that a program makes because nobody has it: by one at a time, and never taken for whole when it is not."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import get_ident
from types import TracebackType

from datatool.errors import Locked, Refused, UsageError
from datatool.localfs.atomic import remove_file, write_file
from datatool.localfs.locks import Lock
from datatool.model.paths import named
from datatool.model.settings import Durability
from datatool.operations.track.aside import move_aside
from datatool.operations.track.files import make_parent
from datatool.operations.track.marks import mark_of, unfinished
from datatool.operations.track.state import Condition, Trees, look
from datatool.progress import Progress
from datatool.project.project import Project

_held: set[tuple[int, Path]] = set()
"""The threads of this process that make files, each with the file's mark."""


class Making:
    """Held, with `with`, by who makes a file; others on this machine wait, or, without `wait`, get Locked. Raises
    UsageError for a thread that would wait for itself."""

    def __init__(self, project: Project, path: bytes, progress: Progress, *, wait: bool = True) -> None:
        self._project = project
        self._path = path
        self._full = Path(os.fsdecode(project.workspace.full(path)))
        self._mark = mark_of(project, path)
        self._is_whole = False
        self._wait = wait
        self._who = get_ident(), self._mark
        self._progress = progress
        self._lock = Lock(
            project.locks / self._mark.name,
            purpose=f"datatool, process {os.getpid()}",
            wait=wait,
            like=project.local.parent,
        )

    def __enter__(self) -> Making:
        if self._wait and self._who in _held:
            name = named(self._path)
            raise UsageError(
                f"{name}: the function that makes it tracks it with a source, too, and would wait for itself",
                hint="let it write the path that it is given, or return the text or bytes",
            )
        self._lock.__enter__()
        _held.add(self._who)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _held.discard(self._who)
        self._lock.__exit__(kind, error, trace)

    @contextmanager
    def begun(self) -> Iterator[None]:
        """While the file is made and recorded: what is left where making fails, or is killed, is not taken for it.
        What was made whole stays, whatever fails then."""
        make_parent(os.fspath(self._full))
        write_file(self._mark, self._path, durability=Durability.NONE, like=self._project.local.parent)
        try:
            yield
        except BaseException:
            if self._is_whole:
                self._progress.warn(f"{named(self._path)}: was made and lies there whole, but is not recorded")
            else:
                self.set_aside()
            raise
        finally:
            remove_file(self._mark)

    def finished(self) -> None:
        """Note that the file is whole."""
        self._is_whole = True

    def set_aside(self) -> None:
        """Move what was left unfinished to lost+found."""
        if os.path.lexists(self._full):
            place = move_aside(self._project, self._path)
            self._progress.warn(f"{named(self._path)}: was not finished when it was made, and lies in {place} now")

    def clear(self) -> None:
        """Forget that a process began to make it."""
        remove_file(self._mark)


@contextmanager
def none_unfinished(project: Project, paths: Sequence[bytes], progress: Progress, *, force: bool) -> Iterator[None]:
    """For who records what lies at some paths. Raises Refused for a file there, or below, that a killed process left
    unfinished; with `force` it is taken as it is. Raises Locked for one that is being made."""
    left = [path for path in unfinished(project) if any((path + b"/").startswith(at + b"/") for at in paths)]
    with ExitStack() as stack:
        for path in left:
            try:
                making = stack.enter_context(Making(project, path, progress, wait=False))
            except Locked:
                name = named(path)
                raise Locked(
                    f"{name}: is being made by a program",
                    hint="wait until it has ended, then run the command again",
                    path=os.fsdecode(path),
                ) from None
            if not force and not _is_recorded(project, path):
                raise _unfinished(path)
            stack.callback(making.clear)
        yield


def _is_recorded(project: Project, path: bytes) -> bool:
    """Whether it was finished and recorded, before the process was killed."""
    return look(project, Trees(project), path).condition is Condition.EQUAL


def _unfinished(path: bytes) -> Refused:
    name = named(path)
    return Refused(
        f"{name}: was left unfinished, as the program that made it was killed",
        hint=f"delete it, so that track() makes it anew; or, if it is whole: datatool add --force {name}",
        path=os.fsdecode(path),
    )
