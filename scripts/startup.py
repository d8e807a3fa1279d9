"""Processor time and loaded modules of the commands that people run all the time."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
HEAVY = (
    "asyncio",
    "asyncssh",
    "fsspec",
    "pathspec",
    "platformdirs",
    "pygit2",
    "rich",
    "ruamel",
    "s3fs",
    "sqlite3",
    "typer",
)
COMMANDS = {"--version": ["--version"], "--help": ["--help"], "status": ["status"], "add --help": ["add", "--help"]}


def main(arguments: list[str]) -> int:
    runs = int(arguments[0]) if arguments else 9
    with tempfile.TemporaryDirectory() as made:
        top = Path(made)
        (top / "project").mkdir()
        identity = "[user]\n name = s\n email = s@example.org\n"
        (top / "gitconfig").write_text(identity)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}  # bytecode is kept
        env = kept | {"GIT_CONFIG_GLOBAL": str(top / "gitconfig"), "HOME": made, "NO_COLOR": "1"}
        subprocess.run(["git", "init", "-q"], cwd=top / "project", env=env, check=True)
        subprocess.run(["datatool", "init", "-q"], cwd=top / "project", env=env, check=True)
        bare = cost([sys.executable, "-c", ""], top, env, runs)
        print(f"{'command':14} {'CPU ms':>7} {'over bare':>10} {'wall ms':>8} {'modules':>8}  heavy ones")
        print(f"{'(interpreter)':14} {bare[0]:7.1f} {'':10} {bare[1]:8.1f}")
        for name, words in COMMANDS.items():
            cpu, wall = cost(["datatool", *words], top, env, runs)
            modules = loaded(words, top, env)
            heavy = " ".join(module for module in HEAVY if module in modules)
            print(f"{name:14} {cpu:7.1f} {cpu - bare[0]:10.1f} {wall:8.1f} {len(modules):8}  {heavy}")
    return 0


def cost(command: list[str], top: Path, env: dict[str, str], runs: int) -> tuple[float, float]:
    """Median processor and wall milliseconds."""
    found = []
    for _ in range(runs):
        result = top / "result.json"
        subprocess.run(
            [sys.executable, "-S", HERE / "measured.py", result, *command],
            cwd=top / "project",
            env=env,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        row = json.loads(result.read_text())
        found.append((row["cpu"] * 1000, row["seconds"] * 1000))
    return statistics.median(cpu for cpu, _ in found), statistics.median(wall for _, wall in found)


def loaded(words: list[str], top: Path, env: dict[str, str]) -> set[str]:
    """The modules in memory when the command ends."""
    code = "import sys; from datatool.cli.main import main; main(sys.argv[1:]); print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=top / "project", env=env, capture_output=True, text=True, check=True
    )
    return set(done.stdout.splitlines()[-1].split())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
