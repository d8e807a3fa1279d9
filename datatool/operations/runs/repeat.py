"""Repeating a run from its record: as what command, and why some can't be."""

from __future__ import annotations

import os
import shlex
import sys

from msgspec.structs import replace

from datatool.errors import CommandFailed, DatatoolError, PathNotFound
from datatool.model.paths import named, show
from datatool.model.run import STDIN, RunKind, RunRecord
from datatool.operations.runs.code import functions_of
from datatool.operations.runs.command import Command, fingerprint_of
from datatool.operations.runs.inputs import file_now, unlike_now
from datatool.project.project import Project
from datatool.stages.secrets import HIDDEN


def command_of_record(project: Project, record: RunRecord) -> Command:
    """What to run to repeat a run, which only its user can where there is a `refusal`."""
    command = Command(
        words=record.command or (),
        directory=project.root / (record.directory or ""),
        inputs=tuple(file.path for file in record.inputs if not file.noted),
        outputs=tuple(file.path for file in record.outputs if not file.noted),
        parameters=record.parameters,
        name=record.name,
        secrets=record.secrets,
    )
    entry = record.code.entry
    if record.kind is RunKind.SCRIPT and entry is not None:
        program = command.words if _is_module(record) else (os.fspath(project.root / entry), *command.words[1:])
        command = replace(command, words=(sys.executable, *program), script=entry)
    made = ", ".join(named(path) for path in command.outputs)
    return replace(command, announcement=f"{shown(record)} for {made}" if made else shown(record))


def refusal(project: Project, record: RunRecord) -> DatatoolError | None:
    """Why a run can't be executed from its record, if so."""
    if not _is_program(record):
        return _no_command(record)
    if HIDDEN in repr(record.command) or HIDDEN in repr(record.parameters):
        return CommandFailed(
            f"{shown(record)}: held a secret, which is not in its record, so it can't be run from there",
            hint=f"run it by hand, with the secret in place of {HIDDEN}: {_typed(record)}",
        )
    entry = record.code.entry if record.kind is RunKind.SCRIPT else None
    if entry is not None and not (project.root / entry).is_file():
        return PathNotFound(
            f"{show(entry)}: is not here any more",
            hint=f"git log -- {named(os.fsencode(entry))} shows when it went; check out a commit that has it",
            path=entry,
        )
    return None


def fingerprint_now(project: Project, record: RunRecord) -> str | None:
    """What determines a run's outputs, hashed as it is now; None where what it reads was changed and is not recorded,
    or where it is no command that could be repeated and something has changed. Raises PathNotFound, Refused."""
    if _is_program(record):
        command = command_of_record(project, record)
        inputs = [file_now(project, path) for path in command.inputs]
        return None if unlike_now(project, inputs) else fingerprint_of(project, command, inputs)
    if record.kind is RunKind.STAGE:
        return None  # its result is no file of the workspace, and its own cache knows when it holds
    entry = record.code.entry
    same_code = entry is None or functions_of(project, entry) == record.code.functions
    return record.fingerprint if same_code and not unlike_now(project, record.inputs) else None


def _is_program(record: RunRecord) -> bool:
    """Whether it was started by words that can be said again."""
    if record.kind is RunKind.SCRIPT:
        return record.code.entry is not None
    return record.kind is RunKind.COMMAND and bool(record.command)


def _no_command(record: RunRecord) -> CommandFailed:
    if record.kind is RunKind.SCRIPT and "-c" in record.code.functions:
        return CommandFailed(
            "-c: was started with python -c, of which only the hash is recorded",
            hint="run it again by hand; a program in a file of the project can be repeated",
        )
    what = {
        RunKind.NOTEBOOK: "is a notebook, which no command runs again",
        RunKind.BLOCK: "is a block of a program, which no command runs again",
        RunKind.STAGE: "is a stage, which no command runs again",
    }.get(record.kind, "is no program in a file of this project")
    return CommandFailed(f"{_called(record)}: {what}; nothing was run", hint=_by_hand(record))


def _called(record: RunRecord) -> str:
    """What its user calls a run that no command repeats: its file, where one is known."""
    return show(record.name if record.kind is RunKind.BLOCK else record.code.entry or record.name)


def _by_hand(record: RunRecord) -> str:
    entry = show(record.code.entry or record.name)
    if record.kind is RunKind.NOTEBOOK:
        return f"open {entry if record.code.entry or record.name != 'notebook' else 'it'} and run all its cells"
    if record.kind is RunKind.SCRIPT and record.name == STDIN:
        return "give python the same program on its standard input again; in a file of the project it could be repeated"
    if record.kind is RunKind.STAGE:
        return f"call the stage {show(record.name)} again, from Python"
    if record.kind is RunKind.SCRIPT:
        return f"run {entry} again by hand: it is no file of this project"
    if record.code.entry is not None:
        return f"run {entry} again, which is where the block is"
    cells = any(name.startswith("In[") for name in record.code.functions)
    return f"run the {'notebook' if cells else 'program'} again that has the block"


def shown(record: RunRecord) -> str:
    """The words of the command or script that ran, or what else a person calls it."""
    if not record.command or record.kind is RunKind.BLOCK:
        return show(record.name)
    return show(shlex.join(("python", *record.command) if _is_module(record) else record.command))


def _typed(record: RunRecord) -> str:
    """How a user runs it, in the project's top directory."""
    typed = shown(record) if _is_module(record) else f"datatool run … -- {shown(record)}"
    if record.kind is RunKind.SCRIPT and not _is_module(record):
        entry = os.path.relpath(record.code.entry or record.name, record.directory or os.curdir)
        typed = f"python {show(shlex.join([entry, *(record.command or ())[1:]]))}"
    return f"cd {show(shlex.quote(record.directory))} && {typed}" if record.directory else typed


def _is_module(record: RunRecord) -> bool:
    """Whether a program was started with `python -m`."""
    return record.kind is RunKind.SCRIPT and record.command is not None and record.command[:1] == ("-m",)
