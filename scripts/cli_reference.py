"""Write docs/reference/cli.md from the command table and the commands' own help.

scripts/cli_reference            write it
scripts/cli_reference --check    exit with 1 when what is there is stale
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from datatool.cli.failures import EXIT_CODES, INTERRUPTED, TERMINATED
from datatool.cli.help_text import Page, describe
from datatool.cli.invoke import load
from datatool.cli.parser import build
from datatool.cli.root_help import global_lines
from datatool.cli.table import COMMANDS, GROUPS, Family, Row, every_row

REFERENCE = Path(__file__).parent.parent / "docs" / "reference" / "cli.md"

INTRODUCTION = """# Commands

<!-- Written by scripts/cli_reference from the commands; edit those. -->

Results go to standard output, everything else to standard error. With `--json` the result is one document whose shape
is in [`schemas/`](schemas/), and a failure is one object, the last line of standard error
([`schemas/error.json`](schemas/error.json)).
"""

EXIT_MEANINGS = {
    0: "done, or nothing to do",
    1: "failed, nothing changed; for `status` and `diff` with `--exit-code`: there is a difference",
    2: "usage",
    3: "something named does not exist: a path, a revision, a remote",
    4: "partly done: what is finished is kept, the rest is listed; run it again to continue",
    5: "damage found: an object's bytes are not what its id says",
    6: "a remote is unreachable or denies access",
    7: "refused, to protect data",
    INTERRUPTED: "interrupted (Ctrl-C)",
    TERMINATED: "terminated (SIGTERM)",
}


def main(words: list[str]) -> int:
    """Write or check; the exit code."""
    text = reference()
    if words == ["--check"]:
        if REFERENCE.exists() and REFERENCE.read_text(encoding="utf-8") == text:
            return 0
        print(f"{REFERENCE} is stale: run scripts/cli_reference", file=sys.stderr)
        return 1
    REFERENCE.parent.mkdir(parents=True, exist_ok=True)
    REFERENCE.write_text(text, encoding="utf-8")
    return 0


def reference() -> str:
    """The whole page."""
    return "\n".join([INTRODUCTION, *_options(), *_codes(), *_commands()]).rstrip() + "\n"


def pages() -> Iterator[tuple[Row, Page]]:
    """Every command with its page."""
    for name, row in every_row():
        spec = load(row)
        yield row, describe(name, spec, build(name, spec, lambda session: None).params)


def _options() -> Iterator[str]:
    yield "## Options of every command\n"
    yield "Before or after the command's name.\n"
    yield from _table("option", global_lines())


def _codes() -> Iterator[str]:
    assert {*EXIT_CODES.values()} <= {*EXIT_MEANINGS}
    yield "## Exit codes\n"
    yield from _table("code", [(str(code), meaning) for code, meaning in EXIT_MEANINGS.items()])


def _commands() -> Iterator[str]:
    told = list(pages())
    for group in GROUPS:
        yield f"## {group}\n"
        for name, item in COMMANDS.items():
            if item.group != group:
                continue
            if isinstance(item, Family):
                yield f"### datatool {name}\n\n{item.summary}.\n"
                for _, page in (pair for pair in told if pair[1].name.split()[0] == name):
                    yield from _page(page, "####")
            else:
                yield from _page(next(page for _, page in told if page.name == name), "###")


def _page(page: Page, heading: str) -> Iterator[str]:
    yield f"{heading} datatool {page.name}\n"
    yield f"```text\n{page.usage}\n```\n"
    yield f"{page.summary}.\n"
    yield from (f"{paragraph}\n" for paragraph in page.body)
    if page.arguments:
        yield from _table("argument", page.arguments)
    if page.options:
        yield from _table("option", page.options)
    if page.examples:
        yield "Examples:\n\n```text\n" + "\n".join(page.examples) + "\n```\n"
    yield f"JSON: [`{page.name.replace(' ', '-')}.json`](schemas/{page.name.replace(' ', '-')}.json)\n"


def _table(title: str, rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    lines = [f"| {title} | meaning |", "|---|---|"]
    lines += [f"| `{left}` | {right} |".replace("\n", " ") for left, right in rows]
    yield "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
