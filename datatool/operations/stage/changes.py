"""What is another than when a result of a stage was made: two lists of facts, side by side."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from datatool.model.oid import ObjectId, prefixed
from datatool.model.stage import Fact, FactKind
from datatool.operations.result import Part
from datatool.operations.stage.known import Known
from datatool.stages.changed_lines import changed_lines
from datatool.stages.stage_facts import SECRET

Key = tuple[str, str]


class How(StrEnum):
    """In what way something is another."""

    NEW = "new"
    """It did not count then."""
    CHANGED = "changed"
    GONE = "gone"
    """It does not count any more."""
    SECRET = "secret"
    """Nobody kept what it was, so it may be another."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangedLine(Part):
    """A line of code that is new or another: its place, such as `pipe.py:12`, and what it says."""

    place: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Change(Part):
    """Something that counts, and is another now. `name` says what, as records do: `pkg.tools:scale`, or the name of an
    argument. `old` and `new` are values in short, versions, or `sha256:…` of contents (of a result that is never kept,
    of all that determines it); None where there is nothing to show. `place` is where it is written, for an input its
    path, for a result the name of its stage. `removed` counts lines that are gone; `because` says what changed for the
    other stage whose result it is."""

    kind: FactKind
    name: str
    how: How
    old: str | None = None
    new: str | None = None
    place: str | None = None
    lines: tuple[ChangedLine, ...] = ()
    removed: int = 0
    because: tuple[Change, ...] = ()


_ORDER: Final = {kind: at for at, kind in enumerate(FactKind)}
_CODE: Final = (FactKind.FUNCTION, FactKind.CLASS, FactKind.CONSTANT)
_CONTENT: Final = (FactKind.INPUT, FactKind.RESULT)


def differing(
    now: Sequence[Fact], before: Sequence[Fact], unknown: Collection[Key] = ()
) -> list[tuple[Fact | None, Fact | None]]:
    """The facts that differ, each as (now, before), the stage's own code first; those that are `unknown` now are left
    out."""
    new, old = _by_key(now), _by_key(before)
    keys = [key for key in {**new, **old} if key not in unknown and _digest(new.get(key)) != _digest(old.get(key))]
    return [(new.get(key), old.get(key)) for key in sorted(keys, key=lambda key: (_ORDER[FactKind(key[0])], key[1]))]


def changes(known: Known, pairs: Sequence[tuple[Fact | None, Fact | None]]) -> Iterator[Change]:
    """What pairs of facts mean for a reader, lines of code among it. An import that came or went with what it brings is
    no news besides that."""
    names = {fact.name for pair in pairs for fact in pair if fact is not None}
    code = {item.name: item.code for item in known.code.items if item.code is not None}
    for now, before in pairs:
        fact = now or before
        assert fact is not None
        if fact.kind is FactKind.IMPORT and None in (now, before) and fact.shown in names:
            continue
        lines: tuple[ChangedLine, ...] = ()
        removed = 0
        definition = code.get(fact.name) if fact.kind in _CODE else None
        if now is not None and before is not None and before.lines and definition is not None:
            found, removed = changed_lines(definition, before.lines)
            lines = tuple(ChangedLine(place=line.place, text=line.text) for line in found)
        yield Change(
            kind=fact.kind,
            name=fact.name,
            how=How.GONE if now is None else How.NEW if before is None else How.CHANGED,
            old=_shown(before),
            new=_shown(now),
            place=(fact.shown if fact.kind in _CONTENT else fact.where) or None,
            lines=lines,
            removed=removed,
        )


def secrets(facts: Sequence[Fact]) -> list[Change]:
    """What may have changed though nobody can tell, as only its name is kept."""
    return [
        Change(kind=fact.kind, name=fact.name, how=How.SECRET, place=fact.where or None)
        for fact in facts
        if fact.digest == SECRET
    ]


def _by_key(facts: Sequence[Fact]) -> Mapping[Key, Fact]:
    return {fact.key: fact for fact in facts}


def _digest(fact: Fact | None) -> str | None:
    return None if fact is None else fact.digest


def _shown(fact: Fact | None) -> str | None:
    if fact is None:
        return None
    return prefixed(ObjectId(fact.digest)) if fact.kind in _CONTENT else fact.shown or None
