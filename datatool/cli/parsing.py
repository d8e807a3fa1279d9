"""Parse a command's words with typer, call it, and say of words that make no sense what was meant."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import typer

from datatool.cli.command import Command
from datatool.cli.failures import nearest
from datatool.cli.parser import Parser, build
from datatool.cli.session import Session
from datatool.errors import UsageError

# typer ≤ 0.25 imports click, later ones carry a copy: the class of parse errors is reached through the one public name
# that both have.
_PARSE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]


def run(name: str, spec: Command, words: list[str], opened: Callable[[Session], None]) -> int:
    """Parse the words of the command `name` (shared options among them) and call it; its exit code.

    `opened` hears of the session once words are parsed. Raises UsageError, and whatever the command raises.
    """
    after: list[str] = []
    if spec.splits_dashes and "--" in words:
        cut = words.index("--")
        words, after = words[:cut], words[cut + 1 :]
    parser = build(name, spec, opened, after)
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
    if name == "run" and "--" not in words and "extra argument" in str(error):
        return UsageError(
            "the command to run does not stand behind --", hint="datatool run -d IN -o OUT -- COMMAND [ARGUMENT…]"
        )
    text: str = getattr(error, "format_message", error.__str__)()
    return UsageError(text[:1].lower() + text[1:].rstrip("."), hint=help_hint)
