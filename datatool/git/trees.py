"""What a commit holds: through libgit2, which starts no process however many files are asked for, or else by git.

Where libgit2 refuses a repository (sha256 or reftable, another owner) or lacks an object (a partial clone), git itself
is asked (`datatool.git.revision`). libgit2 is loaded at the first question, as most lists and comparisons are of the
work tree.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from datatool.forks import load_module
from datatool.git.revision import pointers_at as pointers_by_git
from datatool.git.worktree import Worktree


def pointers_at(worktree: Worktree, commit: str, within: Sequence[bytes] = ()) -> Iterator[tuple[bytes, bytes]]:
    """Every file named `*.dt` of a commit with its bytes, sorted; one larger than a pointer may be is left out."""
    libgit2 = _libgit2()
    try:
        yield from libgit2.pointers_at(worktree, commit, within)
    except libgit2.Unreadable:
        yield from pointers_by_git(worktree, commit, within)


def _libgit2() -> Any:
    return load_module("datatool.git.libgit2")
