"""How things look at a terminal: aligned columns, colours, paths as seen from here."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from datatool.model.paths import show

_COLOURS = {"red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36", "dim": "2"}


def seen_from(cwd: Path, root: Path, path: str, *, directory: bool = False) -> str:
    """A path of the project as the user would type it here, harmless for a terminal; a directory ends in `/`. One that
    begins or ends with a space is quoted, as that would not be seen."""
    relative = os.path.relpath(os.path.join(root, path), cwd)
    seen = show(relative + os.sep if directory else relative).replace(os.sep, "/")
    return seen if seen == seen.strip() else shlex.quote(seen)


def several_lines(text: str) -> str:
    """Text of one or more lines, harmless for a terminal; all but the first are indented, so that no line of foreign
    text can pose as a message of ours."""
    return "\n      ".join(map(show, text.split("\n")))


def aligned(rows: Iterable[Sequence[str]], *, right: frozenset[int] = frozenset()) -> list[str]:
    """Rows as lines with aligned columns; columns in `right` are flush right, empty trailing ones leave nothing.

    >>> aligned([("a", "10"), ("bcd", "7")], right=frozenset({1}))
    ['a    10', 'bcd   7']
    """
    table = [tuple(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if at in right else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
            if width
        ).rstrip()
        for row in table
    ]


def wants_colour(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether to colour text on `stream`: NO_COLOR, FORCE_COLOR and TERM=dumb decide, then whether it is a terminal."""
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR"):
        return True
    return at_terminal(stream, environ) and (os.name != "nt" or "WT_SESSION" in environ)


def at_terminal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether `stream` is a terminal on which a line can be redrawn."""
    return stream.isatty() and environ.get("TERM") != "dumb"


def coloured(text: str, colour: str, *, wanted: bool) -> str:
    """Text in a colour, where colours are wanted."""
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if wanted and text else text
