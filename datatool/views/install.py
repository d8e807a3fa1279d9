"""How notebooks show results: by a renderer of their own, else as tables."""

from __future__ import annotations

from datatool.operations.result import Part, show_parts_with
from datatool.operations.stage.reason import Why
from datatool.views.parts import show_part
from datatool.views.stage_graph import Graph
from datatool.views.stages import show_graph, show_why


def install() -> None:
    """Show results like this in notebooks."""
    show_parts_with(_show)


def _show(part: Part) -> str:
    if isinstance(part, Why):
        return show_why(part)
    return show_graph(part) if isinstance(part, Graph) else show_part(part)
