"""Subclasses that count with the class above them: they register when they are made, or code asks for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from datatool.stages.definitions import Definition
from datatool.stages.namespaces import Namespaces

_REGISTERING = "__init_subclass__"


def counted_with_subclasses(
    definitions: Sequence[Definition], namespaces: Namespaces
) -> Iterator[tuple[Definition, type]]:
    """The classes among some definitions whose subclasses count: those that say what happens when one is made, by
    `__init_subclass__` or a metaclass of the project, and all if any of the code asks for `__subclasses__`."""
    found = [(item, made) for item in definitions if (made := namespaces.made_class(item)) is not None]
    known = {made for _, made in found}
    names = {item.name for item in definitions}
    everywhere = any(item.asks_below for item in definitions)
    for item, made in found:
        if everywhere or f"{item.name}.{_REGISTERING}" in names or type(made) in known:
            yield item, made


def below(made: type) -> list[type]:
    """All subclasses of a class that are in memory, and theirs."""
    found: dict[type, None] = {}
    pending = [made]
    while pending:
        direct: list[type] = type.__subclasses__(pending.pop())
        for inner in direct:
            if inner not in found:
                found[inner] = None
                pending.append(inner)
    return list(found)
