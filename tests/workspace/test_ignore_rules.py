"""`.datatoolignore`, compared with git's own reading of the same patterns."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from datatool.errors import FormatError
from datatool.workspace.ignore_rules import DEFAULT_IGNORE, read_rules
from needs import tool

PATHS = [
    b"a.tmp", b"d/a.tmp", b"d/", b"d/e/", b"d/e/f", b".DS_Store", b"d/.DS_Store", b".ipynb_checkpoints/",
    b"x/.ipynb_checkpoints/", b"x/.ipynb_checkpoints/n", b"Thumbs.db", b"x/desktop.ini", b"keep.tmp", b"x y", b"#x",
    b"logs/", b"logs/1", b"x/logs/1", "weiß".encode(), b"a/b/c/z", b"plain",
]  # fmt: skip


def git_ignores(directory: Path, text: bytes, path: bytes) -> bool:
    git = tool("git")
    if not (directory / ".git").exists():
        subprocess.run([git, "init", "-q", str(directory)], check=True)
    (directory / ".gitignore").write_bytes(text)
    full = os.path.join(os.fsencode(directory), path)
    os.makedirs(full if path.endswith(b"/") else os.path.dirname(full), exist_ok=True)
    done = subprocess.run(
        [git, "-C", str(directory), "check-ignore", "--no-index", "-q", "-z", "--stdin"],
        input=path.rstrip(b"/") + b"\0",
    )
    return done.returncode == 0


@pytest.mark.parametrize(
    "text",
    [
        DEFAULT_IGNORE,
        "*.tmp\n!keep.tmp\n",
        "logs/\n",
        "/logs/\n",
        "d/*\n!d/e/\n",
        "x y\n\\#x\n",
        "d\n",
        "a/**/z\n",
        "weiß\n",
        "e/\r\nplain\r\n",
        "plain  \n",
        "#x\n",
    ],
)
def test_patterns_mean_what_they_mean_to_git(tmp_path: Path, text: str) -> None:
    rules = read_rules(text.encode())
    for path in PATHS:
        ours = rules is not None and rules(path.rstrip(b"/"), path.endswith(b"/"))
        assert ours == git_ignores(tmp_path, text.encode(), path), path


def test_without_rules_there_is_nothing_to_ask() -> None:
    assert read_rules(b"") is None
    assert read_rules(b"\n# only this\n  \n") is None


def test_names_that_are_no_utf8_match() -> None:
    for text in (b"\xff\xfe\n", b"\xff*\n"):
        rules = read_rules(text)
        assert rules is not None
        assert rules(b"d/\xff\xfe", False)
        assert not rules(b"d/\xfe", False)


def test_what_is_no_pattern_is_told() -> None:
    with pytest.raises(FormatError, match=r"^\.datatoolignore: not a pattern"):
        read_rules(b"*.tmp\n!\n")


def test_plain_names_need_no_library() -> None:
    program = (
        "import sys\n"
        "from datatool.workspace.ignore_rules import DEFAULT_IGNORE, read_rules\n"
        "rules = read_rules(DEFAULT_IGNORE.encode())\n"
        "assert rules(b'a/.ipynb_checkpoints', True) and not rules(b'a/.ipynb_checkpoints', False)\n"
        "print('pathspec' in sys.modules, end=' ')\n"
        "assert read_rules(b'*.x')(b'a.x', False)\n"
        "print('pathspec' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False True\n"
