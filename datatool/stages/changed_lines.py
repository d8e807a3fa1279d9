"""Which lines of some code are new since a record of it was kept, told by the short hashes in the record."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import Final, NamedTuple

from datatool.stages.definitions import Definition
from datatool.stages.secrets import without_secrets
from datatool.stages.syntax import lines_of

_LONGEST: Final = 100


class CodeLine(NamedTuple):
    """A statement where it begins: its place in words, and what it says."""

    place: str
    text: str


def changed_lines(code: Definition, before: Sequence[str]) -> tuple[list[CodeLine], int]:
    """The statements that a piece of code did not have when its lines were those of `before`, in order; and how many
    are gone with nothing in their place."""
    now = lines_of(code.nodes, without=code.without)
    written = _written(code)
    new: list[CodeLine] = []
    gone = 0
    matcher = SequenceMatcher(None, before, [short for short, _ in now], autojunk=False)
    for what, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        if what != "equal":
            new += [CodeLine(code.module.place(node), _text(node, written)) for _, node in now[new_from:new_to]]
            gone += max(0, (old_to - old_from) - (new_to - new_from))
    return new, gone


def _written(code: Definition) -> list[str]:
    """The lines of the file; none of a notebook, whose cells are not lines of a file."""
    if code.module.by_name or code.module.source.cells:
        return []
    try:
        return Path(code.module.path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _text(node: ast.AST, written: Sequence[str]) -> str:
    line = getattr(node, "lineno", 0)
    text = written[line - 1].strip() if 0 < line <= len(written) else ast.unparse(node).splitlines()[0]
    text = without_secrets(text)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
