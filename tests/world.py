"""A small world to try datatool in: a project in a real git repository, a directory as the remote, clones."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datatool.cli.main import main
from datatool.formats.shard import Shard
from environment import clean_environment


@dataclass(frozen=True, kw_only=True, slots=True)
class Ran:
    """What one command said: its exit code, standard output and standard error."""

    words: tuple[str, ...]
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The document on standard output."""
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, Any]:
        """The error object, which is the last line of standard error."""
        found: dict[str, Any] = json.loads(self.err.strip().splitlines()[-1])["error"]
        return found

    def __str__(self) -> str:
        return f"$ datatool {' '.join(self.words)}\n{self.out}{self.err}exit code {self.code}"


class World:
    """A project at `root` (made by `datatool init`), its git origin and its remote beside it.

    world.write("data/a.csv", b"1"); world.ok("add", "data"); world.commit(); world.ok("push")
    """

    def __init__(self, top: Path, *, name: str = "project", init: bool = True) -> None:
        self.top = top
        self.home = top / "home"
        self.home.mkdir(parents=True, exist_ok=True)
        self.env = clean_environment(self.home)
        self.root = top / name
        self.origin = top / "origin.git"
        self.remote = top / "remote"
        if init:
            self.root.mkdir()
            self.git("init", "-q")
            self.ok("init", "--remote", str(self.remote))
            self.commit("start")

    # ---- commands

    def run(self, *words: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Ran:
        """Run the command line in this process, which is fast."""
        texts = tuple(str(word) for word in words)
        out, err = _Captured(), _Captured()
        with (
            _swapped_environment({**self.env, **(env or {})}),
            contextlib.chdir(cwd or self.root),
            contextlib.redirect_stdout(out.text),
            contextlib.redirect_stderr(err.text),
        ):
            code = _exit_code(main, texts)
        return Ran(words=texts, code=code, out=out.value(), err=err.value())

    def ok(self, *words: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Ran:
        """Run in this process; anything but exit code 0 fails the test with everything that was said."""
        return self.fails(0, *words, cwd=cwd, env=env)

    def fails(
        self, code: int, *words: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> Ran:
        """Run in this process and expect exactly this exit code."""
        ran = self.run(*words, cwd=cwd, env=env)
        assert ran.code == code, f"expected exit code {code}\n{ran}"
        return ran

    def json(self, *words: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Any:
        """Run with --json, expect success, return the document."""
        return self.ok(*words, "--json", cwd=cwd, env=env).json

    def process(
        self,
        *words: str | Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        before: list[str] | None = None,
        timeout: float = 300,
    ) -> Ran:
        """Run the command line as a process of its own, behind the command `before` where one is given."""
        texts = tuple(str(word) for word in words)
        done = subprocess.run(
            [*(before or []), *DATATOOL, *texts],
            cwd=cwd or self.root,
            env={**self.env, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
        )
        out, err = (text.decode("utf-8", "surrogateescape") for text in (done.stdout, done.stderr))
        return Ran(words=texts, code=done.returncode, out=out, err=err)

    def git(self, *words: str, cwd: Path | None = None) -> str:
        """Run git in the project; returns what it printed, without the last newline."""
        done = subprocess.run(
            ["git", *words],
            cwd=cwd or self.root,
            env=self.env,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
        )
        assert done.returncode == 0, f"git {' '.join(words)}: {done.stderr}"
        return done.stdout.rstrip("\n")

    def commit(self, message: str = "change") -> str:
        """Commit everything git sees; returns the commit's id."""
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def clone(self, name: str = "clone") -> World:
        """A fresh git clone of the project as committed now (nothing pulled), with the same remote."""
        if not self.origin.exists():
            self.git("init", "-q", "--bare", str(self.origin))
        branch = self.git("branch", "--show-current")
        self.git("push", "-q", "-f", str(self.origin), f"HEAD:refs/heads/{branch}")
        copy = World(self.top, name=name, init=False)
        self.git("clone", "-q", "-b", branch, str(self.origin), str(copy.root))
        return copy

    # ---- files

    def write(self, path: str | bytes, data: bytes = b"", *, executable: bool = False) -> Path:
        """Write a file below the project, with its directories."""
        target = self.root / os.fsdecode(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        if executable:
            target.chmod(target.stat().st_mode | 0o111)
        return target

    def read(self, path: str | bytes) -> bytes:
        return (self.root / os.fsdecode(path)).read_bytes()

    def exists(self, path: str | bytes) -> bool:
        return os.path.lexists(self.root / os.fsdecode(path))

    def tree(self, path: str = "") -> dict[str, bytes | str | None]:
        """Everything below `path` but `.git`: contents of files, "-> target" of links, None of empty directories."""
        return tree(self.root / path)

    @property
    def git_dir(self) -> Path:
        return self.root / ".git"

    @property
    def local(self) -> Path:
        """Where datatool keeps what belongs to this clone alone."""
        return self.git_dir / "datatool"

    @property
    def cache(self) -> Path:
        return self.local / "cache"

    def settle(self) -> None:
        """Wait until files written just now are old enough for their stat to be trusted (some 25 ms, formats §4)."""
        scratch = self.top / ".settle"
        start = None
        while True:
            scratch.write_bytes(b"")
            scratch_time = scratch.stat().st_mtime_ns
            start = start or scratch_time
            if scratch_time - start > 25_000_000:
                scratch.unlink()
                return
            time.sleep(0.005)


DATATOOL = [sys.executable, "-P", "-m", "datatool"]
"""The command as a process: the interpreter that runs the tests, and the datatool that they import."""


def tree(top: Path) -> dict[str, bytes | str | None]:
    """Everything below `top` but `.git`, by path; comparable with `==`."""
    found: dict[str, bytes | str | None] = {}
    for directory, names, files in os.walk(top):
        if ".git" in names:
            names.remove(".git")
        where = Path(directory)
        for name in [*files, *(n for n in names if (where / n).is_symlink())]:
            path = where / name
            key = path.relative_to(top).as_posix()
            found[key] = f"-> {os.readlink(path)}" if path.is_symlink() else path.read_bytes()
        if not names and not files and where != top:
            found[where.relative_to(top).as_posix()] = None
    return found


def objects_of(cache: Path, data: bytes) -> list[Path]:
    """The files of their own in which a cache keeps these bytes."""
    return [path for path in (cache / "objects").rglob("*") if path.is_file() and path.read_bytes() == data]


def held(cache: Path) -> set[str]:
    """Every object that a cache has in use, not in its trash: a file of its own, or in a pack that a shard names."""
    found = {path.parent.name + path.name for path in (cache / "objects").rglob("*") if path.is_file()}
    for path in (cache / "index").glob("*.dti"):
        shard = Shard(path.read_bytes())
        there = [(cache / "packs" / pack[:2] / f"{pack[2:]}.pack").exists() for pack in shard.header.packs]
        found |= {record.oid for record in shard.records() if there[record.ordinal]}
    return found


def executables(top: Path) -> set[str]:
    """The executable files below `top` but `.git`."""
    return {
        path.relative_to(top).as_posix()
        for path in top.rglob("*")
        if path.is_file() and path.stat().st_mode & 0o100 and ".git" not in path.parts
    }


class _Captured:
    """A text stream over bytes, as a process has, so that code may also write to `.buffer`."""

    def __init__(self) -> None:
        self._bytes = io.BytesIO()
        self.text = io.TextIOWrapper(self._bytes, encoding="utf-8", errors="surrogateescape", write_through=True)

    def value(self) -> str:
        self.text.flush()
        return self._bytes.getvalue().decode("utf-8", "surrogateescape")


def _exit_code(main: Callable[[list[str]], int | None], words: tuple[str, ...]) -> int:
    try:
        return main(list(words)) or 0
    except SystemExit as stop:
        if stop.code is None or isinstance(stop.code, int):
            return stop.code or 0
        return 1


@contextlib.contextmanager
def _swapped_environment(wanted: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(wanted)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
