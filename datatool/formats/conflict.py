"""Conflict markers that a merge left in a text of ours."""

from __future__ import annotations

import re

from datatool.errors import MergeConflict
from datatool.model.paths import show

_OURS = r"(?m)^<{7}(?: (.*))?$"
_THEIRS = r"(?m)^>{7}(?: (.*))?$"


def refuse_conflict(text: str, *, name: str) -> None:
    """Raise MergeConflict, naming both sides as git does, when a line of the text is a conflict marker."""
    ours, theirs = re.search(_OURS, text), re.search(_THEIRS, text)
    if ours is None and theirs is None:
        return
    sides = [_side(ours, "ours"), _side(theirs, "theirs")]
    raise MergeConflict(
        f"{show(name)}: conflict between {sides[0]} and {sides[1]}",
        hint=f"keep one side: git checkout --ours -- {show(name)} (or --theirs), then git add {show(name)}",
        path=name,
    )


def _side(match: re.Match[str] | None, otherwise: str) -> str:
    label = "" if match is None else (match[1] or "").strip()
    return f"'{show(label)}'" if label else otherwise
