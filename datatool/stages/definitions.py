"""Pieces of code that something reaches: what each is, where it stands, and the hash of what it says."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

from datatool.stages.brought import Brought
from datatool.stages.modules import Module
from datatool.stages.scopes import Import, Reference
from datatool.stages.values import value_digest

IMPORTED = " import"
"""Ends the name of what an import brings, as something else may be bound to the same name."""


class Kind(StrEnum):
    """What a piece of code is."""

    FUNCTION = "function"
    CLASS = "class"
    """A class without its methods, each of which is a function of its own."""
    CONSTANT = "constant"
    """The statements that bind a name at the top of a module."""
    IMPORT = "import"
    """What a name means that a module imports."""
    MODULE = "module"
    """What runs when a module is loaded: its top without functions and classes."""


class Definition(Struct, frozen=True, kw_only=True):
    """A piece of code that is reached: `name` as `pkg.mod:Class.method`, or the module's name for its own code."""

    name: str
    kind: Kind
    module: Module
    nodes: tuple[ast.AST, ...]
    without: frozenset[int] = frozenset()
    """The `id` of nodes that count by themselves."""
    hidden: frozenset[str] = frozenset()
    """Names that mean something else here than in the module."""
    brought: Brought | None = None
    """What an import brings."""

    @property
    def top_name(self) -> str:
        """The name at the top of its module that it belongs to."""
        return self.name.rpartition(":")[2].partition(" ")[0].partition(".")[0]

    @property
    def digest(self) -> str:
        """SHA-256 of what it says, 64 hex digits."""
        if self.brought is not None:
            return value_digest(self.brought.says) or ""
        return self.module.piece(self.nodes, self.without).digest

    @property
    def references(self) -> Sequence[Reference | Import]:
        """What it refers to."""
        return self.module.piece(self.nodes, self.without).references

    @property
    def asks_below(self) -> bool:
        """Whether it asks a class for its subclasses."""
        return self.module.piece(self.nodes, self.without).asks_below

    @property
    def place(self) -> str:
        """Where it begins, in words."""
        if self.brought is not None:
            return self.brought.place
        return self.module.place(self.nodes[0]) if self.nodes else self.module.file


class Reached(Struct, frozen=True, kw_only=True):
    """What some code reaches. `packages` are the top modules of what is installed, without Python's own; `warnings`
    tell what could not be followed, with file and line."""

    definitions: tuple[Definition, ...]
    packages: tuple[str, ...]
    warnings: tuple[str, ...]
