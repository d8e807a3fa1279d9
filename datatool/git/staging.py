"""Putting pointers and ignore lines into git's index, and taking them out again."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Collection, Sequence

from datatool.errors import GitError
from datatool.git.command import GitResult, failure
from datatool.git.pointers import literal_patterns
from datatool.git.worktree import Worktree, ask
from datatool.model.paths import show, show_bytes

PATIENCE = 5.0
"""Seconds to wait for another git process to let go of the index."""

_PAUSE = 0.05
_SHOWN = 20
_AS_IT_IS = (
    *("-c", "filter.lfs.clean=", "-c", "filter.lfs.smudge=", "-c", "filter.lfs.process="),
    *("-c", "filter.lfs.required=false"),
)
"""What is staged here are pointers and settings: `data/** filter=lfs` must not make Git LFS keep those."""
_LITERAL_STDIN = ("--pathspec-from-file=-", "--pathspec-file-nul")


class GitBusy(GitError):
    """Another git process holds the index, and still does after some seconds; nothing was staged."""


def stage(worktree: Worktree, paths: Collection[bytes], *, patience: float = PATIENCE) -> None:
    """Put files into the index as they are in the work tree; one that is gone there is taken out.

    Ignore rules are not asked: whoever stages a pointer means it. Raises GitBusy when the index stays locked.
    """
    if paths:
        names = sorted(set(paths))
        _write(worktree, ["update-index", "--add", "--remove", "--replace", "-z", "--stdin"], names, "add", patience)


def unstage(
    worktree: Worktree, paths: Collection[bytes], *, tree: str | None = None, patience: float = PATIENCE
) -> None:
    """Put the index back to the last commit, or to a tree by its id, for these files; the work tree is not touched."""
    if paths:
        names = sorted(set(paths))
        arguments = ["--literal-pathspecs", "reset", "--quiet", *_LITERAL_STDIN, *([] if tree is None else [tree])]
        _write(worktree, arguments, names, "reset --quiet", patience)


def forget(worktree: Worktree, paths: Collection[bytes], *, patience: float = PATIENCE) -> None:
    """Take files out of the index, whatever it holds of them; the work tree is not looked at."""
    if paths:
        names = sorted(set(paths))
        _write(worktree, ["update-index", "--force-remove", "-z", "--stdin"], names, "rm --cached", patience)


def rm_cached(worktree: Worktree, paths: Collection[bytes], recursive: bool, *, patience: float = PATIENCE) -> None:
    """Stop git from tracking files, and everything below directories when `recursive`; the files stay.

    git refuses (GitError) where the index holds content that is neither in the file nor in the last commit.
    """
    if paths:
        options = ["-r"] if recursive else []
        arguments = ["--literal-pathspecs", "rm", "--cached", "--quiet", "--ignore-unmatch", *options, *_LITERAL_STDIN]
        _write(worktree, arguments, sorted(set(paths)), " ".join(["rm", *options, "--cached"]), patience)


def not_as_seen(worktree: Worktree) -> set[bytes]:
    """The files of the index that are not known, by size and times, to be as git last saw them, those that are gone
    included: only they can have been edited. Hardly any is read, and Git LFS's filters are not run."""
    return set(ask(worktree, [*_AS_IT_IS, "diff-files", "--name-only", "-z", "--ignore-submodules=all"]).fields())


def has_unstaged_edits(worktree: Worktree, path: bytes) -> bool:
    """Whether staging this file would stage more than the index has already: the user's own edits, or a new file."""
    return path in unstaged_edits(worktree, [path])


def unstaged_edits(worktree: Worktree, paths: Sequence[bytes]) -> set[bytes]:
    """Those of the files that differ from the index, deleted ones and files git does not track included."""
    if not paths:
        return set()
    options = ["--porcelain=v1", "-z", "--untracked-files=all", "--ignored=matching", "--no-renames"]
    status = [*_AS_IT_IS, "status", *options, "--ignore-submodules=all"]
    found = ask(worktree, [*status, "--", *literal_patterns(paths)])
    wanted = set(paths)
    edited: set[bytes] = set()
    for field in found.fields():
        if field[1:2] != b" ":
            path = field[3:]
            # An ignored directory is reported instead of the files in it.
            edited.update(one for one in wanted if one == path or (path.endswith(b"/") and one.startswith(path)))
    return edited


def staged_text(worktree: Worktree, path: bytes) -> bytes | None:
    """The bytes of a file as the index has it; None where it has none."""
    found = ask(worktree, ["cat-file", "blob", b":" + path], check=False)
    return found.out if found.code == 0 else None


def _write(worktree: Worktree, arguments: Sequence[str], paths: list[bytes], shown: str, patience: float) -> None:
    """Run a command that takes the index lock, again and again while somebody else has it."""
    given = b"".join(path + b"\0" for path in paths)
    until = time.monotonic() + patience
    while True:
        result = ask(worktree, [*_AS_IT_IS, *arguments], input=given, check=False, reads=False)
        if result.code == 0:
            return
        if not _is_locked(result):
            raise _failed(arguments, result, paths, shown)
        if time.monotonic() >= until:
            raise _busy(result, paths, shown)
        time.sleep(_PAUSE)


def _is_locked(result: GitResult) -> bool:
    return b".lock': File exists" in result.err


def _busy(result: GitResult, paths: list[bytes], shown: str) -> GitBusy:
    lock = os.fsdecode(result.err.partition(b"Unable to create '")[2].partition(b"': File exists")[0])
    return GitBusy(
        f"{_what(paths)} not changed in git: another git process holds {show(lock)}",
        hint=f"when it has ended: {_line(paths, shown)}",
    )


def _failed(arguments: Sequence[str], result: GitResult, paths: list[bytes], shown: str) -> GitError:
    said = failure(arguments, result).message
    return GitError(f"{_what(paths)} not changed in git: {said}", hint=f"when that is mended: {_line(paths, shown)}")


def _what(paths: list[bytes]) -> str:
    return show_bytes(paths[0]) if len(paths) == 1 else f"{len(paths)} files"


def _line(paths: list[bytes], shown: str) -> str:
    """What the user can type to do the same."""
    names = " ".join(shlex.quote(os.fsdecode(path)) for path in paths[:_SHOWN])
    more = " …" if len(paths) > _SHOWN else ""
    return f"git {shown} -- {show(names)}{more}"
