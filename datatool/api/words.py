"""What every function of the interface is told: which project or registry, which revision, which path."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from msgspec import Struct

from datatool.api.telling import logger
from datatool.api.where import Where as Where
from datatool.operations.contents.open_content import Asked, Opened, open_content
from datatool.progress import Silent


class Logged(Silent):
    """Tells the logger `datatool` what the terminal would show."""

    def warn(self, message: str, *, hint: str | None = None) -> None:
        """A warning."""
        logger.warning("%s%s", message, f" ({hint})" if hint else "")

    def hint(self, message: str) -> None:
        """Useful, and no problem."""
        logger.info("%s", message)


class Named(Struct, frozen=True):
    """What a program names, in the words that the functions of the interface share (`datatool.open` explains them)."""

    path: Where
    repo: Where | None = None
    rev: str | None = None
    remote: str | None = None

    @property
    def name(self) -> str:
        """The path as text."""
        return os.fspath(self.path)

    @contextmanager
    def opened(self) -> Iterator[Opened]:
        """What holds it: a registry, or the project around it."""
        inside = self.repo is None and os.path.isabs(self.name)
        place = nearest_directory(Path(self.name)) if inside else Path.cwd()
        with opening(self.repo, self.rev, self.remote, cwd=place) as found:
            yield found


def opening(repo: Where | None, rev: str | None, remote: str | None, *, cwd: Path) -> AbstractContextManager[Opened]:
    """Open a registry, or the project around a directory."""
    where = None if repo is None else os.fspath(repo)
    return open_content(Asked(repo=where, rev=rev, remote=remote, cwd=cwd, environ=os.environ), progress=Logged())


def nearest_directory(path: Path) -> Path:
    """The nearest directory at or around a path."""
    while not path.is_dir() and path != path.parent:
        path = path.parent
    return path
