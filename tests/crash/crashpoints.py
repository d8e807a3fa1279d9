"""Kill a command at each of its file-changing calls: the tracer, and the world it is used on."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import needs

SOURCE = Path(__file__).with_name("tracer.c")
ERRNO_FAULTS = {"ENOSPC": 28, "EIO": 5, "EACCES": 13, "EMFILE": 24, "EXDEV": 18, "EMLINK": 31, "EROFS": 30}
FLAGS = {
    "kill": ["-K"],
    "kill-after": ["-A"],
    "torn": ["-T"],
    "short": ["-S"],
    "term": ["-s", "15"],
    "int": ["-s", "2"],
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One call that changed, or was about to change, a file of the world."""

    n: int
    call: str
    path: str
    to: str

    @property
    def is_sqlite(self) -> bool:
        """Whether it is one of SQLite's, on the files of its database."""
        return os.path.basename(self.path).startswith("state.db")

    def __str__(self) -> str:
        return f"call {self.n}, {self.call} {self.path} {self.to}".rstrip()


@dataclass(frozen=True, kw_only=True, slots=True)
class Traced:
    """A traced run: its exit code (137 where it was killed) and the calls it got to."""

    code: int
    calls: tuple[Call, ...]
    out: str
    err: str

    def at(self, n: int) -> str:
        return str(self.calls[n - 1]) if n <= len(self.calls) else f"call {n}"


def build_tracer(directory: Path) -> Path:
    """Compile the tracer; a machine where that or tracing itself is impossible skips the test by name."""
    needs.linux()
    if platform.machine() != "x86_64":
        needs.lacking("an x86-64 machine for the tracer")
    tracer = directory / "tracer"
    if not tracer.exists():
        made = directory / f"tracer-{os.getpid()}"
        built = subprocess.run([needs.tool("cc"), "-O2", "-o", made, SOURCE], capture_output=True, text=True)
        if built.returncode != 0:
            needs.lacking(f"a working cc ({built.stderr.strip()[-200:]})")
        made.rename(tracer)
    if subprocess.run([tracer, "--", "true"], capture_output=True).returncode != 0:
        needs.lacking("ptrace")
    return tracer


def trace(
    tracer: Path,
    command: Sequence[str | Path],
    *,
    top: Path,
    cwd: Path,
    env: dict[str, str],
    n: int = 0,
    fault: str = "kill",
    git: bool = False,
    timeout: float = 120,
) -> Traced:
    """Run `command` and disturb its n-th file-changing call below `top` (n = 0: only count).

    What git changes in its own directories does not count unless `git` says so: a killed git leaves a lock that is
    git's to explain. What datatool keeps there always counts.
    """
    log = top.parent / f"{top.name}.calls"
    log.unlink(missing_ok=True)
    words: list[str | Path] = [tracer, "-n", str(n), "-l", log, "-u", top.resolve()]
    for git_dir in sorted(top.rglob(".git")) if not git else ():
        words += ["-x", git_dir.resolve(), "-u", (git_dir / "datatool").resolve()]
    words += FLAGS.get(fault) or ["-e", str(ERRNO_FAULTS[fault.rstrip("+")]), *(["-P"] if fault.endswith("+") else [])]
    done = subprocess.run(
        [*words, "--", *command], cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout
    )
    calls = []
    for line in log.read_text().splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue  # the line the tracer was writing when everything ended
        calls.append(Call(n=row["n"], call=row["call"], path=row["path"], to=row["to"]))
    code = done.returncode if done.returncode >= 0 else 128 - done.returncode
    return Traced(
        code=code,
        calls=tuple(calls),
        out=done.stdout.decode("utf-8", "replace"),
        err=done.stderr.decode("utf-8", "replace"),
    )


class Stage:
    """A prepared directory that is put back, at the same absolute path, before every run.

    Only what differs is put back: whatever writes to a file or renames it also changes its ctime, which nobody can set.
    """

    def __init__(self, top: Path) -> None:
        self.top = top
        self._gold = top.with_name(f"{top.name}.gold")
        self._kept: dict[str, tuple[int, ...]] = {}

    def keep(self) -> None:
        """Remember the directory as it is now."""
        copy_tree(self.top, self._gold)
        self._kept = _stats(self.top)

    def restore(self) -> None:
        """Put it back, byte for byte, with times and modes."""
        now = _stats(self.top)
        differing = self._differing(now)
        for path in reversed(differing):
            if path in now and _is_directory(now[path]):
                if path not in self._kept or not _is_directory(self._kept[path]):
                    (self.top / path).rmdir()
            elif path in now:
                (self.top / path).unlink()
        for path in differing:
            if path in self._kept:
                _put_back(self._gold / path, self.top / path)
        for directory in {os.path.dirname(path) for path in differing} | set(differing):
            if (self._gold / directory).is_dir() and not (self._gold / directory).is_symlink():
                shutil.copystat(self._gold / directory, self.top / directory)
        for path in differing:
            if path in self._kept:
                self._kept[path] = _stat(self.top / path)

    def state(self) -> str:
        """A hash of what differs from the kept directory but for times, also in records; names of temporary files;
        numbers of processes in locks; and SQLite's files, which have salts in them."""
        now = _stats(self.top)
        lines = []
        for path in self._differing(now):
            name = _TEMPORARY.sub("tmp", path)
            if os.path.basename(path).startswith("state.db"):
                continue
            if _is_directory(now.get(path, (0,))) and now[path][0] == self._kept.get(path, (0,))[0]:
                continue  # only its time
            if path not in now:
                lines.append(f"{name} is gone")
                continue
            text = b"" if _is_directory(now[path]) else _contents(self.top / path)
            if "/locks/" in path:
                text = text[:1]
            if path.endswith(".json") or _TEMPORARY.search(path):
                text = _TIME.sub(b"time", text)
            lines.append(f"{name} {now[path][0]:o} {hashlib.sha256(text).hexdigest()}")
        return hashlib.sha256("\n".join(sorted(lines)).encode("utf-8", "surrogateescape")).hexdigest()

    def _differing(self, now: Mapping[str, tuple[int, ...]]) -> list[str]:
        return sorted(path for path in now.keys() | self._kept.keys() if now.get(path) != self._kept.get(path))


_TIME = re.compile(rb"\b\d{7,}(\.\d+)?\b")
_TEMPORARY = re.compile(r"\.datatool-tmp-[0-9a-f]+")


def _stat(path: Path | os.DirEntry[str]) -> tuple[int, ...]:
    found = path.stat(follow_symlinks=False) if isinstance(path, os.DirEntry) else path.lstat()
    if stat.S_ISDIR(found.st_mode):
        return (found.st_mode, found.st_mtime_ns)
    return (found.st_mode, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _stats(top: Path) -> dict[str, tuple[int, ...]]:
    """Everything below a directory, with what changes when it is touched; of directories modes and times."""
    found = {}
    waiting = [""]
    while waiting:
        directory = waiting.pop()
        with os.scandir(top / directory) as entries:
            for entry in entries:
                path = os.path.join(directory, entry.name)
                found[path] = _stat(entry)
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(path)
    return found


def _is_directory(found: tuple[int, ...]) -> bool:
    return stat.S_ISDIR(found[0])


def _contents(path: Path) -> bytes:
    return os.fsencode(os.readlink(path)) if path.is_symlink() else path.read_bytes()


def _put_back(source: Path, target: Path) -> None:
    if source.is_dir() and not source.is_symlink():
        target.mkdir(exist_ok=True)
        shutil.copystat(source, target)
    else:
        shutil.copy2(source, target, follow_symlinks=False)


def copy_tree(source: Path, target: Path) -> None:
    if sys.platform == "linux":
        subprocess.run(["cp", "-a", "--reflink=auto", source, target], check=True)
    else:
        shutil.copytree(source, target, symlinks=True)
