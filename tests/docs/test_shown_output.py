"""What the documents on scripts and stages show is what really happens: what is recorded, which functions run."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import needs
from docs.test_docs import ROOT, SHOWN, Block, blocks
from environment import clean_environment
from shims import search_path

_MARK = "=== command"
_CHANGES = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d|\d+(\.\d+)? (k?B|m?s)\b| +")
"""What differs from run to run: when, how long, how large a Parquet file is; and the spaces that align it."""


def steps(found: list[Block]) -> Iterator[tuple[str, str | None]]:
    """Commands in order, each with what is shown of it; None where nothing is."""
    for block in found:
        if block.language == "python":
            yield f"python - <<'END_OF_PYTHON_BLOCK'\n{block.body}END_OF_PYTHON_BLOCK", None
        elif block.language == "sh":
            yield block.body, None
        else:
            for command in re.split(r"^\$ ", block.body, flags=re.MULTILINE)[1:]:
                words, _, shown = command.partition("\n")
                yield words, shown


@pytest.mark.parametrize("name", SHOWN)
def test_what_the_document_shows_is_what_is_said(name: str, tmp_path: Path) -> None:
    wanted = list(steps(blocks((ROOT / name).read_text(encoding="utf-8"))))
    parts = ["set -eu", "exec 2>&1"]
    for number, (command, _) in enumerate(wanted):
        parts += [f"echo '{_MARK} {number}'", command]
    for name in ("fresh", "home"):
        (tmp_path / name).mkdir()
    env = clean_environment(tmp_path / "home")
    env.pop("CI", None)
    env["PATH"] = search_path(tmp_path / "bin", env["PATH"])
    done = subprocess.run(
        [shutil.which("bash") or needs.tool("sh")],
        input="\n".join(parts) + "\n",
        cwd=tmp_path / "fresh",
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    said = re.split(rf"^{_MARK} \d+\n", done.stdout, flags=re.MULTILINE)[1:]
    for (command, shown), text in zip(wanted, said, strict=True):
        if shown is not None:
            assert _CHANGES.sub("…", text) == _CHANGES.sub("…", shown), command
