"""What the command line does, `datatool.VERB(...)` does in Python: the same options, results and errors."""

from __future__ import annotations

import inspect
import json
import pickle
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

import pytest
from jsonschema import validate

import datatool
from api.conftest import clone, enter
from datatool.cli.declare import Option
from datatool.cli.invoke import load
from datatool.cli.table import every_row
from datatool.operations.result import Result
from datatool.progress import Silent
from world import World

WITHOUT_FUNCTION = {
    "completion": "the shell's own",
    "remote": "settings are made once, at the terminal",
    "config": "settings are made once, at the terminal, or for a process by DATATOOL_* in its environment",
    "registry": "settings are made once, at the terminal",
    "cache": "upkeep of a machine, not of data",
    "stage": "stages are asked themselves, `final.why()` and `final.graph()`; the rest is upkeep of a machine",
    "why": "a stage is asked itself, `final.why()`",
    "run": "a Python program is a run by itself, and `datatool.run` makes a block one",
}
NAMED = {"get-url": "get_from_url", "import": "import_", "import-url": "import_url"}
"""`datatool.get_url` tells where data lies, `import` is Python's own."""
ONLY_AT_THE_TERMINAL = {
    "--exit-code": "the result says it",
    "--tree": "a look",
    "--long": "a look",
    "--data-only": "a filter: entry.origin",
}
SPELLED = {
    ("status", "--remote"): "ask_remote",
    ("status", "-r"): "remote",
    ("list", "--remote"): None,
    ("list", "--set"): None,
}
"""`datatool.list` reads from where `datatool.open` does; `repo` may be a URL there."""


SCHEMAS = Path(__file__).parents[2] / "docs" / "reference" / "schemas"
Call = Callable[[], Result]


def commands() -> list[str]:
    return [name for name, _ in every_row() if name.split()[0] not in WITHOUT_FUNCTION]


def options(name: str) -> set[str]:
    """The options that a command declares, by their long names where they have one."""
    found = set()
    for parameter in inspect.signature(load(dict(every_row())[name]).function, eval_str=True).parameters.values():
        for part in get_args(parameter.annotation):
            if isinstance(part, Option):
                found.add(next((word for word in part.flags if word.startswith("--")), part.flags[0]))
    return found


def spelled(command: str, option: str) -> str | None:
    plain = {"--set": "settings"}.get(option, option.lstrip("-").replace("-", "_"))
    return SPELLED.get((command, option), plain)


@pytest.mark.parametrize("command", commands())
def test_every_command_is_a_function_with_the_same_options(command: str) -> None:
    function = getattr(datatool, NAMED.get(command, command))
    known = inspect.signature(function).parameters
    for option in options(command) - set(ONLY_AT_THE_TERMINAL):
        name = spelled(command, option)
        assert name is None or name in known, f"datatool.{function.__name__} lacks {option}"


@pytest.mark.parametrize("command", commands())
def test_what_is_of_the_wrong_kind_is_named_before_anything_is_done(command: str) -> None:
    function = getattr(datatool, NAMED.get(command, command))
    for name in set(inspect.signature(function).parameters) - {"progress"}:
        with pytest.raises(datatool.UsageError, match=rf"^{name} takes .+, not object"):
            function(**{name: object()})


@pytest.mark.parametrize(
    ("call", "message", "hint"),
    [
        (
            lambda: datatool.status(remote=True),  # type: ignore[arg-type]
            "remote takes text or None, not True",
            "ask_remote=True asks the remote",
        ),
        (
            lambda: datatool.push(remote=True),  # type: ignore[arg-type]
            "remote takes text or None, not True",
            "help(datatool.push) explains it",
        ),
        (
            lambda: datatool.add(["table.csv", 3]),  # type: ignore[list-item]
            "paths takes text, a path or several of them, not 3",
            "help(datatool.add) explains it",
        ),
        (
            lambda: datatool.checkout("data", rev=3),  # type: ignore[arg-type]
            "rev takes text or None, not 3",
            "help(datatool.checkout) explains it",
        ),
        (
            lambda: datatool.pull(jobs=True, force="no"),  # type: ignore[arg-type]
            "jobs takes a whole number or None, not True",
            "help(datatool.pull) explains it",
        ),
        (lambda: datatool.push(jobs=0), "jobs takes 1 or more, not 0", None),
    ],
)
def test_the_error_says_what_an_option_takes(call: Call, message: str, hint: str | None) -> None:
    with pytest.raises(datatool.UsageError) as caught:
        call()
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_a_project_that_is_not_there_is_named(study: World) -> None:
    with pytest.raises(datatool.ProjectNotFound, match="nowhere: no such directory"):
        datatool.status(project=study.top / "nowhere")


def test_numbers_and_booleans_may_be_those_of_numpy(study: World) -> None:
    numpy = pytest.importorskip("numpy")
    assert datatool.push(jobs=numpy.int64(2), force=numpy.bool_(True)).objects == 0


@pytest.mark.parametrize("command", commands())
def test_options_are_given_by_name_only(command: str) -> None:
    if command in ("list", "diff"):
        return  # `list` follows `open`; the revisions of `diff` are no options at the terminal
    known = inspect.signature(getattr(datatool, NAMED.get(command, command))).parameters
    for option in options(command) - set(ONLY_AT_THE_TERMINAL):
        name = spelled(command, option)
        assert name is not None
        assert name == "out" or known[name].kind is inspect.Parameter.KEYWORD_ONLY


def both(world: World, words: Sequence[str], call: Call) -> tuple[Any, Any]:
    """What the command prints with --json, and what the function returns or raises with, from the same state each."""
    before = world.top.parent / f"{world.top.name}-before"
    shutil.copytree(world.top, before, symlinks=True)
    document = world.run(*words, "--json", cwd=Path.cwd()).json
    for child in world.top.iterdir():
        if child.name != world.root.name:
            shutil.rmtree(child)
    for child in world.root.iterdir():  # the directory itself stays: the test stands in it
        shutil.rmtree(child) if child.is_dir() and not child.is_symlink() else child.unlink()
    shutil.copytree(before, world.top, symlinks=True, dirs_exist_ok=True)
    try:
        result = call()
    except datatool.DatatoolError as error:
        assert isinstance(error.result, Result)
        result = error.result
    command = document["command"]
    validate(
        {"schema": 1, "command": command, **result.to_dict()}, json.loads((SCHEMAS / f"{command}.json").read_text())
    )
    assert document.pop("schema") == 1
    document.pop("command")
    return document, result.to_dict()


def without_times(document: Any) -> Any:
    """Without the clock's part: where unsaved files were moved to, when a remote was last seen to have a version."""
    if isinstance(document, dict):
        return {
            key: bool(value) if key in ("saved_to", "pushed") else without_times(value)
            for key, value in document.items()
        }
    return [without_times(item) for item in document] if isinstance(document, list) else document


def change(world: World) -> None:
    world.write("table.csv", b"id\n")
    world.write("data/new.txt", b"new\n")
    (world.root / "data/a.txt").unlink()


CASES: dict[str, tuple[list[str], Call]] = {
    "add": (["add", "table.csv", "data", "--label", "x"], lambda: datatool.add(["table.csv", Path("data")], label="x")),
    "status": (["status"], datatool.status),
    "status of one": (["status", "data"], lambda: datatool.status("data")),
    "status, remote asked": (["status", "--remote"], lambda: datatool.status(ask_remote=True)),
    "diff": (["diff"], datatool.diff),
    "diff of revisions": (["diff", "v1", "HEAD", "data"], lambda: datatool.diff("data", old="v1", new="HEAD")),
    "log": (["log", "big.bin"], lambda: datatool.log("big.bin")),
    "gc": (["gc", "--keep-days", "0"], lambda: datatool.gc(keep_days=0)),
    "log of a file inside": (["log", "-n", "1", "data/a.txt"], lambda: datatool.log(Path("data/a.txt"), max_count=1)),
    "checkout refused": (["checkout"], datatool.checkout),
    "checkout": (["checkout", "--force"], lambda: datatool.checkout(force=True)),
    "checkout of a revision": (
        ["checkout", "big.bin", "--rev", "v1"],
        lambda: datatool.checkout("big.bin", rev="v1"),
    ),
    "push": (["push", "--force"], lambda: datatool.push(force=True)),
    "fetch": (["fetch", "--all-tags"], lambda: datatool.fetch(all_tags=True)),
    "pull refused": (["pull"], datatool.pull),
    "pull": (["pull", "--force"], lambda: datatool.pull(force=True)),
    "dry pull": (["pull", "--dry-run"], lambda: datatool.pull(dry_run=True)),
    "edit": (["edit", "data"], lambda: datatool.edit("data")),
    "move": (["move", "big.bin", "large.bin"], lambda: datatool.move("big.bin", "large.bin")),
    "remove": (["remove", "big.bin", "--data"], lambda: datatool.remove("big.bin", data=True)),
    "init": (["init"], datatool.init),
    "clone": (["clone", ".", "../cloned"], lambda: datatool.clone(".", "../cloned")),
    "migrate": (["migrate", "--dry-run"], lambda: datatool.migrate(dry_run=True)),
    "doctor": (["doctor"], datatool.doctor),
}


@pytest.mark.parametrize("case", CASES)
def test_results_are_those_of_the_command(case: str, study: World) -> None:
    change(study)
    words, call = CASES[case]
    document, result = both(study, words, call)
    assert without_times(document) == without_times(result)


def test_results_of_registries_are_those_of_the_commands(study: World, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = World(study.top / "mine")
    enter(mine, monkeypatch)
    theirs = str(study.root)
    cases: list[tuple[list[str], Call]] = [
        (["get", theirs, "data", "-o", "out"], lambda: datatool.get(theirs, "data", out="out")),
        (["get-url", f"{theirs}/README.md"], lambda: datatool.get_from_url(f"{theirs}/README.md")),
        (["import", theirs, "data"], lambda: datatool.import_(study.root, Path("data"))),
        (
            ["import-url", f"{theirs}/README.md", "b.md", "--no-download"],
            lambda: datatool.import_url(f"{theirs}/README.md", "b.md", no_download=True),
        ),
        (["update"], datatool.update),
    ]
    for number, (words, call) in enumerate(cases):
        document, result = both(mine, words, call)
        assert document == result, words
        shutil.rmtree(mine.top.parent / f"{mine.top.name}-before")
        if number == 2:
            study.write("data/a.txt", b"newer\n")
            study.ok("add", "data")
            study.commit()


def test_update_says_on_its_error_what_it_could_do(study: World, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = World(study.top / "mine")
    enter(mine, monkeypatch)
    datatool.import_(study.root, "data")
    datatool.import_(study.root, "table.csv")
    for name in ("data/a.txt", "table.csv"):
        study.write(name, b"theirs\n")
    study.ok("add", "data", "table.csv")
    study.commit()
    mine.write("table.csv", b"mine\n")
    with pytest.raises(datatool.PartlyDone) as caught:
        datatool.update()
    result: Any = caught.value.result
    assert [item.path for item in result.artifacts] == ["data"]
    assert [path for path, _ in result.failed] == ["table.csv"]


def test_one_failing_artifact_does_not_hide_what_became_of_the_others(study: World) -> None:
    study.write("table.csv", b"unsaved\n")
    (study.root / "big.bin").unlink()
    with pytest.raises(datatool.PartlyDone, match="unsaved changes") as caught:
        datatool.checkout()
    result: Any = caught.value.result
    assert {item.path: item.changed for item in result.artifacts} == {
        "big.bin": True,
        "data": False,
        "table.csv": False,
    }
    assert study.read("table.csv") == b"unsaved\n"


def test_a_refusal_of_everything_is_that_refusal(study: World) -> None:
    study.write("table.csv", b"unsaved\n")
    with pytest.raises(PermissionError) as caught:
        datatool.checkout("table.csv")
    assert isinstance(caught.value, datatool.Unsaved)
    assert caught.value.path == "table.csv"


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda: datatool.add("nothere"), FileNotFoundError),
        (lambda: datatool.status("nothere"), datatool.PathNotFound),
        (lambda: datatool.pull(rev="nothere"), datatool.RevisionNotFound),
        (lambda: datatool.push(remote="nothere"), datatool.RemoteNotFound),
        (lambda: datatool.push(rev="v1", all_tags=True), ValueError),
        (lambda: datatool.move("big.bin", "data"), datatool.DatatoolError),
        (lambda: datatool.status(project="/"), datatool.ProjectNotFound),
        (lambda: datatool.diff(old="nothere"), datatool.RevisionNotFound),
    ],
)
def test_errors_are_those_of_the_command(call: Call, kind: type[Exception], study: World) -> None:
    with pytest.raises(kind):
        call()


def test_an_empty_list_of_paths_is_not_everything(study: World) -> None:
    for function in (datatool.add, datatool.status, datatool.push, datatool.checkout, datatool.remove):
        with pytest.raises(datatool.UsageError, match="no paths"):
            function([])


def test_a_project_may_be_named_from_anywhere(study: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(study.top)
    study.write("data/a.txt", b"changed\n")
    assert [item.path for item in datatool.status("data", project=study.root).artifacts] == ["data"]
    assert datatool.status("data", project="project").artifacts[0].changes.modified == ("data/a.txt",)
    assert datatool.status("a.txt", project=study.root / "data").artifacts[0].path == "data"


def test_an_absolute_path_tells_its_project(study: World, monkeypatch: pytest.MonkeyPatch) -> None:
    other = World(study.top / "other")
    monkeypatch.chdir(other.root)
    study.write("extra/new.csv", b"1")
    assert datatool.add(study.root / "extra/new.csv").artifacts[0].path == "extra/new.csv"
    assert datatool.status(study.root / "data/a.txt").artifacts[0].path == "data"
    assert datatool.remove([study.root / "big.bin"]).artifacts[0].path == "big.bin"


def test_what_one_call_is_told_does_not_stay_for_the_next(study: World, monkeypatch: pytest.MonkeyPatch) -> None:
    study.write("data/a.txt", b"unsaved\n")
    with pytest.raises(datatool.Unsaved) as inside:
        datatool.checkout("a.txt", project=study.root / "data")
    with pytest.raises(datatool.Unsaved) as outside:
        datatool.checkout("data/a.txt")
    assert (str(inside.value).split(":")[0], str(outside.value).split(":")[0]) == ("a.txt", "data/a.txt")


def test_results_and_errors_can_be_sent_to_other_processes(study: World) -> None:
    study.write("table.csv", b"unsaved\n")
    result = datatool.status()
    assert pickle.loads(pickle.dumps(result)) == result
    with pytest.raises(datatool.Unsaved) as caught:
        datatool.checkout("table.csv")
    assert pickle.loads(pickle.dumps(caught.value.result)) == caught.value.result  # with a failure in it
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (str(copy), copy.hint, copy.result.to_dict()) == (
        str(caught.value),
        caught.value.hint,
        caught.value.result.to_dict(),  # type: ignore[attr-defined]
    )


class Titles(Silent):
    def __init__(self) -> None:
        self.seen: list[str] = []

    def task(self, title: str, *, bytes: int | None = None, files: int | None = None) -> Any:
        self.seen.append(title)
        return super().task(title, bytes=bytes, files=files)


def test_progress_is_told_to_who_asks(study: World, monkeypatch: pytest.MonkeyPatch) -> None:
    enter(clone(study), monkeypatch)
    progress = Titles()
    datatool.pull(progress=progress)
    assert progress.seen


def test_offline_forbids_the_network(study: World) -> None:
    study.ok("remote", "add", "web", "https://127.0.0.1:9/data")
    with pytest.raises(datatool.RemoteUnreachable, match="offline"):
        datatool.push(remote="web", offline=True)


def test_the_log_is_of_one_path(study: World) -> None:
    with pytest.raises(datatool.UsageError, match="path takes text or a path, not list"):
        datatool.log(["table.csv", "big.bin"])  # type: ignore[arg-type]
