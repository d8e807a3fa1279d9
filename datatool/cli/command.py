"""What a command is here: a typed function and its examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import FunctionType

from msgspec import Struct


class Command(Struct, frozen=True, kw_only=True):
    """A command: `function` takes the session and what is declared beside its parameters, and returns an exit code.

    `nothing` is the JSON document of a run that was refused before it did anything.
    """

    function: Callable[..., int]
    examples: tuple[str, ...]
    nothing: Mapping[str, object] | None = None
    splits_dashes: bool = False
    """Whether words after `--` are kept apart from those before it."""
    rest: str = ""
    """How the usage ends, where that is no option or argument."""
    words: str = ""
    """The parameter that takes all words, where none of them is an option; "" for a command of another kind."""

    @property
    def needs_words(self) -> bool:
        """Whether there is something that must be said: a parameter without a default."""
        function = self.function
        assert isinstance(function, FunctionType)
        defaults = len(function.__defaults__ or ()) + len(function.__kwdefaults__ or ())
        return 1 + defaults < function.__code__.co_argcount + function.__code__.co_kwonlyargcount


def command(
    *examples: str,
    nothing: Mapping[str, object] | None = None,
    splits_dashes: bool = False,
    rest: str = "",
    words: str = "",
) -> Callable[[Callable[..., int]], Command]:
    """Make a function a command; its docstring is the help text.

    ::

        @command("datatool cache dir")
        def dir_(session: Session) -> int: ...
    """

    def made(function: Callable[..., int]) -> Command:
        return Command(
            function=function,
            examples=examples,
            nothing=nothing,
            splits_dashes=splits_dashes,
            rest=rest,
            words=words,
        )

    return made
