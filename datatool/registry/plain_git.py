"""Files that git itself keeps: every registry has some, and a repository without any tool has nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Final

from datatool.cache.local import SMALL, Cache
from datatool.errors import DatatoolError, GitError
from datatool.git.blobs import blob_sizes, copy_blob
from datatool.git.revision import TreeFile
from datatool.hashing import digest
from datatool.localfs.temps import scratch_file
from datatool.model.entry import EXECUTABLE, FILE, SYMLINK
from datatool.model.paths import show_bytes
from datatool.progress import Task
from datatool.registry.offer import Brought, Offer, Origin, Root
from datatool.registry.view import View
from datatool.store.objects import Wanted

_LINK: Final = 0o120000
_SUBMODULE: Final = 0o160000
_GROUP: Final = 32 << 20
"""Bytes of small files read together."""


class GitReader:
    """The files of one commit, as git has them."""

    def __init__(self, view: View) -> None:
        self._view = view

    def roots(self, within: bytes) -> Iterator[Root]:
        """None: git tracks file by file."""
        return iter(())

    def hidden(self, path: bytes) -> bool:
        """No file only serves git itself that is not hidden by somebody else."""
        return False

    def offers(self, within: bytes) -> Iterator[Offer]:
        """Every file and link at or below a path; submodules are other repositories."""
        for file in self._view.files(within):
            if file.mode != _SUBMODULE:
                yield Offer(file.path, _kind(file), Origin.GIT, size=file.size, handle=file, ident=f"git:{file.blob}")

    def owns(self, offer: Offer) -> bool:
        """Whether an offer came from here."""
        return offer.origin is Origin.GIT and isinstance(offer.handle, TreeFile)

    def links(self, offers: Sequence[Offer]) -> dict[bytes, bytes]:
        """The targets of offers that are links, by path."""
        files = [offer.handle for offer in offers if offer.kind == SYMLINK and isinstance(offer.handle, TreeFile)]
        return self._view.read(files, limit=1 << 16)

    def prepare(self, offers: Sequence[Offer]) -> None:
        """Have the bytes of offers in the repository, to be brought later."""
        self._view.bring(offer.handle for offer in offers if isinstance(offer.handle, TreeFile))

    def bring(self, offers: Sequence[Offer], cache: Cache, task: Task) -> Iterator[Brought]:
        """Save the files into a cache, as any data: their ids are known then."""
        files = [(offer, offer.handle) for offer in offers if isinstance(offer.handle, TreeFile)]
        self._view.bring(file for _, file in files)
        sizes = blob_sizes(self._view.repository, [file.blob for _, file in files])
        small = [(offer, file) for offer, file in files if sizes[file.blob] <= SMALL]
        with cache.writer() as writer:
            for group in _groups(small, sizes):
                texts = self._view.blobs({file.blob for _, file in group})
                for offer, file in group:
                    data = texts[file.blob]
                    oid = digest(data)
                    writer.put(Wanted(oid, len(data), offer.path), data, task)
                    yield offer, oid
            for offer, file in files:
                if sizes[file.blob] > SMALL:
                    try:
                        with scratch_file(cache.top / "tmp") as fd:
                            copy_blob(self._view.repository, file.blob, fd)
                            os.lseek(fd, 0, os.SEEK_SET)
                            oid = writer.save(fd, sizes[file.blob])
                    except GitError as error:
                        yield offer, _failed(offer, error)
                        continue
                    task.advance(bytes=sizes[file.blob], files=1)
                    yield offer, oid


def _kind(file: TreeFile) -> str:
    if file.mode == _LINK:
        return SYMLINK
    return EXECUTABLE if file.mode & 0o111 else FILE


def _groups(files: Sequence[tuple[Offer, TreeFile]], sizes: dict[str, int]) -> Iterator[list[tuple[Offer, TreeFile]]]:
    group: list[tuple[Offer, TreeFile]] = []
    held = 0
    for offer, file in files:
        if group and held + sizes[file.blob] > _GROUP:
            yield group
            group, held = [], 0
        group.append((offer, file))
        held += sizes[file.blob]
    if group:
        yield group


def _failed(offer: Offer, error: GitError) -> DatatoolError:
    return GitError(f"{show_bytes(offer.path)}: {error.message}", hint=error.hint, path=os.fsdecode(offer.path))
