"""Which data a script or notebook tracks, read from its text: the paths in `track(…)`, `File(…)` and `@stage(…)`."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from datatool.stages.definitions import Definition, Kind
from datatool.stages.literals import Literals
from datatool.stages.modules import Module, Modules
from datatool.stages.reach import reached_by_script
from datatool.stages.resolve import Foreign, meanings
from datatool.stages.scopes import Reference

_TRACK = "datatool.track"
_FILE = "datatool.File"
_STAGE = "datatool.stage"
_OPTIONS = frozenset({"format", "ttl", "version", "cache", "share"})
"""Keywords of `@stage` that are never data."""


class Tracked(Struct, frozen=True, kw_only=True):
    """A path that code names. `path` is as it stands there, `beside` the directory of the file with that code.

    `output`: it is written. `sure`: the script needs it, as there is no choice between several, and nothing that would
    make it.
    """

    path: str
    beside: Path
    place: str
    output: bool = False
    sure: bool = True


class ScriptInputs(Struct, frozen=True, kw_only=True):
    """What a script tracks: `tracked` are the paths that it spells out; `unknown` are the places of those that can't be
    known before it runs; `problems` tell what of it does not read."""

    tracked: tuple[Tracked, ...]
    unknown: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def inputs(self) -> tuple[Tracked, ...]:
        """What it reads, each once."""
        made = {item.path for item in self.tracked if item.output}
        found: dict[tuple[str, Path], Tracked] = {}
        for item in self.tracked:
            if not item.output:
                sure = item.sure and item.path not in made
                found.setdefault(
                    (item.path, item.beside),
                    Tracked(path=item.path, beside=item.beside, place=item.place, sure=sure),
                )
        return tuple(found.values())


def script_inputs(entry: Path, root: Path) -> ScriptInputs:
    """What a script or notebook in the project at `root` tracks, in its own code and in that which it reaches.

    >>> script_inputs(Path("train.py"), Path.cwd()).inputs[0].path  # doctest: +SKIP
    'data/raw.csv'
    """
    reached, modules = reached_by_script(entry, root, defining=True)
    tracked: dict[Tracked, None] = {}
    unknown: dict[str, None] = {}
    for definition in sorted(reached.definitions, key=_as_it_runs):
        for found in _in_definition(modules, definition):
            if isinstance(found, Tracked):
                tracked.setdefault(found)
            else:
                unknown.setdefault(found)
    problems = [
        f"{definition.module.file}: {problem}"
        for definition in reached.definitions
        if definition.kind is Kind.MODULE
        for problem in definition.module.source.problems
    ]
    return ScriptInputs(tracked=tuple(tracked), unknown=tuple(unknown), problems=tuple(problems))


def _as_it_runs(definition: Definition) -> tuple[str, int]:
    line = getattr(definition.nodes[0], "lineno", 0) if definition.nodes else 0
    return (definition.module.file, line)


def _in_definition(modules: Modules, definition: Definition) -> Iterator[Tracked | str]:
    module = definition.module
    for item in definition.references:
        if not isinstance(item, Reference) or item.call is None:
            continue
        names = {found.name for found in meanings(modules, module, item) if isinstance(found, Foreign)}
        if _TRACK in names or _FILE in names:
            yield from _call(modules, module, item, item.call)
        elif _STAGE in names:
            for keyword in item.call.keywords:
                if keyword.arg not in _OPTIONS and isinstance(keyword.value, ast.Constant):
                    yield from _paths(modules, module, item, keyword.value, sure=False)


def _call(modules: Modules, module: Module, item: Reference, call: ast.Call) -> Iterator[Tracked | str]:
    keywords = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg is not None}
    path = call.args[0] if call.args else keywords.get("path")
    if path is None or isinstance(path, ast.Starred):
        yield module.place(item.node)
        return
    output = keywords.get("output")
    source = keywords.get("source")
    yield from _paths(
        modules,
        module,
        item,
        path,
        output=isinstance(output, ast.Constant) and bool(output.value),
        sure=output is None and (source is None or (isinstance(source, ast.Constant) and source.value is None)),
    )


def _paths(
    modules: Modules, module: Module, item: Reference, path: ast.expr, *, output: bool = False, sure: bool = True
) -> Iterator[Tracked | str]:
    literals = Literals(modules, module, item.scopes)
    for value in literals.values(path):
        if (text := os.fspath(value)) and "\0" not in text:
            yield Tracked(
                path=text,
                beside=module.directory,
                place=module.place(item.node),
                output=output,
                sure=sure and literals.certain,
            )
    if not literals.complete and not isinstance(path, ast.Constant):
        yield module.place(item.node)
