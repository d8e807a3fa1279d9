"""What a shell could complete the last word to: commands, options, artifacts, remotes, revisions, keys."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Any

from datatool.cli.invoke import load
from datatool.cli.main import split_globals
from datatool.cli.output import write_result
from datatool.cli.parser import build, working_in
from datatool.cli.table import COMMANDS, GLOBAL_OPTIONS, HELP_FLAGS, Family, Row
from datatool.errors import DatatoolError
from datatool.operations import suggest

Candidate = tuple[str, str]
"""A word and what it means."""

_VALUES: dict[str, Callable[[str, str], Iterable[str]]] = {
    "paths": suggest.target_names,
    "words": suggest.target_names,
    "path": suggest.target_names,
    "source": suggest.target_names,
    "stages": suggest.stage_names,
    "remote": lambda directory, prefix: suggest.remote_names(directory),
    "rev": lambda directory, prefix: suggest.revisions(directory),
    "key": lambda directory, prefix: suggest.config_keys(),
}
"""Where the values of a parameter come from, by its name in the command's function; files for all others."""


_OWN_REVISIONS = {"checkout", "fetch", "pull", "push"}
"""Commands whose revisions are this repository's."""


def complete(words: Sequence[str]) -> int:
    """Print a candidate a line for the last of `words`, with a tab and its meaning; the exit code."""
    *before, prefix = words or [""]
    shared, rest = split_globals(before)
    directories = [
        word[2:] or after for word, after in zip(shared, [*shared[1:], ""], strict=False) if word[:2] == "-C"
    ]
    try:
        with working_in(directories):
            found = _candidates(rest, prefix)
    except (DatatoolError, OSError):
        found = []  # outside a project, or in a broken one, there is nothing to suggest, and nobody to tell
    lines = (f"{word}\t{meaning}" if meaning else word for word, meaning in found if "\n" not in word)
    return write_result("".join(f"{line}\n" for line in lines))


def _candidates(words: list[str], prefix: str) -> list[Candidate]:
    if not words:
        if prefix.startswith("-"):
            return _starting([*_global_options(), ("--version", "Print the version")], prefix)
        return _starting([(name, item.summary) for name, item in COMMANDS.items()], prefix)
    name, rest = words[0], words[1:]
    item = COMMANDS.get(name)
    if isinstance(item, Family):
        _, rest = split_globals(rest)
        if not rest:
            members = [(member, row.summary) for member, row in item.members.items()]
            return _starting(_global_options() if prefix.startswith("-") else members, prefix)
        name, item, rest = f"{name} {rest[0]}", item.members.get(rest[0]), rest[1:]
    return _of_command(name, item, rest, prefix) if isinstance(item, Row) else []


def _of_command(name: str, row: Row, words: list[str], prefix: str) -> list[Candidate]:
    # click's classes for parameters differ between the versions of typer that we allow, hence `Any`.
    parameters: list[Any] = list(build(name, load(row), lambda session: None).params)
    options = {flag: one for one in parameters if one.param_type_name == "option" for flag in one.opts}
    arguments = [one for one in parameters if one.param_type_name == "argument"]
    position, waiting, dashes = 0, None, False
    for word in words:
        if waiting is not None:
            waiting = None
        elif word == "--" and not dashes:
            dashes = True
        elif word in options and not dashes:
            waiting = None if options[word].is_flag or options[word].count else options[word]
        elif dashes or not word.startswith("-"):
            position += 1
    if waiting is not None and waiting.name == "rev" and name not in _OWN_REVISIONS:
        return []
    if waiting is not None:
        return _values(waiting, prefix)
    if prefix.startswith("-") and not dashes:
        return _starting([(flag, one.help or "") for flag, one in options.items() if flag.startswith("--")], prefix)
    if not arguments or (position >= len(arguments) and arguments[-1].nargs != -1):
        return []
    return _values(arguments[min(position, len(arguments) - 1)], prefix)


def _values(parameter: Any, prefix: str) -> list[Candidate]:
    choices = getattr(parameter.type, "choices", None)
    if choices:
        names = [str(choice.value) if isinstance(choice, Enum) else str(choice) for choice in choices]
        return _starting([(name, "") for name in names], prefix)
    source = _VALUES.get(parameter.name)
    return _starting([(name, "") for name in source(os.curdir, prefix)], prefix) if source else []


def _global_options() -> list[Candidate]:
    listed = [(flag, option.help) for option in GLOBAL_OPTIONS for flag in option.flags]
    return [*listed, *((flag, "Show this help") for flag in HELP_FLAGS)]


def _starting(found: Iterable[Candidate], prefix: str) -> list[Candidate]:
    return sorted((word, meaning) for word, meaning in found if word.startswith(prefix))
