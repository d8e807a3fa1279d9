"""What a name that code reads stands for: something in a module of the project, or something from elsewhere."""

from __future__ import annotations

import builtins
from collections.abc import Sequence

from msgspec import Struct

from datatool.stages.modules import Module, Modules
from datatool.stages.scopes import Imported, Reference

_BUILTINS = frozenset(dir(builtins))
_MAKER = "__getattr__"
"""The function of a module that makes the names which it does not have (PEP 562)."""


class Own(Struct, frozen=True):
    """A name that a module of the project binds, and the attributes read behind it; without a name the module."""

    module: Module
    name: str | None = None
    rest: tuple[str, ...] = ()


class Foreign(Struct, frozen=True):
    """Something of Python or of a package, by its full name: `builtins.eval`, `pandas.read_csv`."""

    name: str

    @property
    def package(self) -> str:
        """The name that is imported."""
        return self.name.partition(".")[0]


Meaning = Own | Foreign


def meanings(modules: Modules, module: Module, reference: Reference) -> list[Meaning]:
    """What a reference in a module may stand for: nothing if it is not known, several if it is bound several times."""
    if reference.imported is not None:
        return _Resolver(modules).imported(module, reference.imported, reference.chain[1:])
    return _Resolver(modules).name(module, reference.chain)


def names_on_the_way(modules: Modules, module: Module, reference: Reference) -> list[tuple[Module, str]]:
    """The imports at the top of modules that a reference goes through, in order."""
    resolver = _Resolver(modules)
    if reference.imported is not None:
        resolver.imported(module, reference.imported, reference.chain[1:])
    else:
        resolver.name(module, reference.chain)
    names = dict.fromkeys((place, chain[0]) for place, chain in resolver.seen)
    return [(place, name) for place, name in names if name in place.bindings and place.bindings[name].imports]


def imported_meanings(modules: Modules, module: Module, imported: Imported) -> list[Meaning]:
    """What an import in a module brings."""
    return _Resolver(modules).imported(module, imported, ())


class _Resolver:
    """Follows names through modules that pass on each other's; each only once, as they may do so in a circle."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules
        self.seen: dict[tuple[Module, tuple[str, ...]], None] = {}
        """The names that were looked up, with the attributes behind them."""

    def name(self, module: Module, chain: Sequence[str]) -> list[Meaning]:
        """A name read in a module itself."""
        found = self._member(module, chain)
        if found is None and chain[0] in _BUILTINS:
            return [Foreign(".".join(("builtins", *chain)))]
        return found or []

    def imported(self, module: Module, imported: Imported, rest: Sequence[str]) -> list[Meaning]:
        """An import in a module, and the attributes read behind it."""
        chain = (imported.name, *rest) if imported.name is not None else tuple(rest)
        place = self._modules.find(imported, module)
        found = self._attribute(place, chain) if place is not None else None
        if found is not None:
            return found
        if place is not None and place.path.suffix:
            return []  # a module of the project without such a name: it fails when it runs
        return [] if imported.level else [Foreign(".".join((imported.module, *chain)))]

    def _attribute(self, module: Module, chain: Sequence[str]) -> list[Meaning] | None:
        """What attributes of a module mean; None where they can't be its own."""
        if not chain:
            return [Own(module)] if module.path.suffix else None
        found = self._member(module, chain)
        if found is not None:
            return found
        child = self._modules.child(module, chain[0])
        if child is not None:
            return self._attribute(child, chain[1:])
        return self._member(module, (_MAKER, *chain[1:])) if _MAKER in module.bindings else None

    def _member(self, module: Module, chain: Sequence[str]) -> list[Meaning] | None:
        name, rest = chain[0], tuple(chain[1:])
        if (module, tuple(chain)) in self.seen:
            return []
        self.seen[module, tuple(chain)] = None
        bound = module.bindings.get(name)
        if bound is not None:
            found: list[Meaning] = []
            if bound.definitions or bound.statements:
                found.append(Own(module, name, rest))
            for imported in bound.imports:
                found += self.imported(module, imported, rest)
            return found
        foreign: list[Meaning] = []
        for star in module.stars:
            place = self._modules.find(star, module)
            if place is None:
                foreign.append(Foreign(".".join((star.module, *chain))))
            elif place.offers(name) and (passed_on := self._member(place, chain)):
                return passed_on
        return foreign or None
