"""What to say of a path that a registry does not have, or has as something that can't be copied."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Iterable
from difflib import SequenceMatcher, get_close_matches
from typing import Final

from datatool.errors import PathNotFound, UnsafeInput
from datatool.git.repository import TREE_MODE, submodule_urls
from datatool.git.revision import TreeFile
from datatool.model.paths import show, show_bytes
from datatool.registry.view import View

_LINK: Final = 0o120000
_SUBMODULE: Final = 0o160000
_SAME_NAME: Final = 0.2
"""How much nearer a path is for having the same last name."""


def missing(view: View, path: bytes, names: Callable[[], Iterable[str]]) -> PathNotFound:
    """The error for a path that can't be had at a commit. `names` are the paths that can, as people see them."""
    shown, typed = view.repository.shown, os.fsdecode(path)
    parts = path.split(b"/")
    around = view.find([b"/".join(parts[:depth]) for depth in range(1, len(parts) + 1)])
    for there in around.values():
        if there.mode == _SUBMODULE:
            return _in_submodule(view, there, path)
        if there.mode == _LINK:
            return _behind_link(view, there, path)
    if path in around and around[path].mode == TREE_MODE:
        return PathNotFound(f"{shown}: nothing in {show_bytes(path)} can be copied", path=typed)
    near = nearest(show_bytes(path), names())
    return PathNotFound(
        f"{shown}: no file or directory {show_bytes(path)} at {view.commit[:10]}",
        hint=f"did you mean {near}?" if near else f"datatool list -R {shown} shows what there is",
        path=typed,
    )


def nearest(path: str, names: Iterable[str]) -> str | None:
    """The path that was probably meant: one of the same last name, wherever it lies, or one that reads much the same.

    >>> nearest("musik/a.txt", ["music/b.txt", "music/a.txt", "a.md"]), nearest("a.txt", ["far/away/from/here/a.txt"])
    ('music/a.txt', 'far/away/from/here/a.txt')
    """
    every = sorted({name for name in names if name})
    last = posixpath.basename(path)
    same = {name for name in every if posixpath.basename(name) == last}
    found = {*same, *get_close_matches(path, every, n=1)}
    return max(sorted(found), key=lambda name: _nearness(path, name) + _SAME_NAME * (name in same), default=None)


def _nearness(path: str, name: str) -> float:
    return SequenceMatcher(None, path, name).ratio()


def led_to(path: bytes, target: bytes) -> bytes | None:
    """Where a link in a repository leads; None if that is outside.

    >>> led_to(b"a/link", b"../b/c"), led_to(b"link", b"../x"), led_to(b"link", b"/etc")
    (b'b/c', None, None)
    """
    place = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    return None if place.startswith(b"/") or place.split(b"/")[0] == b".." else place


def is_link(path: bytes, target: bytes) -> UnsafeInput:
    """The error for one link that is to be copied by itself."""
    place = led_to(path, target)
    return UnsafeInput(
        f"{show_bytes(path)}: is a symlink to {show_bytes(target)}, not a file",
        hint="it leads out of the repository" if place is None else f"name what it leads to: {show_bytes(place)}",
        path=os.fsdecode(path),
    )


def _in_submodule(view: View, there: TreeFile, path: bytes) -> PathNotFound:
    """What a submodule has is another repository's: its URL is said, nothing is asked there."""
    view.text(b".gitmodules")
    url = submodule_urls(view.repository, view.commit).get(there.path)
    what = "is" if there.path == path else f"lies in {show_bytes(there.path)},"
    inside = show_bytes(path[len(there.path) + 1 :]) or "."
    return PathNotFound(
        f"{view.repository.shown}: {show_bytes(path)} {what} a submodule: another repository, at {there.blob[:10]}",
        hint=f"take it from there: datatool get {show(url)} {inside} --rev {there.blob[:10]}" if url else None,
        path=os.fsdecode(path),
    )


def _behind_link(view: View, there: TreeFile, path: bytes) -> PathNotFound:
    target = view.read([there]).get(there.path, b"")
    place = led_to(there.path, target)
    rest = path[len(there.path) :]
    what = "is" if not rest else f"lies behind {show_bytes(there.path)},"
    return PathNotFound(
        f"{view.repository.shown}: {show_bytes(path)} {what} a symlink to {show_bytes(target)}",
        hint="it leads out of the repository" if place is None else f"what it leads to is {show_bytes(place + rest)}",
        path=os.fsdecode(path),
    )
