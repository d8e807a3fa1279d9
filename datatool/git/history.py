"""The commits that changed one small file, newest first, through its renames."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from datatool.git.pointers import pointer_patterns
from datatool.git.revision import small_blobs
from datatool.git.worktree import Worktree, ask

_SETTINGS = ("-c", "log.showRoot=true", "-c", "log.showSignature=false", "-c", "log.follow=false")
_RAW = ("--raw", "-z", "--no-abbrev", "--no-color", "--no-ext-diff")
_FORMAT = "--format=%H%x00%aI%x00%an%x00%s"
_SAME = "-M60%"
"""How alike two pointers are that one rename made of each other. An id is more than half of a pointer: those of
different data are never as alike, and labels may change on the way."""
_BATCH = 1024


class Commit(NamedTuple):
    """A commit: its full id, the author's date (ISO 8601, with his own time zone) and name, the message's first
    line."""

    id: str
    date: str
    author: str
    subject: str


class Change(NamedTuple):
    """A commit that changed the file: where the file lay then, and its bytes; None where the commit deleted it, or made
    it something else than a small regular file."""

    commit: Commit
    path: bytes
    data: bytes | None


class _Seen(NamedTuple):
    commit: Commit
    path: bytes
    blob: bytes | None
    added: bool


def history(worktree: Worktree, path: bytes, *, limit: int | None = None) -> Iterator[Change]:
    """Every commit in HEAD's history that changed the file at `path`, newest first, at most `limit` of them.

    As `git log -- PATH` sees it: of merged branches those that explain what is there now. Where the file came by a
    rename, it goes on under the older name; also where the rename is staged only.
    """
    if not ask(worktree, ["rev-parse", "--verify", "--quiet", "HEAD^{commit}"], check=False).out:
        return
    staged = None
    if not ask(worktree, ["--literal-pathspecs", "ls-tree", "HEAD", "--", path]).out:
        staged = _renamed(ask(worktree, ["diff-index", "--cached", *_RAW, _SAME, "HEAD", *_pointers()]).out, path)
    found = islice(_through_renames(worktree, "HEAD", staged or path, limit), limit)
    while batch := list(islice(found, _BATCH)):
        blobs = small_blobs(worktree, dict.fromkeys(seen.blob for seen in batch if seen.blob is not None))
        for seen in batch:
            yield Change(seen.commit, seen.path, None if seen.blob is None else blobs.get(seen.blob))


def _through_renames(worktree: Worktree, start: str, path: bytes, limit: int | None) -> Iterator[_Seen]:
    older: bytes | None = path
    while older is not None:
        path, older = older, None
        for seen in _commits(worktree, start, path, limit):
            yield seen
            if seen.added:
                commit = seen.commit.id
                raw = ask(worktree, ["diff-tree", "-r", "--no-commit-id", *_RAW, _SAME, commit, *_pointers()])
                older = _renamed(raw.out, path)
                if older is not None:
                    start = f"{commit}^"
                    break


def _pointers() -> list[str | bytes]:
    return ["--", *pointer_patterns(())]


def _commits(worktree: Worktree, start: str, path: bytes, limit: int | None) -> Iterator[_Seen]:
    """`-c` shows what a merge made itself: content that none of its parents had."""
    shape = ["-c", *_RAW, "--no-renames", "--encoding=UTF-8", _FORMAT]
    if limit is not None:
        shape.append(f"--max-count={limit}")
    out = ask(worktree, ["--literal-pathspecs", *_SETTINGS, "log", *shape, start, "--", path]).out
    fields = out.split(b"\0")  # no text in a commit holds a NUL
    at = 0
    while at + 4 < len(fields):
        commit = Commit(*(field.decode("utf-8", "surrogateescape") for field in fields[at : at + 4]))
        at += 4 if fields[at + 4] else 5  # before what a merge made stands an empty field
        facts = fields[at].lstrip(b"\n")
        if facts[:1] == b":":
            yield _Seen(commit, path, *_new_side(facts))
            at += 2


def _new_side(facts: bytes) -> tuple[bytes | None, bool]:
    """The blob after a change (None where no regular file is left), and whether there was none before."""
    parents = len(facts) - len(facts.lstrip(b":"))
    words = facts[parents:].split()
    regular = words[parents].startswith(b"100")
    added = all(mode == b"000000" for mode in words[:parents])
    return (words[2 * parents + 1] if regular else None), added


def _renamed(raw: bytes, path: bytes) -> bytes | None:
    """What a file was called before, by the raw lines of a comparison that looks for renames."""
    fields = iter(raw.split(b"\0"))
    for facts in fields:
        if facts[:1] != b":":
            continue
        old = next(fields)
        if facts.rsplit(b" ", 1)[1][:1] in (b"R", b"C") and next(fields) == path:
            return old
    return None
