"""The code in a file, read and never run: a Python file, or a notebook's code cells in order."""

from __future__ import annotations

import ast
import os
import stat
import threading
import warnings
from bisect import bisect_right
from pathlib import Path

from msgspec import Struct

from datatool.forks import wait_before_forks
from datatool.model.paths import show
from datatool.stages.notebook import NotANotebook, code_cells

LIMIT = 16 << 20
"""Bytes: a larger file is data with a program's name."""

NOTEBOOK = ".ipynb"
SUFFIXES = (".py", NOTEBOOK)


class Source(Struct, frozen=True, kw_only=True):
    """The syntax tree of a file. `problems` are sentences about what does not read, which is left out of the tree;
    `cells` are the lines before each code cell of a notebook, `cell_digests` the hashes of their texts."""

    tree: ast.Module
    problems: tuple[str, ...] = ()
    cells: tuple[int, ...] = ()
    cell_digests: frozenset[str] = frozenset()

    def place(self, name: str, line: int) -> str:
        """A line in words that lead there: `train.py:12`, or `study.ipynb, cell 3, line 2` (of its code cells)."""
        if not self.cells:
            return f"{show(name)}:{line}"
        cell = bisect_right(self.cells, line - 1)
        return f"{show(name)}, cell {cell}, line {line - self.cells[cell - 1]}"


_Stamp = tuple[int, int]
_read: dict[str, tuple[_Stamp, Source]] = {}
"""What this process has read, as long as size and time of the file stay the same."""
_parsing = wait_before_forks(threading.Lock())
"""Python's filter for warnings is one for all threads."""


def read_source(path: Path) -> Source:
    """The code in a file; what can't be read or is no Python is told in `problems`, and never raised."""
    key = os.fspath(path)
    try:
        found = os.stat(key)
        if not stat.S_ISREG(found.st_mode):
            return _unreadable("is no regular file")
        if found.st_size > LIMIT:
            return _unreadable(f"is too large for a program ({found.st_size >> 20} MB)")
        stamp = (found.st_size, found.st_mtime_ns)
        known = _read.get(key)
        if known is not None and known[0] == stamp:
            return known[1]
        data = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        return _unreadable(f"can't be read: {getattr(error, 'strerror', None) or error}")
    source = _notebook(data) if key.endswith(NOTEBOOK) else _python(data)
    _read[key] = (stamp, source)
    return source


def _unreadable(reason: str) -> Source:
    return Source(tree=ast.Module(body=[], type_ignores=[]), problems=(reason,))


def _python(data: bytes) -> Source:
    parsed = parse(data)
    return Source(tree=parsed) if isinstance(parsed, ast.Module) else _unreadable(f"is no Python: {parsed}")


def _notebook(data: bytes) -> Source:
    try:
        cells = code_cells(data)
    except NotANotebook as error:
        return _unreadable(str(error))
    body: list[ast.stmt] = []
    starts: list[int] = []
    problems: list[str] = []
    lines = 0
    for number, cell in enumerate(cells, 1):
        starts.append(lines)
        parsed: ast.Module | str = "it is empty"
        for text in cell.readings:
            parsed = parse(text)
            if isinstance(parsed, ast.Module):
                body += ast.increment_lineno(parsed, lines).body
                break
        if isinstance(parsed, str):
            problems.append(f"cell {number} is no Python: {parsed}")
        lines += cell.lines
    return Source(
        tree=ast.Module(body=body, type_ignores=[]),
        problems=tuple(problems),
        cells=tuple(starts),
        cell_digests=frozenset(cell.digest for cell in cells),
    )


def parse(text: bytes | str) -> ast.Module | str:
    """A module, or what is wrong with it. `await` outside functions is a notebook's right, and no matter elsewhere."""
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    try:
        with _parsing, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an invalid escape is the author's matter, when it runs
            tree = compile(text, "<code>", "exec", flags=flags, dont_inherit=True)
    except SyntaxError as error:
        return f"{error.msg} (line {error.lineno})" if error.lineno else str(error.msg)
    except (ValueError, UnicodeError, RecursionError, MemoryError) as error:
        return str(error) or "it is nested too deeply"
    assert isinstance(tree, ast.Module)
    return tree
