"""What tests of `track()` share: a project to stand in, scripts that run in it, and what it may not change."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from world import Ran, World

OLD, NEW, OWN = b"id\n1\n", b"id\n1\n2\n", b"id\n1\n2\nmine\n"


def script(
    world: World,
    code: str,
    *words: str,
    name: str = "script.py",
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Ran:
    """Write a script into a project and run it with Python."""
    path = world.write(name, code.encode())
    return run_python(world, str(path), *words, cwd=cwd, env=env)


def run_python(world: World, *words: str, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Ran:
    done = subprocess.run(
        [sys.executable, *words],
        cwd=cwd or world.root,
        env={**world.env, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return Ran(words=words, code=done.returncode, out=done.stdout, err=done.stderr)


def as_it_is(top: Path) -> dict[str, tuple[int, int, int]]:
    """Everything below a directory, `.git` included, with what changes when it is written to. SQLite's own files beside
    a database are left out: they are there while it is open."""
    return {
        str(path): (found.st_mtime_ns, found.st_size, found.st_ino)
        for path in sorted(top.rglob("*"))
        if not path.name.endswith(("-wal", "-shm")) and (found := os.lstat(path)).st_ino and path.name != "datatool"
    }
