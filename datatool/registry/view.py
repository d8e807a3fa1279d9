"""One commit of a repository, read piece by piece and each piece once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from datatool.git.blobs import bring_blobs, read_blobs
from datatool.git.repository import Repository, tree_entries, tree_files
from datatool.git.revision import POINTER_LIMIT, TreeFile

TEXT_LIMIT = 16 << 20
"""Bytes: pointers, lists and configuration of others are never larger; what is, is not read."""

_TELLING = (b".datatool/config.yaml", b".dvc", b".gitattributes")
"""What the readers look for in a directory."""
_REGULAR = (0o100644, 0o100755)


class View:
    """What a commit holds. Paths are raw bytes from the repository's top, `/` between names, `b""` the top itself."""

    def __init__(self, repository: Repository, commit: str) -> None:
        self.repository = repository
        self.commit = commit
        self._files: dict[bytes, list[TreeFile]] = {}
        self._entries: dict[bytes, TreeFile | None] = {}
        self._texts: dict[str, bytes] = {}

    def files(self, within: bytes = b"") -> list[TreeFile]:
        """Every file, link and submodule at or below a path, sorted by path."""
        if within not in self._files:
            everything = self._files.get(b"")
            if within in self._entries and self._entries[within] is None:
                self._files[within] = []
            elif everything is None:
                self._files[within] = tree_files(self.repository, self.commit, within)
            else:
                inside = within + b"/"
                self._files[within] = [
                    file for file in everything if file.path == within or file.path.startswith(inside)
                ]
        return self._files[within]

    def look_around(self, within: bytes) -> None:
        """Ask git in two questions what its readers will ask in many: what lies at a path, what may be a pointer to it,
        and what says of the directories around it who keeps what there."""
        parts = within.split(b"/") if within else []
        around = [b"/".join(parts[:depth]) for depth in range(len(parts) + 1)]
        pointers = [path + b".dt" for path in around[1:]]
        found = self.find(
            [within, *pointers, *(top + b"/" + name if top else name for top in around for name in _TELLING)]
        )
        small = (file for path, file in found.items() if path != within and file.mode in _REGULAR)
        self.read(small, limit=POINTER_LIMIT)

    def find(self, paths: Iterable[bytes]) -> dict[bytes, TreeFile]:
        """What lies at exactly these paths (a directory has the mode TREE_MODE); one question for all of them."""
        wanted = list(dict.fromkeys(path for path in paths if path))
        unknown = [path for path in wanted if path not in self._entries]
        if unknown:
            found = tree_entries(self.repository, self.commit, unknown)
            self._entries.update((path, found.get(path)) for path in unknown)
        return {path: file for path in wanted if (file := self._entries[path]) is not None}

    def read(self, files: Iterable[TreeFile], *, limit: int = TEXT_LIMIT) -> dict[bytes, bytes]:
        """The bytes of small files by path, all brought in one request; files above `limit` bytes are left out."""
        wanted = list(files)
        unknown = {file.blob for file in wanted} - self._texts.keys()
        if unknown:
            sizes = {file.blob: file.size for file in wanted if file.blob in unknown and file.size is not None}
            if len(sizes) == len(unknown):
                fitting = (blob for blob, size in sizes.items() if size <= limit)
                self._texts.update(read_blobs(self.repository, fitting))
            else:
                self._texts.update(read_blobs(self.repository, unknown, limit=limit))
        return {file.path: self._texts[file.blob] for file in wanted if file.blob in self._texts}

    def text(self, path: bytes) -> bytes | None:
        """The bytes of one small file; None if there is none at that path."""
        found = self.find([path])
        return self.read(found.values()).get(path) if found else None

    def bring(self, files: Iterable[TreeFile]) -> None:
        """Have the bytes of files here, in one request, to be read later one by one."""
        bring_blobs(self.repository, (file.blob for file in files))

    def blobs(self, blobs: Iterable[str]) -> Mapping[str, bytes]:
        """The bytes of blobs by id; for those that fit in memory together."""
        return read_blobs(self.repository, blobs)
