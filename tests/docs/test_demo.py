"""The demo itself: it runs to its end on a small directory, and it fails loudly when bytes differ."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from environment import clean_environment
from shims import search_path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import demo  # noqa: E402


def some_files(top: Path) -> Path:
    (top / "sub").mkdir(parents=True)
    for i in range(30):
        (top / "sub" / f"file {i}.txt").write_bytes(b"line %d\n" % i * 50)
    (top / "run.sh").write_bytes(b"#!/bin/sh\n")
    (top / "run.sh").chmod(0o755)
    return top


@pytest.mark.slow
def test_the_demo_runs_to_its_end(tmp_path: Path) -> None:
    env = clean_environment(tmp_path)
    env["PATH"] = search_path(tmp_path / "bin", env["PATH"])
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "demo.py", some_files(tmp_path / "files")],
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "Demo finished: everything compared equal." in done.stdout


def test_the_demo_refuses_a_difference(tmp_path: Path) -> None:
    left, right = some_files(tmp_path / "left"), some_files(tmp_path / "right")
    demo.same_tree(left, right)
    (right / "sub" / "file 7.txt").write_bytes(b"line 8\n" * 50)
    with pytest.raises(demo.Failed, match="the bytes differ"):
        demo.same_tree(left, right)
    (right / "sub" / "file 7.txt").unlink()
    with pytest.raises(demo.Failed, match=r"file 7\.txt"):
        demo.same_tree(left, right)


def test_the_demo_refuses_a_lost_executable_bit(tmp_path: Path) -> None:
    left, right = some_files(tmp_path / "left"), some_files(tmp_path / "right")
    (right / "run.sh").chmod(0o644)
    with pytest.raises(demo.Failed, match="executable bit"):
        demo.same_tree(left, right)
