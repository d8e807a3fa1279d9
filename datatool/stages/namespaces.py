"""The names of modules as they are in memory, beside what their files say."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Mapping
from types import FunctionType

from datatool.stages.callables import function_of
from datatool.stages.code_objects import nodes_of
from datatool.stages.definitions import Definition, Kind
from datatool.stages.loaded import codes_in_file
from datatool.stages.modules import Definer, Module
from datatool.stages.values import value_digest

MISSING = object()
"""What a name stands for that is not there."""


class Namespaces:
    """The names of modules by their files, each looked up once."""

    def __init__(self) -> None:
        self._known: dict[str, Mapping[str, object]] = {}

    def note(self, module: Module, names: Mapping[str, object]) -> None:
        """Take these for the names of a module, unless some are known."""
        self._known.setdefault(os.fspath(module.path), names)

    def of(self, module: Module) -> Mapping[str, object]:
        """The names of a module; none if it is not loaded."""
        path = os.fspath(module.path)
        if path not in self._known:
            self._known[path] = next(
                (
                    vars(loaded)
                    for loaded in list(sys.modules.values())
                    if (file := getattr(loaded, "__file__", None))
                    and os.path.basename(file) == module.path.name
                    and os.path.realpath(file) == path
                ),
                {},
            )
        return self._known[path]

    def function(self, definition: Definition) -> FunctionType | None:
        """A function that was found in a source, as it is in memory; None where it is not, or hidden in another."""
        live = function_of(self._thing(definition))
        return live if isinstance(live, FunctionType) else None

    def made_class(self, definition: Definition) -> type | None:
        """A class that was found in a source, as it is in memory; None where it is not, or hidden in a function."""
        found = self._thing(definition) if definition.kind is Kind.CLASS else None
        return found if isinstance(found, type) else None

    def _thing(self, definition: Definition) -> object:
        first, *rest = definition.name.rpartition(":")[2].split(".")
        found = self.of(definition.module).get(first)
        for name in rest:
            found = vars(found).get(name) if isinstance(found, type) else None
        return found

    def is_settled(self, module: Module, name: str) -> bool:
        """Whether a name stands for a plain value, which counts by itself."""
        names = self.of(module)
        return name in names and value_digest(names[name]) is not None

    def chosen(self, module: Module, name: str, nodes: list[Definer]) -> list[Definer]:
        """Which of several definitions is in memory; all where that can't be told."""
        value = self.of(module).get(name)
        parts = [value] if not isinstance(value, type) else vars(value).values()
        here: set[int] = set()
        for part in map(function_of, parts):
            if isinstance(part, FunctionType) and os.path.realpath(part.__code__.co_filename) == os.fspath(module.path):
                for code in codes_in_file(module, part.__code__, part.__globals__) or [part.__code__]:
                    here.update(map(id, nodes_of(module, code)))
        found = [node for node in nodes if any(id(inner) in here for inner in (node, *_methods(node)))]
        return found or nodes


def _methods(node: Definer) -> list[ast.stmt]:
    return node.body if isinstance(node, ast.ClassDef) else []
