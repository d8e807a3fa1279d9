"""A command's parser: what its function declares and the options that all commands share, built by typer."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, get_args, get_origin

import typer
from typer.core import TyperCommand
from typer.main import get_command

from datatool.cli.command import Command
from datatool.cli.declare import Argument, BadValue, Option
from datatool.cli.help_text import describe, text_of
from datatool.cli.session import Session
from datatool.cli.table import GLOBAL_OPTIONS, HELP_FLAGS, GlobalOption
from datatool.errors import LocalError, NotFoundError

_PREFIX = "shared_"
_CHECK = "check the path: it is taken from the current directory"


class Parser(TyperCommand):
    """A command as typer parses it, with our own help."""

    spec: Command

    def get_help(self, ctx: object) -> str:
        """What `--help` prints."""
        return text_of(describe(self.name or "", self.spec, self.params)).rstrip()


def build(
    name: str, spec: Command, opened: Callable[[Session], None], words_after_dashes: Sequence[str] = ()
) -> Parser:
    """The parser for one command, shared options included; `opened` hears of the session once words are parsed."""
    own = list(inspect.signature(spec.function, eval_str=True).parameters.values())[1:]
    parameters = [
        *(
            parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=_annotation(parameter.annotation))
            for parameter in own
        ),
        *map(_parameter, GLOBAL_OPTIONS),
    ]

    def run(**values: Any) -> int:
        shared = {key.removeprefix(_PREFIX): values.pop(key) for key in list(values) if key.startswith(_PREFIX)}
        session = Session(
            command=name,
            words_after_dashes=words_after_dashes,
            quiet=shared["quiet"],
            verbose=shared["verbose"],
            as_json=shared["json"],
            show_progress=not shared["no_progress"],
            offline=shared["offline"],
        )
        opened(session)
        with working_in(shared["directory"] or ()):
            return spec.function(session, **values)

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    run.__doc__ = spec.function.__doc__
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(name, cls=Parser, context_settings={"help_option_names": list(HELP_FLAGS)})(run)
    built = get_command(app)
    assert isinstance(built, Parser)
    built.spec = spec
    return built


@contextmanager
def working_in(directories: Sequence[str]) -> Iterator[None]:
    """Change into each directory in turn, as git's `-C` does, and back at the end."""
    if not directories:
        yield
        return
    before = os.getcwd()
    try:
        for directory in directories:
            try:
                os.chdir(directory)
            except FileNotFoundError as error:
                raise NotFoundError(f"{directory}: no such directory", hint=_CHECK, path=directory) from error
            except NotADirectoryError as error:
                raise NotFoundError(f"{directory}: not a directory", hint=_CHECK, path=directory) from error
            except OSError as error:
                raise LocalError(f"{directory}: {(error.strerror or 'not usable').lower()}", path=directory) from error
        yield
    finally:
        os.chdir(before)


def _annotation(annotation: Any) -> Any:
    """A parameter's annotation with typer's classes in place of what is declared there."""
    if get_origin(annotation) is not Annotated:
        return annotation
    kind, *declared = get_args(annotation)
    (one,) = declared
    if isinstance(one, Argument):
        return Annotated[kind, typer.Argument(metavar=one.metavar, help=one.help)]
    assert isinstance(one, Option)
    callback = _callback(one.check) if one.check is not None else None
    return Annotated[kind, typer.Option(*one.flags, metavar=one.metavar, help=one.help, min=one.min, callback=callback)]


def _callback(check: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def checked(value: Any) -> Any:
        try:
            return check(value)
        except BadValue as error:
            raise typer.BadParameter(str(error)) from error

    return checked


def _parameter(option: GlobalOption) -> inspect.Parameter:
    annotation: Any
    if option.metavar:
        annotation = Annotated[list[str] | None, typer.Option(*option.flags, metavar=option.metavar, help=option.help)]
        default: Any = None
    elif option.name == "verbose":
        annotation = Annotated[int, typer.Option(*option.flags, count=True, help=option.help)]
        default = 0
    else:
        annotation = Annotated[bool, typer.Option(*option.flags, help=option.help)]
        default = False
    return inspect.Parameter(
        _PREFIX + option.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )
