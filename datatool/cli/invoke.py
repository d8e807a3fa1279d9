"""Run one command: have its words parsed, call it, and turn whatever it raises into an exit code."""

from __future__ import annotations

import sys
from importlib import import_module

from datatool.cli.command import Command
from datatool.cli.failures import (
    INTERRUPTED,
    TERMINATED,
    exit_code,
    print_error,
    trace,
    translate,
    wants_json,
)
from datatool.cli.session import Session
from datatool.cli.table import Row
from datatool.errors import DatatoolError
from datatool.interruption import Terminated, check, noted, raised_by_signals

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
    plain = bool(words and spec.words) and not any(word.startswith("-") for word in words)
    if (words or spec.needs_words) and not plain:
        # Door 2 goes on: typer is only loaded where there is something to parse.
        code: int = import_module("datatool.cli.parsing").run(name, spec, words, sessions.append)
        return code
    session = Session(command=name)
    sessions.append(session)
    return spec.function(session, **({spec.words: words} if plain else {}))


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
