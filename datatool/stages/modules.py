"""The project's own modules: which file an import means, and what the names in it stand for. Nothing is imported."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

from msgspec import Struct, field

from datatool.stages.scopes import Import, Imported, Names, Reference, imports_of, names_of, references
from datatool.stages.source import Source, read_source
from datatool.stages.syntax import FunctionNode, digest_of
from datatool.stages.top_level import changed_by, tests_around

Definer = FunctionNode | ast.ClassDef
CodeNode = FunctionNode | ast.Lambda


class Bound(Struct):
    """All that a module binds to one name: functions and classes, imports, and statements of any other kind (the whole
    of it where it stands inside an `if`, a `try` or a loop)."""

    definitions: list[Definer] = field(default_factory=list)
    imports: list[Imported] = field(default_factory=list)
    importing: list[Import] = field(default_factory=list)
    """The statements of these."""
    statements: list[ast.stmt] = field(default_factory=list)
    tests: list[ast.expr] = field(default_factory=list)
    """What decides which of the definitions and imports it is."""
    calls: list[ast.stmt] = field(default_factory=list)
    """Statements that call its methods, as `NAMES.append(…)`."""
    settings: list[ast.stmt] = field(default_factory=list)
    """Statements that set a part of it, as `Model.rate = 5`."""

    @property
    def saying(self) -> list[ast.stmt]:
        """All statements that say what it is in memory, besides definitions and imports."""
        return [*self.statements, *(self.calls if self.statements else ()), *self.settings]


class Piece(Struct, frozen=True):
    """What syntax alone tells of some code: its hash, and what it refers to."""

    digest: str
    references: tuple[Reference | Import, ...]
    asks_below: bool
    """Whether it asks a class for its subclasses."""


class Module(Struct, frozen=True, eq=False, dict=True):
    """A module of the project. `name` is its place from the project's root, with dots (`src.pkg.mod`); that of a
    script is its path (`jobs/train.py`). `file` is its path from the root, `/` between names."""

    name: str
    file: str
    path: Path
    source: Source
    by_name: bool = False
    """Lines mean nothing in it, as it was put together from several sources."""
    pieces: dict[tuple[tuple[int, ...], frozenset[int]], Piece] = field(default_factory=dict)
    """What was read of its code already, by the `id` of the nodes, and of those left out."""

    @property
    def is_package(self) -> bool:
        """Whether other modules lie inside it."""
        return self.path.name == "__init__.py" or not self.path.suffix

    @property
    def directory(self) -> Path:
        """Where its submodules, or its neighbours, lie."""
        return self.path if not self.path.suffix else self.path.parent

    def place(self, node: ast.AST) -> str:
        """Where a node stands, in words."""
        return self.source.place(self.file, getattr(node, "lineno", 1))

    def piece(self, nodes: Sequence[ast.AST], without: frozenset[int]) -> Piece:
        """What is read of some of its nodes, once."""
        key = (tuple(map(id, nodes)), without)
        if key not in self.pieces:
            self.pieces[key] = Piece(
                digest=digest_of(nodes, without=without),
                references=tuple(references(nodes, without=without)),
                asks_below=any(_asks_below(part) for node in nodes for part in ast.walk(node)),
            )
        return self.pieces[key]

    @cached_property
    def bindings(self) -> dict[str, Bound]:
        """What every name at its top stands for."""
        found: dict[str, Bound] = {}
        for statement in self.source.tree.body:
            here: set[str] = set()
            tests = tests_around(statement)
            for leaf in leaves(statement):
                names = _defined(leaf, found)
                for name in names:
                    found[name].tests += tests[id(leaf)]
                here |= names
            for name in names_of([statement]).bound:
                if name not in here:
                    found.setdefault(name, Bound()).statements.append(statement)
        for statement in self.source.tree.body:
            if not is_main_guard(statement):
                _note_changes(statement, found)
        return found

    def is_fixed(self, name: str) -> bool:
        """Whether a name stands for a module, a function or a class, or for nothing of this module."""
        bound = self.bindings.get(name)
        if bound is None:
            return not self.stars
        return not bound.statements and all(imported.name is None for imported in bound.imports)

    @cached_property
    def code_nodes(self) -> dict[str, list[CodeNode]]:
        """The functions and lambdas anywhere in it, by the name that their code objects have."""
        found: dict[str, list[CodeNode]] = {}
        for node in ast.walk(self.source.tree):
            if isinstance(node, CodeNode):
                name = node.name if isinstance(node, FunctionNode) else "<lambda>"
                found.setdefault(name, []).append(node)
        return found

    @cached_property
    def names(self) -> Names:
        """What is given to the names at its top."""
        return names_of(self.source.tree.body)

    @cached_property
    def stars(self) -> tuple[Imported, ...]:
        """The modules that all public names are imported from, last first, as the last one wins."""
        return tuple(
            Imported(leaf.module or "", leaf.level)
            for statement in reversed(self.source.tree.body)
            for leaf in leaves(statement)
            if isinstance(leaf, ast.ImportFrom) and any(alias.name == "*" for alias in leaf.names)
        )

    @cached_property
    def public(self) -> frozenset[str] | None:
        """What `__all__` lists, where it is a literal; None for every name without an underscore."""
        bound = self.bindings.get("__all__")
        names: set[str] = set()
        for statement in bound.statements if bound is not None else ():
            value = getattr(statement, "value", None)
            if not isinstance(value, ast.List | ast.Tuple):
                return None
            names.update(
                item.value for item in value.elts if isinstance(item, ast.Constant) and isinstance(item.value, str)
            )
        return frozenset(names) if bound is not None else None

    def offers(self, name: str) -> bool:
        """Whether `import *` takes a name."""
        return not name.startswith("_") if self.public is None else name in self.public


_NAMESPACE = Source(tree=ast.Module(body=[], type_ignores=[]))
_modules: dict[tuple[Path, Path, bool], Module] = {}
"""What this process has taken apart, as long as the source stays the same."""


class Modules:
    """The modules of the project at `root`, as a program sees them that was started from `start`, its directory."""

    def __init__(self, root: Path, start: Path) -> None:
        self.root = root
        self._start = start
        self._known: dict[Path, Module] = {}
        self._places: dict[tuple[str, int, Path], Module | None] = {}

    def at(self, path: Path, *, script: bool = False) -> Module:
        """The module in a file, or the namespace that a directory without `__init__.py` is."""
        if path not in self._known:
            source = read_source(path) if path.suffix else _NAMESPACE
            known = _modules.get((self.root, path, script))
            if known is None or known.source is not source:
                file = os.path.relpath(path, self.root).replace(os.sep, "/")
                dotted = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
                known = _modules[self.root, path, script] = Module(file if script else dotted, file, path, source)
            self._known[path] = known
        return self._known[path]

    def take(self, module: Module) -> Module:
        """Know a module that lies in no file, as what was typed into a notebook."""
        self._known[module.path] = module
        return module

    def known(self) -> list[Module]:
        """The modules that were asked for so far."""
        return list(self._known.values())

    def find(self, imported: Imported, importer: Module) -> Module | None:
        """The project's module that is meant by `import …` or by what stands behind `from`."""
        key = (imported.module, imported.level, importer.directory)
        if key not in self._places:
            self._places[key] = self._look(imported, importer)
        return self._places[key]

    def child(self, package: Module, name: str) -> Module | None:
        """The module of a name inside a package."""
        return self.find(Imported(name, 1), package) if package.is_package else None

    def run_by(self, statement: Import, importer: Module) -> Iterator[Module]:
        """The project's modules that an import runs: the packages on the way, and what it names."""
        names = [alias.name for alias in statement.names]
        if isinstance(statement, ast.ImportFrom):
            base = statement.module or ""
            level = statement.level
            wanted = [base, *(f"{base}.{name}" if base else name for name in names)]
        else:
            level = 0
            wanted = names
        for name in wanted:
            for way in _ways(name):
                found = self.find(Imported(way, level), importer)
                if found is not None and found.path.suffix:
                    yield found

    def run_by_name(self, name: str) -> Iterator[Module]:
        """The project's modules that `python -m NAME` runs, where it is started in the directory of the program."""
        if os.sep in name or "\0" in name or not all(name.split(".")):
            return
        for way in [*_ways(name), f"{name}.__main__"]:
            found = self._top(way.split("."), self._bases())
            if found is not None and found.path.suffix:
                yield found

    def _look(self, imported: Imported, importer: Module) -> Module | None:
        parts = [part for part in imported.module.split(".") if part]
        if imported.level:
            base = importer.directory
            for _ in range(imported.level - 1):
                base = base.parent
            return self._below(base, parts)
        return self._top(parts, [*self._bases(), self._around(importer)])

    def _top(self, parts: list[str], bases: Sequence[Path]) -> Module | None:
        for number, base in enumerate(bases):
            # Of the standard library, only what lies beside the script comes before it.
            if parts[0] in sys.builtin_module_names or (number and parts[0] in sys.stdlib_module_names):
                continue
            found = self._below(base, parts)
            if found is not None:
                return found
        return None

    def _bases(self) -> tuple[Path, ...]:
        """Where top modules are looked for: beside the script, in the project's root, in its `src`."""
        return (self._start, self.root, self.root / "src")

    def _around(self, importer: Module) -> Path:
        """Where a module's own package lies, in which top modules are looked for last."""
        top = importer.directory
        while (top / "__init__.py").is_file() and top != self.root:
            top = top.parent
        return top

    def _below(self, base: Path, parts: list[str]) -> Module | None:
        place = base.joinpath(*parts)
        if not parts:
            init = base / "__init__.py"
            return self._own(init if os.path.isfile(init) else base)
        for candidate in (place / "__init__.py", place.with_name(place.name + ".py")):
            if os.path.isfile(candidate):  # a name may be too long for a file
                return self._own(candidate)
        return self._own(place) if self._is_namespace(place) else None

    def _is_namespace(self, place: Path) -> bool:
        """Whether a directory holds modules: a directory of data may be named like a package."""
        try:
            with os.scandir(place) as entries:
                return any(entry.name.endswith(".py") or entry.is_dir() for entry in entries)
        except OSError:
            return False

    def _own(self, path: Path) -> Module | None:
        """The module there, unless it belongs to somebody else: outside the project, or installed in it."""
        if not path.is_relative_to(self.root):
            return None
        for directory in path.parents:
            if directory == self.root:
                return self.at(path)
            if directory.name in ("site-packages", "dist-packages") or (directory / "pyvenv.cfg").is_file():
                return None
        return self.at(path)


def _ways(name: str) -> list[str]:
    """A module's full name, behind those of the packages around it."""
    parts = name.split(".")
    return [".".join(parts[: depth + 1]) for depth in range(len(parts))]


def _defined(leaf: ast.stmt, found: dict[str, Bound]) -> set[str]:
    """Note the functions, classes and imports of a statement; their names."""
    if isinstance(leaf, Definer):
        found.setdefault(leaf.name, Bound()).definitions.append(leaf)
        return {leaf.name}
    if not isinstance(leaf, Import):
        return set()
    for name, imported in imports_of(leaf):
        bound = found.setdefault(name, Bound())
        bound.imports.append(imported)
        bound.importing.append(leaf)
    return {name for name, _ in imports_of(leaf)}


def _note_changes(statement: ast.stmt, found: dict[str, Bound]) -> None:
    for name, is_call in dict.fromkeys(change for leaf in leaves(statement) for change in changed_by(leaf)):
        bound = found.get(name)
        if bound is not None and statement not in bound.saying:
            (bound.calls if is_call else bound.settings).append(statement)


def _asks_below(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "__subclasses__"


def is_main_guard(node: ast.AST) -> bool:
    """Whether a statement is `if __name__ == "__main__":`, which does nothing when the module is imported."""
    if not isinstance(node, ast.If) or not isinstance(node.test, ast.Compare) or node.orelse:
        return False
    sides = [node.test.left, *node.test.comparators]
    names = [side.id for side in sides if isinstance(side, ast.Name)]
    texts = [side.value for side in sides if isinstance(side, ast.Constant)]
    return names == ["__name__"] and texts == ["__main__"] and isinstance(node.test.ops[0], ast.Eq)


def leaves(statement: ast.stmt) -> Iterator[ast.stmt]:
    """A statement, and those inside it that run in the same scope."""
    pending: list[ast.AST] = [statement]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.stmt):
            yield node
        if not isinstance(node, Definer | ast.expr):
            pending += reversed([child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.expr)])
