"""Names that are too long for the disk, or for the pointer beside them: told as that, with the limit."""

from __future__ import annotations

from pathlib import Path

import pytest

import datatool
from needs import linux
from world import World

POINTED = "with the pointer's .dt, disks take 252"


@pytest.fixture
def project(world: World) -> World:
    linux()  # elsewhere letters are counted, or paths as a whole
    world.write("x", b"1")
    world.ok("add", "x")
    world.commit()
    return world


def test_a_name_is_tracked_if_its_pointer_fits_beside_it(project: World) -> None:
    name = "é" * 126
    project.write(name, b"1")
    project.ok("add", name)
    (project.root / name).unlink()
    project.ok("checkout", name)
    assert project.read(name) == b"1" and project.json("status")["clean"]


@pytest.mark.parametrize("length", [253, 255])
def test_a_name_whose_pointer_does_not_fit_is_refused_and_may_lie_in_a_tracked_directory(
    length: int, project: World
) -> None:
    name = "n" * length
    project.write(f"data/{name}", b"1")
    before = project.tree()
    ran = project.fails(7, "add", f"data/{name}", "--json")
    assert f"data/{name}: its name has {length} bytes; {POINTED}" == ran.error["message"]
    assert "track the directory around it" in ran.error["hint"]
    assert project.tree() == before
    project.ok("add", "data")
    (project.root / "data" / name).unlink()
    project.ok("checkout", "data")
    assert project.read(f"data/{name}") == b"1"


@pytest.mark.parametrize("length", [253, 256])
@pytest.mark.parametrize(
    "words",
    [
        ("move", "x", "NAME"),
        ("import", ".", "x", "-o", "NAME"),
        ("import-url", "x.dt", "NAME"),
        ("run", "-o", "NAME", "--", "true"),
    ],
    ids=lambda words: words[0],
)
def test_no_command_makes_an_artifact_of_such_a_name(words: tuple[str, ...], length: int, project: World) -> None:
    before = project.tree()
    name = "n" * length
    ran = project.fails(7, *(name if word == "NAME" else word for word in words))
    assert f"{name}: its name has {length} bytes; {POINTED}" in ran.err
    assert project.tree() == before


@pytest.mark.parametrize("how", [{"output": True}, {"source": lambda: b"1"}], ids=["output", "source"])
@pytest.mark.parametrize(
    ("path", "said"), [("n" * 253, POINTED), ("n" * 256, POINTED), (f"{'n' * 256}/x", "has 256 bytes; disks take 255")]
)
def test_nor_does_a_program(
    path: str, said: str, how: dict[str, object], project: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.root)
    with pytest.raises(datatool.Refused, match=said) as caught:
        datatool.track(path, **how)  # type: ignore[call-overload]
    assert path in caught.value.message


@pytest.mark.parametrize("command", ["status", "diff", "log", "pull", "checkout", "remove", "edit"])
def test_nothing_is_there_under_a_name_that_no_disk_has(command: str, project: World) -> None:
    name = "n" * 256
    assert name in project.fails(3, command, name).err


@pytest.mark.parametrize("words", [("get", ".", "x", "-o"), ("get-url", "x.dt"), ("init",)], ids=lambda words: words[0])
def test_what_is_to_be_written_under_one_is_told_with_the_limit(words: tuple[str, ...], project: World) -> None:
    name = "n" * 256
    ran = project.fails(1, *words, name, "--json")
    assert ran.error["message"].endswith(
        f"{name}: the path, or a name in it, is too long: disks take names of 255 bytes"
    )
    assert Path(ran.error["path"]).name == name
