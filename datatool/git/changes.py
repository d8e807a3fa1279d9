"""What differs from the commit that is checked out, as one hash."""

from __future__ import annotations

from datatool.git.worktree import Worktree, ask
from datatool.hashing import digest

_NOT_CODE = (":(exclude,glob)**/*.dt", ":(exclude,glob)**/.gitignore")


def code_difference(worktree: Worktree) -> str | None:
    """The sha256 of what the files that git tracks differ from HEAD in, staged or not; None where they don't, and
    before the first commit. Pointers and ignore lines don't count: they say what data there is."""
    if worktree.head is None:
        return None
    options = ["--binary", "--full-index", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames"]
    found = ask(worktree, ["diff", *options, "HEAD", "--", ".", *_NOT_CODE])
    return str(digest(found.out)) if found.out else None
