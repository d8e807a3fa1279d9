"""Git repositories for the tests of `datatool.git`: made and changed by the real git, never by our own code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from datatool.git.worktree import Worktree, discover

POINTER = b"datatool: 1\nkind: file\n"
HARD_NAMES = [
    b"new\nline.dt",
    b"quote\"'.dt",
    b"latin-\xe9.dt",
    b"glob[*]?.dt",
    b":(top)magic.dt",
    b"-dash.dt",
    b" space .dt",
]
"""Names that quoting, splitting, pathspecs or options get wrong."""

posix_names = pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="this filesystem has no such names")


def git(where: Path, *words: str | bytes, input: bytes | None = None) -> bytes:
    """Run git and give what it printed; it must succeed."""
    done = subprocess.run(["git", *words], cwd=where, input=input, capture_output=True)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout


def repository(top: Path, *options: str) -> Path:
    """An empty git repository."""
    top.mkdir(parents=True, exist_ok=True)
    git(top, "init", "-q", *options)
    return top


def at(top: Path) -> Worktree:
    """The work tree at a path, as datatool sees it."""
    worktree = discover(top)
    assert isinstance(worktree, Worktree)
    return worktree


def write(top: Path, path: bytes | str, data: bytes = POINTER) -> bytes:
    """Write a file of the work tree; gives its path as raw bytes."""
    raw = os.fsencode(path)
    full = os.path.join(os.fsencode(top), raw)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "wb") as file:
        file.write(data)
    return raw


def remove(top: Path, path: bytes | str) -> None:
    """Delete a file of the work tree."""
    os.unlink(os.path.join(os.fsencode(top), os.fsencode(path)))


def commit(top: Path, message: str = "work") -> str:
    """Commit everything in the work tree; gives the commit's id."""
    git(top, "add", "-A")
    git(top, "commit", "-q", "--allow-empty", "-m", message)
    return git(top, "rev-parse", "HEAD").decode().strip()
