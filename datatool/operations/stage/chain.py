"""Running a chain of stages: each result is found or made once, in order."""

from __future__ import annotations

import copy
import inspect
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from datatool.errors import ChangedWhileRead, FormatError, LocalError, PathNotFound, UsageError
from datatool.model.run import RunFile
from datatool.model.stage import FactKind
from datatool.operations.stage.call import Described, bring_inputs, describe, in_place, still_the_same
from datatool.operations.stage.definition import StageDefinition
from datatool.operations.stage.files import Tracking
from datatool.operations.stage.home import Home
from datatool.operations.stage.known import Known, known_call
from datatool.operations.stage.late_calls import when_late
from datatool.operations.stage.plan import Call
from datatool.operations.stage.results import Made, Result, find_result, is_here, load, save, written
from datatool.operations.stage.running import running
from datatool.operations.track.tracker import Tracker
from datatool.progress import Progress
from datatool.project.project import Project
from datatool.stages.result_formats import encoding_of

if TYPE_CHECKING:
    from datatool.operations.stage.share import Sharing

_SYNCED_FROM = 1.0
"""Seconds: a result that took so long is on disk before it is given back; others when the process ends."""
_TOLD_FROM = 1.0
"""Seconds: a stage that takes so long is worth a line."""
_ATTEMPTS = 5
_CODE = (FactKind.FUNCTION, FactKind.CLASS)


class Around(Struct, frozen=True, kw_only=True):
    """What a chain needs of the program around it: open projects, somebody who hears what it read, and what it says;
    and what reaches remotes, which is loaded when it is called first."""

    tracking: Tracking
    note: Callable[[Path, RunFile], None]
    say: Callable[[str], None]
    sharing: Callable[[Project, Progress], Sharing]
    progress: Progress


class Lost(Exception):
    """A result that was known can't be had."""

    def __init__(self, call: Call) -> None:
        super().__init__(call.stage.label)
        self.call = call


class CanNotKeep(Exception):
    """A function has run, and the cache does not take what it gave."""

    def __init__(self, fingerprint: str, value: object, cause: LocalError) -> None:
        super().__init__(cause.message)
        self.fingerprint = fingerprint
        self.value = value
        self.cause = cause


class Changed(Exception):
    """A file that a stage reads was changed meanwhile."""


class Chain:
    """One call of a last stage, with all that it needs, in a project."""

    def __init__(self, calls: Sequence[Call], home: Home, tracker: Tracker, around: Around) -> None:
        self._calls = calls
        self._around = around
        self._home = home
        self._tracker = tracker
        self._known: dict[Call, Known] = {}
        self._results: dict[Call, Result] = {}
        self._made: dict[Call, Result] = {}
        self._lost: set[Call] = set()
        self._uncached: dict[Call, object] = {}
        self._unkept: dict[Call, CanNotKeep] = {}

    def value(self) -> object:
        """The result of the last call. Raises what the functions raise, UsageError for what can't be counted or kept,
        ChangedWhileRead where inputs keep changing."""
        for _ in range(_ATTEMPTS + len(self._calls)):
            try:
                self._advance()
                value = self._get(self._calls[-1])
                self._share()
                return value
            except Lost as lost:
                self._lost.add(lost.call)
            except Changed:
                self._made.clear()
        names = ", ".join(
            sorted(item.given for known in self._known.values() for item in known.described.inputs.values())
        )
        raise ChangedWhileRead(f"stage {self._calls[-1].stage.label}: its inputs keep changing: {names}")

    # In order

    def _advance(self) -> None:
        """See that every result that is kept is known."""
        self._known.clear()
        self._results.clear()
        for call in self._calls:
            known = self._known[call] = self._describe(call)
            if not call.stage.options.cache:
                continue
            found = self._made_or_kept(call, known)
            if found is None and not self._is_unkept(call, known):
                found = self._run_and_keep(call, known)
            if found is not None:
                self._results[call] = found

    def _is_unkept(self, call: Call, known: Known) -> bool:
        """Whether its function has run, and what it gave could not be kept."""
        return call in self._unkept and self._unkept[call].fingerprint == known.fingerprint

    def _run_and_keep(self, call: Call, known: Known) -> Result | None:
        """The result; None where it can't be kept, which costs nobody what was computed."""
        try:
            self._made[call] = self._run(call, known)
            return self._made[call]
        except CanNotKeep as problem:
            self._unkept[call] = problem
            self._around.progress.warn(
                f"stage {call.stage.label}: its result is given back and not kept: {problem.cause.message}",
                hint=problem.cause.hint,
            )
            return None

    def _describe(self, call: Call) -> Known:
        known = known_call(
            call,
            root=self._tracker.root,
            home=self._home,
            results=self._need(call),
            tracking=self._around.tracking,
        )
        for item in known.described.inputs.values():
            if item.root is not None and item.file is not None:
                self._around.note(item.root, item.file)
        return known

    def _need(self, call: Call) -> dict[StageDefinition, tuple[str, str]]:
        """What counts for the results among the arguments."""
        return {stage: self._counts_as(need) for stage, need in call.needs.items()}

    def _counts_as(self, call: Call) -> tuple[str, str]:
        """What a result counts as for those who need it: its content; what is not kept, as all that determines it."""
        found = self._results.get(call)
        return (self._known[call].fingerprint if found is None else found.file.oid), call.stage.label

    def _made_or_kept(self, call: Call, known: Known) -> Result | None:
        """A result that was made just now, or is kept; None where it has to be made."""
        made = self._made.get(call)
        if made is not None and made.record.fingerprint == known.fingerprint:
            return made
        return self._find(call, known) if call not in self._lost else None

    def _find(self, call: Call, known: Known) -> Result | None:
        options = call.stage.options
        with self._tracker.using() as project:
            for asked in (False, True):
                found = find_result(
                    project, known.fingerprint, declared=options.format, ttl=options.ttl, environ=os.environ
                )
                if found is not None or asked or not self._shares(call):
                    return found
                self._sharing(project).ask(known.fingerprint, options.format)
        return None

    # Values

    def _get(self, call: Call) -> object:
        """The value of a result, new each time. Raises Lost where it can't be had."""
        if not call.stage.options.cache:
            if call not in self._uncached:
                self._uncached[call] = self._call(call, self._known[call])
            return self._uncached[call]
        if call not in self._results:
            return copy.deepcopy(self._unkept[call].value)
        result = self._results[call]
        try:
            with self._tracker.using() as project:
                if is_here(project, result) or self._sharing(project).bring(result):
                    return load(project, result)
        except (FormatError, PathNotFound) as problem:
            if call in self._made:
                raise
            self._around.progress.warn(
                f"stage {call.stage.label}: its kept result can't be used, so it runs again: {problem.message}"
            )
        raise Lost(call)

    def _run(self, call: Call, known: Known) -> Result:
        started = time.time()
        value = self._call(call, known)
        duration = time.time() - started
        if not self._is_steady(known):
            raise Changed
        made = Made(
            name=known.code.name,
            fingerprint=known.fingerprint,
            facts=known.kept_facts,
            inputs=tuple(item.file for item in known.described.inputs.values() if item.file is not None),
            functions={
                fact.name: fact.digest for fact in known.facts if fact.kind in (FactKind.FUNCTION, FactKind.CLASS)
            },
            started=started,
            duration=duration,
            share=bool(call.stage.options.share),
        )
        with self._tracker.using() as project:
            try:
                encoding = encoding_of(value, call.stage.options.format)
                result = save(project, value, encoding, made, os.environ)
            except UsageError as problem:
                problem.message = f"stage {call.stage.label}: {problem.message}"
                raise
            except LocalError as problem:
                if not problem.message.startswith(os.fspath(project.cache.top)):
                    problem.message = f"{project.cache.top}: {problem.message}"
                raise CanNotKeep(known.fingerprint, value, problem) from problem
            self._tracker.sync_later(written(project, result))
        if duration >= _SYNCED_FROM:
            self._tracker.settle()
        return result

    def _call(self, call: Call, known: Known) -> object:
        """What the function gives."""
        self._warn(call, known)
        values = {stage: self._get(need) for stage, need in call.needs.items()}
        bring_inputs(known.described.inputs, self._around.tracking)
        arguments = _replaced(call, values, known.described)
        inputs = [item.full for item in known.described.inputs.values()]
        with self._telling(call), running(call.stage, inputs):
            value = call.stage.function(*arguments.args, **arguments.kwargs)
        if inspect.isgenerator(value) or inspect.iscoroutine(value) or inspect.isasyncgen(value):
            raise UsageError(
                f"stage {call.stage.label}: gives a {type(value).__name__}, which can't be kept",
                hint="return a list or a table: of a generator, list(…); of a coroutine, what it gives once awaited",
            )
        return value

    def _is_steady(self, known: Known) -> bool:
        """Whether what a stage has read is still what it was counted as, and so the code that it has loaded since."""
        return known.code.is_as_read and still_the_same(known.described.inputs, self._home, self._around.tracking)

    # For people and for others

    def _warn(self, call: Call, known: Known) -> None:
        """Tell, once, what in the code of a stage that is going to run may count otherwise than its author thinks."""
        hints = dict.fromkeys(known.code.changed_since(), "pass it as an argument to have it counted as it is")
        if call.stage.options.version is None:
            hints |= dict.fromkeys(known.code.warnings, "declare version=… and raise it by hand when that changes")
        for text, hint in hints.items():
            if call.stage.is_news(text):
                self._around.progress.warn(f"stage {call.stage.label}: {text}", hint=hint)

    @contextmanager
    def _telling(self, call: Call) -> Iterator[None]:
        """Say that a stage is running, once that takes a while, and how long it took."""
        number = self._calls.index(call) + 1
        of = f" ({number} of {len(self._calls)})" if len(self._calls) > 1 else ""
        started = time.perf_counter()
        with when_late(_TOLD_FROM, lambda: self._around.say(f"stage {call.stage.label}{of} is running")):
            yield
        took = time.perf_counter() - started
        if took >= _TOLD_FROM:
            self._around.say(f"stage {call.stage.label}{of} ran {took:.1f} s")

    def _shares(self, call: Call) -> bool:
        share = call.stage.options.share
        if share is not None:
            return share
        with self._tracker.using() as project:
            return project.config.flag("stages.share")

    def _share(self) -> None:
        """Push what was made and is to be shared."""
        made = [result for call, result in self._made.items() if self._shares(call)]
        if made:
            with self._tracker.using() as project:
                self._sharing(project).share(made)

    def _sharing(self, project: Project) -> Sharing:
        return self._around.sharing(project, self._around.progress)


def plain_value(calls: Sequence[Call], home: Home, tracking: Tracking) -> object:
    """The result of the last of some calls outside any project, where nothing is kept."""
    values: dict[StageDefinition, object] = {}
    for call in calls:
        described = describe(
            call.arguments.arguments, home, {stage: ("", stage.label) for stage in call.needs}, tracking
        )
        arguments = _replaced(call, values, described)
        values[call.stage] = call.stage.function(*arguments.args, **arguments.kwargs)
    return values[calls[-1].stage]


def _replaced(call: Call, values: dict[StageDefinition, object], described: Described) -> inspect.BoundArguments:
    """The arguments as the function gets them: results in place of stages, paths in place of files."""
    found = dict(call.arguments.arguments)
    for name, value in found.items():
        found[name] = in_place(value, described.inputs, values)
    return inspect.BoundArguments(call.arguments.signature, found)
