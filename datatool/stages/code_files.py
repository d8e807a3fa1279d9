"""The code of a command: the files of the project that its words name and that datatool does not track."""

from __future__ import annotations

import ast
import os
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from datatool.hashing import digest
from datatool.model.oid import ObjectId
from datatool.stages.modules import Module, Modules
from datatool.stages.scopes import Import


def code_files(
    command: Sequence[str], *, directory: Path, root: Path, counts: Callable[[bytes], bool]
) -> dict[bytes, ObjectId]:
    """Files by their paths from the project's root, each with the hash of its content.

    A word may name a file as it is, behind `=` as an option's value, as a module behind `-m`, or in a shell's line that
    is one word. Python files bring the modules of the project that they import. `counts` says of a path whether it is
    code: not an artifact's, an input's or an output's.
    """
    named: dict[Path, None] = {}
    for path in _named(command, directory, root):
        real = Path(os.path.realpath(path))
        if os.path.isfile(real) and real.is_relative_to(root):  # a word may be no possible name
            named[real] = None
    imported = {module for path in named if path.suffix == ".py" for module in _imported(path, root)}
    found: dict[bytes, ObjectId] = {}
    for path in sorted({*named, *imported}):
        inside = os.fsencode(path.relative_to(root)).replace(os.fsencode(os.sep), b"/")
        if counts(inside):
            found[inside] = digest(path.read_bytes())
    return found


def _named(command: Sequence[str], directory: Path, root: Path) -> Iterator[Path]:
    words = [inner for word in command for inner in _inner(word)]
    for at, word in enumerate(words):
        for text in (word, word.partition("=")[2]):
            if text and "\0" not in text:
                yield directory / text
        if word == "-m" and at + 1 < len(words):
            for module in Modules(root, directory).run_by_name(words[at + 1]):
                yield module.path


def _imported(file: Path, root: Path) -> Iterator[Path]:
    """The project's modules that a Python file imports anywhere in it, directly or through others."""
    modules = Modules(root, file.parent)
    pending = [modules.at(file)]
    seen: set[Module] = set()
    while pending:
        module = pending.pop()
        if module in seen:
            continue
        seen.add(module)
        real = Path(os.path.realpath(module.path))
        if real.is_relative_to(root):
            yield real
        for node in ast.walk(module.source.tree):
            if isinstance(node, Import):
                pending += modules.run_by(node, module)


def _inner(word: str) -> list[str]:
    """A word, and the words in it where it is a line for a shell."""
    if not any(space in word for space in " \t\n"):
        return [word]
    try:
        return [word, *shlex.split(word)]
    except ValueError:
        return [word, *word.split()]
