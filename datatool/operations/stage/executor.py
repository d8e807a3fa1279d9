"""A chain of stages on somebody's executor: each is submitted as soon as all that it needs is known."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import ExitStack, suppress

from msgspec.structs import replace

from datatool.errors import DatatoolError, FormatError, PartlyDone, PathNotFound, RemoteNotFound
from datatool.formats.run_record import decode_run
from datatool.hashing import digest
from datatool.localfs.atomic import make_dirs
from datatool.localfs.temps import mark_file
from datatool.model.oid import ObjectId
from datatool.model.run import RunFile, RunRecord
from datatool.operations.cached import is_cached
from datatool.operations.stage.chain import Around, Chain, Changed, Lost
from datatool.operations.stage.definition import StageDefinition
from datatool.operations.stage.home import Home
from datatool.operations.stage.packed import Packed, packed
from datatool.operations.stage.plan import Call
from datatool.operations.stage.results import Result, usable, written
from datatool.operations.stage.task import (
    Answer,
    Done,
    Lacks,
    Origin,
    Task,
    Unsteady,
    below,
    in_short,
    part_of,
    to_be_called,
)
from datatool.operations.stage.worker import pickle_stays
from datatool.operations.stage.worker_project import origin_of
from datatool.operations.track.tracker import Tracker
from datatool.stages.run_store import Known as KnownRun
from datatool.stages.run_store import keep_lookup

Work = Callable[[Packed], Answer]
"""What a worker does with a task; found by its name there."""

_TOLD_FROM = 1.0
_ATTEMPTS = 3
"""So often a stage is submitted: what a worker lacks, results at first and then inputs, is sent meanwhile."""


class ExecutorChain(Chain):
    """One call of a last stage whose functions run wherever an executor takes them."""

    def __init__(
        self,
        calls: Sequence[Call],
        arguments: tuple[tuple[object, ...], Mapping[str, object]],
        home: Home,
        tracker: Tracker,
        around: Around,
        executor: Executor,
        work: Work,
    ) -> None:
        """`arguments` are those of the last call, as they were given."""
        super().__init__(calls, home, tracker, around)
        self._arguments = arguments
        self._executor = executor
        self._work = work
        self._stack = ExitStack()
        self._mark: str | None = None
        self._begun: dict[Future[Answer], tuple[Call, Task]] = {}
        self._elsewhere: set[ObjectId] = set()
        """Records that came from another cache, by way of the remote."""

    def value(self) -> object:
        """See `Chain.value`; in addition raises Refused where a worker has other code, and what a remote fails with."""
        with self._stack:
            return super().value()

    # In the order in which results become known

    def _advance(self) -> None:
        self._known.clear()
        self._results.clear()
        left = list(self._calls)
        try:
            while left or self._begun:
                ready = [call for call in left if all(self._is_settled(need) for need in call.needs.values())]
                for call in ready:
                    left.remove(call)
                    self._start(call)
                if not ready:
                    self._take_finished()
        except BaseException as problem:
            self._end(properly=isinstance(problem, Exception))
            raise

    def _is_settled(self, call: Call) -> bool:
        return call in (self._results if call.stage.options.cache else self._known)

    def _start(self, call: Call) -> None:
        """Find a result, or have it made."""
        known = self._known[call] = self._describe(call)
        if not call.stage.options.cache:
            return
        found = self._made_or_kept(call, known)
        if found is not None:
            self._results[call] = found
            return
        for part in to_be_called(call):
            self._warn(part, self._known[part])
        self._submit(call, self._task(call))

    def _submit(self, call: Call, task: Task) -> None:
        self._begun[self._executor.submit(self._work, packed(task))] = call, task

    def _take_finished(self) -> None:
        finished, _ = wait(self._begun, return_when=FIRST_COMPLETED)
        for future in finished:
            call, task = self._begun.pop(future)
            self._take(call, task, future.result())

    def _end(self, *, properly: bool) -> None:
        """Begin nothing more, and keep what comes to an end."""
        begun, self._begun = self._begun, {}
        running = [future for future in begun if not future.cancel()]
        if not properly:
            return
        for future in wait(running).done:
            if not future.cancelled() and future.exception() is None and isinstance(future.result(), Done):
                with suppress(DatatoolError):
                    self._take(*begun[future], future.result())

    # A stage on its way

    def _task(self, call: Call) -> Task:
        order = below(call)
        called = to_be_called(call)
        needed = {need for part in called for need in part.needs.values() if need.stage.options.cache}
        args, given = self._arguments if call is self._calls[-1] else ((), {})
        return Task(
            stage=call.stage,
            args=args,
            given=given,
            calls=len(order),
            parts={order.index(part): part_of(self._known[part]) for part in called},
            results={
                order.index(need): (self._results[need].run, in_short(self._results[need].record)) for need in needed
            },
            origin=self._origin(call.stage),
            anew=call in self._lost,
        )

    def _origin(self, stage: StageDefinition) -> Origin:
        with self._tracker.using() as project:
            if self._mark is None:
                temporary = project.cache.top / "tmp"
                make_dirs(temporary, like=project.cache.top)
                self._mark = self._stack.enter_context(mark_file(temporary))
            return origin_of(project, self._home, stage.file, self._mark)

    def _take(self, call: Call, task: Task, answer: Answer) -> None:
        if isinstance(answer, Unsteady):
            raise Changed
        if isinstance(answer, Lacks):
            self._supply(call, task, answer)
            self._submit(call, again(task))
            return
        if answer.here and not self._has(answer.run) and task.attempt < _ATTEMPTS:
            self._submit(call, again(task))  # the executor remembered it, for another cache
            return
        result = self._results[call] = self._made[call] = self._received(call, answer)
        if result.record.duration >= _TOLD_FROM:
            self._around.say(f"stage {call.stage.label} ran {result.record.duration:.1f} s")

    def _has(self, run: ObjectId) -> bool:
        with self._tracker.using() as project:
            return project.cache.has(run)

    def _received(self, call: Call, answer: Done) -> Result:
        """The record of a result, now in the cache here too."""
        record = decode_run(answer.record, name=f"the answer for stage {call.stage.label}")
        found = usable(KnownRun(answer.run, record), call.stage.options.format, os.environ)
        fingerprint = self._known[call].fingerprint
        if found is None or digest(answer.record) != answer.run or record.fingerprint != fingerprint:
            raise FormatError(f"stage {call.stage.label}: a worker answered with something else than its result")
        with self._tracker.using() as project:
            if answer.here:
                self._tracker.sync_later(written(project, found))
            else:
                self._elsewhere.add(answer.run)
                project.cache.keep([(answer.run, answer.record)])
                keep_lookup(project.cache, record.fingerprint, answer.run)
        return found

    # What a worker lacks

    def _supply(self, call: Call, task: Task, lacks: Lacks) -> None:
        """Send to the remote what a worker with another cache can't get."""
        if task.attempt >= _ATTEMPTS:
            reasons = "; ".join(dict.fromkeys(lacks.reasons)) or "its remote does not have that"
            raise PartlyDone(
                f"stage {call.stage.label}: a worker can't get what it needs: {reasons}",
                hint="workers take credentials from their own environment",
            )
        order = below(call)
        runs = dict(self._for_worker(order[number]) for number in lacks.results)
        files = [self._input(order[number], place) for number, place in lacks.inputs]
        try:
            with self._tracker.using() as project:
                self._sharing(project).send(runs, files)
        except RemoteNotFound as error:
            error.message = (
                f"stage {call.stage.label}: its worker has another cache, and there is no way from this one:"
                f" {error.message}"
            )
            raise

    def _for_worker(self, call: Call) -> tuple[ObjectId, RunRecord]:
        """A result as it is sent. Raises Lost where it can't be had."""
        result = self._results[call]
        if result.record.stage is None or result.record.stage.seal is not None:
            raise pickle_stays(call.stage.label)
        with self._tracker.using() as project:
            if not self._sharing(project).bring(result):
                raise self._gone(call)
        return result.run, result.record

    def _get(self, call: Call) -> object:
        try:
            return super()._get(call)
        except Lost as lost:
            raise self._gone(lost.call) from None

    def _gone(self, call: Call) -> Exception:
        """What to raise where a result can't be had: what was kept is made again, and what was made just now is not."""
        if call not in self._made:
            return Lost(call)
        return PartlyDone(
            f"stage {call.stage.label}: a worker made its result, and it can't be fetched from the remote",
            hint="datatool remote check",
        )

    def _input(self, call: Call, place: str) -> RunFile:
        item = self._known[call].described.inputs[place]
        with self._tracker.using() as project:
            if item.file is not None and is_cached(project.cache, project.state, item.file.pointer):
                return item.file
        raise PathNotFound(
            f"stage {call.stage.label}: {item.given} is not where its worker is, and not in the cache, from where it"
            " could be sent",
            hint=f"datatool add {item.given}" if item.root is not None else "put it into the project, and track it",
            path=item.given,
        )

    # In the end

    def _share(self) -> None:
        made = [
            result for call, result in self._made.items() if self._shares(call) and result.run not in self._elsewhere
        ]
        if made:
            with self._tracker.using() as project:
                self._sharing(project).share(made)


def again(task: Task) -> Task:
    """The task for another attempt."""
    return replace(task, attempt=task.attempt + 1)
