"""Only localfs changes the local disk: no other module opens a file for writing, renames, links or deletes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import datatool

PACKAGE = Path(datatool.__file__).parent
DOORS = ("localfs/",)
"""The only places that may. Others may write into a descriptor that localfs has handed them."""

ALLOWED = {
    ("cli/output.py", "os.O_WRONLY"): "opens the null device over a standard stream that nobody has at the other end",
    (
        "stages/result_formats/arrays.py",
        ".open for writing",
    ): "opens a member of an archive in a file that it was handed",
}

ON_A_SERVER = {".mkdir()", ".rename()", ".unlink()", ".rmdir()", ".chmod()", ".open for writing"}
"""What modules of `remote/stores` do through a client: it changes the server's disk. `os`, `shutil` and `open` are as
forbidden there as elsewhere."""

FORBIDDEN_CALLS = {
    "os": {
        *("rename", "renames", "replace", "remove", "unlink", "rmdir", "removedirs", "link", "symlink", "mkdir"),
        *("makedirs", "mknod", "mkfifo", "truncate", "chmod", "lchmod", "chown", "lchown", "utime", "setxattr"),
    },
    "shutil": {"copy", "copy2", "copyfile", "copymode", "copystat", "copytree", "move", "rmtree", "chown"},
    "tempfile": {"NamedTemporaryFile", "TemporaryDirectory", "TemporaryFile", "mkdtemp", "mkstemp", "mktemp"},
}
FORBIDDEN_METHODS = {
    *("write_text", "write_bytes", "touch", "unlink", "rmdir", "rename", "symlink_to", "hardlink_to", "mkdir", "chmod"),
}
WRITING_FLAGS = {"O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND", "O_EXCL", "O_TMPFILE"}


def sources() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py"))


def inside(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def writes(code: str) -> Iterator[tuple[int, str]]:
    """Every call in the source that changes the disk, with its line."""
    tree = ast.parse(code)
    names = aliases(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in WRITING_FLAGS:
            yield node.lineno, f"os.{node.attr}"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = names.get(node.value.id, node.value.id)
            if node.attr in FORBIDDEN_CALLS.get(module, ()):
                yield node.lineno, f"{module}.{node.attr}"
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name):
            full = names.get(node.func.id, node.func.id)
            module, _, name = full.rpartition(".")
            if name in FORBIDDEN_CALLS.get(module, ()):
                yield node.lineno, full
            if full == "open" and opens_for_writing(node, position=1):
                yield node.lineno, "open for writing"
        elif isinstance(node.func, ast.Attribute):
            owner = node.func.value
            from_module = isinstance(owner, ast.Name) and owner.id in names
            if node.func.attr in FORBIDDEN_METHODS and not from_module:
                yield node.lineno, f".{node.func.attr}()"
            if node.func.attr == "open" and not from_module and opens_for_writing(node, position=0):
                yield node.lineno, ".open for writing"


def aliases(tree: ast.Module) -> dict[str, str]:
    """What the imported names stand for."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.asname or alias.name: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return found


def opens_for_writing(call: ast.Call, *, position: int) -> bool:
    if any(word.arg == "closefd" for word in call.keywords):
        return False  # a descriptor that somebody else opened
    mode = next((word.value for word in call.keywords if word.arg == "mode"), None)
    if mode is None and len(call.args) > position:
        mode = call.args[position]
    if mode is None:
        return False
    return not isinstance(mode, ast.Constant) or bool(set(str(mode.value)) & set("wax+"))


@pytest.mark.parametrize("path", [p for p in sources() if not inside(p).startswith(DOORS)], ids=inside)
def test_the_module_leaves_the_disk_to_localfs(path: Path) -> None:
    name = inside(path)
    written = writes(path.read_text(encoding="utf-8"))
    there = ON_A_SERVER if name.startswith("remote/stores/") else frozenset()
    found = [f"{name}:{line} {what}" for line, what in written if (name, what) not in ALLOWED and what not in there]
    assert not found, "writes that bypass localfs:\n" + "\n".join(found)


@pytest.mark.parametrize(
    "code",
    [
        "open('x', 'w')",
        "open('x', mode='ab')",
        "path.open('r+b')",
        "import os\nos.rename('a', 'b')",
        "import os as o\no.unlink('a')",
        "from os import replace\nreplace('a', 'b')",
        "import os\nf = os.link",
        "import os\nos.open('a', os.O_RDWR)",
        "path.write_text('x')",
        "path.unlink()",
        "import shutil\nshutil.rmtree('x')",
    ],
)
def test_the_check_sees_a_write(code: str) -> None:
    assert list(writes(code))


@pytest.mark.parametrize(
    "code", ["open('x')", "open('x', 'rb')", "path.open()", "text.replace('a', 'b')", "import os\nos.stat('x')"]
)
def test_the_check_lets_reading_pass(code: str) -> None:
    assert not list(writes(code))
