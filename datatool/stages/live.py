"""What determines the result of a function that is in memory, one ingredient after the other: its code, the code that
it reaches, the values that it reads. The same list feeds the hash and the explanation of what changed."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import CellType, FunctionType, ModuleType

from datatool.errors import UsageError
from datatool.stages.callables import defined_in, function_of, held_by, is_named, name_of, no_source, unwrapped
from datatool.stages.cells import NAME, Cells, cells_of, typed_nodes
from datatool.stages.code_objects import assigned, nodes_of
from datatool.stages.constants import told_of, told_of_class
from datatool.stages.edits import STAR, words_of
from datatool.stages.loaded import EditedCode, code_in_file, edited_names, last_load, note_modules, was_edited
from datatool.stages.modules import Definer, Module, Modules
from datatool.stages.reach import Definition, Kind, Walk
from datatool.stages.resolve import Foreign, Own
from datatool.stages.source import read_source
from datatool.stages.syntax import digest_of
from datatool.stages.values import value_digest

_MISSING = object()


@dataclass(frozen=True, kw_only=True, slots=True)
class Ingredient:
    """One thing that counts. `kind` is `function`, `class`, `constant` (by its code), `value`, `closure` or `default`
    (by value); `name` says which, `digest` what it is (64 hex digits), `where` where it is written, `value` what it is
    in memory, where that counts. `code` is its syntax, and which nodes of it count by themselves."""

    kind: str
    name: str
    digest: str
    where: str
    value: object = None
    code: Definition | None = field(default=None, compare=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ingredients:
    """All of it, sorted by name; `name` is the function's own, `packages` are the top modules of what is installed;
    `warnings` tell what does not count."""

    name: str
    items: tuple[Ingredient, ...]
    packages: tuple[str, ...]
    warnings: tuple[str, ...]
    _look: _Look = field(compare=False, repr=False)

    @property
    def still_hold(self) -> bool:
        """Whether all names still mean in memory what they did: nothing was defined anew, as by a notebook's cell."""
        return self._look.is_unchanged()

    @property
    def is_as_read(self) -> bool:
        """Whether files that were not loaded yet say the same still: the function may have loaded them by now."""
        return self._look.is_as_read()

    def changed_since(self) -> list[str]:
        """Lists and the like that are no longer what the code says that counts for them, in sentences."""
        return sorted(self._look.changed())


def ingredients_of(function: object, root: Path, *, start: Path | None = None) -> Ingredients:
    """What determines a function of the project at `root`; `start` is the directory of the script that runs.

    Raises UsageError for what is no function written in Python, or one whose source can't be read or was edited after
    it was loaded.
    """
    note_modules()
    live = unwrapped(function)
    first = Path(os.path.realpath(live.__code__.co_filename)).parent
    look = _Look(root, start or (first if first.is_relative_to(root) else root))
    look.function(live)
    return look.result()


def unseen(name: str, root: Path) -> Ingredients:
    """Of a function whose source is elsewhere: nothing but its name."""
    return Ingredients(name=name, items=(), packages=(), warnings=(), _look=_Look(root, root))


def code_of(value: object, root: Path) -> Ingredients | None:
    """What determines a function or class that is passed around; None for what has no code to be read, and does not say
    whose it is."""
    look = _Look(root, root)
    return look.result() if look.passed(value) else None


class _Look:
    """Looks at functions in memory, and at the source of what they refer to."""

    def __init__(self, root: Path, start: Path, seen: dict[int, int] | None = None) -> None:
        self._root = root
        self._modules = Modules(root, start)
        self._walk = Walk(self._modules, loading=False, settled=self._is_settled, chosen=self._chosen)
        self._globals: dict[Path, Mapping[str, object]] = {}
        self._more: dict[str, Ingredient] = {}
        self._seen: dict[int, int] = {} if seen is None else seen
        """Functions and classes by their `id`, each with its number."""
        self._inner: list[_Look] = []
        """At what this one holds that no name leads to, each by itself: they may have one name."""
        self._start = start
        self._typed: dict[int, Cells] = {}
        self._old: set[str] = set()
        self._unloaded: list[tuple[Module, object]] = []
        self._name = ""
        self._reached: Sequence[Definition] = ()
        self._cells: list[tuple[CellType, object]] = []
        self._registries: dict[int, tuple[Mapping[object, object], Mapping[object, object]]] = {}
        self._names: list[tuple[Mapping[str, object], str, object]] = []

    def result(self) -> Ingredients:
        """What was found."""
        reached = self._walk.result()
        while any(self._dispatch(definition) for definition in reached.definitions):
            reached = self._walk.result()
        self._reached = reached.definitions
        held = [item for look in self._inner for item in look.result().items]
        items = {item.name: item for item in (*held, *map(self._ingredient, reached.definitions))} | self._more
        self._names = [self._meant(definition) for definition in reached.definitions]
        self._refuse_edited(reached.definitions)
        self._refuse_outdated(items.values())
        self._unloaded = [(module, last_load(module)) for module in self._files() if not self._lookup(module)]
        return Ingredients(
            name=self._name,
            items=tuple(items[name] for name in sorted(items)),
            packages=reached.packages,
            warnings=reached.warnings,
            _look=self,
        )

    def _refuse_edited(self, definitions: Sequence[Definition]) -> None:
        """Raise UsageError for a file that says something else of what counts than when it was loaded."""
        words = {name for definition in definitions for name in words_of(definition.references)}
        reached = words | {_top_name(definition) for definition in definitions} | {STAR}
        for module in self._files():
            names = self._lookup(module)
            if names and not reached.isdisjoint(edited_names(module, names)):
                raise EditedCode(module.file)
        for definition in definitions:
            if definition.kind is Kind.FUNCTION and was_edited(definition.module, self._loaded(definition)):
                raise EditedCode(definition.module.file)

    def _refuse_outdated(self, items: Iterable[Ingredient]) -> None:
        """Raise UsageError for what cells have made of something that a later cell defined anew."""
        by_code = [item.code for item in items if item.code is not None and item.kind != "value"]
        for definition in (code for code in by_code if code.module.by_name and code.name not in self._old):
            name = _top_name(definition)
            live = self._loaded(definition) if definition.kind is Kind.FUNCTION else None
            is_its_own = live is not None and f"{NAME}:{live.__qualname__}" == definition.name
            typed = typed_nodes(live.__code__) if live is not None and is_its_own else []
            if typed and not _digests(typed) <= _digests(definition.nodes):
                raise _outdated(name, "the cells now say something else")
            for cells in self._typed.values():
                other = cells.changed_under(name, definition.nodes, definition.without)
                if other is not None:
                    raise _outdated(name, f"{other} was defined anew after {name} was made with it")

    def _dispatch(self, definition: Definition) -> bool:
        """What was registered for the types of a `functools.singledispatch`; False if there is nothing new."""
        name = definition.name.rpartition(":")[2]
        live = self._lookup(definition.module).get(name)
        registry = getattr(live, "registry", None)
        if definition.kind is not Kind.FUNCTION or id(registry) in self._registries or not hasattr(live, "dispatch"):
            return False
        if not isinstance(registry, Mapping):
            return False
        self._registries[id(registry)] = registry, dict(registry)
        for kind, function in registry.items():
            if function is not function_of(live):
                self._code("function", f"{definition.name}[{name_of(kind)}]", function, definition.place)
        return True

    def is_unchanged(self) -> bool:
        """Whether names and variables still have the values that were looked at, and no file was loaded since or edited
        before it is loaded."""
        return (
            all(values.get(name, _MISSING) is value for values, name, value in self._names)
            and all(_content(cell) is value for cell, value in self._cells)
            and all(now == then for now, then in self._registries.values())
            and all(look.is_unchanged() for look in self._inner)
            and all(
                last_load(module) is load and read_source(module.path) is module.source
                for module, load in self._unloaded
            )
        )

    def is_as_read(self) -> bool:
        """Whether files that were not loaded say the same as when they were looked at."""
        for module, _ in self._unloaded:
            now = read_source(module.path)
            if now is not module.source and digest_of(now.tree) != digest_of(module.source.tree):
                return False
        return True

    def _files(self) -> list[Module]:
        return [module for module in self._modules.known() if module.path.suffix and not module.by_name]

    def _meant(self, definition: Definition) -> tuple[Mapping[str, object], str, object]:
        values = self._lookup(definition.module)
        name = _top_name(definition)
        return values, name, values.get(name, _MISSING)

    def _loaded(self, definition: Definition) -> FunctionType | None:
        """A function that was found in a source, as it is in memory; None where it is not, or hidden in another."""
        first, *rest = definition.name.rpartition(":")[2].split(".")
        found = self._lookup(definition.module).get(first)
        for name in rest:
            found = vars(found).get(name) if isinstance(found, type) else None
        live = function_of(found)
        return live if isinstance(live, FunctionType) else None

    def function(self, live: FunctionType) -> None:
        """A function, what it reaches, and what it carries with it."""
        if id(live) in self._seen:
            return
        self._seen[id(live)] = len(self._seen)
        module = self._module(live)
        code = code_in_file(module, live.__code__)
        if code is None:
            raise EditedCode(module.file)
        newest = nodes_of(module, code)
        nodes = (typed_nodes(code) if module.by_name else []) or newest
        if not nodes:
            raise no_source(live)
        is_newest = module.by_name is False or _digests(nodes) <= _digests(newest)
        self._globals.setdefault(module.path, live.__globals__)
        name = f"{module.name}:{live.__qualname__}"
        self._name = self._name or name
        top = live.__qualname__.partition(".")[0]
        bound = module.bindings.get(top)
        by_name = bound is not None and (len(bound.definitions) == 1 or is_named(live))
        if by_name and "<" not in live.__qualname__ and is_newest:
            self._walk.follow([Own(module, top)])
        else:
            if bound is not None and nodes[0] in bound.definitions:  # the name alone means another one
                name = f"{name} {1 + bound.definitions.index(nodes[0])}"
            name = self._walk.free_name(name, nodes)
            self._walk.add_function(name, module, nodes, hidden=frozenset(live.__code__.co_freevars))
            if not is_newest:
                self._old.add(name)
        self._defaults(live, name, module.place(nodes[0]))
        for variable, cell in zip(live.__code__.co_freevars, live.__closure__ or (), strict=True):
            value = _content(cell)
            self._cells.append((cell, value))
            if value is _MISSING:
                continue
            self._closure(module, nodes[0], f"{name}[{variable}]", variable, value)

    def _module(self, live: FunctionType) -> Module:
        path = Path(os.path.realpath(live.__code__.co_filename))
        if path.is_relative_to(self._root) and path.is_file():
            return self._modules.at(path)
        key = id(live.__globals__)
        if key not in self._typed:
            found = cells_of(live, self._start)
            if found is None:
                raise no_source(live)
            self._modules.take(found.module)
            self._typed[key] = found
        return self._typed[key].module

    def _defaults(self, live: FunctionType, name: str, where: str) -> None:
        given = live.__code__.co_varnames[: live.__code__.co_argcount]
        values = dict(zip(reversed(given), reversed(live.__defaults__ or ()), strict=False))
        for argument, value in {**values, **(live.__kwdefaults__ or {})}.items():
            if not self._value("default", f"{name}({argument})", value, where):
                self._code("default", f"{name}({argument})", value, where)

    def _code(self, kind: str, name: str, value: object, where: str) -> bool:
        """A function, class or module that is held by something: which one it is, and its code."""
        if not isinstance(value, ModuleType) and not callable(value):
            return False
        for place, part in held_by(value):
            inside = f"{name}.{place}"
            if not self._value(kind, inside, part, where) and not self._code(kind, inside, part, where):
                self._walk.warn(f"{where}: {place} of {name_of(value)} in {name} does not count")
        if isinstance(value, partial):
            return True
        said = f"{defined_in(value, self._root)} {name_of(value)}"
        known = self._seen.get(id(function_of(value)))
        inner = self if is_named(value) else _Look(self._root, self._start, self._seen)
        if not inner.passed(value):
            return False
        if inner is not self and known is not None:
            said = f"{said} {known}"
        elif inner is not self:
            self._inner.append(inner)
            found = inner.result()
            said = repr([said, *((item.kind, item.name, item.digest) for item in found.items)])
            self._walk.follow([Foreign(package) for package in found.packages])
            for warning in found.warnings:
                self._walk.warn(warning)
        digest = value_digest(said)
        if digest is not None:
            self._more[name] = Ingredient(kind=kind, name=name, digest=digest, where=where, value=name_of(value))
        return True

    def _value(self, kind: str, name: str, value: object, where: str) -> bool:
        digest = value_digest(value)
        if digest is not None:
            self._more[name] = Ingredient(kind=kind, name=name, digest=digest, where=where, value=value)
        return digest is not None

    def _closure(self, module: Module, node: ast.AST, name: str, variable: str, value: object) -> None:
        where = module.place(node)
        if self._value("closure", name, value, where) or self._code("closure", name, value, where):
            return
        statements = assigned(module, node, variable)
        if statements:
            digest = digest_of(statements)
            self._more[name] = Ingredient(kind="closure", name=name, digest=digest, where=module.place(statements[0]))
            self._walk.add(f"{name} =", Kind.CONSTANT, module, statements)
        else:
            self._walk.warn(f"{where}: {variable} is a {type(value).__qualname__} from outside, which does not count")

    def passed(self, value: object) -> bool:
        """A function, class or module that a closure holds; False if its code is not to be had."""
        if isinstance(value, ModuleType):
            path = Path(os.path.realpath(value.__file__ or "")) if getattr(value, "__file__", None) else None
            own = path is not None and path.is_relative_to(self._root)
            self._walk.follow([Own(self._modules.at(path)) if own and path is not None else Foreign(value.__name__)])
            return True
        try:
            live = unwrapped(value)
            if Path(os.path.realpath(live.__code__.co_filename)).is_relative_to(self._root):
                self.function(live)
                return True
        except UsageError:
            pass
        name = getattr(value, "__module__", None)
        known = sys.modules.get(name) if isinstance(name, str) else None
        file = getattr(known, "__file__", None)
        path = Path(os.path.realpath(file)) if file else None
        if path is None or not path.is_relative_to(self._root):
            if name:
                self._walk.follow([Foreign(name)])
            return bool(name)
        top = getattr(value, "__qualname__", "").partition(".")[0]
        module = self._modules.at(path)
        if isinstance(value, type) and not is_named(value):
            self._made_class(module, value)
        if top in module.bindings:
            self._walk.follow([Own(module, top)])
        return top in module.bindings

    def _made_class(self, module: Module, made: type) -> None:
        """A class that was made in a function or a loop: what its methods carry with them, and its plain values."""
        if id(made) in self._seen:
            return
        self._seen[id(made)] = len(self._seen)
        name = f"{module.name}:{made.__qualname__}"
        for key, value in vars(made).items():
            if not (key.startswith("__") and key.endswith("__")):
                self._value("value", f"{name}.{key}", value, module.file)
            for part in (value.fget, value.fset, value.fdel) if isinstance(value, property) else (value,):
                self._method(module, part)
        for base in made.__bases__:
            if not is_named(base):
                self._code("value", f"{name}({base.__name__})", base, module.file)

    def _method(self, module: Module, value: object) -> None:
        live = function_of(value)
        if isinstance(live, FunctionType) and os.path.realpath(live.__code__.co_filename) == os.fspath(module.path):
            self.function(live)

    def _lookup(self, module: Module) -> Mapping[str, object]:
        """The names of a module as they are in memory; none if it is not loaded."""
        if module.path not in self._globals:
            self._globals[module.path] = next(
                (
                    vars(loaded)
                    for loaded in list(sys.modules.values())
                    if (file := getattr(loaded, "__file__", None))
                    and os.path.basename(file) == module.path.name
                    and os.path.realpath(file) == os.fspath(module.path)
                ),
                {},
            )
        return self._globals[module.path]

    def _is_settled(self, module: Module, name: str) -> bool:
        values = self._lookup(module)
        return name in values and value_digest(values[name]) is not None

    def _chosen(self, module: Module, name: str, nodes: list[Definer]) -> list[Definer]:
        """Which of several definitions is in memory; all where that can't be told."""
        value = self._lookup(module).get(name)
        parts = [value] if not isinstance(value, type) else vars(value).values()
        here: set[int] = set()
        for part in map(function_of, parts):
            if isinstance(part, FunctionType) and os.path.realpath(part.__code__.co_filename) == os.fspath(module.path):
                here.update(map(id, nodes_of(module, code_in_file(module, part.__code__) or part.__code__)))
        found = [node for node in nodes if any(id(inner) in here for inner in (node, *_methods(node)))]
        return found or nodes

    def _ingredient(self, definition: Definition) -> Ingredient:
        found = Ingredient(
            kind=str(definition.kind),
            name=definition.name,
            digest=definition.digest,
            where=definition.place,
            code=definition,
        )
        if definition.kind is Kind.CONSTANT:
            name = definition.name.rpartition(":")[2].removesuffix(" =")
            value = self._lookup(definition.module).get(name, _MISSING)
            digest = value_digest(value)
            if digest is not None:
                return replace(found, kind="value", digest=digest, value=value)
            if name.endswith(" if"):
                meant = self._lookup(definition.module).get(name.removesuffix(" if"))
                said = f"{getattr(meant, '__module__', '')} {name_of(meant)}"
                return replace(found, digest=value_digest((definition.digest, said)) or "")
        return found

    def changed(self) -> Iterator[str]:
        """Lists and the like that are no longer what the code that counts for them says."""
        elsewhere = {item.name.rpartition(":")[2].removesuffix(" =") for item in self._reached if " =" in item.name}
        for definition in self._reached:
            name = definition.name.rpartition(":")[2]
            if name in elsewhere or definition.kind not in (Kind.CONSTANT, Kind.CLASS):
                continue
            value = self._lookup(definition.module).get(name)
            if definition.kind is Kind.CLASS:
                told = told_of_class(name, value, definition.nodes)
            else:
                told = told_of(name, value, definition.module, definition.nodes)
            if told is not None:
                yield f"{definition.place}: {told}"


def _methods(node: Definer) -> list[ast.stmt]:
    return node.body if isinstance(node, ast.ClassDef) else []


def _top_name(definition: Definition) -> str:
    """The name at the top of its module that it belongs to."""
    return definition.name.rpartition(":")[2].partition(" ")[0].partition(".")[0]


def _content(cell: CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # not bound yet
        return _MISSING


def _digests(nodes: Iterable[ast.AST]) -> set[str]:
    return {digest_of(node) for node in nodes}


def _outdated(name: str, why: str) -> UsageError:
    return UsageError(
        f"{name}: is in memory as it was before: {why}", hint=f"run the cell that defines {name} again, then call again"
    )
