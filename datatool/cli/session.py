"""One run of the command line: what was asked of all commands alike, and how results and failures leave."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from datatool.cli.failures import exit_code, print_error
from datatool.cli.output import write_result
from datatool.cli.reporter import Mode, Reporter
from datatool.cli.screen import at_terminal, coloured, seen_from, wants_colour
from datatool.errors import DatatoolError
from datatool.operations.failures import Failure, worst
from datatool.operations.reach import offline_by
from datatool.operations.result import Result

SCHEMA = 1
"""The version of every JSON document's shape."""


class Session:
    """What the shared options and the environment say, for one command; `close` it before the process ends."""

    def __init__(
        self,
        *,
        command: str,
        words_after_dashes: Sequence[str] = (),
        quiet: bool = False,
        verbose: int = 0,
        as_json: bool = False,
        show_progress: bool = True,
        offline: bool = False,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.command = command
        self.words_after_dashes = tuple(words_after_dashes)
        self.quiet = quiet
        self.verbose = verbose
        self.as_json = as_json
        self.environ = os.environ if environ is None else environ
        self.offline = offline or offline_by(self.environ)
        self.colour = not as_json and wants_colour(sys.stdout, self.environ)
        self._error_colour = not as_json and wants_colour(sys.stderr, self.environ)
        self._emitted = False
        if quiet or as_json or not show_progress:
            mode = Mode.NONE
        else:
            mode = Mode.BARS if at_terminal(sys.stderr, self.environ) else Mode.LINES
        self.progress = Reporter(mode, sys.stderr, hints=not quiet, colour=self._error_colour)

    @property
    def cwd(self) -> Path:
        """The directory that paths on the command line are relative to."""
        return Path.cwd()

    @property
    def flags(self) -> dict[str, str]:
        """Settings that the command line gives for this one run, by their configuration keys."""
        return {"offline": "true"} if self.offline else {}

    def see(self, root: Path, path: str, *, directory: bool = False) -> str:
        """A path of the project at `root` as the user would type it here."""
        return seen_from(self.cwd, root, path, directory=directory)

    def paint(self, text: str, colour: str) -> str:
        """Text for stdout, in a colour where stdout shows colours."""
        return coloured(text, colour, wanted=self.colour)

    def finish(
        self,
        result: Result | Mapping[str, object],
        lines: Callable[[], Iterable[str]],
        *,
        chatter: bool = False,
    ) -> int:
        """Print the result (or a document) in the form asked for, then what failed; return the exit code.

        `lines` is only called where text is wanted; `chatter` marks text that `-q` drops, because it only confirms.
        """
        failures = result.problems if isinstance(result, Result) else ()
        error = worst(failures, finished=isinstance(result, Result) and result.finished)
        self.progress.close()
        if error and not self.as_json:
            self._explain(failures)
        if self.as_json:
            code = self.emit(result.to_dict() if isinstance(result, Result) else result)
        else:
            code = self._print(lines, chatter=chatter and not failures)
        if not error:
            return code
        if self.as_json:
            print_error(error, None, as_json=True)
        return exit_code(error)

    def emit(self, document: Mapping[str, object]) -> int:
        """Print the JSON document, once; file names that are no UTF-8 appear as lone surrogates."""
        if self._emitted:
            return 0
        self._emitted = True
        return write_result(json.dumps({"schema": SCHEMA, "command": self.command, **document}) + "\n")

    def say(self, lines: Iterable[str]) -> None:
        """Print lines on stderr, unless `-q`: of a command whose stdout belongs to another program."""
        self.progress.close()
        if not self.quiet:
            sys.stderr.write("".join(f"{line}\n" for line in lines))

    def close(self) -> None:
        """End the progress display."""
        self.progress.close()

    def report(self, error: DatatoolError) -> None:
        """Print `error: …` and `hint: …` on stderr."""
        self.progress.write("error", error.message, "red")
        if error.hint:
            self.progress.write("hint", error.hint, "cyan")

    def _explain(self, failures: Iterable[Failure]) -> None:
        told = set()
        for failure in failures:
            if (failure.message, failure.hint) not in told:
                told.add((failure.message, failure.hint))
                self.report(failure.error)

    def _print(self, lines: Callable[[], Iterable[str]], *, chatter: bool) -> int:
        if chatter and self.quiet:
            return 0
        return write_result("".join(f"{line}\n" for line in lines()))
