"""What a worker is handed for one stage, and what it answers: names, arguments and ids, never what they stand for."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from msgspec import Struct

from datatool.model.oid import ObjectId
from datatool.model.run import RunCode, RunEnvironment, RunRecord
from datatool.model.stage import Fact
from datatool.operations.stage.definition import AbsentStage, StageDefinition
from datatool.operations.stage.files import Input
from datatool.operations.stage.known import Known
from datatool.operations.stage.plan import Call


class Origin(Struct, frozen=True, kw_only=True):
    """The project of whoever asks: its id and root; `settings` say where its remotes are, and hold no credentials.
    `start` is the directory of the program, `file` that of the stage, both from the root. `mark` is a file in its
    cache: who sees that has the same one."""

    project: str
    root: str
    settings: Mapping[str, str]
    start: str | None
    file: str | None
    mark: str


class Part(Struct, frozen=True, kw_only=True):
    """A function that the worker is to call: that of the stage, or of one that keeps no result and is needed for it.
    The facts are as they are kept, without secrets; inputs by where in the arguments they stand."""

    name: str
    fingerprint: str
    facts: tuple[Fact, ...]
    inputs: Mapping[str, Input]


class Task(Struct, frozen=True, kw_only=True):
    """One stage to be run. Its plan is made again by the worker: `calls` is how many there are in it, `parts` and
    `results` (the run that made each, and its record in short) are by their numbers there. `anew`: what is kept under
    its fingerprint is no good."""

    stage: StageDefinition | AbsentStage
    args: tuple[object, ...]
    given: Mapping[str, object]
    calls: int
    parts: Mapping[int, Part]
    results: Mapping[int, tuple[ObjectId, RunRecord]]
    origin: Origin
    anew: bool = False
    attempt: int = 1

    @property
    def fingerprint(self) -> str:
        """The name of the result."""
        return self.parts[self.calls - 1].fingerprint

    @property
    def key(self) -> str:
        """A name for schedulers: the same for the same result."""
        name = self.parts[self.calls - 1].name.replace(":", ".")
        again = f"-{self.attempt}" if self.attempt > 1 else ""
        return f"{name}-{self.fingerprint}{again}"


class Done(Struct, frozen=True, kw_only=True):
    """The result is kept: the id and the bytes of its record. `here`: in the cache of whoever asked, and else on the
    remote."""

    run: ObjectId
    record: bytes
    here: bool


class Lacks(Struct, frozen=True, kw_only=True):
    """What the worker can't get: results by their numbers, inputs by those of their parts and where they stand there;
    `reasons` are in words."""

    results: tuple[int, ...] = ()
    inputs: tuple[tuple[int, str], ...] = ()
    reasons: tuple[str, ...] = ()


class Unsteady(Struct, frozen=True):
    """A file was changed while the stage read it."""


Answer = Done | Lacks | Unsteady


def part_of(known: Known) -> Part:
    """What a worker is told of a call."""
    return Part(
        name=known.code.name,
        fingerprint=known.fingerprint,
        facts=known.kept_facts,
        inputs=dict(known.described.inputs),
    )


def in_short(record: RunRecord) -> RunRecord:
    """What it takes to load the result that a record leads to."""
    stage = dataclasses.replace(record.stage, facts=()) if record.stage is not None else None
    nowhere = RunEnvironment(python="", platform="")
    return dataclasses.replace(
        record, stage=stage, code=RunCode(), inputs=(), parameters={}, metrics={}, environment=nowhere, more={}
    )


def below(call: Call) -> list[Call]:
    """A call with all that it needs, in the order of `plan`."""
    order: list[Call] = []
    seen: set[Call] = set()
    stack = [(call, iter(call.needs.values()))]
    while stack:
        now, needed = stack[-1]
        wanted = next(needed, None)
        if wanted is None:
            stack.pop()
            order.append(now)
        elif wanted not in seen:
            seen.add(wanted)
            stack.append((wanted, iter(wanted.needs.values())))
    return order


def to_be_called(call: Call) -> list[Call]:
    """The call, and of those that it needs the ones that keep no result, through which others are needed."""
    found = {call: None}
    pending = [call]
    while pending:
        for need in pending.pop().needs.values():
            if not need.stage.options.cache and need not in found:
                found[need] = None
                pending.append(need)
    return list(found)
