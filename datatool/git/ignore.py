"""What git tracks below a path, and which rule makes git ignore one."""

from __future__ import annotations

import os
from collections.abc import Collection

from msgspec import Struct

from datatool.git.command import GitResult, failure
from datatool.git.pointers import literal_patterns
from datatool.git.worktree import Worktree, ask


class IgnoreRule(Struct, frozen=True, kw_only=True):
    """One line of an ignore file: where it stands and what it says.

    `source` is relative to the top of the work tree, or absolute for the user's own file.
    """

    source: str
    line: int
    pattern: str


def tracked_under(worktree: Worktree, path: bytes) -> list[bytes]:
    """The files git tracks at or below a path (the whole work tree for `b""`), sorted."""
    found = ask(worktree, ["ls-files", "-z", "-c", "--", *literal_patterns([path])])
    # A file with an unfinished merge is listed once per side.
    return sorted(set(found.fields()))


def ignored_by(worktree: Worktree, path: bytes) -> IgnoreRule | None:
    """The rule that makes git ignore a path, which need not exist; None when git tracks it or would.

    Raises GitError for a path that goes through a symlink or into a submodule: no rule here reaches there.
    """
    found = _check(worktree, [path], verbose=True)
    if found.code > 1:
        raise failure(["check-ignore"], found)
    fields = found.fields()
    if len(fields) < 4:
        return None
    source, line, pattern = (os.fsdecode(field) for field in fields[:3])
    if not source or pattern.startswith("!"):
        return None
    return IgnoreRule(source=source, line=int(line), pattern=pattern)


def ignored_many(worktree: Worktree, paths: Collection[bytes]) -> set[bytes]:
    """Those of the paths that git ignores; a path that git can't judge is not among them."""
    pending = [list(paths)] if paths else []
    ignored: set[bytes] = set()
    while pending:
        some = pending.pop()
        found = _check(worktree, some, verbose=False)
        if found.code <= 1:
            ignored.update(field.removeprefix(b"./") for field in found.fields())
        elif len(some) > 1:
            # One path through a symlink or into a submodule fails the whole question.
            pending += [some[: len(some) // 2], some[len(some) // 2 :]]
        elif not _names_path(found):
            raise failure(["check-ignore"], found)
    return ignored


def _check(worktree: Worktree, paths: list[bytes], *, verbose: bool) -> GitResult:
    # "./" keeps a leading ":" from being read as magic; a trailing "/" stays, as it says "a directory".
    asked = b"".join(b"./" + path + b"\0" for path in paths)
    options = ["--verbose"] if verbose else []
    return ask(worktree, ["check-ignore", "-z", *options, "--stdin"], input=asked, check=False)


def _names_path(found: GitResult) -> bool:
    said = found.err.lower()
    return b"beyond a symbolic link" in said or b"is in submodule" in said
