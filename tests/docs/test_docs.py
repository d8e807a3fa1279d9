"""Every shell and Python block in the README and the docs runs, in order, in a fresh directory per document.

A block is left out only by a comment above it, `<!-- not run: why -->`; the documents that may do so are listed here.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

import needs
from environment import clean_environment
from servers import programs
from shims import search_path

ROOT = Path(__file__).parents[2]
MAY_LEAVE_OUT = {"README.md": 2, ".github/CONTRIBUTING.md": 3}
"""How many blocks a document may leave out; the README's are `scripts/demo` and `scripts/test` themselves."""

SHOWN = ("docs/tutorial_script.md", "docs/tutorial_stages.md", "docs/how_to/remember_results.md")
"""Documents that are run elsewhere, where what they show is compared too: see test_shown_output."""

NEEDS = {"docs/how_to/s3.md": ("rclone",)}
"""Programs that a document uses and that people get for it."""

_FENCE = re.compile(
    r"^(?P<why><!-- not run: (?P<reason>.+?) -->\n\s*)?^```(?P<language>sh|console|python)\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_LOOKS_RUNNABLE = re.compile(r"^```(bash|shell|zsh|sh-session|py|shell-session|powershell)\b", re.MULTILINE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """One fenced block of a document."""

    line: int
    language: str
    body: str
    reason: str | None


def documents() -> list[Path]:
    found = [ROOT / "README.md", *(ROOT / ".github").glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return sorted(path for path in found if path.exists())


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(text: str) -> list[Block]:
    return [
        Block(
            line=text.count("\n", 0, match.start("language")) + 1,
            language=match["language"],
            body=match["body"],
            reason=match["reason"],
        )
        for match in _FENCE.finditer(text)
    ]


def script(found: list[Block]) -> str:
    """One script of all blocks, so that directories and variables live on from block to block."""
    parts = ["set -eu"]
    for block in found:
        parts.append(f"echo '--- line {block.line}' >&2")
        if block.language == "sh":
            parts.append(block.body)
        elif block.language == "console":
            parts.append(commands(block.body))
        else:
            parts.append(f"python - <<'END_OF_PYTHON_BLOCK'\n{block.body}END_OF_PYTHON_BLOCK")
    return "\n".join(parts) + "\n"


def commands(session: str) -> str:
    """The commands of a shown session: lines that begin with `$ `, continued by lines that begin with `> `."""
    return "\n".join(line[2:] for line in session.splitlines() if line.startswith(("$ ", "> ")))


def run_here() -> list[Path]:
    return [path for path in documents() if name_of(path) not in SHOWN and blocks(path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("path", run_here(), ids=name_of)
def test_the_blocks_of_the_document_run(path: Path, tmp_path: Path) -> None:
    found = [block for block in blocks(path.read_text(encoding="utf-8")) if block.reason is None]
    if not found:
        return  # everything in it is left out by name, which the next test counts
    shell = shutil.which("bash") or needs.tool("sh")
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    home = tmp_path / "home"
    home.mkdir()
    env = clean_environment(home)
    env.pop("CI", None)  # people read documents at their desks
    env["PATH"] = search_path(tmp_path / "bin", env["PATH"])
    if wanted := NEEDS.get(name_of(path)):
        places = {str(Path(found).parent): None for found in programs.require(*wanted).values()}
        env["PATH"] = os.pathsep.join([env["PATH"], *places])
    done = subprocess.run([shell], input=script(found), cwd=fresh, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{name_of(path)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


@pytest.mark.parametrize("path", documents(), ids=name_of)
def test_no_block_escapes_by_another_name(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not _LOOKS_RUNNABLE.findall(text), "use sh, console or python, so that the block is run"
    fenced = len(re.findall(r"^\s*```(?:sh|console|python)\b", text, re.MULTILINE))
    assert fenced == len(blocks(text)), "a block is indented or not closed, and would not be run"
    left_out = [block for block in blocks(text) if block.reason is not None]
    assert len(left_out) <= MAY_LEAVE_OUT.get(name_of(path), 0), [block.line for block in left_out]


def test_the_reader_of_blocks_sees_what_is_left_out_and_what_is_not() -> None:
    text = "\n".join(
        [
            *("```sh", "echo a", "```", ""),
            *("<!-- not run: it is the test itself -->", "```sh", "scripts/test", "```", ""),
            *("```console", "$ echo b", "b", "```", ""),
        ]
    )
    found = blocks(text)
    assert [(b.line, b.language, b.reason) for b in found] == [
        (1, "sh", None),
        (6, "sh", "it is the test itself"),
        (10, "console", None),
    ]
    assert commands(found[2].body) == "echo b"
