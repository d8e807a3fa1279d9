"""A stage on a worker: what it needs is found by id, the function runs, the result is kept where others find it."""

from __future__ import annotations

import os
from collections.abc import Iterator

from msgspec.structs import replace

from datatool.errors import DatatoolError, Refused, UsageError
from datatool.formats.run_record import encode_run
from datatool.model.pointer import ArtifactKind
from datatool.model.run import RunFile
from datatool.model.stage import Fact, FactKind
from datatool.operations.cached import is_cached
from datatool.operations.contents.content import Held
from datatool.operations.fetch import fetch_versions
from datatool.operations.stage.call import bring_inputs, describe, looked_at
from datatool.operations.stage.chain import Around, CanNotKeep, Chain, Changed, Lost
from datatool.operations.stage.definition import StageDefinition
from datatool.operations.stage.files import Input
from datatool.operations.stage.home import Home
from datatool.operations.stage.known import Known, known_call
from datatool.operations.stage.plan import Call, plan
from datatool.operations.stage.results import Result, find_result, is_here, usable
from datatool.operations.stage.task import Answer, Done, Lacks, Part, Task, Unsteady
from datatool.operations.track.tracker import Tracker
from datatool.operations.versions import Version
from datatool.operations.views import view
from datatool.project.project import Project
from datatool.stages.definitions import IMPORTED
from datatool.stages.live import unseen
from datatool.stages.loaded import EditedCode
from datatool.stages.run_store import Known as KnownRun
from datatool.stages.stage_facts import SECRET

_LISTED = 5


class WorkerChain(Chain):
    """One stage of somebody else's chain."""

    def __init__(self, task: Task, home: Home, tracker: Tracker, around: Around) -> None:
        """Raises Refused where the stage here is not the one that was meant."""
        stage = task.stage
        assert isinstance(stage, StageDefinition)
        super().__init__(plan(stage, task.args, task.given), home, tracker, around)
        self._task = task
        self._absent: list[tuple[int, str]] = []
        if len(self._calls) != task.calls:
            raise _differs(stage.label, ["the stages that it needs"])

    def answer(self) -> Answer:
        """Run the stage, unless its result is here. Raises what the function raises, Refused where the code here is not
        that of whoever asks, RemoteError where the result can't be sent."""
        absent = [number for number in self._task.results if not self._take(number)]
        if absent:
            return Lacks(results=tuple(absent))
        for number in sorted(self._task.parts):
            self._known[self._calls[number]] = self._describe(self._calls[number])
        if self._absent:
            return Lacks(inputs=tuple(self._absent))
        call = self._calls[-1]
        try:
            result = self._kept(call) or self._run(call, self._known[call])
        except Changed:
            return Unsteady()
        except CanNotKeep as problem:
            raise problem.cause from None
        except Lost as lost:
            return Lacks(results=(self._calls.index(lost.call),))
        here = self._is_same_cache()
        if not here:  # else whoever asked sees to it that the result is on disk
            self._send(call, result)
            self._tracker.settle()
        return Done(run=result.run, record=encode_run(result.record), here=here)

    # What it needs

    def _take(self, number: int) -> bool:
        """Have the content of a result that is needed."""
        run, record = self._task.results[number]
        call = self._calls[number]
        with self._tracker.using() as project:
            found = usable(KnownRun(run, record), call.stage.options.format, os.environ)
            if found is None or not self._bring(project, found.file):
                return False
        self._results[call] = found
        return True

    def _describe(self, call: Call) -> Known:
        number = self._calls.index(call)
        part = self._task.parts[number]
        inputs = {place: self._input(number, place, item) for place, item in part.inputs.items()}
        results, tracking, root = self._need(call), self._around.tracking, self._home.root
        assert root is not None
        if call.stage.carried:  # its code came along, and there is no source to look at
            described = describe(call.arguments.arguments, self._home, results, tracking, inputs)
            code = unseen(part.name, root)
            return Known(facts=part.facts, fingerprint=part.fingerprint, described=described, code=code)
        try:
            ours = known_call(call, root=root, home=self._home, results=results, tracking=tracking, inputs=inputs)
        except EditedCode as problem:  # what would run is older than what whoever asked has read
            raise _differs(call.stage.label, [f"{problem.path} was edited after it was loaded"]) from problem
        if ours.fingerprint != part.fingerprint:
            raise _differs(call.stage.label, list(_differences(part, ours)))
        return ours

    def _warn(self, call: Call, known: Known) -> None:
        """Whoever asked has told it."""

    def _input(self, number: int, place: str, item: Input) -> Input:
        """An input as it can be read here: in the workspace if that has it, else under its name in the user's cache."""
        found = self._in_workspace(item) or self._as_view(item)
        if found is None:
            self._absent.append((number, place))
        return found or item

    def _in_workspace(self, item: Input) -> Input | None:
        if item.root is None:  # outside any project: only the same machine has it
            seen = looked_at(item, self._home, self._around.tracking) if os.path.exists(item.full) else None
            return item if seen is not None and seen.oid == item.oid else None
        file, tracked = self._tracker.input(item.path)
        if file is None or file.oid != item.oid:
            return None
        full = os.path.join(self._tracker.root, os.fsdecode(item.path))
        found = replace(item, full=full, root=self._tracker.root, file=file if tracked else None)
        try:
            bring_inputs({"": found}, self._around.tracking)
        except DatatoolError as problem:  # its pointer is there, and nobody has pushed it yet
            self._around.progress.warn(problem.message, hint=problem.hint)
            return None
        return found

    def _as_view(self, item: Input) -> Input | None:
        if item.file is None:
            return None
        with self._tracker.using() as project:
            if not self._bring(project, item.file):
                return None
            held = Held(
                cache=project.cache,
                oid=item.oid,
                size=item.file.size,
                directory=item.file.kind is ArtifactKind.DIRECTORY,
                executable=item.file.executable,
            )
            full = view(held, item.path, environ=os.environ)
        return replace(item, full=os.fspath(full), root=None, file=None)

    def _bring(self, project: Project, file: RunFile) -> bool:
        """Have content in the cache; why that can't be is told to whoever asked."""
        if not project.config.remotes():
            return is_cached(project.cache, project.state, file.pointer)
        version = Version(path=file.path, pointer=file.pointer)
        try:
            done = fetch_versions(project, [version], progress=self._around.progress)
        except DatatoolError as problem:
            self._around.progress.warn(problem.message, hint=problem.hint)
            return False
        for error in [item.error for item in done.artifacts if item.error is not None]:
            self._around.progress.warn(error.message, hint=error.hint)
        return all(item.ok for item in done.artifacts)

    # What it gives

    def _is_steady(self, known: Known) -> bool:
        here = {place: item for place, item in known.described.inputs.items() if item.root is not None}
        steady = replace(known.described, inputs=here)
        return super()._is_steady(replace(known, described=steady))

    def _kept(self, call: Call) -> Result | None:
        options = call.stage.options
        with self._tracker.using() as project:
            project.cache.refresh()
            found = find_result(
                project, self._task.fingerprint, declared=options.format, ttl=options.ttl, environ=os.environ
            )
            return found if found is not None and not self._task.anew and is_here(project, found) else None

    def _is_same_cache(self) -> bool:
        with self._tracker.using() as project:
            return (project.cache.top / "tmp" / self._task.origin.mark).exists()

    def _send(self, call: Call, result: Result) -> None:
        if result.record.stage is None or result.record.stage.seal is not None:
            raise pickle_stays(call.stage.label)
        with self._tracker.using() as project:
            self._sharing(project).send({result.run: result.record}, ())


def pickle_stays(label: str) -> UsageError:
    """The error for a result that is needed elsewhere and can't go there."""
    return UsageError(
        f"stage {label}: its result is a pickle, which can't go to a worker or come from one with another cache",
        hint='declare format="parquet", "json" or another of those that anybody can read',
    )


def _differs(label: str, names: list[str]) -> Refused:
    listed = ", ".join(names[:_LISTED]) + (f" and {len(names) - _LISTED} more" if len(names) > _LISTED else "")
    return Refused(
        f"stage {label}: the worker's code differs: {listed or 'a secret'}",
        hint="give the workers this version of the project and its packages, and start them anew",
    )


def _differences(part: Part, ours: Known) -> Iterator[str]:
    """What counts otherwise here, in words."""
    theirs = {fact.key: fact for fact in part.facts}
    mine = {fact.key: fact for fact in ours.kept_facts}
    for key in sorted(theirs.keys() | mine.keys()):
        there, here = theirs.get(key), mine.get(key)
        digests = {fact.digest for fact in (there, here) if fact is not None}
        if there is None or here is None or (len(digests) > 1 and SECRET not in digests):
            yield _in_words(key, there, here)


def _in_words(key: tuple[str, str], asked: Fact | None, here: Fact | None) -> str:
    kind, name = key[0], key[1].removesuffix(IMPORTED)
    if asked is None or here is None:
        return f"{kind} {name} ({'not here' if here is None else 'only here'})"
    if kind == FactKind.PACKAGE:
        return f"package {name} ({here.shown} instead of {asked.shown})"
    return f"{kind} {name}"
