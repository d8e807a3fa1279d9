"""A run: one execution, what it saw and what it made. Written once, never changed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from datatool.model.oid import ObjectId
from datatool.model.pointer import ArtifactKind, Pointer
from datatool.model.stage import StageResult

STDIN = "stdin"
"""The name of a program that Python read from its standard input."""


class RunKind(StrEnum):
    """What was executed."""

    SCRIPT = "script"
    """A Python program that called `track()`."""
    NOTEBOOK = "notebook"
    BLOCK = "block"
    """The block of a `with datatool.run(...)`."""
    COMMAND = "command"
    """`datatool run -- command`."""
    STAGE = "stage"
    """A function marked `@stage`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFile:
    """An artifact, or something inside one, or a file of git's, as a run read or wrote it: path from the project's top,
    size in bytes. `noted`: nobody named it on the command's line, `track()` told of it while the command ran."""

    path: bytes
    kind: ArtifactKind
    oid: ObjectId
    size: int
    files: int | None = None
    executable: bool = False
    noted: bool = False

    @property
    def pointer(self) -> Pointer:
        """The version that it is, as a pointer names it."""
        return Pointer(kind=self.kind, oid=self.oid, size=self.size, files=self.files, executable=self.executable)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunCode:
    """The code that ran: the commit of the project, a hash of what differed from it (None if nothing did), the script
    or notebook (from the project's top), and the project's functions and classes that it reaches, each with a hash of
    its syntax tree."""

    commit: str | None = None
    diff: str | None = None
    entry: str | None = None
    functions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunEnvironment:
    """Where it ran: the version of Python and those of the packages that were imported."""

    python: str
    platform: str
    packages: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRecord:
    """One execution. `fingerprint` is the hash of all that determines the outputs; `started` is UTC (ISO 8601, whole
    seconds), `duration` in seconds; `command` is what was run, `directory` where (from the project's top; None outside
    of it, and in records of programs from before it was noted). `parameters` and `metrics` are JSON values;
    `noted_parameters` are those that blocks in a command's programs had; `secrets` is the seal of what is hidden in
    words and parameters (64 hex digits), which only the machine that ran it can make. `stage` is what only the run of a
    stage has; its one output is the result, whose path is a name and no place in the workspace. `around` is what the
    same program had read besides `inputs` when this ended, in other blocks and processes, but for `more_around` files.
    `more` keeps what a later version wrote."""

    fingerprint: str
    project: str
    kind: RunKind
    name: str
    code: RunCode
    inputs: tuple[RunFile, ...]
    outputs: tuple[RunFile, ...]
    parameters: Mapping[str, object]
    metrics: Mapping[str, object]
    started: str
    duration: float
    host: str
    user: str
    environment: RunEnvironment
    command: tuple[str, ...] | None = None
    directory: str | None = None
    noted_parameters: Mapping[str, object] = field(default_factory=dict)
    secrets: str | None = None
    stage: StageResult | None = None
    around: tuple[RunFile, ...] = ()
    more_around: int = 0
    more: Mapping[str, object] = field(default_factory=dict)

    @property
    def read(self) -> tuple[RunFile, ...]:
        """All that its outputs may come of, as far as it is named."""
        return (*self.inputs, *self.around)

    @property
    def ended(self) -> float:
        """When it ended, in seconds since 1970; for ever in the future where it does not say."""
        with suppress(ValueError, OverflowError):
            return datetime.fromisoformat(self.started).timestamp() + self.duration
        return math.inf
