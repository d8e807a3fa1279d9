"""Results as tables, for notebooks: what `_repr_html_` shows.

Everything is escaped, nothing runs, and nothing is loaded from elsewhere. Colours are the notebook's own, so that dark
themes stay dark.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeGuard

from datatool.model.figures import human_size
from datatool.model.paths import show
from datatool.operations.result import Part

ROWS: Final = 100
"""A longer table is cut: a notebook keeps what it shows in its file."""
_NAMES: Final = 5
"""So many names of a list stand in one cell."""

_SIZES: Final = frozenset({"size", "bytes", "old_size", "new_size", "loose_bytes"})
_STATES: Final = {
    "clean": "#3a9d5d",
    "ok": "#3a9d5d",
    "modified": "#c08a1e",
    "renamed": "#c08a1e",
    "warning": "#c08a1e",
    "outdated": "#4a86d8",
    "added": "#4a86d8",
    "partial": "#3f9ea8",
    "absent": "#8a8a8a",
    "missing": "#cf5148",
    "deleted": "#cf5148",
    "failed": "#cf5148",
}
"""A mark for each, in tones that can be told apart on white and on black; the word itself stands beside it."""
_CELL: Final = "padding:.15em .6em;vertical-align:top;border-bottom:1px solid rgba(128,128,128,.35)"
_TABLE: Final = "border-collapse:collapse;color:inherit;font:inherit"

Row = Mapping[str, object]


def show_part(part: Part) -> str:
    """A result: what it says of the whole, then a table for each list of its parts."""
    return f"<div>{''.join(_sections(part.to_dict(), type(part).__name__))}</div>"


def show_table(parts: Sequence[Part]) -> str:
    """Parts as one table."""
    return f"<div>{_table([part.to_dict() for part in parts[:ROWS]], len(parts))}</div>"


def _sections(document: Row, name: str) -> Iterator[str]:
    tables = {key: value for key, value in document.items() if _is_rows(value)}
    inner = {key: value for key, value in document.items() if isinstance(value, Mapping) and _holds_rows(value)}
    facts = {key: value for key, value in document.items() if key not in tables and key not in inner and _said(value)}
    told = " · ".join(f"{harmless(_words(key))}: {_cell(key, value)}" for key, value in facts.items())
    yield f"<p style='margin:0 0 .3em'><b>{harmless(name)}</b>{' · ' if told else ''}{told}</p>"
    for key, rows in tables.items():
        if len(tables) > 1:
            yield f"<p style='margin:.3em 0 0'>{harmless(_words(key))}</p>"
        yield _table(rows[:ROWS], len(rows))
    for key, value in inner.items():
        yield from _sections(value, _words(key))


def _table(rows: Sequence[Row], count: int) -> str:
    keys = dict.fromkeys(key for row in rows for key in row)
    columns = [key for key in keys if any(_said(row.get(key)) for row in rows)]
    sides = {key: "right" if any(_is_number(row.get(key)) for row in rows) else "left" for key in columns}
    head = "".join(f"<th style='text-align:{sides[key]};{_CELL}'>{harmless(_words(key))}</th>" for key in columns)
    body = "".join(f"<tr>{''.join(_td(key, row.get(key), sides[key]) for key in columns)}</tr>" for row in rows)
    more = f"<p style='margin:.3em 0 0'>… {count - len(rows):,} more</p>" if count > len(rows) else ""
    return f"<table style='{_TABLE}'><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _td(key: str, value: object, side: str) -> str:
    return f"<td style='text-align:{side};{_CELL}'>{_cell(key, value) if _said(value) else ''}</td>"


def _cell(key: str, value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return human_size(value) if key in _SIZES else f"{value:,}"
    if isinstance(value, Mapping):
        if "message" in value:
            return harmless(value["message"])
        said = {name: inner for name, inner in value.items() if _said(inner)}
        return ", ".join(f"{harmless(_words(name))}: {_cell(name, inner)}" for name, inner in said.items())
    if isinstance(value, list):
        names = ", ".join(_cell("", inner) for inner in value[:_NAMES])
        return f"{names}, … {len(value) - _NAMES:,} more" if len(value) > _NAMES else names
    return _word(key, str(value))


def _word(key: str, text: str) -> str:
    if "oid" in key or key == "commit":
        short = text.removeprefix("sha256:")[:12]
        return f"<code title='{harmless(text)}'>{harmless(short)}</code>"
    if key == "date":
        return harmless(text[:16].replace("T", " "))
    mark = _STATES.get(text) if key in ("state", "change", "kind", "status") else None
    square = f"<span aria-hidden='true' style='color:{mark}'>■</span> " if mark else ""
    return square + harmless(text)


def harmless(value: object) -> str:
    """Text that is harmless in HTML, in attributes too, and for the eye: no control or bidirectional characters."""
    return html.escape(show(str(value)), quote=True)


def _words(key: str) -> str:
    return key.replace("_", " ")


def _said(value: object) -> bool:
    """Whether there is something to show."""
    if isinstance(value, Mapping):
        return any(_said(inner) for inner in value.values())
    return value is not None and value != "" and value != []


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_rows(value: object) -> TypeGuard[list[Row]]:
    return isinstance(value, list) and bool(value) and all(isinstance(item, Mapping) for item in value)


def _holds_rows(value: Row) -> bool:
    return any(_is_rows(inner) for inner in value.values())
