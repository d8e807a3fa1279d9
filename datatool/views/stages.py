"""Stages in notebooks: what one is, why it would run, and what it needs."""

from __future__ import annotations

from typing import Final

from datatool.operations.stage.reason import Tone, Why
from datatool.views.parts import harmless
from datatool.views.stage_graph import Graph, State

_TEXT: Final = "white-space:pre-wrap;font-family:monospace"
_TONES: Final = {Tone.GOOD: "#3a9d5d", Tone.BAD: "#c08a1e", Tone.OPEN: "#8a8a8a"}
_STATES: Final = {State.CACHED: "#3a9d5d", State.STALE: "#c08a1e", State.UNKNOWN: "#8a8a8a"}


def show_why(why: Why) -> str:
    """An explanation, line by line."""
    lines = [_marked(line.text, _TONES.get(line.tone)) for line in why.told()]
    return f"<div style='{_TEXT}'>{chr(10).join(lines)}</div>"


def show_graph(graph: Graph) -> str:
    """A graph as a tree of text."""
    lines = [harmless(row.lead) + _marked(f"{row.label} ({row.end})", _STATES[row.state]) for row in graph.rows()]
    return f"<div style='{_TEXT}'>{chr(10).join(lines)}</div>"


def show_stage(name: str, signature: str, found: Graph | str) -> str:
    """A stage by name and signature, with the graph of a call without arguments, or why there is none."""
    below = show_graph(found) if isinstance(found, Graph) else f"<p style='margin:.3em 0 0'>{harmless(found)}</p>"
    head = f"stage <b>{harmless(name)}</b><code>{harmless(signature)}</code>"
    return f"<div><p style='margin:0 0 .3em'>{head}</p>{below}</div>"


def _marked(line: str, colour: str | None) -> str:
    square = f"<span aria-hidden='true' style='color:{colour}'>■</span> " if colour else ""
    return square + harmless(line)
