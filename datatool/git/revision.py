"""What the commits of a repository hold, read by git's own plumbing.

No library is between us and git: a call of git costs 1.3 ms, importing pygit2 70 ms, and git alone knows every kind of
repository (sha256, reftable, partial clones, alternates). History is one pass of `git log`, contents one `cat-file`.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import NamedTuple

from datatool.errors import GitError, RevisionNotFound, UsageError
from datatool.git.pointers import pointer_patterns
from datatool.git.worktree import Worktree, ask, is_shallow
from datatool.model.paths import show

POINTER_LIMIT = 64 << 10
"""Bytes: a larger blob is no pointer (formats §2), and is not read."""

_RAW = ("--raw", "-z", "--no-abbrev", "--no-renames")
_REGULAR = (b"100644", b"100755")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_BATCH = 4096
"""Blobs asked for at once: at most 256 MB in memory, at pointers' usual size 2 MB."""


class TreeFile(NamedTuple):
    """One path of a commit: its raw bytes, git's mode (0o100644, 0o100755, 0o120000 a symlink, 0o160000 a submodule),
    its size (None for a submodule, and in a partial clone, where asking would download), and its blob id."""

    path: bytes
    mode: int
    size: int | None
    blob: str


class _Seen(NamedTuple):
    commit: str
    path: bytes
    blob: bytes


def resolve(worktree: Worktree, rev: str) -> str:
    """The full commit id that a revision names: a branch, tag, commit, `HEAD~2`, `stash@{0}`, …

    Raises UsageError for an empty one, RevisionNotFound (with the nearest names) for one git does not know.
    """
    if not rev.strip():
        raise UsageError("the revision is empty", hint="name a branch, a tag or a commit")
    if not rev.startswith("-") and "\0" not in rev:
        found = ask(worktree, ["rev-parse", "--verify", "--quiet", f"{rev}^{{commit}}"], check=False)
        commit = found.out.decode("ascii", "replace").strip()
        if found.code == 0 and _COMMIT.fullmatch(commit):
            return commit
    near = suggest_refs(worktree, rev)
    if near:
        hint = "did you mean " + ", ".join(show(name) for name in near) + "?"
    elif is_shallow(worktree):
        hint = "this clone is shallow: git fetch --unshallow gets the older commits"
    else:
        hint = "git fetch gets what others have pushed; git branch -a and git tag list the names"
    raise RevisionNotFound(f"git knows no revision {show(rev)}", hint=hint)


def ref_names(worktree: Worktree) -> list[str]:
    """The names of branches, tags and remote branches, as git shortens them."""
    found = ask(worktree, ["for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/tags", "refs/remotes"])
    return [os.fsdecode(line) for line in found.out.splitlines()]


def suggest_refs(worktree: Worktree, name: str) -> list[str]:
    """Up to three branches, tags or remote branches whose names are near to this one, nearest first."""
    names = ref_names(worktree)
    # `main` where there is only `origin/main` is the commonest slip of all.
    ends = [one for one in names if one.endswith("/" + name)]
    close = get_close_matches(name, names, n=3, cutoff=0.6)
    return list(dict.fromkeys([*ends, *close]))[:3]


def pointers_at(worktree: Worktree, commit: str, within: Sequence[bytes] = ()) -> Iterator[tuple[bytes, bytes]]:
    """Every regular file named `*.dt` of a commit at or below the paths `within`, with its bytes, sorted by path."""
    empty = _empty_tree(len(_checked(commit)))
    arguments: list[str | bytes] = ["diff-tree", "-r", *_RAW, empty, commit, "--", *pointer_patterns(within)]
    found = ask(worktree, arguments)
    for _, path, data in _contents(worktree, _changes(found.out, {b"": commit})):
        yield path, data


def blob_at(worktree: Worktree, commit: str, path: bytes) -> bytes | None:
    """The bytes of one file (or the text of one symlink) of a commit; None when the commit has no such file."""
    arguments: list[str | bytes] = ["--literal-pathspecs", "ls-tree", "-z", "--full-tree", _checked(commit), "--", path]
    for field in ask(worktree, arguments).fields():
        facts, _, name = field.partition(b"\t")
        words = facts.split()
        if name == path and words[1] == b"blob":
            return ask(worktree, ["cat-file", "blob", words[2]]).out
    return None


def all_pointer_blobs(
    worktree: Worktree, *, branches: bool = False, tags: bool = False, commits: bool = False
) -> Iterator[tuple[str, bytes, bytes]]:
    """Every version of every file named `*.dt`, as (a commit that has it, path, bytes), each (path, version) once.

    `branches` and `tags` look at the tips, remote branches not included; `commits` at every commit of every ref, of the
    stash, and of what linked work trees have checked out.
    """
    if commits:
        yield from _contents(worktree, _history(worktree, ["--all"]))
        return
    kinds = ["--branches"] * branches + ["--tags"] * tags
    if kinds:
        yield from _contents(worktree, _differences(worktree, _tips(worktree, kinds)))


def unpushed_pointer_blobs(worktree: Worktree) -> Iterator[tuple[str, bytes, bytes]]:
    """The versions of files named `*.dt` that came with commits which HEAD has and its upstream lacks.

    Without an upstream (a new branch, a detached HEAD): the commits that no remote-tracking branch has.
    """
    asked = b"HEAD^{commit}\n@{upstream}^{commit}\n"
    # git answers line by line, and ends at the second one where there is no upstream
    found = ask(worktree, ["cat-file", "--batch-check=%(objectname)"], input=asked, check=False).out
    head, *upstream = [line for line in found.decode("ascii", "replace").splitlines() if _COMMIT.fullmatch(line)] or [
        ""
    ]
    if not head:
        return
    known = upstream[0] if upstream else "--remotes"
    yield from _contents(worktree, _history(worktree, ["HEAD", "--not", known]))


def _checked(commit: str) -> str:
    if not _COMMIT.fullmatch(commit):
        raise UsageError(f"not a full commit id: {show(commit)}")
    return commit


def _history(worktree: Worktree, commits: Sequence[str]) -> Iterator[_Seen]:
    """The pointers that each commit brought, each (path, blob) once.

    `--full-history`, as a version on a branch that was merged and overruled is a version all the same; `-c`, as a merge
    may bring content that neither side had. Everything the user's configuration may change in `git log` is set here.
    """
    settings = ["-c", "log.showRoot=true", "-c", "log.showSignature=false", "-c", "log.follow=false"]
    shape = ["-c", *_RAW, "--full-history", "--format=%H"]
    arguments: list[str | bytes] = [*settings, "log", *shape, *commits, "--", *pointer_patterns(())]
    found = ask(worktree, arguments)
    return _changes(found.out, {})


def changed_blobs(out: bytes) -> set[bytes]:
    """The regular files that came with the changes in a raw log, as blobs."""
    return {seen.blob for seen in _changes(out, {})}


def _tips(worktree: Worktree, kinds: Sequence[str]) -> list[tuple[str, str]]:
    """Commit and tree of every ref, each tree once; a tag of something else than a commit has no pointers."""
    arguments = ["-c", "log.showSignature=false", "log", "--no-walk=unsorted", "--format=%T %H", *kinds]
    lines = ask(worktree, arguments).out.decode("ascii").splitlines()
    trees = dict(line.split(" ") for line in reversed(lines))
    return [(commit, tree) for tree, commit in trees.items()]


def _differences(worktree: Worktree, tips: Sequence[tuple[str, str]]) -> Iterator[_Seen]:
    """The pointers of several (commit, tree): all of the first, then what each has that the one before had not.

    So the work is that of one tree and of the differences, however many branches there are.
    """
    if not tips:
        return iter(())
    before = _empty_tree(len(tips[0][1]))
    pairs: list[str] = []
    owners: dict[bytes, str] = {}
    for commit, tree in tips:
        pairs.append(f"{before} {tree}\n")
        owners[pairs[-1].strip().encode("ascii")] = commit
        before = tree
    shape: list[str | bytes] = ["diff-tree", "--stdin", "-r", *_RAW, "--", *pointer_patterns(())]
    return _changes(ask(worktree, shape, input="".join(pairs).encode("ascii")).out, owners)


def _changes(out: bytes, owners: Mapping[bytes, str]) -> Iterator[_Seen]:
    """Read raw changes: the new side of each, where it is a regular file, each (path, blob) once.

    A line before a change says whose it is: a commit id, or a key of `owners`; the key `b""` is whose the first are.
    """
    seen: set[tuple[bytes, bytes]] = set()
    commit = owners.get(b"", "")
    fields = iter(out.split(b"\0"))
    for field in fields:
        *heads, facts = field.split(b"\n")
        if facts[:1] != b":":
            heads.append(facts)
        for head in heads:
            if head:
                commit = owners.get(head) or head.decode("ascii")
        if facts[:1] == b":":
            path = next(fields)
            blob = _new_side(facts)
            if blob is not None and (path, blob) not in seen:
                seen.add((path, blob))
                yield _Seen(commit, path, blob)


def _empty_tree(width: int) -> str:
    """The id of the tree without entries, which git knows without having it."""
    data = b"tree 0\0"
    return (hashlib.sha1(data, usedforsecurity=False) if width == 40 else hashlib.sha256(data)).hexdigest()


def _new_side(facts: bytes) -> bytes | None:
    """The blob after the change of one raw line, `:` per parent, modes, ids, status; None for no regular file."""
    parents = len(facts) - len(facts.lstrip(b":"))
    words = facts[parents:].split()
    return words[2 * parents + 1] if words[parents] in _REGULAR else None


def _contents(worktree: Worktree, found: Iterable[_Seen]) -> Iterator[tuple[str, bytes, bytes]]:
    """Read the blobs, a batch at a time; those too large for a pointer are left out."""
    pending = iter(found)
    while batch := list(islice(pending, _BATCH)):
        blobs = small_blobs(worktree, dict.fromkeys(seen.blob for seen in batch))
        for seen in batch:
            if seen.blob in blobs:
                yield seen.commit, seen.path, blobs[seen.blob]


def small_blobs(worktree: Worktree, wanted: Iterable[bytes]) -> dict[bytes, bytes]:
    """The bytes of blobs by id, without those too large for a pointer. GitError where git lacks one."""
    return read_small(lambda words, asked: ask(worktree, words, input=asked).out, wanted)


def read_small(run: Callable[[Sequence[str], bytes], bytes], wanted: Iterable[bytes]) -> dict[bytes, bytes]:
    """The same, from wherever `run` asks git."""
    asked = b"".join(blob + b"\n" for blob in wanted)
    sizes = run(["cat-file", "--batch-check=%(objectname) %(objectsize)", "--buffer"], asked)
    small: list[bytes] = []
    for line in sizes.splitlines():
        blob, _, size = line.partition(b" ")
        if not size.isdigit():
            raise GitError(f"git lacks the object {blob.decode()}", hint="git fsck tells what is damaged")
        if int(size) <= POINTER_LIMIT:
            small.append(blob)
    if not small:
        return {}
    out = run(["cat-file", "--batch", "--buffer"], b"\n".join(small) + b"\n")
    blobs: dict[bytes, bytes] = {}
    at = 0
    while at < len(out):
        end = out.index(b"\n", at)
        blob, _, length = out[at:end].split(b" ")
        blobs[blob] = out[end + 1 : end + 1 + int(length)]
        at = end + 2 + int(length)
    return blobs
