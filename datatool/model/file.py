"""`File`: a file or directory that a stage reads."""

from __future__ import annotations

import os

from datatool.errors import UsageError


class File:
    """A file or directory as the input of a stage: it counts by its content, and reaches the function as a `Path`.

    >>> @datatool.stage(raw=datatool.File("raw/in.csv"))
    ... def clean(raw):
    ...     return pandas.read_csv(raw)

    A tracked one that is not here is fetched when the stage has to run. A relative path means the same as for
    `track`; the calling file is that of the stage. Raises UsageError (a ValueError) for what is no path.
    """

    __slots__ = ("path",)

    def __init__(self, path: str | os.PathLike[str]) -> None:
        name = os.fspath(path) if isinstance(path, str | os.PathLike) else None
        if not isinstance(name, str) or not name:
            raise UsageError(f"File({path!r}): is no path", hint='File("raw/in.csv")')
        self.path = name

    def __repr__(self) -> str:
        return f"File({self.path!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, File) and other.path == self.path

    def __hash__(self) -> int:
        return hash(("datatool.File", self.path))
