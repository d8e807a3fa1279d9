"""Whether a call of a stage would be answered from what is kept, and if not, what changed. No stage runs for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from datatool.model.oid import ObjectId, prefixed
from datatool.model.stage import Fact, FactKind
from datatool.operations.stage.changes import Change, Key, changes, differing, secrets
from datatool.operations.stage.definition import StageDefinition
from datatool.operations.stage.files import Tracking
from datatool.operations.stage.home import Home
from datatool.operations.stage.known import Known, known_call
from datatool.operations.stage.plan import Call
from datatool.operations.stage.reason import Answer, StageReason, Why
from datatool.operations.stage.results import find_result
from datatool.operations.track.tracker import Tracker
from datatool.project.project import Project
from datatool.stages.run_store import Known as Record
from datatool.stages.run_store import find_runs, stage_runs


def why(calls: Sequence[Call], home: Home, tracker: Tracker, tracking: Tracking, environ: Mapping[str, str]) -> Why:
    """Look at each of some planned calls, in order. Nothing runs, is fetched or is written.

    Raises UsageError for arguments that can't be counted, PathNotFound for a `File` that is nowhere.
    """
    looking = _Looking(home, tracker, tracking, environ)
    return Why(stages=tuple(looking.look(call) for call in calls))


class _Looking:
    """Looks at calls, each after those that it needs."""

    def __init__(self, home: Home, tracker: Tracker, tracking: Tracking, environ: Mapping[str, str]) -> None:
        self._home = home
        self._tracker = tracker
        self._tracking = tracking
        self._environ = environ
        self._known: dict[Call, Known] = {}
        self._counts_as: dict[Call, str] = {}
        """The hash by which a result counts, of those for which it is known."""
        self._names: dict[Call, str] = {}
        self._waits: dict[Call, tuple[str, ...]] = {}
        """The stages that have to run before it is known what a result counts as."""

    def look(self, call: Call) -> StageReason:
        """What one stage would do, once those that it needs were looked at."""
        known = self._known[call] = known_call(
            call, root=self._tracker.root, home=self._home, results=self._results(call), tracking=self._tracking
        )
        self._names[call] = self._unlike_others(known.code.name)
        unknown = [need for need in call.needs.values() if need not in self._counts_as]
        reason = StageReason(
            name=self._names[call],
            answer=Answer.UNKNOWN,
            needs=tuple(self._names[need] for need in call.needs.values()),
            notes=(*known.code.changed_since(), *(() if call.stage.options.version else known.code.warnings)),
        )
        if not call.stage.options.cache:
            if not unknown:
                self._counts_as[call] = known.fingerprint
            return self._noted(call, replace(reason, answer=Answer.UNCACHED))
        reason = self._among_kept(call, known, reason) if not unknown else self._closest(call, known, reason)
        return self._noted(call, reason)

    def _noted(self, call: Call, reason: StageReason) -> StageReason:
        waits = tuple(dict.fromkeys(name for need in call.needs.values() for name in self._waits[need]))
        if call in self._counts_as:
            self._waits[call] = ()
        elif reason.answer in (Answer.UNKNOWN, Answer.UNCACHED):
            self._waits[call] = waits
        else:
            self._waits[call] = (reason.name,)
        if reason.answer is Answer.UNKNOWN:
            return replace(reason, waits_for=waits)
        return replace(reason, notes=(*reason.notes, *self._about_remotes(call, reason)))

    def _about_remotes(self, call: Call, reason: StageReason) -> Iterator[str]:
        """What is not here may be elsewhere, which is not asked now."""
        share = call.stage.options.share
        with self._tracker.using() as project:
            if not project.config.remotes():
                return
            if reason.answer is Answer.KEPT:
                oid = self._counts_as[call]
                if not project.cache.has(ObjectId(oid)):
                    yield "the bytes of its result are not here; they are fetched, or else made again"
            elif reason.answer is not Answer.UNCACHED and (
                project.config.flag("stages.share") if share is None else share
            ):
                yield "remotes are asked for its result before it runs"

    def _unlike_others(self, name: str) -> str:
        """A name that none of the others has: functions made by a function share theirs."""
        same = sum(known.code.name == name for known in self._known.values())
        return name if same == 1 else f"{name} ({same})"

    def _results(self, call: Call) -> dict[StageDefinition, tuple[str, str]]:
        """What the results that a call takes count as; one that is not known as something that no record has."""
        return {
            stage: (self._counts_as.get(need, f"unknown {self._names[need]}"), stage.label)
            for stage, need in call.needs.items()
        }

    # One stage

    def _among_kept(self, call: Call, known: Known, reason: StageReason) -> StageReason:
        """The answer where all that counts is known."""
        options = call.stage.options
        with self._tracker.using() as project:

            def found_within(ttl: float | None) -> Record | None:
                result = find_result(
                    project, known.fingerprint, declared=options.format, ttl=ttl, environ=self._environ
                )
                return None if result is None else Record(result.run, result.record)

            found = found_within(options.ttl)
            if found is not None:
                self._counts_as[call] = found.record.outputs[0].oid
                return replace(_compared(reason, found), answer=_had(project, found))
            old = found_within(None)
            if old is not None:
                return replace(_compared(reason, old), answer=Answer.EXPIRED)
            foreign = find_runs(project.cache, known.fingerprint, project.config.project or "")
        if foreign:
            return replace(_compared(reason, foreign[0]), answer=Answer.FOREIGN)
        return self._closest(call, known, reason)

    def _closest(self, call: Call, known: Known, reason: StageReason) -> StageReason:
        """What is another than for the kept result that is closest to what would be now."""
        unknown = self._unknown_facts(call, known)
        records = self._records_of(call)
        if not records:
            return replace(reason, answer=Answer.NEW)
        facts = known.kept_facts
        pairs, nearest = min(
            ((differing(facts, _facts(record), unknown), record) for record in records), key=lambda one: len(one[0])
        )
        told: set[Call] = set()
        found = tuple(self._with_reasons(call, change, told) for change in changes(known, pairs))
        if not found and unknown:
            return _compared(reason, nearest)
        return replace(_compared(reason, nearest), answer=Answer.CHANGED, changes=found or tuple(secrets(facts)))

    def _unknown_facts(self, call: Call, known: Known) -> set[Key]:
        digests = {digest for digest, _ in self._results(call).values() if digest.startswith("unknown ")}
        return {fact.key for fact in known.facts if fact.kind is FactKind.RESULT and fact.digest in digests}

    # Another stage's result

    def _with_reasons(self, call: Call, change: Change, told: set[Call]) -> Change:
        """A change; of a result with what changed for the stage that made it, unless that is told already."""
        if change.kind is not FactKind.RESULT or change.old is None or change.new is None:
            return change
        need = next((need for need in call.needs.values() if self._is_result_of(need, change)), None)
        if need is None:
            return change
        change = replace(change, place=self._names[need])
        then = next((record for record in self._records_of(need) if _made(record, change.old)), None)
        if then is None or need in told:
            return change
        told.add(need)
        known = self._known[need]
        pairs = differing(known.kept_facts, _facts(then), self._unknown_facts(need, known))
        inner = [self._with_reasons(need, one, told) for one in changes(known, pairs)]
        return replace(change, because=tuple(inner))

    def _is_result_of(self, need: Call, change: Change) -> bool:
        counts = self._counts_as.get(need)
        return counts is not None and prefixed(ObjectId(counts)) == change.new and need.stage.label == change.place

    def _records_of(self, call: Call) -> list[Record]:
        """The records of a stage, the newest first."""
        return self._records.get(self._known[call].code.name, [])

    @cached_property
    def _records(self) -> dict[str, list[Record]]:
        """All records of stages by their names; they are read when one is not found by its fingerprint."""
        found: dict[str, list[Record]] = {}
        with self._tracker.using() as project:
            for record in stage_runs(project.cache, project.config.project or ""):
                found.setdefault(record.record.name, []).append(record)
        return found


def _had(project: Project, found: Record) -> Answer:
    here = project.cache.has(found.record.outputs[0].oid)
    return Answer.KEPT if here or project.config.remotes() else Answer.LOST


def _compared(reason: StageReason, found: Record) -> StageReason:
    return replace(reason, since=found.record.started, run=prefixed(found.oid))


def _facts(found: Record) -> Sequence[Fact]:
    return found.record.stage.facts if found.record.stage is not None else ()


def _made(found: Record, content: str | None) -> bool:
    return any(prefixed(file.oid) == content for file in found.record.outputs)
