"""Everything named `*.dt` that git can still bring back, in all work trees of a repository.

That is more than its refs: reflogs and stashes, the index of each work tree with all sides of a merge, and the commits
that unfinished work (a merge, a rebase) goes on with. What can't be read here is an error, never left out.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from msgspec import Struct

from datatool.errors import GitError
from datatool.git.command import run_git
from datatool.git.pointers import pointer_patterns
from datatool.git.repository import silent_environment
from datatool.git.revision import changed_blobs, read_small
from datatool.model.paths import show

_LOG = ("-c", "log.showRoot=true", "-c", "log.showSignature=false", "-c", "log.follow=false", "log")
_SHAPE = ("-c", "--raw", "-z", "--no-abbrev", "--no-renames", "--full-history", "--format=%H")
_COMMITS = ("--all", "--reflog", "--stdin")
"""Of all work trees: git looks into those that are linked, too."""
_UNFINISHED = (".", "rebase-merge", "rebase-apply", "sequencer")
"""Where git notes, in files, commits that are no refs: `MERGE_HEAD`, `rebase-merge/autostash`, …"""
_OWN_REFS = ("refs/worktree", "refs/bisect", "refs/rewritten")
_NOTE = re.compile(r"[A-Z_]*HEAD|MERGE_AUTOSTASH|autostash|orig-head|onto|amend|head|abort-safety")
_ID = re.compile(rb"^([0-9a-f]{64}|[0-9a-f]{40})\b", re.MULTILINE)
_BATCH = 4096


class Checkout(Struct, frozen=True, kw_only=True):
    """A work tree: git's directory for it alone, and its top; a bare repository has none."""

    git_dir: Path
    top: Path | None


def common_dir(git_dir: Path) -> Path:
    """The directory that all work trees of a repository share."""
    try:
        return Path(os.path.realpath(git_dir / (git_dir / "commondir").read_text().rstrip("\n")))
    except FileNotFoundError:
        return git_dir


def checkouts(git_dir: Path, *, top: Path | None = None) -> list[Checkout]:
    """All work trees of the repository that `git_dir` belongs to; `top` is that of the main one, if it is known. Raises
    GitError where one can't be found."""
    common = common_dir(git_dir)
    found = [Checkout(git_dir=common, top=top or _main_top(common))]
    try:
        names = sorted(os.listdir(common / "worktrees"))
    except FileNotFoundError:
        names = []
    return [*found, *(_linked(common / "worktrees" / name) for name in names)]


def reachable_pointers(trees: Sequence[Checkout]) -> Iterator[bytes]:
    """The bytes of every version of every file named `*.dt` that is in a commit, or an index, of a repository. Raises
    GitError."""
    common = common_dir(trees[0].git_dir)
    blobs = {blob for tree in trees for blob in _indexed(tree)}
    notes = {commit for tree in trees for commit in (*_noted(tree.git_dir), *_own_refs(tree.git_dir))}
    asked = b"".join(commit + b"\n" for commit in sorted(_known(common, notes)))
    log: list[str | bytes] = ["--no-replace-objects", *_LOG, *_SHAPE, *_COMMITS, "--", *pointer_patterns(())]
    blobs |= changed_blobs(_git(common, log, asked))
    waiting = iter(sorted(blobs))
    while some := list(islice(waiting, _BATCH)):
        yield from read_small(lambda words, asked: _git(common, words, asked), some).values()


def _git(git_dir: Path, words: Sequence[str | bytes], asked: bytes = b"") -> bytes:
    """What a git command prints that fetches nothing, whatever it lacks, and follows no variable of a hook."""
    where = [f"--git-dir={git_dir}", f"--work-tree={git_dir}"]
    try:
        return run_git([*where, *words], cwd=git_dir, input=asked, environ=silent_environment(), foreign=True).out
    except GitError as error:
        if "promisor" in error.message:
            error.hint = (
                "this partial clone lacks old pointers: git fetch --refetch --filter=blob:limit=64k brings them"
            )
        raise


def _main_top(common: Path) -> Path | None:
    """The top of the main work tree, as git finds it: beside `.git`, or where the configuration says."""
    settings: dict[str, str] = {}
    for name in ("config", "config.worktree"):
        words = ["config", "--file", os.fspath(common / name), "--get-regexp", r"^core\.(bare|worktree)$"]
        said = run_git(words, cwd=common, check=False, environ=silent_environment(), foreign=True).out
        settings |= dict(line.split(" ", 1) for line in os.fsdecode(said).splitlines() if " " in line)
    if "core.worktree" in settings:
        return Path(os.path.realpath(common / settings["core.worktree"]))
    if settings.get("core.bare") == "true":
        return None
    if common.name == ".git":
        return common.parent
    raise GitError(
        f"{show(str(common))}: nobody can tell from there where its work tree is",
        hint="run datatool gc in that work tree, or set git's core.worktree",
    )


def _linked(git_dir: Path) -> Checkout:
    try:
        top = Path(os.path.realpath(git_dir / (git_dir / "gitdir").read_text().rstrip("\n"))).parent
    except OSError:
        top = None
    if top is None or not top.is_dir():
        raise GitError(
            f"{show(str(top or git_dir))}: a linked work tree that is not there",
            hint="git worktree prune forgets it, git worktree repair finds one that was moved",
        )
    return Checkout(git_dir=git_dir, top=top)


def _indexed(tree: Checkout) -> set[bytes]:
    fields = _git(tree.git_dir, ["ls-files", "-s", "-z", "--", *pointer_patterns(())]).split(b"\0")[:-1]
    return {field.split(b" ", 2)[1] for field in fields if field.startswith(b"100")}


def _noted(git_dir: Path) -> Iterator[bytes]:
    """Commits that git has noted down in a work tree, as far as it looks like some."""
    for part in _UNFINISHED:
        try:
            names = os.listdir(git_dir / part)
        except (FileNotFoundError, NotADirectoryError):
            continue
        for name in names:
            if _NOTE.fullmatch(name) and (git_dir / part / name).is_file():
                yield from _ID.findall((git_dir / part / name).read_bytes())


def _own_refs(git_dir: Path) -> list[bytes]:
    """What refs of a single work tree name, which `--all` in another one doesn't count."""
    return _git(git_dir, ["for-each-ref", "--format=%(objectname)", *_OWN_REFS]).split()


def _known(common: Path, commits: Iterable[bytes]) -> Iterator[bytes]:
    """Those that git has: what was noted long ago may be gone."""
    asked = b"".join(commit + b"\n" for commit in commits)
    for line in _git(common, ["cat-file", "--batch-check=%(objectname) %(objecttype)"], asked).splitlines():
        name, _, kind = line.partition(b" ")
        if kind == b"commit":
            yield name
