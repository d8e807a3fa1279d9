"""The notebook's kernel, or the console, in which functions were typed: the cells that they are from, and what is older
in memory than the cells say."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import FunctionType

from datatool.errors import UsageError
from datatool.stages.callables import no_source
from datatool.stages.cells import NAME, Cells, cells_of, typed_nodes
from datatool.stages.code_objects import nodes_of
from datatool.stages.definitions import Definition, Kind
from datatool.stages.loaded import EditedCode, codes_in_file
from datatool.stages.modules import CodeNode, Module, Modules
from datatool.stages.namespaces import Namespaces
from datatool.stages.syntax import digest_of


class Kernel:
    """What was typed, by the names that it shares, as a process may run several consoles. Its cells become one of
    `modules`; `start` is the directory in which it began."""

    def __init__(self, modules: Modules, start: Path, namespaces: Namespaces) -> None:
        self._modules = modules
        self._start = start
        self._namespaces = namespaces
        self._typed: dict[int, Cells] = {}
        self._old: set[str] = set()

    def module_of(self, live: FunctionType) -> Module:
        """The cells that a function without a file belongs to. Raises UsageError where nobody kept its source."""
        key = id(live.__globals__)
        if key not in self._typed:
            found = cells_of(live, self._start)
            if found is None:
                raise no_source(live)
            self._modules.take(found.module)
            self._typed[key] = found
        return self._typed[key].module

    def note_old(self, name: str) -> None:
        """Something of that name counts as it was typed, though a later cell says something else."""
        self._old.add(name)

    def refuse_outdated(self, definitions: Iterable[Definition]) -> None:
        """Raise UsageError for what cells have made of something that a later cell defined anew."""
        for definition in definitions:
            if not definition.module.by_name or definition.name in self._old:
                continue
            name = definition.top_name
            if self._says_otherwise(definition):
                raise _outdated(name, "the cells now say something else")
            for cells in self._typed.values():
                other = cells.changed_under(name, definition.nodes, definition.without)
                if other is not None:
                    raise _outdated(name, f"{other} was defined anew after {name} was made with it")

    def _says_otherwise(self, definition: Definition) -> bool:
        """Whether the cells say something else of a function than the one that it was made from."""
        live = self._namespaces.function(definition) if definition.kind is Kind.FUNCTION else None
        if live is None or f"{NAME}:{live.__qualname__}" != definition.name:
            return False
        return not is_among(typed_nodes(live.__code__), definition.nodes)


def written(module: Module, live: FunctionType) -> tuple[Sequence[CodeNode], bool]:
    """The syntax that a function was made from, and whether its module says the same now; of a file, what it says.

    Raises UsageError for a file that was edited after it was loaded, and where nothing is the function's.
    """
    found = [nodes_of(module, code) for code in codes_in_file(module, live.__code__, live.__globals__)]
    newest = found[0] if found else []
    if not found or not all(is_among(nodes, newest) for nodes in found):
        raise EditedCode(module.file)
    nodes = (typed_nodes(live.__code__) if module.by_name else []) or newest
    if not nodes:
        raise no_source(live)
    return nodes, not module.by_name or is_among(nodes, newest)


def is_among(nodes: Iterable[ast.AST], others: Iterable[ast.AST]) -> bool:
    """Whether all of some syntax says the same as something of the other."""
    return {digest_of(node) for node in nodes} <= {digest_of(node) for node in others}


def _outdated(name: str, why: str) -> UsageError:
    return UsageError(
        f"{name}: is in memory as it was before: {why}", hint=f"run the cell that defines {name} again, then call again"
    )
