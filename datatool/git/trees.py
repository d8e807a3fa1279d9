"""What a commit holds, read through libgit2: no process is started, however many files are asked for.

Where libgit2 refuses a repository (sha256 or reftable, another owner) or lacks an object (a partial clone), git itself
is asked (`datatool.git.revision`). Importing this costs 70 ms, so only commands that list or compare revisions do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pygit2

from datatool.git.pointers import SUFFIX
from datatool.git.revision import POINTER_LIMIT, TreeFile
from datatool.git.revision import pointers_at as pointers_by_git
from datatool.git.revision import tree_files_at as files_by_git
from datatool.git.worktree import Worktree

_BLOB = pygit2.enums.ObjectType.BLOB
_TREE = pygit2.enums.ObjectType.TREE


def tree_files_at(worktree: Worktree, commit: str, within: bytes = b"") -> Iterator[TreeFile]:
    """Every file of a commit at or below a path, sorted, with its mode, size and blob id (see TreeFile)."""
    try:
        found = list(_files(_open(worktree), commit, within))
    except _Unreadable:
        yield from files_by_git(worktree, commit, within)
        return
    yield from found


def pointers_at(worktree: Worktree, commit: str, within: Sequence[bytes] = ()) -> Iterator[tuple[bytes, bytes]]:
    """Every file named `*.dt` of a commit with its bytes, sorted; one larger than a pointer may be is left out."""
    try:
        repository = _open(worktree)
        found = [
            (file.path, _blob(repository, file.blob))
            for part in within or (b"",)
            for file in _files(repository, commit, part)
            if file.path.endswith(SUFFIX) and file.mode in _REGULAR and (file.size or 0) <= POINTER_LIMIT
        ]
    except _Unreadable:
        yield from pointers_by_git(worktree, commit, within)
        return
    yield from sorted(set(found))


_REGULAR = (0o100644, 0o100755)


class _Unreadable(Exception):
    """libgit2 can't read this; git may."""


def _open(worktree: Worktree) -> pygit2.Repository:
    try:
        return pygit2.Repository(str(worktree.git_dir), pygit2.enums.RepositoryOpenFlag.NO_SEARCH)
    except (pygit2.GitError, KeyError, ValueError) as error:
        raise _Unreadable from error


def _files(repository: pygit2.Repository, commit: str, within: bytes) -> Iterator[TreeFile]:
    try:
        top = repository[commit].peel(pygit2.Tree)
        if within:
            entry = _entry(top, within)
            if entry is None:
                return
            if entry.type != _TREE:
                yield _file(within, entry)
                return
            top = entry
        yield from _walk(top, within + b"/" if within else b"")
    except (pygit2.GitError, KeyError, ValueError) as error:
        raise _Unreadable from error


def _entry(tree: pygit2.Tree, path: bytes) -> pygit2.Object | None:
    found: pygit2.Object = tree
    for name in path.split(b"/"):
        if found.type != _TREE:
            return None
        inner = next((entry for entry in found if entry.raw_name == name), None)
        if inner is None:
            return None
        found = inner
    return found


def _walk(tree: pygit2.Tree, prefix: bytes) -> Iterator[TreeFile]:
    for entry in sorted(tree, key=lambda entry: entry.raw_name + (b"/" if entry.type == _TREE else b"")):
        path = prefix + entry.raw_name
        if entry.type == _TREE:
            yield from _walk(entry, path + b"/")
        else:
            yield _file(path, entry)


def _file(path: bytes, entry: pygit2.Object) -> TreeFile:
    size = entry.size if entry.type == _BLOB else None
    return TreeFile(path, int(entry.filemode), size, str(entry.id))


def _blob(repository: pygit2.Repository, blob: str) -> bytes:
    try:
        data: bytes = repository[blob].data
    except (pygit2.GitError, KeyError, ValueError) as error:
        raise _Unreadable from error
    return data
