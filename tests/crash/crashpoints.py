"""Kill a command at each of its file-changing calls: the tracer, and the world it is used on."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
    """A prepared directory that is put back, at the same absolute path, before every run."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self._gold = top.with_name(f"{top.name}.gold")

    def keep(self) -> None:
        """Remember the directory as it is now."""
        copy_tree(self.top, self._gold)

    def restore(self) -> None:
        """Put it back, byte for byte, with times and modes."""
        shutil.rmtree(self.top)
        copy_tree(self._gold, self.top)

    @contextmanager
    def fresh(self) -> Iterator[Path]:
        self.restore()
        yield self.top


def copy_tree(source: Path, target: Path) -> None:
    if sys.platform == "linux":
        subprocess.run(["cp", "-a", "--reflink=auto", source, target], check=True)
    else:
        shutil.copytree(source, target, symlinks=True)
