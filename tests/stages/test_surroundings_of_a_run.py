"""What else counts and is noted: imported modules, packages, what differs from the commit, what programs tell."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from datatool.errors import LocalError
from datatool.git.changes import code_difference
from datatool.git.worktree import Worktree, discover
from datatool.model.oid import EMPTY
from datatool.model.pointer import ArtifactKind
from datatool.model.run import RunFile
from datatool.stages.code_files import code_files
from datatool.stages.environment import environment_of
from datatool.stages.notes import read_notes, tell
from world import World


def write(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / (name.replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def names(root: Path, *command: str, directory: str = "") -> list[str]:
    """The code of a command that is run in a directory of the project."""
    return [path.decode() for path in code_files(command, directory=root / directory, root=root, counts=lambda _: True)]


def test_modules_of_the_project_are_found_by_text_and_followed(tmp_path: Path) -> None:
    write(
        tmp_path,
        scripts__train="import helper, numpy\nfrom lib.model import fit\nimport lib.deep.x\ndef f():\n  import late",
        scripts__helper="from . import beside",
        scripts__beside="",
        lib__model="from .layers import Dense\nfrom ..other import y",
        lib__layers="import lib.model",
        lib__deep__x="",
        late="",
        other="",
        src__unused="",
    )
    (tmp_path / "lib/__init__.py").touch()
    assert names(tmp_path, "scripts/train.py") == [
        *("late.py", "lib/__init__.py", "lib/deep/x.py", "lib/layers.py", "lib/model.py", "other.py"),
        *("scripts/beside.py", "scripts/helper.py", "scripts/train.py"),
    ]


def test_a_file_that_is_no_python_counts_by_itself_and_nothing_outside_is_followed(tmp_path: Path) -> None:
    root = tmp_path / "project"
    write(root, broken="def (", outside="import sys\nfrom .. import secret\nimport secret")
    write(tmp_path, secret="")
    assert names(root, "broken.py") == ["broken.py"]
    assert names(root, "outside.py") == ["outside.py"]


def test_a_module_is_found_as_python_finds_it(tmp_path: Path) -> None:
    write(tmp_path, tool="import helper", helper="", src__json="", jobs__deep__job="import pack.part", pack__part="")
    (tmp_path / "pack/__main__.py").touch()
    (tmp_path / "jobs/deep/__init__.py").touch()
    assert names(tmp_path, "python", "-m", "pack") == ["pack/__main__.py"]
    assert names(tmp_path, "python", "-m", "tool") == ["helper.py", "tool.py"]
    assert names(tmp_path, "python", "-m", "json") == []
    inner = ["jobs/deep/__init__.py", "jobs/deep/job.py", "pack/part.py"]
    assert names(tmp_path, "python", "-m", "deep.job", directory="jobs") == inner


@pytest.mark.parametrize("word", ["..", "../tool", "", "a..b", "/etc/passwd", "no.such.module"])
def test_a_word_that_is_no_module_of_the_project_names_none(tmp_path: Path, word: str) -> None:
    root = tmp_path / "project"
    write(root, x="")
    write(tmp_path, tool="")
    assert names(root, "program", "-m", word) == []


def test_the_environment_has_versions_of_what_was_imported_and_no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "abc")
    found = environment_of(["os", "hypothesis.strategies", "_pytest", "no_such_package"])
    assert found.python == platform.python_version()
    assert set(found.packages) == {"hypothesis"}
    assert "abc" not in repr(found)
    assert environment_of(["os"]).packages == {}


def worktree(world: World) -> Worktree:
    found = discover(world.root)
    assert isinstance(found, Worktree)
    return found


def test_what_differs_from_the_commit_is_one_hash_of_code_alone(world: World) -> None:
    world.write("train.py", b"1\n")
    world.write("data.csv", b"1\n")
    world.ok("add", "data.csv")
    world.commit()
    assert code_difference(worktree(world)) is None
    world.write("data.csv", b"2\n")
    world.ok("add", "data.csv")
    world.write("notes.txt", b"git does not know this\n")
    assert code_difference(worktree(world)) is None
    world.write("train.py", b"2\n")
    changed = code_difference(worktree(world))
    assert changed is not None
    assert len(changed) == 64
    world.git("add", "train.py")
    assert code_difference(worktree(world)) == changed


def test_programs_tell_what_they_did_of_each_project(tmp_path: Path) -> None:
    notes, one, two = tmp_path / "notes", tmp_path / "one", tmp_path / "two"
    notes.touch()
    file = RunFile(path=b"in\xff", kind=ArtifactKind.FILE, oid=EMPTY, size=0)
    tell(notes, one, inputs=[file], outputs=[b"out"], metrics={"accuracy": 1}, packages={"numpy": "2"})
    tell(notes, two, outputs=[b"other"])
    with notes.open("ab") as broken:
        broken.write(b'{"root": "' + str(one).encode() + b'", "role": "output"')  # killed in the middle
    found = read_notes(notes, one)
    assert found.inputs == {b"in\xff": file}
    assert list(found.outputs) == [b"out"]
    assert (found.metrics, found.packages) == ({"accuracy": 1}, {"numpy": "2"})
    assert list(read_notes(notes, two).outputs) == [b"other"]
    assert not read_notes(tmp_path / "nowhere", one).outputs
    with pytest.raises(LocalError):  # the command around it is over: nobody listens
        tell(tmp_path / "nowhere", one, outputs=[b"out"])
    assert not (tmp_path / "nowhere").exists()
