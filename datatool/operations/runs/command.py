"""A command as it is to be run, and what determines its outputs."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from datatool.errors import UsageError
from datatool.model.paths import show
from datatool.model.run import RunFile, RunKind
from datatool.operations.runs.code import functions_of
from datatool.operations.runs.execution import directory_in
from datatool.operations.targets import project_path
from datatool.project.project import Project
from datatool.stages.code_files import code_files
from datatool.stages.fingerprint import command_fingerprint, program_fingerprint
from datatool.stages.seal import seal_of_secrets
from datatool.stages.secrets import visible_values, visible_words
from datatool.workspace.pointers import owner


class Command(Struct, frozen=True, kw_only=True):
    """A command as it is to be run: its words, the directory, what it reads and writes (paths from the project's
    root), its parameters (JSON values)."""

    words: tuple[str, ...]
    directory: Path
    inputs: tuple[bytes, ...] = ()
    outputs: tuple[bytes, ...] = ()
    parameters: Mapping[str, object] | None = None
    name: str | None = None
    announcement: str | None = None
    """What is told when it begins, and not where its outputs are brought back."""
    script: str | None = None
    """A Python program that records itself, where this command is one run again: its path from the project's root. What
    it says that it read and wrote is what counts."""
    secrets: str | None = None
    """What tells its secrets from others, where it has some: see `datatool.stages.seal`."""

    @property
    def shown(self) -> tuple[str, ...]:
        """The words as a record has them: without secrets, and of a script without the Python that runs it."""
        return visible_words(self._said)

    @property
    def told(self) -> str:
        """The same as one text, which may be cut off."""
        return show(shlex.join(self.shown))[:100]

    def sealed(self, environ: Mapping[str, str]) -> Command:
        """The command with what tells its secrets from others; itself where it has none, or was sealed before. Raises
        FormatError for parameters that JSON has not."""
        if self.secrets is not None:
            return self
        parameters = self.parameters or {}
        real = {"command": self._said, "parameters": parameters}
        visible = {"command": self.shown, "parameters": visible_values(parameters)}
        return replace(self, secrets=seal_of_secrets(real, visible, environ))

    @property
    def _said(self) -> tuple[str, ...]:
        return self.words if self.script is None else (os.path.basename(self.words[1]), *self.words[2:])


def command_of(
    project: Project,
    words: Sequence[str],
    *,
    cwd: Path,
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    parameters: Mapping[str, object] | None = None,
    name: str | None = None,
) -> Command:
    """A command as the user typed it, in `cwd`. Raises UsageError, PathNotFound for a path outside the project."""
    if not words:
        raise UsageError("no command was given", hint="datatool run -d IN -o OUT -- COMMAND …")
    return Command(
        words=tuple(words),
        directory=cwd,
        inputs=tuple(sorted({project_path(project, path, cwd) for path in inputs})),
        outputs=tuple(sorted({project_path(project, path, cwd) for path in outputs})),
        parameters=parameters,
        name=name,
    )


def fingerprint_of(project: Project, command: Command, inputs: Sequence[RunFile]) -> str:
    """What determines a command's outputs, hashed. Raises FormatError for parameters that JSON has not."""
    if command.script is not None:
        return script_fingerprint(project, command, inputs)

    def is_code(path: bytes) -> bool:
        around = owner(project.root, path)
        return around is None and path not in command.outputs and path not in {file.path for file in inputs}

    return command_fingerprint(
        command=command.shown,
        directory=directory_in(project, command.directory) or "",
        parameters=visible_values(command.parameters or {}),
        inputs=inputs,
        outputs=command.outputs,
        code=code_files(command.words, directory=command.directory, root=project.root, counts=is_code),
        secrets=command.secrets,
    )


def script_fingerprint(project: Project, command: Command, inputs: Sequence[RunFile]) -> str:
    """What determines a script's outputs, hashed, as the script itself does when it ends."""
    assert command.script is not None
    return program_fingerprint(
        kind=RunKind.SCRIPT,
        entry=command.script,
        name=command.script,
        functions=functions_of(project, command.script),
        arguments=command.shown[1:],
        directory=directory_in(project, command.directory),
        parameters=visible_values(command.parameters or {}),
        inputs=inputs,
        secrets=command.secrets,
    )
