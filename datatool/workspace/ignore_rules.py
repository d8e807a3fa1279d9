"""What `.datatoolignore` keeps out of artifacts: gitignore patterns, in the project's root only."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from datatool.errors import FormatError
from datatool.forks import load_module

FILE: Final = ".datatoolignore"

DEFAULT_IGNORE: Final = """\
# Never part of an artifact; patterns as in .gitignore
.DS_Store
Thumbs.db
desktop.ini
.ipynb_checkpoints/
"""
"""What `init` writes."""

_PLAIN_NAME = re.compile(rb"[^/\\*?\[\]!# \t\r][^/\\*?\[\]\r]*(?<![ \t])")


def read_rules(text: bytes) -> Callable[[bytes, bool], bool] | None:
    """Read the file as a function of a raw path from the project's root and whether it is a directory, which tells
    whether to leave it out; None when there are no rules. Raises FormatError for what is no pattern.

    >>> leave_out = read_rules(b".DS_Store\\n")
    >>> leave_out(b"songs/.DS_Store", False), leave_out(b"songs/a.ogg", False)
    (True, False)
    """
    lines = [line.removesuffix(b"\r") for line in text.removeprefix(b"\xef\xbb\xbf").split(b"\n")]
    rules = [line for line in lines if line.strip(b" ") and not line.startswith(b"#")]
    if not rules:
        return None
    if all(_PLAIN_NAME.fullmatch(rule.removesuffix(b"/")) for rule in rules):
        return _by_name(rules)
    return _by_pattern(rules)


def _by_name(rules: list[bytes]) -> NameRules:
    """Names alone, as in the default: no library, and cheap enough for a million files."""
    anything = frozenset(rule for rule in rules if not rule.endswith(b"/"))
    directories = frozenset(rule[:-1] for rule in rules if rule.endswith(b"/"))
    return NameRules(anything, directories)


class NameRules:
    """Rules that are names alone: a walk that never enters what they leave out needs only look at the last name."""

    __slots__ = ("anything", "directories")

    def __init__(self, anything: frozenset[bytes], directories: frozenset[bytes]) -> None:
        """`anything`: names of files and directories; `directories`: names of directories only."""
        self.anything = anything
        self.directories = directories

    def __call__(self, path: bytes, is_directory: bool) -> bool:
        """Whether a path, or a directory around it, is left out."""
        names = path.split(b"/")
        if not self.anything.isdisjoint(names):
            return True
        return not self.directories.isdisjoint(names if is_directory else names[:-1])


def _by_pattern(rules: list[bytes]) -> Callable[[bytes, bool], bool]:
    pathspec: Any = load_module("pathspec")  # only here: most projects never need it
    patterns = []
    for rule in rules:
        line = rule.decode("utf-8", "surrogateescape")
        try:
            pathspec.GitIgnoreSpec.from_lines([line], backend="simple")
        except ValueError as error:
            raise FormatError(f"{FILE}: not a pattern: {error}", path=FILE) from None
        patterns.append(line)
    spec = pathspec.GitIgnoreSpec.from_lines(patterns, backend="simple")

    def leave_out(path: bytes, is_directory: bool) -> bool:
        text = path.decode("utf-8", "surrogateescape")
        return bool(spec.match_file(text + "/" if is_directory else text))

    return leave_out
