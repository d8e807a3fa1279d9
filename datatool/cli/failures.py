"""From exceptions to exit codes, to `error:` and `hint:` lines and to the error object of `--json`."""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import sys
import traceback
from collections.abc import Iterable, Mapping, Sequence

from datatool.cli.screen import several_lines
from datatool.cli.table import GLOBAL_OPTIONS
from datatool.errors import (
    DamageFound,
    DatatoolError,
    LocalError,
    NotFoundError,
    PartlyDone,
    Refused,
    RemoteError,
    UsageError,
    other_notes,
)
from datatool.model.paths import show
from datatool.operations.failures import code_of

FAILED = 1

EXIT_CODES: Mapping[type[BaseException], int] = {
    UsageError: 2,
    NotFoundError: 3,
    PartlyDone: 4,
    DamageFound: 5,
    RemoteError: 6,
    Refused: 7,
    DatatoolError: FAILED,
}
"""The one table: an exception has the code of its nearest class here (cli.md, "Exit codes")."""

INTERRUPTED = 130
TERMINATED = 143


def exit_code(error: BaseException) -> int:
    """The exit code for an error.

    >>> exit_code(Refused("x"))
    7
    """
    return next((EXIT_CODES[kind] for kind in type(error).__mro__ if kind in EXIT_CODES), FAILED)


def translate(error: Exception) -> tuple[DatatoolError, str]:
    """An error a person can read, with its code, for anything a command raised.

    What is no DatatoolError came past every layer that should have named it: the disk's refusals still say what they
    are about, all else is our own mistake and is called that.
    """
    if isinstance(error, DatatoolError):
        return error, code_of(error)
    if isinstance(error, OSError) and error.strerror:
        place = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
        return LocalError(f"{place}{error.strerror.lower()}", path=None), "local_error"
    if isinstance(error, MemoryError):
        return LocalError("not enough memory"), "local_error"
    about = str(error).splitlines()
    problem = DatatoolError(
        f"internal error: {type(error).__name__}{': ' + about[0] if about else ''}",
        hint="run it again with -vv and report what it prints",
    )
    return problem, "internal_error"


def error_fields(error: DatatoolError, code: str | None = None) -> dict[str, str | None]:
    """The four fields of an error in JSON."""
    return {"code": code or code_of(error), "message": error.message, "hint": error.hint, "path": error.path}


def error_object(error: DatatoolError, code: str | None = None) -> str:
    """The error object, one line, last of stderr."""
    return json.dumps({"error": error_fields(error, code)})


def trace(error: BaseException) -> str:
    """The traceback, for `-vv`; without the hint, as a line of its own follows with it."""
    told = traceback.TracebackException.from_exception(error)
    told.__notes__ = other_notes(error)
    return "".join(told.format())


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant; the dashes of options make no two of them alike.

    >>> nearest("stauts", ["add", "status"])
    'status'
    """
    bare = {name.lstrip("-"): name for name in known}
    found = difflib.get_close_matches(word.lstrip("-"), list(bare), n=1, cutoff=0.6)
    return bare[found[0]] if found else None


def unknown_command(word: str | None, argv: Sequence[str], family: str, known: Iterable[str]) -> int:
    """Report a command that does not exist (or none at all, for `word=None`); the exit code."""
    program = f"datatool {family}".strip()
    if word is None:
        error = UsageError("no command was given", hint=f"{program} --help lists them")
    elif word.startswith("-"):
        meant = nearest(word, [flag for option in GLOBAL_OPTIONS for flag in option.flags] + ["--help", "--version"])
        guess = f"did you mean {meant}? " if meant else ""
        error = UsageError(f"no option {word} before the command", hint=f"{guess}{program} --help lists the options")
    else:
        meant = nearest(word, known)
        guess = f"did you mean {program} {meant}? " if meant else ""
        error = UsageError(f"no command {family} {word}".replace("  ", " "), hint=f"{guess}{program} --help lists them")
    print_error(error, None, as_json=wants_json(argv))
    return exit_code(error)


def wants_json(words: Sequence[str]) -> bool:
    """Whether `--json` stands among the options, for errors that come before the options are parsed."""
    options = words[: words.index("--")] if "--" in words else words
    return "--json" in options


def print_error(error: DatatoolError, code: str | None, *, as_json: bool) -> None:
    """Put an error on stderr, in the form that was asked for."""
    if as_json:
        text = error_object(error, code) + "\n"
    else:
        text = f"error: {show(error.message)}\n" + (f"hint: {several_lines(error.hint)}\n" if error.hint else "")
    with contextlib.suppress(OSError):  # nobody reads stderr: the exit code still tells
        sys.stderr.write(text)
        sys.stderr.flush()
