"""What the shared options and the environment make of a run."""

from __future__ import annotations

import io

import pytest

from datatool.cli.reporter import Mode
from datatool.cli.session import Session


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def mode(**options: bool) -> Mode:
    session = Session(command="x", environ={"TERM": "xterm"}, **options)  # type: ignore[arg-type]
    return session.progress.mode


def test_progress_is_bars_on_a_terminal_and_lines_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", Terminal())
    assert mode() is Mode.BARS
    assert Session(command="x", environ={"TERM": "dumb"}).progress.mode is Mode.LINES
    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert mode() is Mode.LINES


@pytest.mark.parametrize("options", [{"quiet": True}, {"as_json": True}, {"show_progress": False}])
def test_progress_can_be_turned_off(options: dict[str, bool], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", Terminal())
    assert mode(**options) is Mode.NONE


@pytest.mark.parametrize(
    ("value", "offline"), [("1", True), ("true", True), ("0", False), ("", False), ("no", False), ("False", False)]
)
def test_the_environment_can_forbid_the_network(value: str, offline: bool) -> None:
    assert Session(command="x", environ={"DATATOOL_OFFLINE": value}).offline is offline
    assert Session(command="x", environ={"DATATOOL_OFFLINE": value}, offline=True).offline


def test_a_document_is_printed_once(capsys: pytest.CaptureFixture[str]) -> None:
    session = Session(command="x", as_json=True, environ={})
    session.emit({"a": 1})
    session.emit({"a": 2})
    assert capsys.readouterr().out == '{"schema": 1, "command": "x", "a": 1}\n'
