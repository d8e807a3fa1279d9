"""`datatool stage …`, and `datatool why`: results of stages, looked at and forgotten."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Annotated, Literal

from datatool.cli.command import command
from datatool.cli.declare import Argument, Option
from datatool.cli.options import DryRun
from datatool.cli.output import stdout_to_stderr
from datatool.cli.screen import aligned
from datatool.cli.session import Session
from datatool.model.figures import counted, human_duration, human_size
from datatool.model.paths import show
from datatool.operations.open_project import open_project
from datatool.operations.stage import list_ as listing
from datatool.operations.stage.clean import clean_stages
from datatool.operations.stage.reason import Tone, Why
from datatool.operations.stage.target import why_target
from datatool.views.stage_graph import Graph, State, graph_of

Stages = Annotated[
    list[str] | None,
    Argument(metavar="[NAME|FILE…]", help="Stages by name (clean, pipeline:clean), or files that they stand in"),
]
Target = Annotated[
    str,
    Argument(
        metavar="TARGET",
        help="FILE.py:STAGE or MODULE:STAGE; without :STAGE the one stage that is no input of another",
    ),
]
_TONES = {Tone.GOOD: "green", Tone.BAD: "yellow", Tone.OPEN: "blue", Tone.LINE: "cyan", Tone.NOTE: "dim"}
_STATES = {State.CACHED: "green", State.STALE: "yellow", State.UNKNOWN: "blue"}


@command("datatool stage list", "datatool stage list pipeline.py", "datatool stage list clean -v")
def list_(session: Session, stages: Stages = None) -> int:
    """List the results of stages that are kept here.

    Of each stage its newest result: when it was made (UTC), how long that took, its size and format, and how many there
    are; with -v all of them. It is told from records: no code is read or run.
    """
    with open_project(None, flags=session.flags, environ=session.environ) as project:
        result = listing.list_stages(project, stages or (), cwd=session.cwd)
    return session.finish(result, lambda: _rows(result, every=session.verbose > 0))


@command(
    "datatool why pipeline.py",
    "datatool why pipeline.py:final",
    "datatool why pkg.module:final --json",
)
def why(session: Session, target: Target) -> int:
    """Tell why a stage would run, or that it would not.

    Names what changed since the kept result that is closest: lines of code, constants, arguments, inputs, packages, and
    the results of other stages with their own reasons. No stage runs: where one has to before it can be told, that is
    said.

    The module is imported as `python FILE.py` would, but not as the main program, up to where it calls a stage. What it
    prints goes to stderr, and what it tracks is not recorded.
    """
    result = _looked_at(session, target)
    return session.finish(result, lambda: _told(session, result))


stage_why = command(
    "datatool stage why pipeline.py",
    "datatool stage why pipeline.py:final",
    "datatool stage why pkg.module:final --json",
)(why.function)
"""The same among its family, where it is looked for."""


@command(
    "datatool stage graph pipeline.py",
    "datatool stage graph pipeline.py:final --format dot | dot -Tsvg > stages.svg",
    "datatool stage graph pkg.module:final --format mermaid",
)
def graph(
    session: Session,
    target: Target,
    format: Annotated[
        Literal["text", "dot", "mermaid"], Option("--format", help="A tree, DOT for Graphviz, or Mermaid")
    ] = "text",
) -> int:
    """Show the stages that a stage needs, and which results are kept.

    The module is imported as by `datatool why`; no stage runs.
    """
    result = graph_of(_looked_at(session, target))
    drawn = {"dot": result.dot, "mermaid": result.mermaid}
    return session.finish(result, lambda: [drawn[format]()] if format in drawn else _tree(session, result))


@command(
    "datatool stage clean clean --dry-run",
    "datatool stage clean --older-than 30d",
    "datatool stage clean pipeline.py",
    "datatool stage clean --all",
)
def clean(
    session: Session,
    stages: Stages = None,
    older_than: Annotated[
        str | None, Option("--older-than", metavar="AGE", help="Only results made longer ago: 90m, 12h, 7d, 4w")
    ] = None,
    every: Annotated[bool, Option("--all", help="The results of every stage")] = False,
    dry_run: DryRun = False,
) -> int:
    """Forget results of stages, so that they are made again.

    Records of other runs are not touched. Objects stay in the cache, as something else may need the same bytes; and
    what was pushed to a remote stays there, where a stage that is shared finds it again.
    """
    with open_project(None, flags=session.flags, environ=session.environ) as project:
        result = clean_stages(
            project,
            stages or (),
            older_than=older_than,
            every=every,
            dry_run=dry_run,
            now=time.time(),
            cwd=session.cwd,
        )
    verb = "would forget" if dry_run else "forgot"
    size = human_size(sum(item.size for item in result.forgotten))
    return session.finish(
        result,
        lambda: [f"{verb} {counted(len(result.forgotten), 'result')} ({size}, whose bytes stay in the cache)"],
        chatter=not dry_run,
    )


def _looked_at(session: Session, target: str) -> Why:
    os.environ["DATATOOL_FROZEN"] = "1"  # a module that tracks files while it is imported records none of them
    with stdout_to_stderr():
        return why_target(target, cwd=session.cwd, environ=session.environ, progress=session.progress)


def _told(session: Session, result: Why) -> Iterator[str]:
    for text, tone in result.told():
        yield session.paint(text, _TONES[tone]) if tone in _TONES else text


def _rows(result: listing.StageList, *, every: bool) -> Iterator[str]:
    rows = []
    for stage in result.stages:
        for item in stage.results if every else stage.results[:1]:
            rows.append(
                (
                    show(stage.name),
                    show(item.started[:16].replace("T", " ")),
                    human_duration(item.duration),
                    human_size(item.size),
                    show(item.format),
                    "here" if item.cached else "not here",
                    item.run.removeprefix("sha256:")[:12] if every else counted(len(stage.results), "result"),
                )
            )
    return iter(aligned(rows, right=frozenset({2, 3})))


def _tree(session: Session, result: Graph) -> Iterator[str]:
    for row in result.rows():
        yield f"{row.lead}{row.label} {session.paint(f'({row.end})', _STATES[row.state])}"
