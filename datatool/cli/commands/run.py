"""`datatool run`: run a command, and record what it read and made."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from datatool.cli.command import command
from datatool.cli.declare import Option
from datatool.cli.session import Session
from datatool.errors import UsageError
from datatool.model.figures import counted, human_size
from datatool.operations.open_project import open_project
from datatool.operations.run_command import Action, RunResult, Surroundings, run_command
from datatool.operations.runs.command import command_of

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


@command(
    "datatool run -d data/raw -o data/clean -- python clean.py",
    "datatool run -d data/clean -o model.bin -p lr=0.1 -- sh -c 'python train.py --lr $DATATOOL_PARAM_lr'",
    "datatool run --force -o report.html -- make report.html",
    splits_dashes=True,
    rest="-- COMMAND…",
)
def run(
    session: Session,
    inputs: Annotated[
        list[str] | None, Option("-d", "--input", metavar="IN", help="What it reads; repeat for more")
    ] = None,
    outputs: Annotated[
        list[str] | None, Option("-o", "--output", metavar="OUT", help="What it writes; repeat for more")
    ] = None,
    parameters: Annotated[
        list[str] | None,
        Option("-p", "--param", metavar="K=V", help="A parameter: $DATATOOL_PARAM_K for it; repeat for more"),
    ] = None,
    name: Annotated[str | None, Option("--name", metavar="NAME", help="What to call the run")] = None,
    force: Annotated[
        bool,
        Option("--force", help="Run it even if nothing has changed; unsaved outputs go to lost+found first"),
    ] = False,
) -> int:
    """Run a command, and record what it read and made.

    What stands behind -- is run as it is, here, with its input and output passed through. Its outputs become artifacts
    whose pointers name the run's record. If nothing that determines them has changed since an earlier run - inputs,
    words, parameters, the project's files that the words name, and what Python files among them import - they are
    brought back instead, from the cache or a remote.

    Inputs that git tracks count by their content; others are added, and recorded anew where they changed. Outputs are
    removed before the command runs. If it fails, they are as before, and nothing is recorded.
    """
    given = _parameters(parameters)
    with open_project(None, flags=session.flags, environ=session.environ) as project:
        asked = command_of(
            project,
            session.words_after_dashes,
            cwd=session.cwd,
            inputs=inputs or (),
            outputs=outputs or (),
            parameters=given,
            name=name,
        )
        sys.stdout.flush()
        around = Surroundings(environ=session.environ, stdout=2 if session.as_json else None, offline=session.offline)
        result = run_command(project, asked, around, force=force, progress=session.progress)
        root = project.root
    if not session.as_json:
        session.say(run_lines(session, root, result))
        return 0
    return session.finish(result, list)


def _parameters(words: list[str] | None) -> dict[str, object]:
    """`K=V` words; a value that JSON reads as a number or a switch is one."""
    found: dict[str, object] = {}
    for word in words or ():
        name, equals, value = word.partition("=")
        if not equals or not _NAME.fullmatch(name):
            raise UsageError("-p: not NAME=VALUE", hint="such as -p lr=0.1; a name has letters, digits, _, . and -")
        if name in found:
            raise UsageError(f"-p {name}: is given twice")
        found[name] = _value(value)
    return found


def _value(text: str) -> object:
    try:
        value = json.loads(text, parse_constant=lambda _: text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, int | float | bool) and str(value) in (text, text.capitalize()) else text


def run_lines(session: Session, root: Path, result: RunResult) -> Iterator[str]:
    """A run as text: what became of it, then its outputs."""
    when = f"run {result.run[:12]} of {result.started}"
    if result.action is Action.EXECUTED:
        yield f"recorded  run {result.run[:12]}, {result.duration:.1f} s"
    else:
        yield f"{result.action}  nothing it depends on has changed since {when}; --force runs it all the same"
    for file in result.outputs:
        directory = file.kind == "directory"
        path = session.see(root, file.path.decode("utf-8", "surrogateescape"), directory=directory)
        figures = [counted(file.files, "file")] if directory and file.files is not None else []
        figures.append(human_size(file.size))
        news = "new" if result.action is Action.EXECUTED else "back"
        yield f"{news if file.path in result.changed else 'same'}  {path}  {', '.join(figures)}"
