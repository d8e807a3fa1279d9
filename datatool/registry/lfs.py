"""Data that Git LFS keeps: which files of a commit stand for it.

An LFS object's id is the sha256 of its bytes, as ours is: nothing has to be hashed to know what a file is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datatool.cache.local import Cache
from datatool.forks import load_module
from datatool.model.entry import EXECUTABLE, FILE
from datatool.model.paths import show
from datatool.progress import Task
from datatool.registry.access import Access
from datatool.registry.lfs_files import CONFIG, LfsFile, LfsFiles
from datatool.registry.offer import Brought, Offer, Origin, Root
from datatool.registry.view import View

if TYPE_CHECKING:
    from datatool.registry.lfs_objects import LfsObjects


class LfsReader:
    """Reads the LFS pointers of one commit. `cwd` is where git is asked for logins; `environ` stands in for this
    process's environment."""

    def __init__(
        self, view: View, access: Access, *, cwd: Path | None = None, environ: Mapping[str, str] | None = None
    ) -> None:
        self._view = view
        self._access = access
        self._cwd = cwd or Path.cwd()
        self._environ = environ
        self._files = LfsFiles(view)

    # What there is

    def roots(self, within: bytes) -> Iterator[Root]:
        """The files at or below a path."""
        for file in self._files.find(within):
            yield Root(
                path=file.path,
                directory=False,
                origin=Origin.LFS,
                size=None if file.pointer.extensions else file.pointer.size,
                oid=None if file.pointer.extensions else file.pointer.oid,
                executable=file.executable,
                problem=_problem(file),
            )

    def offers(self, within: bytes) -> Iterator[Offer]:
        """The same, as data to be had."""
        for file in self._files.find(within):
            kind = EXECUTABLE if file.executable else FILE
            problem = _problem(file)
            if problem is not None:
                yield Offer(file.path, kind, Origin.LFS, problem=problem, handle=file)
            else:
                pointer = file.pointer
                yield Offer(file.path, kind, Origin.LFS, size=pointer.size, oid=pointer.oid, handle=file)

    def hidden(self, path: bytes) -> bool:
        """Only its configuration: a pointer has the path of the file that it stands for."""
        return path == CONFIG

    def owns(self, offer: Offer) -> bool:
        """Whether an offer came from here."""
        return isinstance(offer.handle, LfsFile)

    # Where its bytes are

    def bring(self, offers: Sequence[Offer], cache: Cache, task: Task) -> Iterator[Brought]:
        """Have the objects of offers in a cache."""
        # Most registries keep nothing in LFS, and need not load what talks to its servers.
        objects: Any = load_module("datatool.registry.lfs_objects")
        bringing: LfsObjects = objects.LfsObjects(self._view, self._access, cwd=self._cwd, environ=self._environ)
        yield from bringing.bring(offers, cache, task)


def _problem(file: LfsFile) -> str | None:
    if not file.pointer.extensions:
        return None
    names = ", ".join(show(name) for name in file.pointer.extensions)
    return f"Git LFS keeps it changed by a program ({names}), which is not run here"
