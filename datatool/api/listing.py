"""What a project or registry offers."""

from __future__ import annotations

import builtins
from dataclasses import dataclass

from datatool.api.options import checked
from datatool.api.words import Named, Where
from datatool.errors import PathNotFound
from datatool.operations.listed import ListEntry
from datatool.operations.result import Part
from datatool.views.parts import show_table


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry(Part):
    """One path, relative to the repository's top, with `/` between names.

    `kind` is `file`, `directory` or `symlink`; `origin` who keeps it: `datatool`, `git`, `dvc` or `lfs`. `size` is in
    bytes, None where it is not known without downloading; `oid` is `sha256:…`, of data only. `problem` says why the
    content can't be told.
    """

    path: str
    kind: str
    origin: str
    size: int | None = None
    oid: str | None = None
    executable: bool = False
    problem: str | None = None

    def __fspath__(self) -> str:
        """Its path, so that an entry may stand wherever a path does."""
        return self.path


class Entries(builtins.list[Entry]):
    """A list of entries, which a notebook shows as a table."""

    def _repr_html_(self) -> str:
        return show_table(self)


@checked
def list(
    path: Where = "", repo: Where | None = None, rev: str | None = None, *, recursive: bool = False
) -> builtins.list[Entry]:
    """What this project, or a registry, has at a path: data and git-tracked files together, sorted.

    >>> for entry in datatool.list("music", repo="https://example.org/registry.git", rev="v1.0"):
    ...     print(entry.path, entry.kind, entry.size)

    One level deep, or everything below with `recursive`. Of data nothing is downloaded but the lists of directories.
    `path`, `repo` and `rev` are those of `open`, and so are the errors; `""` is the top.
    """
    named = Named(path, repo, rev)
    with named.opened() as found:
        first: PathNotFound | None = None
        for at in found.paths(named.name):
            try:
                return Entries(_entry(entry) for entry in found.content.entries(at, recursive=recursive))
            except PathNotFound as error:
                first = first or error
        assert first is not None
        raise first


def _entry(found: ListEntry) -> Entry:
    return Entry(
        path=found.path,
        kind=found.kind,
        origin=found.origin,
        size=found.size,
        oid=found.oid,
        executable=found.executable,
        problem=found.problem,
    )
