"""Stages and what they need of each other, as a tree of text, as DOT for Graphviz and as Mermaid."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from datatool.model.paths import show
from datatool.operations.result import Part, Result
from datatool.operations.stage.reason import Answer, Why


class State(StrEnum):
    """How the result of a stage stands."""

    CACHED = "cached"
    STALE = "stale"
    """It runs when somebody needs it."""
    UNKNOWN = "unknown"
    """Cannot be told before stages that it needs ran again."""


STATES: Final = {Answer.KEPT: State.CACHED, Answer.UNKNOWN: State.UNKNOWN}
_FILLS: Final = {State.CACHED: "#d5f0dc", State.STALE: "#f6dfc0", State.UNKNOWN: "#e4e4e4"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Node(Part):
    """A stage: its name in records, how its result stands, and the names of the stages whose results it takes."""

    name: str
    state: State
    needs: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The name without its module."""
        return self.name.partition(":")[2]


class Row(NamedTuple):
    """A line of the tree: what leads to a stage, its name, and how it stands."""

    lead: str
    label: str
    state: State
    again: bool
    """It stands further up with all that it needs."""

    @property
    def end(self) -> str:
        """How it stands, in words."""
        return f"{self.state}, see above" if self.again else str(self.state)


@dataclass(frozen=True, kw_only=True, slots=True)
class Graph(Result):
    """The stages that a call needs, in the order in which they would run, the one that was asked for last."""

    nodes: tuple[Node, ...]

    def rows(self) -> Iterator[Row]:
        """The stages as a tree from the last one down; each is opened once."""
        by_name = {node.name: node for node in self.nodes}
        opened: set[str] = set()
        pending = [(self.nodes[-1], "", "")]
        while pending:
            node, lead, below = pending.pop()
            again = node.name in opened and bool(node.needs)
            yield Row(show(lead), show(node.label), node.state, again)
            if again:
                continue
            opened.add(node.name)
            for at, name in enumerate(reversed(node.needs)):
                end = at == 0
                pending.append((by_name[name], below + ("└─ " if end else "├─ "), below + ("   " if end else "│  ")))

    def __str__(self) -> str:
        return "\n".join(f"{row.lead}{row.label} ({row.end})" for row in self.rows())

    def dot(self) -> str:
        """As DOT, for Graphviz: `dot -Tsvg`."""
        ids = self._ids()
        lines = [
            f"  {ids[node.name]} [label={_quoted(node.label)}, tooltip={_quoted(f'{node.name}: {node.state}')}, "
            f'fillcolor="{_FILLS[node.state]}"];'
            for node in self.nodes
        ]
        lines += [f"  {ids[need]} -> {ids[node.name]};" for node in self.nodes for need in node.needs]
        return "\n".join(
            ["digraph stages {", "  rankdir=LR;", '  node [shape=box, style="rounded,filled"];', *lines, "}"]
        )

    def mermaid(self) -> str:
        """As Mermaid, which GitHub, GitLab and JupyterLab draw."""
        ids = self._ids()
        lines = [f'  {ids[node.name]}["{_entities(node.label)}"]:::{node.state}' for node in self.nodes]
        lines += [f"  {ids[need]} --> {ids[node.name]}" for node in self.nodes for need in node.needs]
        lines += [f"  classDef {state} fill:{fill},color:#222,stroke:#888" for state, fill in _FILLS.items()]
        return "\n".join(["flowchart LR", *lines])

    def _ids(self) -> dict[str, str]:
        return {node.name: f"stage{at}" for at, node in enumerate(self.nodes)}


def graph_of(why: Why) -> Graph:
    """The stages of an explanation as a graph."""
    return Graph(
        nodes=tuple(
            Node(name=reason.name, state=STATES.get(reason.answer, State.STALE), needs=reason.needs)
            for reason in why.stages
        )
    )


def _quoted(text: str) -> str:
    return json.dumps(show(text), ensure_ascii=False)


def _entities(text: str) -> str:
    """Text between quotes in Mermaid, which spells what means something to it by number."""
    return "".join(char if char.isalnum() or char in "_. ()" else f"#{ord(char)};" for char in show(text))
