"""Where the DVC projects of a repository are: a directory is one that has `.dvc/` in the commit.

A repository may have several, one inside another; a path belongs to the innermost.
"""

from __future__ import annotations

from typing import Final

from datatool.git.repository import TREE_MODE
from datatool.registry.view import View

_MARK = b".dvc"
LOCK: Final = b"dvc.lock"
OLD_NAME: Final = b"Dvcfile"
SERVING: Final = frozenset({LOCK, OLD_NAME, b".dvcignore", b".gitignore"})
"""Names of files that only serve DVC, beside its pointers."""


def dvc_root_of(view: View, path: bytes) -> bytes | None:
    """The DVC project that a path belongs to, `b""` for one at the repository's top; None where there is none."""
    places = [path, *ancestors(path)]
    found = view.find(inside(place, _MARK) for place in places)
    for place in places:
        entry = found.get(inside(place, _MARK))
        if entry is not None and entry.mode == TREE_MODE:
            return place
    return None


def find_dvc_roots(view: View, within: bytes = b"") -> list[bytes]:
    """The DVC projects that may keep something at or below a path: the one it belongs to, and those inside it."""
    around = dvc_root_of(view, within)
    roots = [] if around is None else [around]
    return sorted({*roots, *nested_roots(view, within)})


def nested_roots(view: View, within: bytes) -> set[bytes]:
    """The DVC projects below a path (not the path itself)."""
    found = set()
    for file in view.files(within):
        head, mark, _ = file.path.rpartition(b"/" + _MARK + b"/")
        if mark and head != within and b"/" + _MARK + b"/" not in head + b"/":
            found.add(head)
    return found


def ancestors(path: bytes) -> list[bytes]:
    """The directories around a path, the innermost first, `b""` last; none around the top itself."""
    found = []
    while path:
        path = path.rpartition(b"/")[0]
        found.append(path)
    return found


def inside(directory: bytes, path: bytes) -> bytes:
    """A path in a directory, which may be the top."""
    return directory + b"/" + path if directory else path


def is_within(path: bytes, directory: bytes) -> bool:
    """Whether a path is a directory or lies below it; everything is within the top."""
    return not directory or path == directory or path.startswith(directory + b"/")
