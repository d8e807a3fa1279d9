"""What the imports at the top of modules bring to a piece of code: the same text says something else where an import
brings something else under the same name."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from datatool.stages.modules import Module, Modules
from datatool.stages.resolve import Foreign, Meaning, Own, meanings, names_on_the_way
from datatool.stages.scopes import Imported, Reference


class Brought(Struct, frozen=True, kw_only=True):
    """What one name means in a module that imports it: `name` as it is read there (`h`, `helpers.h`), `says` what it is
    where it is defined (`math.floor`, `pkg.tools:scale`), whatever modules of the project pass it on. `through` are the
    names that it goes through, each with its module; `place` is where the last import on the way stands."""

    module: Module
    name: str
    says: str
    through: tuple[tuple[Module, str], ...]
    place: str


def brought(modules: Modules, module: Module, reference: Reference) -> Brought | None:
    """What a reference in a module gets by an import at the top of a module; None where the code itself says all."""
    chain = reference.chain
    if reference.imported is not None:
        found = _behind(modules, module, reference.imported, chain[1:])
        if found is None:
            return None
        module, chain = found
    if not _is_imported(module, chain[0]):
        return None
    whole = meanings(modules, module, Reference(chain, reference.node))
    for length in range(1, len(chain) + 1):
        part = Reference(chain[:length], reference.node)
        means = meanings(modules, module, part)
        if means and [_extended(meaning, chain[length:]) for meaning in means] == whole:
            name, says = ".".join(part.chain), " or ".join(map(_said, means))
            if says == f"builtins.{name}":
                return None
            through = tuple(names_on_the_way(modules, module, part))
            return Brought(module=module, name=name, says=says, through=through, place=_place(module, through))
    return None


def _behind(
    modules: Modules, module: Module, imported: Imported, rest: Sequence[str]
) -> tuple[Module, tuple[str, ...]] | None:
    """The module of the project in which an import inside some code looks up a name, and the name."""
    place = modules.find(imported, module)
    chain = (imported.name, *rest) if imported.name is not None else tuple(rest)
    while place is not None and chain:
        if chain[0] in place.bindings or place.stars:
            return place, chain
        place, chain = modules.child(place, chain[0]), chain[1:]
    return None


def _is_imported(module: Module, name: str) -> bool:
    bound = module.bindings.get(name)
    return bool(module.stars) if bound is None else bool(bound.imports)


def _extended(meaning: Meaning, rest: Sequence[str]) -> Meaning:
    if isinstance(meaning, Foreign):
        return Foreign(".".join((meaning.name, *rest)))
    return Own(meaning.module, meaning.name, (*meaning.rest, *rest))


def _said(meaning: Meaning) -> str:
    if isinstance(meaning, Foreign):
        return meaning.name
    return meaning.module.name if meaning.name is None else f"{meaning.module.name}:{meaning.name}"


def _place(module: Module, through: Sequence[tuple[Module, str]]) -> str:
    """Where the last import on the way stands, which says what is brought; the others pass it on."""
    if not through:
        return module.file
    last, name = through[-1]
    return last.place(last.bindings[name].importing[-1])
