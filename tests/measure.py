"""What a command costs: peak memory, files opened, bytes hashed, requests sent."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import needs
from datatool.localfs import syncing
from datatool.store.directory import DirectoryStore
from world import DATATOOL, World

MEASURED = Path(__file__).parents[1] / "scripts" / "measured.py"
_OPENED = re.compile(
    r'(?:open|openat|openat2)\((?:[^"<]*(?:<(?P<base>[^>]*)>)?, )?"(?P<path>(?:[^"\\]|\\.)*)", ?(?P<how>.*)'
)


class Cost(NamedTuple):
    """What a process came to: its exit code, what it said on standard error, the peak of its memory, its time."""

    code: int
    err: str
    mib: float
    seconds: float


def cost(
    world: World,
    *words: str,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
    program: Sequence[str] = DATATOOL,
) -> Cost:
    """Run a command as a process, however it ends."""
    result = world.top / "cost.json"
    done = subprocess.run(
        [sys.executable, "-S", MEASURED, result, *program, *words],
        cwd=cwd or world.root,
        env=env or world.env,
        capture_output=True,
        text=True,
    )
    found = json.loads(result.read_text())
    return Cost(found["code"], done.stderr, float(found["peak_kib"]) / 1024, found["seconds"])


def peak_mib(world: World, *words: str, cwd: Path | None = None) -> float:
    """Run a command as a process and return the peak of its memory in MiB; it must succeed."""
    found = cost(world, *words, cwd=cwd)
    assert found.code == 0, found.err[-3000:]
    return found.mib


def files_opened(world: World, *words: str, cwd: Path | None = None) -> list[str]:
    """The files (not directories) that a command and its children opened, as absolute paths; it must succeed."""
    needs.linux()
    log = world.top / "strace.log"
    tracer = [needs.tool("strace"), "-f", "-qq", "-y", "-z", "-s", "4096", "-e", "trace=open,openat,openat2", "-o", log]
    done = subprocess.run(
        [*tracer, *DATATOOL, *words], cwd=cwd or world.root, env=world.env, capture_output=True, text=True
    )
    if "PTRACE" in done.stderr or "ptrace" in done.stderr:
        needs.lacking("ptrace")
    assert done.returncode == 0, done.stderr[-3000:]
    found = []
    for line in log.read_text(errors="replace").splitlines():
        match = _OPENED.search(line)
        if match and "O_DIRECTORY" not in match["how"] and "O_PATH" not in match["how"]:
            path = Path(match["base"] or cwd or world.root) / match["path"]
            if not path.is_dir():
                found.append(str(path))
    return found


@contextmanager
def hashed_bytes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], int]]:
    """Count the bytes that datatool hashes in this process meanwhile."""
    total = [0]

    class Counting:
        def __init__(self, data: Any = b"", **options: Any) -> None:
            self._inner = hashlib.sha256(**options)
            self.update(data)

        def update(self, data: Any) -> None:
            total[0] += memoryview(data).nbytes
            self._inner.update(data)

        def digest(self) -> bytes:
            return self._inner.digest()

        def hexdigest(self) -> str:
            return self._inner.hexdigest()

    class Library:
        sha256 = Counting

    with monkeypatch.context() as patch:
        patch.setattr("datatool.hashing.hashlib", Library)
        yield lambda: total[0]


@contextmanager
def store_requests(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Count what reaches a directory remote in this process meanwhile, by the name of the operation."""
    counts: Counter[str] = Counter()

    def counted(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: DirectoryStore, *arguments: Any, **options: Any) -> Any:
            counts[name] += 1
            return original(self, *arguments, **options)

        return call

    with monkeypatch.context() as patch:
        for name in ("list", "get", "get_many", "get_file", "put", "put_file", "delete_many"):
            patch.setattr(DirectoryStore, name, counted(name, getattr(DirectoryStore, name)))
        yield counts


@contextmanager
def syncs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], int]]:
    """Count what makes files, directories or a whole filesystem durable in this process meanwhile."""
    total = [0]

    def counted(original: Callable[[int], Any]) -> Callable[[int], Any]:
        def call(fd: int) -> Any:
            total[0] += 1
            return original(fd)

        return call

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", counted(os.fsync))
        patch.setattr("datatool.localfs.syncing.sync_filesystem", counted(syncing.sync_filesystem))
        yield lambda: total[0]


@contextmanager
def system_calls(monkeypatch: pytest.MonkeyPatch, *names: str) -> Iterator[Callable[[], Counter[str]]]:
    """Count how often functions of `os` are called in this process meanwhile, by their names."""
    called: list[str] = []  # in whatever thread: appending needs no lock

    def counted(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            called.append(name)
            return original(*arguments, **options)

        return call

    with monkeypatch.context() as patch:
        for name in names:
            patch.setattr(os, name, counted(name, getattr(os, name)))
        yield lambda: Counter(called)
