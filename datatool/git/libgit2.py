"""What a commit holds, read through libgit2: no process is started, however many files are asked for.

Importing this costs 70 ms; `datatool.git.trees` does it when a revision is listed or compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pygit2

from datatool.git.pointers import SUFFIX
from datatool.git.revision import POINTER_LIMIT, TreeFile
from datatool.git.worktree import Worktree


class Unreadable(Exception):
    """libgit2 can't read this; git may."""


def pointers_at(worktree: Worktree, commit: str, within: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    """Every file named `*.dt` of a commit with its bytes, sorted. Raises Unreadable."""
    repository = _open(worktree)
    found = {
        (file.path, _blob(repository, file.blob))
        for part in within or (b"",)
        for file in _files(repository, commit, part)
        if file.path.endswith(SUFFIX) and file.mode in _REGULAR and (file.size or 0) <= POINTER_LIMIT
    }
    return sorted(found)


_REGULAR = (0o100644, 0o100755)


def _open(worktree: Worktree) -> pygit2.Repository:
    try:
        return pygit2.Repository(str(worktree.git_dir), pygit2.enums.RepositoryOpenFlag.NO_SEARCH)
    except (pygit2.GitError, KeyError, ValueError) as error:
        raise Unreadable from error


def _files(repository: pygit2.Repository, commit: str, within: bytes) -> Iterator[TreeFile]:
    try:
        top = repository[commit].peel(pygit2.Tree)
        if within:
            entry = _entry(top, within)
            if entry is None:
                return
            if not isinstance(entry, pygit2.Tree):
                yield _file(within, entry)
                return
            top = entry
        yield from _walk(top, within + b"/" if within else b"")
    except (pygit2.GitError, KeyError, ValueError) as error:
        raise Unreadable from error


def _entry(tree: pygit2.Tree, path: bytes) -> pygit2.Object | None:
    found: pygit2.Object = tree
    for name in path.split(b"/"):
        if not isinstance(found, pygit2.Tree):
            return None
        inner = next((entry for entry in found if entry.raw_name == name), None)
        if inner is None:
            return None
        found = inner
    return found


def _walk(tree: pygit2.Tree, prefix: bytes) -> Iterator[TreeFile]:
    for entry in sorted(tree, key=_tree_order):
        path = prefix + (entry.raw_name or b"")
        if isinstance(entry, pygit2.Tree):
            yield from _walk(entry, path + b"/")
        else:
            yield _file(path, entry)


def _tree_order(entry: pygit2.Object) -> bytes:
    return (entry.raw_name or b"") + (b"/" if isinstance(entry, pygit2.Tree) else b"")


def _file(path: bytes, entry: pygit2.Object) -> TreeFile:
    size = entry.size if isinstance(entry, pygit2.Blob) else None
    return TreeFile(path, int(entry.filemode), size, str(entry.id))


def _blob(repository: pygit2.Repository, blob: str) -> bytes:
    try:
        found = repository[blob]
    except (pygit2.GitError, KeyError, ValueError) as error:
        raise Unreadable from error
    if not isinstance(found, pygit2.Blob):
        raise Unreadable(blob)
    return found.data
