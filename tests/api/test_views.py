"""What a notebook shows of results: tables, harmless whatever the data is called."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

import datatool
from api.conftest import enter
from datatool.operations.result import Part, Result
from datatool.views.parts import ROWS, show_part, show_table
from world import World

VOID = {"br", "img"}
ALLOWED = {"div", "p", "b", "table", "thead", "tbody", "tr", "th", "td", "code", "span"}
ATTRIBUTES = {"style", "title", "aria-hidden"}


class Reader(HTMLParser):
    """Reads HTML, and insists that it is whole and made of what is allowed."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.text = ""
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ALLOWED, tag
        assert {name for name, _ in attrs} <= ATTRIBUTES, attrs
        assert "url(" not in str(attrs) or tag == "code"
        self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if {"td", "th"} & set(self._open):
            self.rows[-1][-1] += data

    @classmethod
    def of(cls, html: str | None) -> Reader:
        assert html is not None
        reader = cls()
        reader.feed(html)
        reader.close()
        assert not reader._open
        return reader

    def column(self, name: str) -> list[str]:
        at = self.rows[0].index(name)
        return [row[at] for row in self.rows[1:]]


def test_a_status_is_a_table_of_artifacts_with_states_and_sizes(study: World) -> None:
    study.write("table.csv", b"id\n")
    shown = Reader.of(datatool.status()._repr_html_())
    assert shown.column("path") == ["big.bin", "data", "table.csv"]
    assert [cell.split()[-1] for cell in shown.column("state")] == ["clean", "clean", "modified"]
    assert shown.column("size")[0] == "5.2 MB"
    assert "clean: no" in shown.text


def test_what_is_the_same_nowhere_has_no_column(study: World) -> None:
    shown = Reader.of(datatool.status()._repr_html_())
    assert not {"remote", "available", "changes"} & set(shown.rows[0])


HOSTILE = "<script>alert(1)</script>&\"' \x1b[2J\u202e\udcff\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Item(Part):
    path: str
    commit: str
    kind: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Whole(Result):
    remote: str
    artifacts: tuple[_Item, ...]
    staged: tuple[str, ...]
    counts: dict[str, str]


def test_hostile_names_are_text_wherever_they_stand() -> None:
    item = _Item(path=HOSTILE, commit=HOSTILE, kind=HOSTILE)
    whole = _Whole(remote=HOSTILE, artifacts=(item,), staged=(HOSTILE,), counts={HOSTILE: HOSTILE})
    html = show_part(whole)
    shown = Reader.of(html)
    assert "<script" not in html and "\x1b" not in html and "\u202e" not in html
    html.encode("utf-8")  # a lone surrogate would break the notebook's file
    assert shown.text.count("<script>alert(1)</script>&\"' \\x1b[2J\\u202e\\xff\\n") == 6


def test_an_odd_file_name_is_shown_as_the_terminal_shows_it(study: World) -> None:
    study.write("<b>&x.csv", b"1")
    result = datatool.add("<b>&x.csv")
    assert Reader.of(result._repr_html_()).column("path") == ["<b>&x.csv"]


def test_long_tables_are_cut_and_say_so() -> None:
    parts = [_Item(path=str(number), commit="", kind="") for number in range(ROWS + 7)]
    shown = Reader.of(show_table(parts))
    assert len(shown.rows) == ROWS + 1 and "… 7 more" in shown.text


def test_every_kind_of_result_can_be_shown(study: World, monkeypatch: pytest.MonkeyPatch) -> None:
    results: list[Any] = [
        datatool.push(force=True),
        datatool.pull(),
        datatool.diff(),
        datatool.log("data"),
        datatool.list("data"),
        datatool.list("data", repo=study.root)[0],
        datatool.doctor(),
        datatool.clone(".", "../shown"),
        datatool.move("big.bin", "large.bin"),
        datatool.remove("large.bin"),
    ]
    enter(World(study.top / "mine"), monkeypatch)
    results += [datatool.get(study.root, "data", out="out"), datatool.import_(study.root, "data"), datatool.update()]
    for result in results:
        assert Reader.of(result._repr_html_()).text
        assert "<" not in repr(result)[:1]


def test_without_the_interface_there_is_no_html() -> None:
    code = "from datatool.operations.edit import EditResult; print(EditResult(artifacts=())._repr_html_())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "None\n"


CELLS = (
    "import datatool",
    "datatool.status()",
    "import asyncio; await asyncio.sleep(0); datatool.pull('data')",
    "datatool.list()",
    "print(datatool.status())",
)


def test_a_notebook_shows_tables(study: World) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(study.root)}})
    client.execute(env={**study.env, "PYTHONPATH": ":".join(sys.path)})
    outputs = [cell["outputs"] for cell in notebook.cells]
    assert outputs[0] == []
    for output in (outputs[1][-1], outputs[2][-1], outputs[3][-1]):
        assert "table.csv" in output["data"]["text/html"] or "data" in output["data"]["text/html"]
        assert Reader.of(output["data"]["text/html"]).rows
        assert output["data"]["text/plain"].startswith(("StatusResult(", "PullResult(", "["))
    assert outputs[4][0]["text"].startswith("StatusResult(artifacts=(ArtifactStatus(")


def test_a_stage_shows_its_signature_and_what_it_needs(desk: World) -> None:
    source = (
        "import datatool\n@datatool.stage\ndef first(api_key='hunter2'):\n    return 1\n"
        "@datatool.stage(rows=first)\ndef last(rows):\n    return '<b>'\n"
        "@datatool.stage\ndef open_(n):\n    return n\n"
    )
    path = desk.write("stages.py", source.encode())
    names: dict[str, Any] = {}
    exec(compile(source, str(path), "exec"), names)
    assert Reader.of(names["last"]._repr_html_()).text == "stage last(rows)■ last (stale)\n└─ ■ first (stale)"
    names["last"]()
    assert "■ last (cached)" in Reader.of(names["last"]._repr_html_()).text
    assert "its arguments decide" in Reader.of(names["open_"]._repr_html_()).text
    assert "hunter2" not in names["first"]._repr_html_()
    assert "└─ ■ first (cached)" in Reader.of(names["last"].graph()._repr_html_()).text


def test_why_a_stage_runs_is_harmless_whatever_its_code_says(desk: World) -> None:
    source = "import datatool\n@datatool.stage\ndef one(text='a'):\n    return text\n"
    for after in ("'a'", "'<script>alert(1)</script>'"):
        path = desk.write("stages.py", source.replace("'a'", after).encode())
        names: dict[str, Any] = {}
        exec(compile(path.read_text(), str(path), "exec"), names)
        shown = names["one"].why()._repr_html_()
        names["one"]()
    assert "<script>" not in shown
    assert "  argument text: a → <script>alert(1)</script>" in Reader.of(shown).text.splitlines()
