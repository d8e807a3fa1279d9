"""Which git repository is around a directory, and where its parts lie."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from datatool.errors import GitError, PathNotFound
from datatool.git.command import GitResult, complaint, failure, run_git
from datatool.model.paths import show

_SEPARATOR = b"--end-of-datatool-answer"
"""rev-parse repeats an option it does not know: a line that no path can be taken for."""


class Worktree(Struct, frozen=True, kw_only=True):
    """A work tree and its repository.

    `git_dir` belongs to this work tree alone, `common_dir` to all linked ones (the same where there are none);
    `head` is the commit that was checked out when it was discovered, None before the first.
    """

    top: Path
    git_dir: Path
    common_dir: Path
    head: str | None


class Unsafe(Struct, frozen=True, kw_only=True):
    """A repository that git refuses to use, because somebody else owns it; `reason` is git's own sentence."""

    top: Path
    reason: str


def discover(directory: Path, *, began: Path | None = None) -> Worktree | Unsafe | None:
    """The innermost work tree around a directory; None where there is none (a bare repository has none either).

    `began` is where the command began, if that is another directory: relative places in the environment are meant from
    there. Raises PathNotFound when the directory does not exist, GitError when git is missing or fails in another way.
    """
    start = Path(os.path.realpath(directory))
    if not start.is_dir():
        raise PathNotFound(f"{show(os.fspath(directory))}: no such directory", path=os.fspath(directory))
    top = None if "GIT_DIR" in os.environ else _nearest_git(start)
    if top is None and "GIT_DIR" not in os.environ:
        # Certain without git, which an exported tree in a container may not have.
        return None
    questions: list[str | bytes] = ["rev-parse"]
    for question in ("--show-toplevel", "--absolute-git-dir", "--git-common-dir"):
        questions += [question, _SEPARATOR]
    questions += ["--revs-only", "HEAD"]
    found = run_git(questions, cwd=start, check=False, environ=_seen_from(began or start))
    if found.code != 0:
        return _refusal(questions, found, top or start)
    answers = found.out.split(b"\n" + _SEPARATOR + b"\n")
    tree, own, common = (Path(os.path.realpath(start / os.fsdecode(answer))) for answer in answers[:3])
    return Worktree(top=tree, git_dir=own, common_dir=common, head=answers[3].decode("ascii").strip() or None)


def ask(
    worktree: Worktree,
    arguments: Sequence[str | bytes],
    *,
    input: bytes | None = None,
    check: bool = True,
    reads: bool = True,
) -> GitResult:
    """Run git at the top of a work tree."""
    environ: dict[str, str] | None = None
    if "GIT_DIR" in os.environ:
        # Inside a hook: its values may be relative to where the hook began.
        environ = dict(os.environ)
        environ["GIT_DIR"] = os.fspath(worktree.git_dir)
        environ["GIT_WORK_TREE"] = os.fspath(worktree.top)
        if "GIT_COMMON_DIR" in environ:
            environ["GIT_COMMON_DIR"] = os.fspath(worktree.common_dir)
    return run_git(arguments, cwd=worktree.top, input=input, check=check, environ=environ, reads=reads)


def head_commit(worktree: Worktree) -> str | None:
    """The commit that is checked out now; None before the first."""
    found = ask(worktree, ["rev-parse", "--verify", "--quiet", "HEAD^{commit}"], check=False)
    return found.out.decode("ascii").strip() or None


def init(directory: Path) -> Worktree:
    """Make a git repository of a directory, the way the user configured `git init`."""
    run_git(["init", "--quiet"], cwd=directory, reads=False)
    made = discover(directory)
    if not isinstance(made, Worktree):
        raise GitError(f"{show(os.fspath(directory))}: git init made no usable repository")
    return made


def is_shallow(worktree: Worktree) -> bool:
    """Whether the history here is cut off (a clone with `--depth`)."""
    return (worktree.common_dir / "shallow").exists()


def exclude_path(worktree: Worktree) -> Path:
    """The file of ignore rules that stays on this machine, shared by linked work trees."""
    return worktree.common_dir / "info" / "exclude"


def file_mode_binds(worktree: Worktree) -> bool | None:
    """What git's `core.fileMode` says: whether executable bits mean anything here; None when it is not set."""
    found = ask(worktree, ["config", "--type=bool", "--get", "core.fileMode"], check=False)
    return {b"true": True, b"false": False}.get(found.out.strip())


def _seen_from(began: Path) -> dict[str, str]:
    """The environment, with the places in it that are relative to this directory made absolute. Those of a hook that
    went into a subdirectory are not there: they stay as they are."""
    environ = dict(os.environ)
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR"):
        place = os.path.join(os.path.realpath(began), environ.get(name, ""))
        if environ.get(name) and os.path.isdir(place):
            environ[name] = place
    return environ


def _nearest_git(start: Path) -> Path | None:
    """The nearest directory upwards that has a `.git`, or that looks like a repository itself."""
    for directory in (start, *start.parents):
        if os.path.lexists(directory / ".git"):
            return directory
        if (directory / "HEAD").is_file() and (directory / "objects").is_dir():
            return directory
    return None


def _refusal(questions: list[str | bytes], found: GitResult, top: Path) -> Unsafe | None:
    if b"dubious ownership" in found.err or b"unsafe repository" in found.err:
        return Unsafe(top=top, reason=complaint(found.err))
    if b"not a git repository" in found.err or b"must be run in a work tree" in found.err:
        return None
    raise failure(questions, found)
