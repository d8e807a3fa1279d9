"""Which Python files of the project a Python file imports, by its text alone: nothing is executed."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Sequence
from pathlib import Path


def imported_files(files: Sequence[Path], *, root: Path) -> list[Path]:
    """Python files, and the modules below `root` that they import, directly or through others; sorted.

    A module is looked for beside the file that imports it, at the top of the project and in its `src`. What is not
    found there, and what is imported under a name made at run time, is left out.
    """
    seen: dict[Path, None] = {}
    pending = [Path(os.path.realpath(file)) for file in files]
    starts = [root, root / "src", *(file.parent for file in pending)]
    while pending:
        file = pending.pop()
        if file in seen:
            continue
        seen[file] = None
        pending += [found for found in _imports(file, starts) if found not in seen and found.is_relative_to(root)]
    return sorted(seen)


def module_file(name: str, starts: Sequence[Path]) -> Path | None:
    """The file behind a module's full name, as `python -m` finds it, below the first of some directories that has it.

    >>> module_file("no.such.module", [Path(".")])
    """
    for start in starts:
        base = start.joinpath(*name.split("."))
        for candidate in (base.with_name(base.name + ".py"), base / "__main__.py", base / "__init__.py"):
            if candidate.is_file():
                return candidate
    return None


def _imports(file: Path, starts: Sequence[Path]) -> Iterator[Path]:
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return  # not Python that can run, or not this Python: its own bytes count all the same
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _chain(alias.name, [file.parent, *starts])
        elif isinstance(node, ast.ImportFrom):
            places = [file.parent, *starts] if not node.level else [_up(file, node.level)]
            base = node.module or ""
            if base:
                yield from _chain(base, places)
            for alias in node.names:
                yield from _chain(f"{base}.{alias.name}" if base else alias.name, places)


def _chain(name: str, starts: Sequence[Path]) -> Iterator[Path]:
    """A module's file, and those of the packages around it, which run first."""
    for start in starts:
        found: list[Path] = []
        at = start
        for part in name.split("."):
            if (at / f"{part}.py").is_file():
                found.append(at / f"{part}.py")
                break
            at = at / part
            if (at / "__init__.py").is_file():
                found.append(at / "__init__.py")
            elif not at.is_dir():
                break
        if found:
            yield from (Path(os.path.realpath(file)) for file in found)
            return


def _up(file: Path, level: int) -> Path:
    return file.parents[min(level, len(file.parents)) - 1]
