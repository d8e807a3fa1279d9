"""What names and variables stood for when a function was looked at, to be compared with what they do now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from operator import is_
from types import CellType, FunctionType

from msgspec import Struct

from datatool.stages.constants import told_of, told_of_class
from datatool.stages.definitions import Definition, Kind
from datatool.stages.loaded import last_load
from datatool.stages.modules import Module
from datatool.stages.namespaces import MISSING, Namespaces
from datatool.stages.source import read_source
from datatool.stages.subclasses import below
from datatool.stages.syntax import digest_of


class Patch:
    """The code of a function, or the attributes of a class, as it was: `%autoreload` replaces that in its place."""

    def __init__(self, live: FunctionType | type) -> None:
        self._live = live
        self._held = _held(live)

    def still_holds(self) -> bool:
        """Whether nothing was replaced."""
        now = _held(self._live)
        return len(now) == len(self._held) and all(map(is_, now, self._held))


def _held(live: FunctionType | type) -> tuple[object, ...]:
    if not isinstance(live, type):
        return live.__code__, live.__defaults__
    values = tuple(vars(live).values())
    parts = [part for value in values if isinstance(value, property) for part in (value.fget, value.fset, value.fdel)]
    return *values, *(getattr(part, "__code__", None) for part in parts)


class Meanings(Struct, frozen=True, kw_only=True):
    """What the definitions that a function reaches meant. `cells` are the variables of closures, `registries` those of
    `functools.singledispatch`, each with what it held, `classes` those whose subclasses count, with these, `patched`
    what may get other code in its place, `unloaded` the files that were not loaded, each with its last load; `inner` is
    what was looked at by itself; see `meaning_of` for `names`."""

    reached: Sequence[Definition]
    namespaces: Namespaces
    names: Sequence[tuple[Mapping[str, object], str, object]]
    cells: Sequence[tuple[CellType, object]] = ()
    registries: Sequence[tuple[Mapping[object, object], Mapping[object, object]]] = ()
    classes: Sequence[tuple[type, Sequence[type]]] = ()
    patched: Sequence[Patch] = ()
    unloaded: Sequence[tuple[Module, object]] = ()
    inner: Sequence[Meanings] = ()

    def still_hold(self) -> bool:
        """Whether names and variables still have the values that were looked at, and no file was loaded since or edited
        before it is loaded."""
        return (
            all(values.get(name, MISSING) is value for values, name, value in self.names)
            and all(content(cell) is value for cell, value in self.cells)
            and all(now == then for now, then in self.registries)
            and all(patch.still_holds() for patch in self.patched)
            and all(below(made) == then for made, then in self.classes)
            and all(meanings.still_hold() for meanings in self.inner)
            and all(
                last_load(module) is load and read_source(module.path) is module.source
                for module, load in self.unloaded
            )
        )

    def are_as_read(self) -> bool:
        """Whether files that were not loaded say the same as when they were looked at."""
        for module, _ in self.unloaded:
            now = read_source(module.path)
            if now is not module.source and digest_of(now.tree) != digest_of(module.source.tree):
                return False
        return True

    def changed(self) -> Iterator[str]:
        """Lists and the like that are no longer what the code that counts for them says."""
        elsewhere = {item.name.rpartition(":")[2].removesuffix(" =") for item in self.reached if " =" in item.name}
        for definition in self.reached:
            name = definition.name.rpartition(":")[2]
            if name in elsewhere or definition.kind not in (Kind.CONSTANT, Kind.CLASS):
                continue
            value = self.namespaces.of(definition.module).get(name)
            if definition.kind is Kind.CLASS:
                told = told_of_class(name, value, definition.nodes)
            else:
                told = told_of(name, value, definition.module, definition.nodes)
            if told is not None:
                yield f"{definition.place}: {told}"


def meaning_of(module: Module, name: str, namespaces: Namespaces) -> tuple[Mapping[str, object], str, object]:
    """What a name at the top of a module stands for now, after the names of the module and the name."""
    names = namespaces.of(module)
    return names, name, names.get(name, MISSING)


def content(cell: CellType) -> object:
    """What a variable of a closure holds, or `MISSING`."""
    try:
        return cell.cell_contents
    except ValueError:  # not bound yet
        return MISSING
