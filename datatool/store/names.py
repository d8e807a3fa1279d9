"""Names in a store: which are allowed."""

from __future__ import annotations

import re

_NAME = re.compile(r"(?!.*(?:^|/)\.{1,2}(?:/|$))[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*", re.ASCII)


def is_name(name: str) -> bool:
    """Whether a name is relative, ASCII and free of `.` and `..`, so that it may become part of a path."""
    return _NAME.fullmatch(name) is not None


def check_name(name: str) -> str:
    """Give back an allowed name. Raises ValueError for others: names are built from checked ids, so that is a
    mistake in the code that built it."""
    if not is_name(name):
        raise ValueError(f"not a name in a store: {name!r:.80}")
    return name
