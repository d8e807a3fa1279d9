"""One call of an operation from Python: its paths, its project, who hears of its progress, and how it fails."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TypeAlias, TypeVar

from msgspec import Struct, field

from datatool.api.words import Logged, Where, nearest_directory
from datatool.errors import UsageError
from datatool.model.paths import viewpoint_kept
from datatool.operations.failures import worst
from datatool.operations.open_project import Project, open_project, project_if_any
from datatool.operations.reach import Reach, offline_by
from datatool.operations.result import Result
from datatool.operations.scripts import meant_by
from datatool.operations.targets import Meant
from datatool.progress import Progress
from datatool.views.install import install

Paths: TypeAlias = Where | Iterable[Where]
"""One path or several; where None may stand, it means everything."""

R = TypeVar("R", bound=Result)

install()


class Call(Struct, frozen=True, kw_only=True):
    """What every operation is told; relative paths start at `cwd`."""

    cwd: Path
    offline: bool
    progress: Progress
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    @property
    def flags(self) -> dict[str, str]:
        """Settings that hold for this call."""
        return {"offline": "true"} if self.offline else {}

    def meant(self, project: Project, targets: Sequence[str]) -> Meant:
        """The paths that are named, with what scripts and notebooks among them track."""
        return meant_by(project, targets, cwd=self.cwd, progress=self.progress)

    def reach(
        self, *, remote: str | None = None, settings: Mapping[str, str] | None = None, jobs: int | None = None
    ) -> Reach:
        """How a registry's data may be reached."""
        pairs = [f"{key}={value}" for key, value in (settings or {}).items()]
        return Reach(remote=remote, settings=pairs, offline=self.offline, jobs=jobs)


def call(project: Where | None, progress: Progress | None, *, offline: bool = False) -> Call:
    """A call that needs no project; `project` is the directory that relative paths start at."""
    return Call(
        cwd=Path.cwd() if project is None else Path(os.path.abspath(project)),
        offline=offline or offline_by(os.environ),
        progress=progress or Logged(),
    )


@contextmanager
def in_project(
    paths: Iterable[str], project: Where | None, progress: Progress | None, *, offline: bool = False
) -> Iterator[tuple[Project, Call]]:
    """Open the project around the directory `project`, else around an absolute first path, else around the current
    directory. Raises ProjectNotFound."""
    made = call(project, progress, offline=offline)
    first = next(iter(paths), "")
    place = nearest_directory(Path(first)) if project is None and os.path.isabs(first) else made.cwd
    with (
        viewpoint_kept(),
        open_project(str(place), flags=made.flags, environ=made.environ, seen_from=str(made.cwd)) as opened,
    ):
        yield opened, made


@contextmanager
def in_project_if_any(
    project: Where | None, progress: Progress | None, *, offline: bool = False
) -> Iterator[tuple[Project | None, Call]]:
    """Open the project around a directory, for what works without one too."""
    made = call(project, progress, offline=offline)
    with viewpoint_kept():
        opened = project_if_any(str(made.cwd), flags=made.flags, environ=made.environ)
        with opened or nullcontext():
            yield opened, made


def names(paths: Paths | None) -> list[str]:
    """Paths as text; none for None.

    An empty list is an error: it may be a selection that came out empty, and "everything" would be a bad surprise.

    >>> names(Path("data/raw")), names(["a", Path("b")]), names(None)
    (['data/raw'], ['a', 'b'], [])
    """
    if paths is None:
        return []
    found = [os.fspath(paths)] if isinstance(paths, str | os.PathLike) else [os.fspath(path) for path in paths]
    if not found:
        raise UsageError("no paths", hint="name some, or leave them out (None) where everything is meant")
    return found


def words(texts: str | Iterable[str]) -> list[str]:
    """One text or several, as a list."""
    return [texts] if isinstance(texts, str) else list(texts)


def settled(result: R) -> R:
    """The result, if all of it worked; else raise what the command line exits with, the result in its `result`."""
    error = worst(result.problems, finished=result.finished)
    if error is None:
        return result
    error.result = result
    raise error
