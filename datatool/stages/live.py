"""What determines the result of a function that is in memory, one ingredient after the other: its code, the code that
it reaches, the values that it reads. The same list feeds the hash and the explanation of what changed."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import CellType, FunctionType, ModuleType

from datatool.errors import UsageError
from datatool.stages.callables import defined_in, function_of, held_by, is_named, module_of, name_of, unwrapped
from datatool.stages.code_objects import assigned
from datatool.stages.definitions import Definition, Kind
from datatool.stages.edits import STAR, words_of
from datatool.stages.kernel import Kernel, written
from datatool.stages.loaded import EditedCode, edited_names, last_load, note_modules, text_as_loaded, was_edited
from datatool.stages.meanings import Meanings, Patch, content, meaning_of
from datatool.stages.modules import Module, Modules
from datatool.stages.namespaces import MISSING, Namespaces
from datatool.stages.patched import is_as_written
from datatool.stages.reach import Walk
from datatool.stages.resolve import Foreign, Own
from datatool.stages.subclasses import below, counted_with_subclasses
from datatool.stages.syntax import digest_of
from datatool.stages.values import value_digest


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
    _meanings: Meanings = field(compare=False, repr=False)

    @property
    def still_hold(self) -> bool:
        """Whether all names still mean in memory what they did: nothing was defined anew, as by a notebook's cell."""
        return self._meanings.still_hold()

    @property
    def is_as_read(self) -> bool:
        """Whether files that were not loaded yet say the same still: the function may have loaded them by now."""
        return self._meanings.are_as_read()

    def changed_since(self) -> list[str]:
        """Lists and the like that are no longer what the code says that counts for them, in sentences."""
        return sorted(self._meanings.changed())


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
    nothing = Meanings(reached=(), namespaces=Namespaces(), names=())
    return Ingredients(name=name, items=(), packages=(), warnings=(), _meanings=nothing)


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
        self._namespaces = Namespaces()
        self._walk = Walk(
            self._modules, loading=False, settled=self._namespaces.is_settled, chosen=self._namespaces.chosen
        )
        self._kernel = Kernel(self._modules, start, self._namespaces)
        self._more: dict[str, Ingredient] = {}
        self._seen: dict[int, int] = {} if seen is None else seen
        """Functions and classes by their `id`, each with its number."""
        self._inner: list[_Look] = []
        """At what this one holds that no name leads to, each by itself: they may have one name."""
        self._start = start
        self._name = ""
        self._cells: list[tuple[CellType, object]] = []
        self._classes: dict[type, list[type]] = {}
        self._registries: dict[int, tuple[Mapping[object, object], Mapping[object, object]]] = {}

    def result(self) -> Ingredients:
        """What was found."""
        reached = self._walk.result()
        while self._below(reached.definitions) or any(map(self._dispatch, reached.definitions)):
            reached = self._walk.result()
        inner = [look.result() for look in self._inner]
        held = [item for found in inner for item in found.items]
        items = {item.name: item for item in (*held, *map(self._ingredient, reached.definitions))} | self._more
        self._refuse_edited(reached.definitions)
        by_code = [item.code for item in items.values() if item.code is not None and item.kind != "value"]
        self._kernel.refuse_outdated(by_code)
        meanings = Meanings(
            reached=reached.definitions,
            namespaces=self._namespaces,
            names=self._names(reached.definitions),
            cells=tuple(self._cells),
            registries=tuple(self._registries.values()),
            classes=tuple(self._classes.items()),
            patched=[Patch(live) for live in self._patchable(reached.definitions)],
            unloaded=[(module, last_load(module)) for module in self._files() if not self._namespaces.of(module)],
            inner=[found._meanings for found in inner],
        )
        return Ingredients(
            name=self._name,
            items=tuple(items[name] for name in sorted(items)),
            packages=reached.packages,
            warnings=reached.warnings,
            _meanings=meanings,
        )

    def _names(self, definitions: Sequence[Definition]) -> list[tuple[Mapping[str, object], str, object]]:
        """What the names of definitions mean, and those by which imports pass them on."""
        on_the_way = {(module, name): None for definition in definitions for module, name in _through(definition)}
        names = [(definition.module, definition.top_name) for definition in definitions if definition.brought is None]
        return [meaning_of(module, name, self._namespaces) for module, name in (*names, *on_the_way)]

    def _patchable(self, definitions: Sequence[Definition]) -> Iterator[FunctionType | type]:
        """The functions and classes in memory, whose code somebody may replace."""
        for definition in definitions:
            live = self._namespaces.function(definition) if definition.kind is Kind.FUNCTION else None
            made = live or self._namespaces.made_class(definition)
            if made is not None:
                yield made

    def _refuse_edited(self, definitions: Sequence[Definition]) -> None:
        """Raise UsageError for a file that says something else of what counts than when it was loaded."""
        words = {name for definition in definitions for name in words_of(definition.references)}
        words |= {name for definition in definitions for _, name in _through(definition)}
        reached = words | {definition.top_name for definition in definitions} | {STAR}
        for module in self._files():
            names = self._namespaces.of(module)
            edited = edited_names(module, names) & reached if names else frozenset()
            text = text_as_loaded(module, names) if edited else None
            if edited and (text is None or not all(is_as_written(name, names, text, module) for name in edited)):
                raise EditedCode(module.file)
        for definition in definitions:
            live = self._namespaces.function(definition) if definition.kind is Kind.FUNCTION else None
            if live is not None and was_edited(definition.module, live):
                raise EditedCode(definition.module.file)

    def _below(self, definitions: Sequence[Definition]) -> bool:
        """Subclasses that count with the class above them; False if there is nothing new."""
        news = [
            (definition, made)
            for definition, made in counted_with_subclasses(definitions, self._namespaces)
            if made not in self._classes
        ]
        for definition, made in news:
            self._classes[made] = below(made)
            for inner in self._classes[made]:
                top = inner.__qualname__.partition(".")[0]
                if "<locals>" not in inner.__qualname__ and not is_named(inner):
                    continue  # it was defined anew, and nobody has cleared it away yet
                if inner.__module__ == made.__module__ and top in definition.module.bindings:
                    self._walk.follow([Own(definition.module, top)])
                else:
                    self.passed(inner)
        return bool(news)

    def _dispatch(self, definition: Definition) -> bool:
        """What was registered for the types of a `functools.singledispatch`; False if there is nothing new."""
        name = definition.name.rpartition(":")[2]
        live = self._namespaces.of(definition.module).get(name)
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

    def _files(self) -> list[Module]:
        return [module for module in self._modules.known() if module.path.suffix and not module.by_name]

    def function(self, live: FunctionType) -> None:
        """A function, what it reaches, and what it carries with it."""
        if id(live) in self._seen:
            return
        self._seen[id(live)] = len(self._seen)
        module = self._module(live)
        nodes, is_newest = written(module, live)
        self._namespaces.note(module, live.__globals__)
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
                self._kernel.note_old(name)
        self._defaults(live, name, module.place(nodes[0]))
        for variable, cell in zip(live.__code__.co_freevars, live.__closure__ or (), strict=True):
            value = content(cell)
            self._cells.append((cell, value))
            if value is MISSING:
                continue
            self._closure(module, nodes[0], f"{name}[{variable}]", variable, value)

    def _module(self, live: FunctionType) -> Module:
        path = Path(os.path.realpath(live.__code__.co_filename))
        if path.is_relative_to(self._root) and path.is_file():
            return self._modules.at(path)
        return self._kernel.module_of(live)

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
        except EditedCode:
            raise
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

    def _ingredient(self, definition: Definition) -> Ingredient:
        found = Ingredient(
            kind=str(definition.kind),
            name=definition.name,
            digest=definition.digest,
            where=definition.place,
            code=definition,
        )
        if definition.brought is not None:
            return replace(found, value=definition.brought.says)
        if definition.kind is Kind.CONSTANT:
            name = definition.name.rpartition(":")[2].removesuffix(" =")
            value = self._namespaces.of(definition.module).get(name, MISSING)
            digest = value_digest(value)
            if digest is not None:
                return replace(found, kind="value", digest=digest, value=value)
            if name.endswith(" if"):
                meant = self._namespaces.of(definition.module).get(name.removesuffix(" if"))
                said = f"{module_of(meant)} {name_of(meant)}"
                return replace(found, digest=value_digest((definition.digest, said)) or "")
        return found


def _through(definition: Definition) -> Sequence[tuple[Module, str]]:
    return definition.brought.through if definition.brought is not None else ()
