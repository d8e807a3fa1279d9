"""The main job end to end: init, add, push, clone, pull, edit, status, diff, add, push, pull, back to the start.

Every command is printed with its output. Every file is compared, byte for byte, and any difference ends the demo.
"""

from __future__ import annotations

import filecmp
import json
import os
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class Failed(Exception):
    """Something is not as it should be."""


@dataclass
class Demo:
    """Two working copies of one project, and what each step took."""

    top: Path
    env: dict[str, str]
    steps: list[tuple[str, float, dict[str, Any]]] = field(default_factory=list)

    @property
    def project(self) -> Path:
        return self.top / "project"

    @property
    def clone(self) -> Path:
        return self.top / "clone"

    def say(self, text: str) -> None:
        print(f"\n# {text}", flush=True)

    def run(self, *words: str, cwd: Path) -> None:
        """Print a command, run it, show its output; any failure ends the demo."""
        print(f"{cwd.name}$ {' '.join(words)}", flush=True)
        started = time.perf_counter()
        done = subprocess.run(words, cwd=cwd, env=self.env, stdin=subprocess.DEVNULL)
        took = time.perf_counter() - started
        if done.returncode:
            raise Failed(f"{' '.join(words)} ended with exit code {done.returncode}")
        if words[0] == "datatool":
            self.steps.append((f"{cwd.name}: {' '.join(words[1:])}", took, {}))

    def ask(self, *words: str, cwd: Path) -> dict[str, Any]:
        """The JSON document of a datatool command; command and document are shown."""
        print(f"{cwd.name}$ datatool {' '.join(words)} --json", flush=True)
        started = time.perf_counter()
        done = subprocess.run(
            ["datatool", *words, "--json"], cwd=cwd, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )
        took = time.perf_counter() - started
        if done.returncode:
            raise Failed(f"datatool {' '.join(words)} ended with exit code {done.returncode}")
        document: dict[str, Any] = json.loads(done.stdout)
        print(done.stdout.decode().strip(), flush=True)
        self.steps.append((f"{cwd.name}: {' '.join(words)}", took, document))
        return document

    def git(self, *words: str, cwd: Path) -> None:
        self.run("git", *words, cwd=cwd)


def main(arguments: list[str]) -> int:
    source = Path(arguments[0]) if arguments else Path(sysconfig.get_path("stdlib"))
    if not source.is_dir():
        print(f"error: {source} is not a directory", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="datatool-demo-", ignore_cleanup_errors=True) as made:
        demo = Demo(top=Path(made).resolve(), env=own_environment(Path(made)))
        try:
            show(demo, source, whole=bool(arguments))
        except Failed as failure:
            print(f"\nDEMO FAILED: {failure}", file=sys.stderr)
            return 1
        finally:
            make_writable(demo.top)
    return 0


def show(demo: Demo, source: Path, *, whole: bool) -> None:
    """The story, from an empty directory to the first version restored."""
    project, clone, remote = demo.project, demo.clone, demo.top / "remote"
    original = demo.top / "original"
    project.mkdir()
    copy_data(source, original, whole=whole)
    shutil.copytree(original, project / "data", symlinks=True)
    files, size = measure(original)
    demo.say(f"{files:,} real files, {size / 1e6:,.1f} MB, from {source}")

    demo.say("Start a project and name a directory as its remote")
    demo.run("datatool", "init", cwd=project)
    demo.run("datatool", "remote", "add", "--default", "storage", str(remote), cwd=project)

    demo.say("Track the data: its bytes go into the cache, a small pointer goes into git")
    demo.run("datatool", "add", "data", "--description", "what the demo is about", cwd=project)
    demo.run(*SHOW_POINTER, cwd=project)
    demo.git("add", "-A", cwd=project)
    demo.git("commit", "-q", "-m", "first version", cwd=project)
    demo.run("datatool", "status", cwd=project)

    demo.say("Push: small files travel together in packs")
    pushed = demo.ask("push", cwd=project)
    expect(pushed["objects"] > 0, "the push sent objects")
    expect(demo.ask("push", cwd=project)["requests"] <= 2, "a push with nothing to do makes 2 requests")

    demo.say("A colleague clones the repository and pulls")
    demo.git("clone", "-q", str(project), str(clone), cwd=demo.top)
    demo.ask("pull", cwd=clone)
    same_tree(original, clone / "data")
    print(f"compared: all {files:,} files are identical")

    demo.say("Edit one file")
    edited = next(path for path in sorted((project / "data").rglob("*.py" if not whole else "*")) if is_file(path))
    edited.write_bytes(edited.read_bytes() + b"\n# one more line\n")
    relative = edited.relative_to(project).as_posix()
    print(f"project$ printf '\\n# one more line\\n' >> {relative}")
    demo.run("datatool", "status", cwd=project)
    demo.run("datatool", "diff", cwd=project)
    demo.run("datatool", "add", "data", cwd=project)
    demo.git("commit", "-q", "-m", "second version", cwd=project)
    second = demo.ask("push", cwd=project)
    expect(second["objects"] <= 4, "one changed file costs few objects")

    demo.say("The colleague pulls the second version: only the changed file travels")
    demo.git("pull", "-q", "--ff-only", cwd=clone)
    demo.ask("pull", cwd=clone)
    same_tree(project / "data", clone / "data")
    print("compared: the clone equals the project")

    demo.say("Back to the first version")
    demo.run("datatool", "checkout", "--rev", "HEAD~1", "data", cwd=clone)
    same_tree(original, clone / "data")
    print("compared: the first version is back, byte for byte")
    summarise(demo, files, size, remote)


SHOW_POINTER = (
    [sys.executable, "-c", "import sys; sys.stdout.write(open('data.dt').read())"]
    if os.name == "nt"
    else ["cat", "data.dt"]
)


def copy_data(source: Path, target: Path, *, whole: bool) -> None:
    """Copy real files; of Python's library, without what was installed into it or linked from elsewhere."""
    unwanted = () if whole else ("site-packages", "dist-packages")

    def ignore(directory: str, names: list[str]) -> set[str]:
        at = Path(directory)
        return {n for n in names if n in unwanted or n == ".git" or not (is_file(at / n) or is_directory(at / n))}

    shutil.copytree(source, target, symlinks=True, ignore=ignore)
    make_writable(target)


def same_tree(left: Path, right: Path) -> None:
    """Compare names, kinds, executable bits and every byte."""
    names = {path.relative_to(left) for path in left.rglob("*")}
    others = {path.relative_to(right) for path in right.rglob("*")}
    if names != others:
        raise Failed(f"{left} and {right} differ in {sorted(map(str, names ^ others))[:5]}")
    for name in names:
        one, two = left / name, right / name
        if one.is_dir() != two.is_dir():
            raise Failed(f"{name}: a file here, a directory there")
        if one.is_dir():
            continue
        if (one.stat().st_mode ^ two.stat().st_mode) & stat.S_IXUSR:
            raise Failed(f"{name}: the executable bit differs")
        if not filecmp.cmp(one, two, shallow=False):
            raise Failed(f"{name}: the bytes differ")


def summarise(demo: Demo, files: int, size: int, remote: Path) -> None:
    stored = [path for path in remote.rglob("*") if path.is_file()]
    print(f"\n{files:,} files, {size / 1e6:,.1f} MB; the remote holds both versions in {len(stored)} files, ", end="")
    print(f"{sum(path.stat().st_size for path in stored) / 1e6:,.1f} MB\n")
    print(f"{'step':52} {'seconds':>8} {'requests':>9} {'objects':>8} {'MB moved':>9}")
    for name, took, document in demo.steps:
        moved = f"{document['bytes'] / 1e6:9.2f}" if "bytes" in document else ""
        short = name.replace(str(demo.top), "…")
        print(f"{short[:52]:52} {took:8.2f} {document.get('requests', ''):>9} {document.get('objects', ''):>8} {moved}")
    print("\nDemo finished: everything compared equal.")


def expect(held: bool, what: str) -> None:
    if not held:
        raise Failed(f"this does not hold: {what}")


def measure(top: Path) -> tuple[int, int]:
    files = [path for path in top.rglob("*") if is_file(path)]
    return len(files), sum(path.stat().st_size for path in files)


def is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def is_directory(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def make_writable(top: Path) -> None:
    """Let the demo's own directory be deleted, and its files be edited, whatever modes they came with."""
    for directory, _, files in os.walk(top):
        for path in [Path(directory), *(Path(directory, name) for name in files)]:
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | stat.S_IRUSR | stat.S_IWUSR)


def own_environment(top: Path) -> dict[str, str]:
    """The user's environment, but with an identity for git and without settings that would change the demo."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DATATOOL_", "GIT_"))}
    config = top / "gitconfig"
    identity = "[user]\n\tname = Demo\n\temail = demo@example.org\n"
    config.write_text(f"{identity}[init]\n\tdefaultBranch = main\n[core]\n\tautocrlf = false\n")
    return kept | {"GIT_CONFIG_GLOBAL": str(config), "GIT_TERMINAL_PROMPT": "0", "XDG_CONFIG_HOME": str(top / "config")}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
