"""Which functions, classes and constants of the project some code reaches, each with the hash of what it says.

Everything is told from syntax trees, so nothing runs. What a name can mean is followed; what is made up at run time
(`getattr` with a computed name, `eval`) is told as a warning instead.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from datatool.stages.brought import brought
from datatool.stages.defining import left_for_later
from datatool.stages.definitions import IMPORTED, Definition, Kind, Reached
from datatool.stages.flow import unrelated
from datatool.stages.modules import Definer, Module, Modules, is_main_guard, leaves
from datatool.stages.resolve import Foreign, Meaning, Own, imported_meanings, meanings, names_on_the_way
from datatool.stages.scopes import Import, Imported, Reference, imports_of, references
from datatool.stages.syntax import FunctionNode, without_docstring

_EXECUTING = frozenset({"builtins.eval", "builtins.exec", "runpy.run_path", "runpy.run_module"})
_BY_NAME = frozenset({"builtins.getattr", "builtins.__import__", "importlib.import_module"})
_NAMESPACES = frozenset({"builtins.globals", "builtins.vars"})
_QUIET_DECORATORS = frozenset({"abc", "builtins", "contextlib", "dataclasses", "enum", "functools", "typing"})
"""A decorator of these calls its function only when somebody else does; of any other it may register it somewhere."""


def reached(entry: Path, root: Path) -> dict[str, str]:
    """The code that a script or notebook in the project at `root` reaches: name → SHA-256 of what it says.

    >>> reached(Path("train.py"), Path.cwd())  # doctest: +SKIP
    {'helpers:load': '3f2a…', 'train.py': '90bc…', 'train.py:main': 'e1d0…'}
    """
    return {definition.name: definition.digest for definition in reached_by_script(entry, root)[0].definitions}


def reached_by_script(entry: Path, root: Path, *, defining: bool = False) -> tuple[Reached, Modules]:
    """What a script or notebook reaches, with all that runs when it and the modules it imports are loaded; of functions
    and classes that nothing uses only if `defining`."""
    start = Path(os.path.realpath(entry.parent))
    modules = Modules(Path(os.path.realpath(root)), start)
    walk = Walk(modules, loading=True, defining=defining)
    walk.load(modules.at(start / entry.name, script=True), main=True)
    return walk.result(), modules


class Walk:
    """Goes from piece to piece, each once. `loading`: what runs when a module is loaded counts as a whole; `defining`:
    with it what runs to define functions and classes, as bodies of classes and defaults do. `settled` says of which
    constants the value is known, so that nothing is followed from the statements that bind them; `chosen` which of
    several definitions of a name is meant."""

    def __init__(
        self,
        modules: Modules,
        *,
        loading: bool,
        defining: bool = False,
        settled: Callable[[Module, str], bool] = lambda module, name: False,
        chosen: Callable[[Module, str, list[Definer]], list[Definer]] = lambda module, name, nodes: nodes,
    ) -> None:
        self._modules = modules
        self._loading = loading
        self._defining = defining
        self._settled = settled
        self._chosen = chosen
        self._found: dict[str, Definition] = {}
        self._loaded: set[Module] = set()
        self._imported: set[tuple[Module, tuple[str, ...], Imported | None]] = set()
        self._packages: set[str] = set()
        self._warnings: dict[str, None] = {}
        self._pending: list[Definition] = []

    def result(self) -> Reached:
        """Everything reached from what was followed so far."""
        while self._pending:
            self._scan(self._pending.pop())
        return Reached(
            definitions=tuple(self._found[name] for name in sorted(self._found)),
            packages=tuple(sorted(self._packages - sys.stdlib_module_names)),
            warnings=tuple(sorted(self._warnings)),
        )

    def follow(self, found: Sequence[Meaning]) -> None:
        """Reach what a name means."""
        for meaning in found:
            if isinstance(meaning, Foreign):
                self._packages.add(meaning.package)
            elif meaning.name is None:
                self._whole(meaning.module)
            else:
                self._bound(meaning.module, meaning.name)

    def load(self, module: Module, *, main: bool = False) -> None:
        """Reach what runs when a module is loaded; `main` when it is the program itself."""
        if module in self._loaded:
            return
        self._loaded.add(module)
        for problem in module.source.problems:
            self.warn(f"{module.file}: {problem}")
        body = without_docstring(module.source.tree)
        without: set[int] = set()
        for leaf in (leaf for statement in body for leaf in leaves(statement)):
            if isinstance(leaf, Definer):
                without.update(map(id, left_for_later(module, leaf) if self._defining else [leaf]))
                if self._registers(module, leaf):
                    self._bound(module, leaf.name)
            elif not main and is_main_guard(leaf):
                without.add(id(leaf))
        self.add(module.name, Kind.MODULE, module, body, frozenset(without))

    def _registers(self, module: Module, node: Definer) -> bool:
        for decorator in node.decorator_list:
            found = self._called(module, decorator)
            if not all(isinstance(meaning, Foreign) and meaning.package in _QUIET_DECORATORS for meaning in found):
                return True
        return False

    def _called(self, module: Module, decorator: ast.expr) -> list[Meaning]:
        """What a decorator is, without its arguments."""
        plain = decorator.func if isinstance(decorator, ast.Call) else decorator
        found = [item for item in references([plain]) if isinstance(item, Reference)]
        return [meaning for item in found for meaning in meanings(self._modules, module, item)]

    def _whole(self, module: Module) -> None:
        """A module is passed around: anything in it may be used."""
        if self._loading:
            self.load(module)
        for name in module.bindings:
            self._bound(module, name)

    def _bound(self, module: Module, name: str) -> None:
        bound = module.bindings[name]
        nodes = self._chosen(module, name, bound.definitions) if len(bound.definitions) > 1 else bound.definitions
        functions = [node for node in nodes if isinstance(node, FunctionNode)]
        classes = [node for node in nodes if isinstance(node, ast.ClassDef)]
        if functions:
            self.add(f"{module.name}:{name}", Kind.FUNCTION, module, functions, self._options(module, functions))
        if classes:
            self._class(f"{module.name}:{name}", module, classes)
        if self._loading:
            self.load(module)
        else:
            self._said(module, name)

    def _said(self, module: Module, name: str) -> None:
        """What statements say of a name: those that give it a value or change that, and what they decide by."""
        bound = module.bindings[name]
        statements = bound.saying
        if not bound.statements and bound.imports:
            statements = self._changes(module, name)
        if statements:
            end = " =" if bound.definitions or bound.imports else ""
            rest = frozenset[int]().union(*(unrelated(part, name, module.is_fixed) for part in statements))
            scan = not self._settled(module, name)
            self.add(f"{module.name}:{name}{end}", Kind.CONSTANT, module, statements, rest, scan=scan)
        if bound.tests:
            self.add(f"{module.name}:{name} if", Kind.CONSTANT, module, list(dict.fromkeys(bound.tests)))

    def _changes(self, module: Module, name: str) -> list[ast.stmt]:
        """What a module does to something that it imports from another one of the project."""
        bound = module.bindings[name]
        found = [meaning for item in bound.imports for meaning in imported_meanings(self._modules, module, item)]
        own = [meaning for meaning in found if isinstance(meaning, Own)]
        calls = bound.calls if any(item.name and item.module.bindings[item.name].statements for item in own) else []
        return [*calls, *bound.settings] if own else []

    def _class(self, name: str, module: Module, nodes: Sequence[ast.ClassDef]) -> None:
        """A class and all of its methods: which of them an object is asked for can't be told."""
        inner: dict[str, list[Definer]] = {}
        for node in nodes:
            for statement in node.body:
                if isinstance(statement, Definer):
                    inner.setdefault(statement.name, []).append(statement)
        without = frozenset(id(node) for group in inner.values() for node in group)
        if not self.add(name, Kind.CLASS, module, nodes, without):
            return
        for part, group in inner.items():
            functions = [node for node in group if isinstance(node, FunctionNode)]
            if functions:
                self.add(f"{name}.{part}", Kind.FUNCTION, module, functions)
            classes = [node for node in group if isinstance(node, ast.ClassDef)]
            if classes:
                self._class(f"{name}.{part}", module, classes)

    def _options(self, module: Module, functions: Sequence[FunctionNode]) -> frozenset[int]:
        """Decorators that belong to datatool: what they say is no part of what the function does."""
        return frozenset(
            id(decorator)
            for node in functions
            for decorator in node.decorator_list
            if not self._loading
            for name in (meaning.name for meaning in self._called(module, decorator) if isinstance(meaning, Foreign))
            if name.startswith("datatool.")
        )

    def free_name(self, name: str, nodes: Sequence[ast.AST]) -> str:
        """A name for a piece of code, with a number where another piece has it."""
        found, number = name, 1
        while found in self._found and self._found[found].nodes != tuple(nodes):
            number += 1
            found = f"{name} {number}"
        return found

    def add(
        self,
        name: str,
        kind: Kind,
        module: Module,
        nodes: Sequence[ast.AST],
        without: frozenset[int] = frozenset(),
        *,
        hidden: frozenset[str] = frozenset(),
        scan: bool = True,
    ) -> bool:
        """Reach a piece of code, and with `scan` what it refers to; False if it was reached before."""
        if name in self._found:
            return False
        found = Definition(name=name, kind=kind, module=module, nodes=tuple(nodes), without=without, hidden=hidden)
        self._found[name] = found
        if scan:
            self._pending.append(found)
        return True

    def _scan(self, definition: Definition) -> None:
        module = definition.module
        for item in definition.references:
            if isinstance(item, Import):
                if self._loading:
                    self._import(module, item)
                continue
            if item.imported is None and item.chain[0] in definition.hidden:
                continue
            found = meanings(self._modules, module, item)
            self.follow(found)
            if not self._loading:
                self._by_import(module, item)
            for meaning in found:
                if isinstance(meaning, Foreign):
                    self._dynamic(module, item, meaning.name)

    def _by_import(self, module: Module, reference: Reference) -> None:
        """What a name means that is imported, and what the modules on the way do to it."""
        key = (module, reference.chain, reference.imported)
        if key in self._imported:
            return
        self._imported.add(key)
        for place, name in names_on_the_way(self._modules, module, reference):
            self._said(place, name)
        found = brought(self._modules, module, reference)
        if found is not None:
            name = f"{found.module.name}:{found.name}{IMPORTED}"
            self._found.setdefault(
                name, Definition(name=name, kind=Kind.IMPORT, module=found.module, nodes=(), brought=found)
            )

    def _import(self, module: Module, statement: Import) -> None:
        """An import runs the modules on the way to what it names."""
        for found in self._modules.run_by(statement, module):
            self.load(found)
        for _, imported in imports_of(statement):
            for meaning in imported_meanings(self._modules, module, imported):
                if isinstance(meaning, Foreign):
                    self._packages.add(meaning.package)

    def _dynamic(self, module: Module, reference: Reference, name: str) -> None:
        call = reference.call
        if name in _EXECUTING:
            self._cannot_follow(module, reference, "runs code that it is given")
        elif name in _NAMESPACES and (name != "builtins.vars" or (call is not None and call.args)):
            self._cannot_follow(module, reference, "reaches names that are made at run time")
        elif name in _BY_NAME and call is not None:
            index = 1 if name == "builtins.getattr" else 0
            given = call.args[index] if len(call.args) > index else None
            text = given.value if isinstance(given, ast.Constant) else None
            if not isinstance(text, str):
                self._cannot_follow(module, reference, "with a name that is made at run time")
            elif index == 0:
                self._by_name(module, text, reference, call)
            elif (chain := _chain(call.args[0])) is not None:
                self.follow(meanings(self._modules, module, Reference((*chain, text), call.args[0])))

    def _by_name(self, module: Module, text: str, reference: Reference, call: ast.Call) -> None:
        """`import_module` with a text, perhaps from the package that it names."""
        name = text.lstrip(".")
        level = len(text) - len(name)
        if level:
            given = [*call.args[1:2], *(keyword.value for keyword in call.keywords if keyword.arg == "package")]
            package = _package(given[0]) if given else None
            if package is None:
                self._cannot_follow(module, reference, "with a package that is made at run time")
                return
            if package:
                around = package.split(".")
                name = ".".join([*around[: len(around) - level + 1], name])
                level = 0
        if all(part.isidentifier() for part in name.split(".")):
            self.follow(imported_meanings(self._modules, module, Imported(name, level)))

    def _cannot_follow(self, module: Module, reference: Reference, why: str) -> None:
        self.warn(f"{module.place(reference.node)}: {'.'.join(reference.chain)} {why}")

    def add_function(
        self, name: str, module: Module, nodes: Sequence[ast.AST], *, hidden: frozenset[str] = frozenset()
    ) -> None:
        """Reach a function that is not what its name means in the module."""
        functions = [node for node in nodes if isinstance(node, FunctionNode)]
        self.add(name, Kind.FUNCTION, module, nodes, self._options(module, functions), hidden=hidden)

    def warn(self, text: str) -> None:
        """Tell something of the code that could not be followed."""
        self._warnings[text] = None


def _chain(node: ast.expr) -> tuple[str, ...] | None:
    found: Iterator[Reference] = (item for item in references([node]) if isinstance(item, Reference))
    first = next(found, None)
    return first.chain if first is not None and first.node is node else None


def _package(node: ast.expr) -> str | None:
    """The package that an expression names: empty for the module's own, None where it can't be told."""
    if isinstance(node, ast.Name) and node.id == "__package__":
        return ""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value else None
