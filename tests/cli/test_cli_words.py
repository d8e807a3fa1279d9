"""A command that is given nothing but paths, or nothing at all, is called as it is, without a parser: that must mean
what the parser says."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import pytest

from datatool.cli.command import Command
from datatool.cli.invoke import invoke, load
from datatool.cli.parser import build
from datatool.cli.session import Session
from datatool.cli.table import Row, every_row

NAMES = [name for name, _ in every_row()]


ODD = ("data/a", "", ".", "with space", "ümlaut", "bad\udcff", "@file", "~", "$HOME", "*.csv", "a=b", "add", "+x", "x-")


class Parsed(NamedTuple):
    """What the parser has a command called with."""

    values: dict[str, Any]
    session: Session


def parsed(name: str, spec: Command, words: Sequence[str]) -> Parsed:
    taken: list[dict[str, Any]] = []
    sessions: list[Session] = []

    @functools.wraps(spec.function)
    def instead(session: Session, **values: Any) -> int:
        taken.append(values)
        return 0

    parser = build(name, msgspec.structs.replace(spec, function=instead), sessions.append)
    with parser.make_context(name, list(words)) as context:
        parser.invoke(context)
    return Parsed(taken[0], sessions[0])


def defaults(spec: Command) -> dict[str, Any]:
    return {one.name: one.default for one in list(inspect.signature(spec.function).parameters.values())[1:]}


@pytest.mark.parametrize(("name", "row"), list(every_row()), ids=NAMES)
def test_no_words_mean_the_defaults_or_that_something_must_be_said(name: str, row: Row) -> None:
    spec = load(row)
    if spec.needs_words:
        with pytest.raises(Exception, match=r"(?i)missing"):
            parsed(name, spec, [])
        return
    found = parsed(name, spec, [])
    assert found.values == defaults(spec)
    check_session(name, found.session)


def check_session(name: str, session: Session) -> None:
    bare = Session(command=name)
    seen = ("command", "words_after_dashes", "quiet", "verbose", "as_json", "offline", "colour")
    assert [getattr(session, part) for part in seen] == [getattr(bare, part) for part in seen]
    assert type(session.progress) is type(bare.progress)


@pytest.mark.parametrize(("name", "row"), list(every_row()), ids=NAMES)
def test_words_without_an_option_are_all_for_one_parameter_where_a_command_says_so(name: str, row: Row) -> None:
    spec = load(row)
    if not spec.words:
        return
    for words in (["one"], ["two", "words"], ODD):
        found = parsed(name, spec, words)
        assert found.values == {**defaults(spec), spec.words: list(words)}
        check_session(name, found.session)


def test_the_everyday_commands_say_so() -> None:
    """A new command that takes paths and nothing else is added here, or it loads a parser for them."""
    assert {name for name, row in every_row() if load(row).words} == {
        *("add", "checkout", "edit", "fetch", "pull", "push", "remove", "status", "update")
    }


@pytest.mark.parametrize("words", [["-x"], ["data", "--jsn"], ["data", "--json"], ["--", "data"], ["-"]])
def test_a_dash_is_for_the_parser(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def run(name: str, spec: Command, words: list[str], opened: object) -> int:
        asked.append(words)
        return 0

    monkeypatch.setattr("datatool.cli.parsing.run", run)
    assert invoke("add", dict(every_row())["add"], list(words)) == 0
    assert asked == [words]


def test_some_commands_need_no_words_and_some_do() -> None:
    needs = {name: load(row).needs_words for name, row in every_row()}
    assert not any(needs[name] for name in ("status", "diff", "push", "pull", "fetch", "checkout", "list", "doctor"))
    assert all(needs[name] for name in ("add", "remove", "move", "get", "import", "clone"))
