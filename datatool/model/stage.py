"""A stage: a function whose results are remembered; all that determines one of them, fact by fact."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class FactKind(StrEnum):
    """What a fact is about."""

    FUNCTION = "function"
    """A function of the project, by its code."""
    CLASS = "class"
    CONSTANT = "constant"
    """A name at the top of a module, by the statements that bind it."""
    VALUE = "value"
    """The same, by its value."""
    IMPORT = "import"
    """What a name means that a module imports."""
    CLOSURE = "closure"
    """A variable of a function around it."""
    DEFAULT = "default"
    """What an argument is where nobody gives it."""
    ARGUMENT = "argument"
    INPUT = "input"
    """A file or directory, by its content."""
    RESULT = "result"
    """What another stage made, by its content."""
    PACKAGE = "package"
    """An installed package, by its version."""
    VERSION = "version"
    """The version that the stage declares."""
    FORMAT = "format"
    """The format that the stage declares."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    """One thing that counts: `digest` (64 hex digits) says what it is. The rest is for people, and counts for nothing:
    `shown` is it in short, without secrets; `where` it is written; `lines` a short hash of each line of code, in
    order."""

    kind: FactKind
    name: str
    digest: str
    shown: str = ""
    where: str = ""
    lines: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """What it is about."""
        return self.kind.value, self.name


@dataclass(frozen=True, kw_only=True, slots=True)
class StageResult:
    """What the record of a stage says besides other records: the format of the result, whose kind of value it was, and
    the facts that determined it. `share` says that it may go to remotes; `seal` is that of the machine which made a
    pickle, and nobody else reads it."""

    format: str
    library: str
    facts: tuple[Fact, ...] = field(default=())
    share: bool = False
    seal: str | None = None
