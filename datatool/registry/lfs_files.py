"""Which files of a commit are kept by Git LFS: those with the attribute `filter=lfs` whose content is a pointer."""

from __future__ import annotations

from typing import Final, NamedTuple

from datatool.formats.git_attributes import ATTRIBUTES, ATTRIBUTES_LIMIT, Attributes
from datatool.formats.lfs_pointer import LFS_POINTER_LIMIT, LfsPointer, parse_lfs_pointer
from datatool.git.revision import TreeFile
from datatool.registry.view import View

CONFIG: Final = b".lfsconfig"
_REGULAR: Final = (0o100644, 0o100755)


class LfsFile(NamedTuple):
    """A path, whether it is executable, and what stands there in place of its bytes."""

    path: bytes
    executable: bool
    pointer: LfsPointer


class LfsFiles:
    """The files of one commit. Blobs are read only where an attribute says that they may be pointers, those of one
    question together."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._found: dict[bytes, list[LfsFile]] = {}

    def find(self, within: bytes) -> list[LfsFile]:
        """Those at or below a path, sorted."""
        if within not in self._found:
            everything = self._found.get(b"")
            if everything is None:
                self._found[within] = self._read(within)
            else:
                inside = within + b"/"
                self._found[within] = [f for f in everything if f.path == within or f.path.startswith(inside)]
        return self._found[within]

    def _read(self, within: bytes) -> list[LfsFile]:
        files = [file for file in self._view.files(within) if file.mode in _REGULAR]
        attributes = self._attributes(within, files)
        if not attributes:
            return []
        candidates = [
            file
            for file in files
            if (file.size is None or file.size <= LFS_POINTER_LIMIT) and attributes.value(file.path) == b"lfs"
        ]
        texts = self._view.read(candidates, limit=LFS_POINTER_LIMIT)
        found = []
        for file in candidates:
            pointer = parse_lfs_pointer(texts[file.path]) if file.path in texts else None
            if pointer is not None:
                found.append(LfsFile(file.path, bool(file.mode & 0o111), pointer))
        return found

    def _attributes(self, within: bytes, files: list[TreeFile]) -> Attributes:
        """What `.gitattributes` around and below a path say of filters."""
        parts = within.split(b"/") if within else []
        around = [b"/".join([*parts[:depth], ATTRIBUTES]) for depth in range(len(parts))]
        found = {file.path: file for file in self._view.find(around).values() if file.mode in _REGULAR}
        found.update((file.path, file) for file in files if file.path.rpartition(b"/")[2] == ATTRIBUTES)
        texts = self._view.read(found.values(), limit=ATTRIBUTES_LIMIT)
        return Attributes(b"filter", {path.rpartition(b"/")[0]: text for path, text in texts.items()})
