"""Run one command: parse its words with typer, call it, and turn whatever it raises into an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

import typer

from datatool.cli.command import Command
from datatool.cli.failures import (
    INTERRUPTED,
    TERMINATED,
    exit_code,
    nearest,
    print_error,
    trace,
    translate,
    wants_json,
)
from datatool.cli.parser import Parser, build
from datatool.cli.session import Session
from datatool.cli.table import Row
from datatool.errors import DatatoolError, UsageError
from datatool.interruption import Terminated, check, noted, raised_by_signals

# typer ≤ 0.25 imports click, later ones carry a copy: the class of parse errors is reached through the one public name
# that both have.
_PARSE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]

_REPORTED_WITH_DOCUMENT = frozenset({4, 5, 7})


def load(row: Row) -> Command:
    """The command behind a row of the table."""
    found = getattr(import_module(row.module), row.attribute)
    assert isinstance(found, Command)
    return found


def invoke(name: str, row: Row, words: list[str]) -> int:
    """Run the command `name` on its words (shared options among them); the exit code."""
    sessions: list[Session] = []
    spec: Command | None = None
    try:
        with raised_by_signals():
            spec = load(row)
            code = _run(name, spec, words, sessions)
            if code:
                check()  # what failed may have failed for the interruption
            return code
    except (KeyboardInterrupt, Terminated) as error:
        return _stopped(error, words, sessions)
    except Exception as error:  # noqa: BLE001 — the last stop before the user: beyond it there are only exit codes
        signalled = noted()  # an error of the clean-up may have taken the place of the signal's exception
        return _stopped(signalled, words, sessions) if signalled else _failed(error, spec, words, sessions)
    finally:
        for session in sessions:
            session.close()


def _run(name: str, spec: Command, words: list[str], sessions: list[Session]) -> int:
    after: list[str] = []
    if spec.splits_dashes and "--" in words:
        cut = words.index("--")
        words, after = words[:cut], words[cut + 1 :]
    parser = build(name, spec, sessions.append, after)
    try:
        with parser.make_context(f"datatool {name}", list(words)) as context:
            code = parser.invoke(context)
    except typer.Exit as error:
        return error.exit_code  # the help was printed
    except _PARSE_ERROR as error:
        raise _usage_error(name, parser, error, words) from error
    assert isinstance(code, int)
    return code


def _usage_error(name: str, parser: Parser, error: Exception, words: Sequence[str]) -> UsageError:
    help_hint = f"datatool {name} --help explains it"
    option = getattr(error, "option_name", None)
    if type(error).__name__ == "NoSuchOption" and isinstance(option, str):
        known = [flag for param in parser.params for flag in param.opts if flag.startswith("--")]
        led = next((word for word in words if word.startswith(option) and not word.startswith("--")), option)
        meant = nearest(led, [*known, "--help"])
        guess = f"did you mean {meant}? " if meant else ""
        if name == "run":
            where = "an option of the command that is run stands behind --: datatool run … -- COMMAND"
            return UsageError(f"no option {option}", hint=guess + where)
        if not option.startswith("--") and (len(led) > 2 or os.path.lexists(led)):
            return UsageError(f"no option {led}", hint=f"{guess}a name that begins with a dash: -- {led}, or ./{led}")
        return UsageError(f"no option {option}", hint=guess + help_hint)
    parameter = getattr(error, "param", None)
    if type(error).__name__ == "MissingParameter" and parameter is not None:
        return UsageError(f"{parameter.metavar or parameter.name} is missing", hint=help_hint)
    text: str = getattr(error, "format_message", error.__str__)()
    return UsageError(text[:1].lower() + text[1:].rstrip("."), hint=help_hint)


def _failed(error: Exception, spec: Command | None, words: list[str], sessions: list[Session]) -> int:
    problem, code_name = translate(error)
    session = sessions[0] if sessions else None
    as_json = session.as_json if session else wants_json(words)
    code = exit_code(problem)
    if session:
        session.close()
        if as_json and code in _REPORTED_WITH_DOCUMENT and spec and spec.nothing is not None:
            session.emit(spec.nothing)
    if (session and session.verbose > 1) or (not session and "-vv" in words):
        sys.stderr.write(trace(error))
    if session and not as_json:
        session.report(problem)
    else:
        print_error(problem, code_name, as_json=as_json)
    return code


def _stopped(error: BaseException, words: list[str], sessions: list[Session]) -> int:
    how, code = ("terminated", TERMINATED) if isinstance(error, Terminated) else ("interrupted", INTERRUPTED)
    for session in sessions:
        session.close()
    if any(session.verbose > 1 for session in sessions):
        sys.stderr.write(trace(error))
    problem = DatatoolError(how, hint="run the same command again to continue")
    print_error(problem, how, as_json=sessions[0].as_json if sessions else wants_json(words))
    return code
