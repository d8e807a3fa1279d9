"""Paths that code spells out, told without running it: texts, `Path(…) / "x"`, `os.path.join(…)`, constants."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from itertools import product
from math import prod
from pathlib import PurePath

from datatool.stages.modules import Module, Modules
from datatool.stages.resolve import Foreign, Own, meanings
from datatool.stages.scopes import Imported, Reference, Scopes, chain_of, names_of

Value = str | PurePath
MANY = 10_000
"""More values than this are not told apart: nobody spells them out."""
_DEEP = 100
_STEPS = 20_000
"""Expressions within one another, and in all, that are looked at: limits for what refers to itself."""

_PATHS = frozenset(
    f"pathlib.{name}" for name in ("Path", "PurePath", "PosixPath", "PurePosixPath", "WindowsPath", "PureWindowsPath")
)
_SAME = frozenset({"os.fspath", "os.path.abspath", "os.path.realpath", "os.path.normpath"})
_SEQUENCES = frozenset({"builtins.list", "builtins.tuple", "builtins.set", "builtins.sorted", "builtins.reversed"})
_HERE = frozenset({"pathlib.Path.cwd", "os.getcwd"})


class _Many(list[Value]):
    """The values in a list, rather than those that one thing may have."""


class Literals:
    """The values of expressions in a module. `complete` turns false when something could not be told, `certain` when
    the program will choose between values."""

    def __init__(self, modules: Modules, module: Module, scopes: Scopes = ()) -> None:
        self._modules = modules
        self._module = module
        self._scopes = scopes
        self._depth = 0
        self._steps = 0
        self.complete = True
        self.certain = True

    def values(self, node: ast.expr) -> list[Value]:
        """What an expression may be; a list or tuple is what is in it."""
        self._depth += 1
        self._steps += 1
        try:
            found = self._values(node) if self._depth < _DEEP and self._steps < _STEPS else None
        finally:
            self._depth -= 1
        if found is None or len(found) > MANY:
            self.complete = False
            return []
        return found

    def _values(self, node: ast.expr) -> list[Value] | None:
        if isinstance(node, ast.Constant):
            return [node.value] if isinstance(node.value, str) else None
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            return _Many(value for item in node.elts for value in self.values(item))
        if isinstance(node, ast.Starred | ast.NamedExpr | ast.FormattedValue):
            plain = isinstance(node, ast.FormattedValue) and (node.conversion != -1 or node.format_spec is not None)
            return None if plain else self.values(node.value)
        if isinstance(node, ast.IfExp):
            self.certain = False
            return [*self.values(node.body), *self.values(node.orelse)]
        if isinstance(node, ast.JoinedStr):
            return self._each(lambda parts: "".join(map(str, parts)), node.values)
        if isinstance(node, ast.BinOp):
            return self._operation(node)
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, ast.ListComp | ast.GeneratorExp | ast.SetComp):
            return self._comprehension(node)
        return self._attribute(node)

    def _each(self, make: Callable[[tuple[Value, ...]], Value], parts: Sequence[ast.expr]) -> list[Value] | None:
        """What is made of every choice of the parts' values."""
        return _every(make, [self.values(part) for part in parts])

    def _operation(self, node: ast.BinOp) -> list[Value] | None:
        if isinstance(node.op, ast.Div):
            return self._each(lambda parts: _joined(*parts), [node.left, node.right])
        if not isinstance(node.op, ast.Add):
            return None
        left, right = self.values(node.left), self.values(node.right)
        if isinstance(left, _Many) or isinstance(right, _Many):
            return _Many([*left, *right])
        return _every(lambda parts: _text(parts[0]) + _text(parts[1]), [left, right])

    def _call(self, node: ast.Call) -> list[Value] | None:
        name = self._foreign(node.func)
        plain = not node.keywords
        if name in _HERE:
            return [PurePath()]
        if (name in _PATHS or name == "os.path.join") and plain:
            return self._each(lambda parts: PurePath(*parts), node.args)
        if (name in _SAME or name == "builtins.str") and len(node.args) == 1 and plain:
            return self._each(lambda parts: _normal(name or "", parts[0]), node.args)
        if name == "os.path.dirname" and len(node.args) == 1:
            return self._each(lambda parts: PurePath(parts[0]).parent, node.args)
        if name in _SEQUENCES and len(node.args) == 1:
            return _Many(self.values(node.args[0]))
        if isinstance(node.func, ast.Attribute) and plain:
            method = _METHODS.get(node.func.attr)
            if method is not None:
                return self._each(lambda parts: method(_path(parts[0]), *parts[1:]), [node.func.value, *node.args])
        return None

    def _comprehension(self, node: ast.ListComp | ast.GeneratorExp | ast.SetComp) -> list[Value]:
        outside = self._scopes
        self._scopes = (*outside, names_of(node.generators))
        try:
            if any(generator.ifs for generator in node.generators):
                self.certain = False
            return _Many(self.values(node.elt))
        finally:
            self._scopes = outside

    def _attribute(self, node: ast.expr) -> list[Value] | None:
        chain = chain_of(node)
        if chain is not None and (len(chain) == 1 or chain[1] != "parent"):
            found = self._name(Reference(chain, node, self._local_import(chain[0])))
            if found is not None:
                return found
        if isinstance(node, ast.Attribute) and node.attr == "parent":
            return self._each(lambda parts: _path(parts[0]).parent, [node.value])
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute) and node.value.attr == "parents":
            index = node.slice.value if isinstance(node.slice, ast.Constant) else None
            if isinstance(index, int):
                return self._each(lambda parts: _path(parts[0]).parents[index], [node.value.value])
        return None

    def _name(self, reference: Reference) -> list[Value] | None:
        name = reference.chain[0]
        for depth in range(len(self._scopes), 0, -1):
            scope = self._scopes[depth - 1]
            if name in scope.outer:
                break
            if name in scope.bound and scope.bound[name] is None:
                if len(reference.chain) > 1:
                    return None
                told = scope.values.get(name, []), scope.items.get(name, [])
                return self._given(
                    self._module, self._scopes[:depth], *told, scope.stores[name], scope.defaults.get(name)
                )
        if reference.chain == ("__file__",):
            return [PurePath(self._module.path)]
        found: list[Value] | None = None
        for meaning in meanings(self._modules, self._module, reference):
            if isinstance(meaning, Own) and meaning.name is not None and not meaning.rest:
                names = meaning.module.names
                told = names.values.get(meaning.name, []), names.items.get(meaning.name, [])
                more = self._given(meaning.module, (), *told, names.stores[meaning.name], None)
                found = more if found is None else [*found, *(more or [])]
        return found

    def _given(
        self,
        module: Module,
        scopes: Scopes,
        values: Sequence[ast.expr],
        items: Sequence[ast.expr],
        stores: int,
        default: ast.expr | None,
    ) -> list[Value] | None:
        """What is given to a name, evaluated where that is done."""
        known = len(values) + len(items)
        if known != stores:
            self.complete = False
        if known + (default is not None) != 1 or known != stores:
            self.certain = False
        outside = self._module, self._scopes
        try:
            self._module, self._scopes = module, scopes
            if len(values) == stores == 1:
                return self.values(values[0])
            found = [value for node in (*values, *items) for value in self.values(node)]
            if default is not None:
                self._scopes = scopes[:-1]
                found += self.values(default)
        finally:
            self._module, self._scopes = outside
        return found

    def _foreign(self, node: ast.expr) -> str | None:
        """The full name of what is called, where it is no code of the project's."""
        chain = chain_of(node)
        if chain is None or any(chain[0] in scope.bound and scope.bound[chain[0]] is None for scope in self._scopes):
            return None
        found = meanings(self._modules, self._module, Reference(chain, node, self._local_import(chain[0])))
        return found[0].name if len(found) == 1 and isinstance(found[0], Foreign) else None

    def _local_import(self, name: str) -> Imported | None:
        found = (scope.bound.get(name) for scope in reversed(self._scopes))
        return next((imported for imported in found if imported is not None), None)


def _every(make: Callable[[tuple[Value, ...]], Value], choices: Sequence[Sequence[Value]]) -> list[Value] | None:
    if prod(map(len, choices)) > MANY:
        return None
    try:
        return [make(parts) for parts in product(*choices)]
    except (ValueError, TypeError, IndexError):  # "a" / "b", or with_name("a/b"): it fails when it runs
        return None


def _text(value: Value) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _path(value: Value) -> PurePath:
    if isinstance(value, str):
        raise TypeError
    return value


def _joined(left: Value, right: Value) -> PurePath:
    return _path(left) / right if isinstance(left, PurePath) else left / _path(right)


def _normal(function: str, value: Value) -> Value:
    return value if function == "os.fspath" and isinstance(value, str) else str(value)


_METHODS: dict[str, Callable[..., Value]] = {
    "joinpath": lambda path, *parts: path.joinpath(*parts),
    "with_name": lambda path, name: path.with_name(name),
    "with_suffix": lambda path, suffix: path.with_suffix(suffix),
    "with_stem": lambda path, stem: path.with_stem(stem),
    "resolve": lambda path: path,
    "absolute": lambda path: path,
    "as_posix": lambda path: path.as_posix(),
}
"""Methods of paths, as far as the text of a path tells what they give."""
