"""Which pointers git knows in the work tree, and how they stand to the last commit."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Sequence
from typing import Literal

from msgspec import Struct

from datatool.git.worktree import Worktree, ask

SUFFIX = b".dt"
_MANY = 64
"""Up to this many paths are named to git one by one; it compares each with every file it knows."""

PointerState = Literal["committed", "changed", "new"]


class Listing(Struct, frozen=True, kw_only=True):
    """The files named `*.dt` in a work tree: all that git has or would take, sorted, and those it does not have yet.
    `deleted` are those that git has and the work tree lacks."""

    paths: tuple[bytes, ...]
    untracked: frozenset[bytes]
    deleted: tuple[bytes, ...] = ()


def pointer_listing(worktree: Worktree, within: Sequence[bytes] = ()) -> list[bytes]:
    """The files named `*.dt` that git tracks, or would (untracked and not ignored); see `list_pointers`."""
    return list(list_pointers(worktree, within).paths)


def list_pointers(worktree: Worktree, within: Sequence[bytes] = ()) -> Listing:
    """Every file named `*.dt` that git tracks, or would, at or below any of the paths `within` (all when empty).

    Only regular files that are there: not deleted ones, symlinks, submodules. One with an unfinished merge comes once.
    """
    found = ask(
        worktree,
        ["ls-files", "-z", "-t", "-c", "-o", "--exclude-standard", "--", *pointer_patterns(within)],
    )
    top = os.fsencode(worktree.top) + b"/"
    paths: set[bytes] = set()
    untracked: set[bytes] = set()
    deleted: list[bytes] = []
    for field in found.fields():
        tag, path = field[:1], field[2:]
        if path in paths:
            continue
        if not _is_file(top + path):
            if tag == b"H" and not os.path.lexists(top + path):
                deleted.append(path)
            continue
        paths.add(path)
        if tag == b"?":
            untracked.add(path)
    return Listing(paths=tuple(sorted(paths)), untracked=frozenset(untracked), deleted=tuple(deleted))


def deleted_pointer(worktree: Worktree, path: bytes) -> bytes | None:
    """The file named `*.dt` that git has and the work tree lacks, at a path, beside it or beside a directory around it,
    the outermost one, else one below it."""
    ends = [at for at, letter in enumerate(path) if letter == 0x2F] + [len(path)]
    beside = [path[:end] + SUFFIX for end in ends]
    patterns = [*literal_patterns(beside), *pointer_patterns([path])]
    found = ask(worktree, ["ls-files", "-z", "--deleted", "--", *patterns], check=False).fields()
    return next((one for one in [*beside, path, *found] if one in found), None)


def pointer_states(
    worktree: Worktree, paths: Collection[bytes], *, untracked: Collection[bytes] | None = None
) -> dict[bytes, PointerState]:
    """How each pointer stands to the last commit: `committed`, `changed` since, or `new`.

    A pointer is `changed` when the work tree or the index differs from HEAD, and `new` when HEAD does not have it.
    `untracked`, where a `Listing` has just told it, saves one call of git.
    """
    if not paths:
        return {}
    patterns = literal_patterns(paths) if len(paths) <= _MANY else pointer_patterns(())
    if untracked is None:
        tracked = set(ask(worktree, ["ls-files", "-z", "-c", "--", *patterns]).fields())
        untracked = {path for path in paths if path not in tracked}
    states: dict[bytes, PointerState] = {path: "new" if path in untracked else "committed" for path in paths}
    options = ["--porcelain=v1", "-z", "--untracked-files=no", "--no-renames", "--ignore-submodules=all"]
    found = ask(worktree, ["status", *options, "--", *patterns])
    for field in found.fields():
        codes, path = field[:2], field[3:]
        if path in states:
            # "AA", "AU", "UA" are merges: the other side of them is in some commit.
            states[path] = "new" if b"A" in codes and codes != b"AA" and b"U" not in codes else "changed"
    return states


def pointer_patterns(within: Sequence[bytes]) -> list[bytes]:
    """Pathspecs for the files named `*.dt` at or below these paths."""
    if not within or b"" in within:
        return [b":(top,glob)**/*" + SUFFIX]
    patterns: list[bytes] = []
    for path in within:
        clean = path.rstrip(b"/")
        if clean.endswith(SUFFIX):
            patterns.append(b":(top,literal)" + clean)
        patterns.append(b":(top,glob)" + _escape_glob(clean) + b"/**/*" + SUFFIX)
    return patterns


def literal_patterns(paths: Collection[bytes]) -> list[bytes]:
    """Pathspecs for exactly these paths and what lies below them; the whole tree for an empty path."""
    return [b":(top,literal)" + path.rstrip(b"/") for path in paths]


def _is_file(path: bytes) -> bool:
    """Whether a regular file lies there; not so deleted ones, symlinks, and the directories of other repositories."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False


def _escape_glob(path: bytes) -> bytes:
    for special in (b"\\", b"*", b"?", b"["):
        path = path.replace(special, b"\\" + special)
    return path
