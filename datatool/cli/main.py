"""Where the command line starts: find the command, import only its module, return an exit code.

`--version` and `--help` are answered here without importing typer or anything else of size.
"""

from __future__ import annotations

import gc
import sys
from importlib import import_module

from datatool import __version__
from datatool.cli.root_help import family_help, root_help
from datatool.cli.table import COMMANDS, COMPLETE, GLOBAL_OPTIONS, HELP_FLAGS, Family, Row

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_VALUED = {flag for option in GLOBAL_OPTIONS if option.metavar for flag in option.flags}
_SWITCHES = {flag for option in GLOBAL_OPTIONS if not option.metavar for flag in option.flags}
_SHORT = {flag[1] for flag in _SWITCHES if len(flag) == 2}


def entry() -> None:
    """The program `datatool`."""
    gc.set_threshold(50_000, 20, 50)  # commands are short and make no cycles to speak of: looking for them cost 10 ms
    if None in (sys.stdin, sys.stdout, sys.stderr):
        import_module("datatool.cli.output").replace_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        # A character that the terminal's encoding lacks must not end a command that has done its work.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:  # so early that nothing had begun: commands report their own interruption
        sys.exit(130)
    finally:
        gc.freeze()  # else the interpreter looks through all that is left for cycles before it ends: 20 ms


def main(argv: Sequence[str]) -> int:
    """Run one command line (without the program's name) and return its exit code.

    >>> main(["--version"])
    datatool 0.1.0
    0
    """
    shared, rest = split_globals(argv)
    if rest[:1] == ["--version"]:
        return _print(f"datatool {__version__}\n")
    wants_help = bool(rest) and rest[0] in HELP_FLAGS
    if wants_help:
        more, rest = split_globals(rest[1:])
        shared += more
    if not rest:
        return _print(root_help()) if wants_help or not argv else _mistake(None, argv, "")
    name, rest = rest[0], rest[1:]
    item = COMMANDS.get(name)
    if name == COMPLETE:
        return _complete(rest)
    if item is None:
        return _mistake(name, argv, "", COMMANDS)
    if not isinstance(item, Family):
        return _run(name, item, [*shared, *(["--help"] if wants_help else []), *rest])
    more, rest = split_globals(rest)
    shared += more
    if (rest[0] in HELP_FLAGS) if rest else (wants_help or not shared):
        return _print(family_help(name, item))
    if not rest:
        return _mistake(None, argv, name)
    row = item.members.get(rest[0])
    if row is None:
        return _mistake(rest[0], argv, name, item.members)
    return _run(f"{name} {rest[0]}", row, [*shared, *(["--help"] if wants_help else []), *rest[1:]])


def split_globals(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Part the shared options at the front of `words` from the rest.

    >>> split_globals(["-C", "x", "-qv", "add", "-q"])
    (['-C', 'x', '-qv'], ['add', '-q'])
    """
    at = 0
    while at < len(words):
        word = words[at]
        if word in _VALUED:
            at += 2
        elif word in _SWITCHES or word[:2] in _VALUED or (len(word) > 1 and word[0] == "-" and {*word[1:]} <= _SHORT):
            at += 1
        else:
            break
    return list(words[:at]), list(words[at:])


def _run(name: str, row: Row, words: list[str]) -> int:
    # Door 2 of 8: everything a command needs is imported here, and only for the command that runs; typer a step later.
    code: int = import_module("datatool.cli.invoke").invoke(name, row, words)
    return code


def _complete(words: list[str]) -> int:
    code: int = import_module("datatool.cli.complete").complete(words)
    return code


def _mistake(word: str | None, argv: Sequence[str], family: str, known: Iterable[str] = ()) -> int:
    code: int = import_module("datatool.cli.failures").unknown_command(word, argv, family, known)
    return code


def _print(text: str) -> int:
    code: int = import_module("datatool.cli.output").write_result(text)
    return code
