"""What a call of some stages would do, and why: as values and as text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from datatool.model.figures import counted
from datatool.model.paths import show
from datatool.model.stage import FactKind
from datatool.operations.result import Part, Result
from datatool.operations.stage.changes import Change, How
from datatool.stages.definitions import IMPORTED


class Tone(StrEnum):
    """What a line of text is, for those who colour it."""

    GOOD = "good"
    BAD = "bad"
    OPEN = "open"
    CHANGE = "change"
    LINE = "line"
    NOTE = "note"


class Told(NamedTuple):
    """A line of text, harmless for a terminal, and what it is."""

    text: str
    tone: Tone


class Answer(StrEnum):
    """What a call of a stage would do."""

    KEPT = "kept"
    """Give what is kept."""
    CHANGED = "changed"
    """Run, as something that counts is another than for any result that is kept."""
    NEW = "new"
    """Run, as no result of it is kept."""
    EXPIRED = "expired"
    """Run, as the result is older than its `ttl`."""
    LOST = "lost"
    """Run, as the bytes of its result are gone, and there is no remote that might have them."""
    FOREIGN = "foreign"
    """Run, as what is kept is a pickle of another machine, which is not read here."""
    UNCACHED = "uncached"
    """Run, as the stage says `cache=False`."""
    UNKNOWN = "unknown"
    """Cannot be told before stages that it needs ran again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StageReason(Part):
    """What one stage would do, and why. `name` is that in records, `needs` are the names of the stages whose results it
    takes; `since` is when the kept result was made that it is compared with (UTC, ISO 8601), `run` the record of that.
    `waits_for` are stages that have to run before it can be told. `notes` are sentences about what does not count."""

    name: str
    answer: Answer
    since: str | None = None
    run: str | None = None
    changes: tuple[Change, ...] = ()
    waits_for: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The name without its module."""
        return _label(self.name)


@dataclass(frozen=True, kw_only=True, slots=True)
class Why(Result):
    """Why a call of the last of some stages would run, or would not; the stages stand in the order in which they would
    run, the one that was asked for last."""

    stages: tuple[StageReason, ...]

    @property
    def stage(self) -> StageReason:
        """The one that was asked for."""
        return self.stages[-1]

    @property
    def cached(self) -> bool:
        """Whether nothing would run: what is kept is the answer."""
        return self.stage.answer is Answer.KEPT

    @property
    def changes(self) -> tuple[Change, ...]:
        """What changed for the stage that was asked for."""
        return self.stage.changes

    def to_dict(self) -> dict[str, object]:
        """As `--json` prints it."""
        return {"stage": self.stage.name, "cached": self.cached, "stages": [item.to_dict() for item in self.stages]}

    def __str__(self) -> str:
        return "\n".join(line.text for line in self.told())

    def told(self) -> Iterator[Told]:
        """It in readable lines: the stage that was asked for, then those that have to run for it."""
        by_name = {reason.name: reason for reason in self.stages}
        for reason in (self.stage, *(one for one in self.stages[:-1] if one.answer is not Answer.KEPT)):
            yield from _told(reason, by_name)


# As text

_ENDS = {
    Answer.KEPT: "nothing runs: its result{since} is kept",
    Answer.CHANGED: "would run: since its result{since}, this changed",
    Answer.NEW: "would run: no result of it is kept",
    Answer.EXPIRED: "would run: its result{since} is older than its ttl",
    Answer.LOST: "would run: the bytes of its result{since} are gone",
    Answer.FOREIGN: "would run: its result{since} is a pickle of another machine",
    Answer.UNCACHED: "would run: it says cache=False",
}
_TONES = {Answer.KEPT: Tone.GOOD, Answer.UNKNOWN: Tone.OPEN}
_NOUNS = {FactKind.VALUE: "constant", FactKind.CLOSURE: "closure variable", FactKind.VERSION: "declared version"}


def _told(reason: StageReason, by_name: Mapping[str, StageReason]) -> Iterator[Told]:
    since = f" of {reason.since[:16].replace('T', ' ')} UTC" if reason.since else ""
    if reason.answer is Answer.UNKNOWN:
        waits = ", ".join(_label(name) for name in reason.waits_for)
        first = by_name[reason.waits_for[0]] if reason.waits_for else reason
        run = "run" if len(reason.waits_for) > 1 else "runs"
        end = f"cannot be told before {waits} {run} again, because {_because(first)}"
    else:
        end = _ENDS[reason.answer].format(since=since)
    yield Told(show(f"{reason.label}: {end}"), _TONES.get(reason.answer, Tone.BAD))
    yield from _listed(reason.changes, reason.name, 1)
    for note in reason.notes:
        yield Told(show(f"  note: {note}"), Tone.NOTE)


def _because(reason: StageReason) -> str:
    """Why a stage would run, in a phrase that names it."""
    if not reason.changes:
        return _ENDS[reason.answer].format(since=" there").removeprefix("would run: ")
    more = f", and {counted(len(reason.changes) - 1, 'more change')}" if len(reason.changes) > 1 else ""
    return _headline(reason.changes[0], reason.name) + more


def _listed(changes: Sequence[Change], own: str, depth: int) -> Iterator[Told]:
    indent = "  " * depth
    for change in changes:
        yield Told(show(indent + _headline(change, own)), Tone.CHANGE)
        width = max((len(line.place) for line in change.lines), default=0)
        for line in change.lines:
            yield Told(show(f"{indent}  {line.place.ljust(width)}  {line.text}"), Tone.LINE)
        if change.removed:
            yield Told(f"{indent}  {counted(change.removed, 'line')} removed", Tone.LINE)
        yield from _listed(change.because, change.place or "", depth + 1)


def _headline(change: Change, own: str) -> str:
    """A change in a phrase; `own` is the name of the stage that it is about."""
    thing = _thing(change, re.sub(r" \(\d+\)$", "", own))
    match change.how:
        case How.SECRET:
            return f"{thing} is a secret, so it may have changed"
        case How.NEW if change.kind is FactKind.INPUT:
            return f"{thing} is read now"
        case How.NEW:
            return f"{thing} counts now" + (f": {change.new}" if change.new else "") + _at(change)
        case How.GONE:
            return f"{thing} does not count any more" + (f" (was {change.old})" if change.old else "")
    if change.kind is FactKind.INPUT:
        return f"{thing}: content {_short(change.old)} → {_short(change.new)}"
    if change.kind is FactKind.RESULT:
        return f"{thing} is another"
    if change.old is not None and change.new is not None and change.old != change.new:
        return f"{thing}: {change.old} → {change.new}{_at(change)}"
    return f"{thing} changed" + ("" if change.lines else _at(change))


def _thing(change: Change, own: str) -> str:
    """What changed: `constant RATE`, `function scale of pkg.tools`, `default limit`."""
    if change.kind is FactKind.INPUT:
        return f"input {change.place} ({change.name})"
    if change.kind is FactKind.RESULT:
        return f"the result of {_label(change.place or '')} ({change.name})"
    if change.kind is FactKind.FUNCTION and change.name == own:
        return "its code"
    noun = _NOUNS.get(change.kind, str(change.kind))
    if change.kind in (FactKind.VERSION, FactKind.FORMAT):
        return f"declared {change.kind}"
    module, _, name = change.name.partition(":")
    if not name:
        return f"{noun} {change.name}"
    inner = re.fullmatch(r"(.*?)[\[(](\w+)[\])]", name)  # of `make(limit)` and `make[limit]` the argument or variable
    if inner is not None:
        function = f"{module}:{inner[1]}"
        return f"{noun} {inner[2]}" if function == own else f"{noun} {inner[2]} of {inner[1]}"
    return f"{noun} {name.removesuffix(' =').removesuffix(IMPORTED)}" + (
        "" if module == own.partition(":")[0] else f" of {module}"
    )


def _at(change: Change) -> str:
    return f" ({change.place})" if change.place else ""


def _short(content: str | None) -> str:
    return (content or "").removeprefix("sha256:")[:10]


def _label(name: str) -> str:
    return name.partition(":")[2] or name
