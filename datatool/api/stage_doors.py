"""Door 6 of 8 for imports at first use: what explains stages, and what runs them elsewhere. Most stages are only
called."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from datatool.api.trackers import tracking
from datatool.forks import importing
from datatool.operations.stage.chain import Around
from datatool.operations.stage.home import Home
from datatool.operations.stage.plan import Call
from datatool.operations.track.tracker import Tracker

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from datatool.operations.stage.reason import Why
    from datatool.views.stage_graph import Graph


def explained(calls: Sequence[Call], home: Home, tracker: Tracker) -> Why:
    """Why the last of some calls would run, or would not: see `datatool.operations.stage.why`."""
    with importing:
        from datatool.operations.stage.why import why
        from datatool.views.install import install

    install()
    return why(calls, home, tracker, tracking, os.environ)


def as_graph(why: Why) -> Graph:
    """The stages in an explanation as a graph."""
    with importing:
        from datatool.views.stage_graph import graph_of

    return graph_of(why)


def as_html(label: str, signature: str, found: Graph | str) -> str:
    """A stage as a notebook shows it: see `datatool.views.stages`."""
    with importing:
        from datatool.views.stages import show_stage

    return show_stage(label, signature, found)


def run_elsewhere(
    calls: Sequence[Call],
    arguments: tuple[tuple[object, ...], Mapping[str, object]],
    home: Home,
    tracker: Tracker,
    around: Around,
    executor: Executor,
) -> object:
    """The result of the last of some calls, with what has to run submitted to an executor."""
    with importing:
        from datatool.api.stage_work import work
        from datatool.operations.stage.executor import ExecutorChain
        from datatool.operations.stage.packed import teach_carrying

    teach_carrying()
    return ExecutorChain(calls, arguments, home, tracker, around, executor, work).value()
