"""A command of which nothing more is said is called as it is, without a parser: that must mean what the parser says."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import msgspec
import pytest

from datatool.cli.invoke import load
from datatool.cli.parser import build
from datatool.cli.session import Session
from datatool.cli.table import Row, every_row

NAMES = [name for name, _ in every_row()]


@pytest.mark.parametrize(("name", "row"), list(every_row()), ids=NAMES)
def test_no_words_mean_the_defaults_or_that_something_must_be_said(name: str, row: Row) -> None:
    spec = load(row)
    taken: list[dict[str, Any]] = []
    sessions: list[Session] = []

    @functools.wraps(spec.function)
    def instead(session: Session, **values: Any) -> int:
        taken.append(values)
        return 0

    parser = build(name, msgspec.structs.replace(spec, function=instead), sessions.append)
    if spec.needs_words:
        with pytest.raises(Exception, match=r"(?i)missing"):
            parser.make_context(name, [])
        return
    with parser.make_context(name, []) as context:
        parser.invoke(context)
    parameters = list(inspect.signature(spec.function).parameters.values())[1:]
    assert taken == [{one.name: one.default for one in parameters}]
    bare = Session(command=name)
    seen = ("command", "words_after_dashes", "quiet", "verbose", "as_json", "offline", "colour")
    assert [getattr(sessions[0], part) for part in seen] == [getattr(bare, part) for part in seen]
    assert type(sessions[0].progress) is type(bare.progress)


def test_some_commands_need_no_words_and_some_do() -> None:
    needs = {name: load(row).needs_words for name, row in every_row()}
    assert not any(needs[name] for name in ("status", "diff", "push", "pull", "fetch", "checkout", "list", "doctor"))
    assert all(needs[name] for name in ("add", "remove", "move", "get", "import", "clone"))
