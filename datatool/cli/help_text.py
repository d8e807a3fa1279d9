"""A command's help as a value, read from its parser; printed by `--help` and turned into the reference by scripts."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from datatool.cli.command import Command
from datatool.cli.root_help import columns, global_lines
from datatool.cli.table import GLOBAL_OPTIONS

_WIDTH = 100


class Page(Struct, frozen=True, kw_only=True):
    """What there is to say about a command; `arguments` and `options` are (spelling, meaning)."""

    name: str
    usage: str
    summary: str
    body: tuple[str, ...]
    arguments: tuple[tuple[str, str], ...]
    options: tuple[tuple[str, str], ...]
    examples: tuple[str, ...]


def describe(name: str, spec: Command, parameters: Sequence[Any]) -> Page:
    """The page for a command, from its parser's parameters.

    `Any`, because typer's classes for them differ between the versions we allow.
    """
    summary, _, rest = inspect.cleandoc(spec.function.__doc__ or "").partition("\n\n")
    shared = {flag for option in GLOBAL_OPTIONS for flag in option.flags}
    arguments = [one for one in parameters if one.param_type_name == "argument"]
    options = [one for one in parameters if one.param_type_name == "option" and not shared & set(one.opts)]
    words = ["datatool", name, "[OPTIONS]" if options else "", *(one.metavar for one in arguments), spec.rest]
    return Page(
        name=name,
        usage=" ".join(word for word in words if word),
        summary=summary.rstrip("."),
        body=tuple(" ".join(paragraph.split()) for paragraph in rest.split("\n\n") if paragraph.strip()),
        arguments=tuple((one.metavar, one.help or "") for one in arguments),
        options=tuple((_spelling(one), one.help or "") for one in options),
        examples=spec.examples,
    )


def text_of(page: Page) -> str:
    """The page as `--help` prints it."""
    parts = [f"Usage: {page.usage}\n\n{page.summary}\n"]
    parts += [f"\n{textwrap.fill(paragraph, _WIDTH)}\n" for paragraph in page.body]
    for title, rows in (("Arguments", page.arguments), ("Options", page.options)):
        if rows:
            parts.append(f"\n{title}:\n{columns(list(rows), width=24)}")
    parts.append(f"\nOptions of every command:\n{columns(global_lines(), width=24)}")
    if page.examples:
        parts.append("\nExamples:\n" + "".join(f"  {line}\n" for line in page.examples))
    return "".join(parts)


def _spelling(option: Any) -> str:
    flags = ", ".join(sorted(option.opts, key=len))
    return flags if option.is_flag or option.count else f"{flags} {option.metavar or 'VALUE'}"
