"""Add, status, push, pull and checkout of very many tiny files: seconds and memory, and the cost per file.

python scripts/million.py [FILES]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
MOST_MIB = 300


def main(arguments: list[str]) -> int:
    files = int(arguments[0]) if arguments else 1_000_000
    with tempfile.TemporaryDirectory(prefix="datatool-million-", ignore_cleanup_errors=True) as made:
        top = Path(made).resolve()
        identity = "[user]\n name = m\n email = m@example.org\n[init]\n defaultBranch = main\n"
        (top / "gitconfig").write_text(identity)
        env = os.environ | {
            "GIT_CONFIG_GLOBAL": str(top / "gitconfig"),
            "XDG_CONFIG_HOME": made,
            "XDG_CACHE_HOME": made,
        }
        project, clone = top / "project", top / "clone"
        make_files(project / "data", files)
        quiet(["git", "init", "-q"], project, env)
        quiet(["datatool", "init", "-q"], project, env)
        quiet(["datatool", "remote", "add", "-d", "storage", "../remote"], project, env)
        worst = max(
            measure("add", ["add", "data"], project, env, files),
            measure("status", ["status"], project, env, files),
            measure("push", ["push"], project, env, files),
            measure("push again", ["push"], project, env, files),
        )
        quiet(["git", "add", "-A"], project, env)
        quiet(["git", "commit", "-q", "-m", "many"], project, env)
        quiet(["git", "clone", "-q", str(project), str(clone)], top, env)
        worst = max(worst, measure("pull", ["pull"], clone, env, files))
        (clone / "data").rename(top / "aside")
        worst = max(worst, measure("checkout", ["checkout"], clone, env, files))
    if worst > MOST_MIB:
        print(f"error: {worst:.0f} MiB is more than {MOST_MIB} MiB", file=sys.stderr)
        return 1
    return 0


def make_files(top: Path, count: int) -> None:
    for i in range(count):
        if i % 1000 == 0:
            directory = top / f"{i // 100_000:03}" / f"{i // 1000:04}"
            directory.mkdir(parents=True)
        (directory / f"{i:07}.txt").write_bytes(b"%-99d\n" % i)


def quiet(command: list[str], cwd: Path, env: dict[str, str]) -> None:
    subprocess.run(command, cwd=cwd, env=env, check=True, stdout=subprocess.DEVNULL)


def measure(name: str, words: list[str], cwd: Path, env: dict[str, str], files: int) -> float:
    """Run one command, print what it cost, return its peak memory in MiB."""
    result = cwd.parent / "result.json"
    command = [sys.executable, "-S", str(HERE / "measured.py"), str(result), "datatool", *words]
    subprocess.run(command, cwd=cwd, env=env, check=True, stdout=subprocess.DEVNULL)
    cost = json.loads(result.read_text())
    mib = float(cost["peak_kib"]) / 1024
    each = cost["seconds"] / files * 1e6
    print(
        f"{name:11} {cost['seconds']:8.2f} s  {each:7.1f} µs per file  cpu {cost['cpu']:8.2f} s  {mib:6.0f} MiB",
        flush=True,
    )
    return mib


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
