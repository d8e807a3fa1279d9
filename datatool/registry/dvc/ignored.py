"""`.dvcignore` in a commit: which pointers DVC does not see.

Patterns are those of `.gitignore`, hold below the directory of their file, and a deeper file has the last word. What is
in a directory that is left out is left out with it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, Final

import pathspec

from datatool.registry.dvc.roots import ancestors, inside, is_within
from datatool.registry.view import View

IGNORE_FILE: Final = b".dvcignore"
_ALWAYS: Final = frozenset({b".git", b".hg", b".dvc"})


class Ignored:
    """The rules of one DVC project; `texts` are the files by path, all below `root`."""

    def __init__(self, root: bytes, texts: Mapping[bytes, bytes]) -> None:
        self._root = root
        self._specs: dict[bytes, Any] = {}
        self._known: dict[bytes, bool] = {}
        for path, text in texts.items():
            lines = text.decode("utf-8", "surrogateescape").splitlines()
            self._specs[path.rpartition(b"/")[0]] = _spec(lines)

    def hides(self, path: bytes) -> bool:
        """Whether DVC does not see a file of the project."""
        return self._hides_directory(path.rpartition(b"/")[0]) or self._matches(path, directory=False)

    def _hides_directory(self, path: bytes) -> bool:
        if path == self._root or not is_within(path, self._root):
            return False
        known = self._known.get(path)
        if known is None:
            parent, _, name = path.rpartition(b"/")
            known = name in _ALWAYS or self._hides_directory(parent) or self._matches(path, directory=True)
            self._known[path] = known
        return known

    def _matches(self, path: bytes, *, directory: bool) -> bool:
        if not self._specs:
            return False
        for place in ancestors(path):
            spec = self._specs.get(place)
            if spec is not None and is_within(place, self._root):
                name = os.fsdecode(path[len(place) + 1 if place else 0 :])
                found = spec.check_file(name + "/" if directory else name).include
                if found is not None:
                    return bool(found)
        return False


def _spec(lines: Iterable[str]) -> Any:
    """Rules as git has them; a line that is no pattern is none."""
    good = []
    for line in lines:
        try:
            pathspec.GitIgnoreSpec.from_lines([line], backend="simple")
        except ValueError:
            continue
        good.append(line)
    return pathspec.GitIgnoreSpec.from_lines(good, backend="simple")


def ignored_around(view: View, root: bytes, paths: Iterable[bytes]) -> Ignored:
    """The rules that concern a few paths, without a look at the rest of the commit."""
    places = {place for path in paths for place in ancestors(path) if is_within(place, root)}
    found = view.find(inside(place, IGNORE_FILE) for place in places)
    return Ignored(root, view.read(found.values()))
