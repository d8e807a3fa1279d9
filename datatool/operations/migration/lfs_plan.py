"""What of Git LFS can become ours, and whether git has all of it as it is; nothing is written here."""

from __future__ import annotations

import os
import posixpath
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from datatool.errors import Refused
from datatool.formats.git_attributes import ATTRIBUTES, ATTRIBUTES_LIMIT
from datatool.formats.git_attributes_edit import lfs_macros, names_lfs, without_lfs
from datatool.formats.lfs_pointer import LFS_POINTER_LIMIT, parse_lfs_pointer
from datatool.git.clones import is_repository_url
from datatool.git.staging import not_as_seen
from datatool.git.worktree import Worktree, ask
from datatool.hashing import hash_fd
from datatool.model.oid import ObjectId
from datatool.model.paths import named
from datatool.model.pointer import Source
from datatool.operations.init import ATTRIBUTES as OURS
from datatool.progress import Progress
from datatool.registry.lfs_files import LfsFile, LfsFiles
from datatool.registry.lfs_place import own_directories
from datatool.registry.offer import Origin
from datatool.registry.view import View

_READ: Final = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_REGULAR: Final = (0o100644, 0o100755)
_USER: Final = re.compile(r"(?<=^http://)[^/@]*@|(?<=^https://)[^/@]*@", re.IGNORECASE)
_PASSWORD: Final = re.compile(r"(?<=://)([^/@:]*):[^/@]*@")


class LfsPlan(Struct, frozen=True, kw_only=True):
    """The LFS files of git's index. `texts` are pointers that lie in the workspace in place of their data, `present`
    the paths whose data is there, unchanged; `attributes` the `.gitattributes` that send files to LFS; `stores` where
    git-lfs keeps this clone's objects."""

    view: View
    files: tuple[LfsFile, ...]
    texts: Mapping[bytes, bytes]
    present: frozenset[bytes]
    attributes: tuple[bytes, ...]
    stores: tuple[Path, ...]

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.files or self.attributes)

    def in_store(self, file: LfsFile) -> bool:
        """Whether git-lfs has a file's object, by its size."""
        oid, size = file.pointer.oid, file.pointer.size
        for top in self.stores:
            try:
                found = os.lstat(top / oid[:2] / oid[2:4] / oid)
            except OSError:
                continue
            if stat.S_ISREG(found.st_mode) and found.st_size == size:
                return True
        return False


def plan_lfs(worktree: Worktree, view: View, progress: Progress) -> LfsPlan:
    """Look at the LFS files of `view`, git's index. Raises Refused for edits that git does not have."""
    files = LfsFiles(view).find(b"")
    attributes = _attributes(view)
    edited = [path for path, text in sorted(attributes.items()) if not _same_but_lfs(text, _bytes(worktree, path))]
    texts: dict[bytes, bytes] = {}
    present: set[bytes] = set()
    seen = not_as_seen(worktree) if files else set()
    todo = [file for file in files if file.path in seen]
    with progress.task("comparing", files=len(todo), bytes=sum(file.pointer.size for file in todo)) as task:
        for file in files:
            if file.pointer.extensions:
                continue
            found = _found(worktree, file, compare=file.path in seen)
            if file.path in seen:
                task.advance(files=1, bytes=file.pointer.size)
            if isinstance(found, bytes):
                texts[file.path] = found
            elif found is False:
                edited.append(file.path)
            elif found:
                present.add(file.path)
    if edited:
        some = ", ".join(named(path) for path in edited[:3]) + (", …" if len(edited) > 3 else "")
        raise Refused(
            f"{some}: differs from what git has; nothing was changed",
            hint=f"git add -- {named(edited[0])}  (or git checkout), then run this again",
            path=os.fsdecode(edited[0]),
        )
    return LfsPlan(
        view=view,
        files=tuple(files),
        texts=texts,
        present=frozenset(present),
        attributes=tuple(sorted(attributes)),
        stores=own_directories(view) if files else (),
    )


def _attributes(view: View) -> dict[bytes, bytes]:
    """The `.gitattributes` that send anything to LFS, with the macro that the top's may have made for it."""
    files = [f for f in view.files() if f.path.rpartition(b"/")[2] == ATTRIBUTES and f.mode in _REGULAR]
    texts = view.read(files, limit=ATTRIBUTES_LIMIT)
    macros = lfs_macros(texts.get(ATTRIBUTES, b""))
    return {
        path: text
        for path, text in texts.items()
        if names_lfs(text) or (macros and without_lfs(text, macros=macros) != text)
    }


def _same_but_lfs(git: bytes, here: bytes) -> bool:
    """Whether a `.gitattributes` differs at most in what a run that was broken off wrote."""
    ours = {line.encode() for line in OURS}

    def others(text: bytes) -> list[bytes]:
        macros = lfs_macros(git)
        return [line for line in without_lfs(text, macros=macros).splitlines() if line.strip() and line not in ours]

    return git == here or others(git) == others(here)


def _bytes(worktree: Worktree, path: bytes) -> bytes:
    try:
        return (worktree.top / os.fsdecode(path)).read_bytes()
    except OSError:
        return b""


def _found(worktree: Worktree, file: LfsFile, *, compare: bool) -> bytes | bool | None:
    """What lies at an LFS file's path: its pointer (the text), its data (True), something else (False), nothing."""
    full = os.path.join(os.fsencode(worktree.top), file.path)
    try:
        found = os.lstat(full)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISREG(found.st_mode):
        return False
    if found.st_size > LFS_POINTER_LIMIT and found.st_size != file.pointer.size:
        return False
    try:
        fd = os.open(full, _READ)
    except OSError:
        return False
    try:
        if found.st_size <= LFS_POINTER_LIMIT:
            text = os.read(fd, LFS_POINTER_LIMIT + 1)
            if parse_lfs_pointer(text) == file.pointer:
                return text
            os.lseek(fd, 0, os.SEEK_SET)
        if found.st_size != file.pointer.size:
            return False
        return not compare or hash_fd(fd, found.st_size) == file.pointer.oid
    finally:
        os.close(fd)


# Where an object can be had that is not on this machine


class LfsOrigin:
    """The last commit as the origin has it, or will: what an import could name."""

    def __init__(self, worktree: Worktree, view: View) -> None:
        found = ask(worktree, ["config", "--get", "remote.origin.url"], check=False)
        self._url = _without_password(os.fsdecode(found.out.rstrip(b"\n"))) if found.code == 0 else ""
        self._commit = worktree.head
        self._known: dict[bytes, ObjectId] = {}
        if self._url and self._commit is not None:
            there = LfsFiles(View(view.repository, self._commit)).find(b"")
            self._known = {file.path: file.pointer.oid for file in there}

    def source(self, file: LfsFile) -> Source | None:
        """What a pointer says of where its data is; None where the last commit does not have it, or has no origin."""
        if self._known.get(file.path) != file.pointer.oid:
            return None
        repo = self._url
        if not is_repository_url(repo) and not os.path.isabs(repo) and not repo.startswith("~"):
            # git's is relative to the top, ours to the pointer's directory
            repo = posixpath.relpath(repo, os.fsdecode(posixpath.dirname(file.path)) or ".")
        # Pinned: later commits have it as ours, and there is nothing to follow.
        pinned = self._commit
        return Source(repo=repo, path=os.fsdecode(file.path), rev=pinned, commit=pinned, origin=Origin.LFS.value)


def _without_password(url: str) -> str:
    """A URL that may be committed: over http a user alone may be a token, so it goes too."""
    return _PASSWORD.sub(r"\1@", _USER.sub("", url))
