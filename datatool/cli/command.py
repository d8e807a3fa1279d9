"""What a command is here: a typed function and its examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct


class Command(Struct, frozen=True, kw_only=True):
    """A command: `function` takes the session and what its own annotations declare to typer, and returns an exit code.

    `nothing` is the JSON document of a run that was refused before it did anything.
    """

    function: Callable[..., int]
    examples: tuple[str, ...]
    nothing: Mapping[str, object] | None = None
    splits_dashes: bool = False
    """Whether words after `--` are kept apart from those before it."""
    rest: str = ""
    """How the usage ends, where that is no option or argument."""


def command(
    *examples: str, nothing: Mapping[str, object] | None = None, splits_dashes: bool = False, rest: str = ""
) -> Callable[[Callable[..., int]], Command]:
    """Make a function a command; its docstring is the help text.

    ::

        @command("datatool cache dir")
        def dir_(session: Session) -> int: ...
    """

    def made(function: Callable[..., int]) -> Command:
        return Command(function=function, examples=examples, nothing=nothing, splits_dashes=splits_dashes, rest=rest)

    return made
