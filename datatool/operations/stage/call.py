"""One call of a stage: what determines its result, and the arguments that its function gets."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import BuiltinFunctionType, FunctionType

from msgspec import Struct, field

from datatool.errors import DatatoolError
from datatool.model.file import File
from datatool.model.stage import Fact, FactKind
from datatool.operations.frozen import is_frozen
from datatool.operations.stage.definition import StageDefinition, stage_in
from datatool.operations.stage.files import Files, Input, Tracking
from datatool.operations.stage.home import Home
from datatool.operations.track.state import OnChange, Rule
from datatool.stages.arguments import SAME, argument_digest, rebuilt
from datatool.stages.callables import is_named, module_of
from datatool.stages.library_values import is_of_library, library_bytes
from datatool.stages.live import code_of
from datatool.stages.stage_facts import code_facts, shown, stage_fingerprint

_PLAIN = frozenset({type(None), bool, int, float, complex, bytes})


class Described(Struct):
    """What was found in the arguments of a call."""

    facts: list[Fact] = field(default_factory=list)
    inputs: dict[str, Input] = field(default_factory=dict)
    """By where in the arguments they stand."""
    warnings: list[str] = field(default_factory=list)


def describe(
    arguments: Mapping[str, object],
    home: Home,
    results: Mapping[StageDefinition, tuple[str, str]],
    tracking: Tracking,
    known: Mapping[str, Input] | None = None,
) -> Described:
    """Everything about the arguments that counts. `results` has, for each stage among them, the hash that it counts by,
    and that in short. `known` are the files among them where somebody else has found them: by where they stand, and
    nothing else is one. Raises UsageError for what can't be counted, PathNotFound for a `File` that is nowhere."""
    return _Describer(home, results, tracking, known).describe(arguments)


def bring_inputs(found: Mapping[str, Input], tracking: Tracking) -> None:
    """Make the files among the arguments present, as they were described. Raises what `track` does."""
    for item in found.values():
        if item.root is not None and item.file is not None:
            with tracking(item.root) as tracker:
                tracker.track([item.path], Rule(on_change=OnChange.KEEP, frozen=is_frozen(os.environ), pinned=True))


def in_place(value: object, found: Mapping[str, Input], values: Mapping[StageDefinition, object]) -> object:
    """An argument as the function gets it: results in place of stages; a `File` and any other path as an absolute
    `Path`, a text as it is where it leads there, and else as an absolute one."""
    where = {item.given: item.full for item in found.values()}

    def replace(inner: object) -> object:
        stage = stage_in(inner)
        if stage is not None:
            return values[stage]
        if isinstance(inner, str):
            full = where.get(inner)
            return SAME if full is None or os.path.abspath(inner) == full else full
        path = inner.path if isinstance(inner, File) else os.fspath(inner) if isinstance(inner, os.PathLike) else None
        return Path(where[path]) if isinstance(path, str) and path in where else SAME

    return rebuilt(value, replace)


def present(file: File, home: Home, tracking: Tracking) -> Path:
    """A file, fetched where it is tracked and not here. Raises PathNotFound, and what `track` does."""
    describer = _Describer(home, {}, tracking)
    describer.add(file, "file")
    bring_inputs(describer.found.inputs, tracking)
    return Path(describer.found.inputs["file"].full)


def looked_at(item: Input, home: Home, tracking: Tracking) -> Input | None:
    """A file among the arguments as it is now."""
    return Files(home, tracking).look(item.given, item.full, item.root)


def still_the_same(found: Mapping[str, Input], home: Home, tracking: Tracking) -> bool:
    """Whether the files among the arguments have the content that they were described with."""
    try:
        return all(
            (now := looked_at(item, home, tracking)) is not None and now.oid == item.oid for item in found.values()
        )
    except DatatoolError:
        return False


class _Describer:
    def __init__(
        self,
        home: Home,
        results: Mapping[StageDefinition, tuple[str, str]],
        tracking: Tracking,
        known: Mapping[str, Input] | None = None,
    ) -> None:
        self.files = Files(home, tracking, known)
        self._home = home
        self._results = results
        self.found = Described()

    def describe(self, arguments: Mapping[str, object]) -> Described:
        for name, value in arguments.items():
            digest = argument_digest(value, name, self._leaf)
            text = shown(name, value)
            self.found.facts.append(Fact(kind=FactKind.ARGUMENT, name=name, digest=digest, shown=text))
        return self.found

    def add(self, file: File, place: str) -> None:
        """Describe one file. Raises PathNotFound."""
        self._counted(self.files.named(file.path, place), place)

    def _leaf(self, value: object, place: str) -> bytes | None:
        if type(value) in _PLAIN:
            return None
        stage = stage_in(value)
        if stage is not None:
            digest, text = self._results[stage]
            self.found.facts.append(Fact(kind=FactKind.RESULT, name=place, digest=digest, shown=text))
            return b"stage"
        if isinstance(value, File):
            return self._counted(self.files.named(value.path, place), place)
        if isinstance(value, str):
            found = self._counted(self.files.in_text(value, place), place)
            if found is not None or type(value) is str:
                return found
        if isinstance(value, os.PathLike):
            path = os.fspath(value)
            there = os.path.lexists(path)
            file = self.files.named(path, place) if there else self.files.perhaps(path, place)
            return self._counted(file, place) or b"path " + os.fsencode(path)
        if isinstance(value, type | FunctionType | BuiltinFunctionType):
            return self._code(value, place)
        if is_of_library(value):
            return library_bytes(value, place)
        if type(value).__module__ not in ("builtins", "datetime", "decimal", "fractions", "uuid", "functools"):
            self._code(type(value), place)  # what an object does depends on its class
        return None

    def _counted(self, found: Input | None, place: str) -> bytes | None:
        if found is None:
            return None
        self.found.inputs[place] = found
        name = os.fsdecode(found.path)
        self.found.facts.append(Fact(kind=FactKind.INPUT, name=place, digest=found.oid, shown=name))
        return b"file " + found.path

    def _code(self, value: type | FunctionType | BuiltinFunctionType, place: str) -> bytes:
        name = f"{module_of(value)}.{value.__qualname__}"
        found = code_of(value, self._home.root) if self._home.root is not None else None
        if found is not None:
            self.found.facts = with_code(self.found.facts, code_facts(found), place)
            self.found.warnings += found.warnings
        # The module of a program is named otherwise where it is imported; its code counts anyway.
        said = value.__qualname__ if found is not None and found.items else name
        if found is not None and not is_named(value):
            said += " " + stage_fingerprint(said, code_facts(found))
        return f"code {said}".encode()


def with_code(facts: Iterable[Fact], more: Iterable[Fact], place: str) -> list[Fact]:
    """Facts, with more of them; of two functions that have one name, the second's says where it stands."""
    known = {fact.key: fact for fact in facts}
    for fact in more:
        if fact.digest != known.setdefault(fact.key, fact).digest:
            other = dataclasses.replace(fact, name=f"{fact.name} in {place}")
            known[other.key] = other
    return list(known.values())
