"""A project, a program that runs in it, and a registry beside it."""

from __future__ import annotations

import importlib.util
import os
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import needs
from api.staging import Code, coding
from datatool.api.current_run import process_run
from datatool.api.trackers import close_trackers
from world import World

TABLE = b"id,value\n1,one\n2,two\n"
BIG = random.Random(7).randbytes(5 << 20)
"""Large enough to lie in a remote as a file of its own."""


@pytest.fixture
def study(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A pushed project that the test's own process stands in: `table.csv`, `big.bin`, and the directory `data`."""
    enter(world, monkeypatch)
    world.write("table.csv", TABLE)
    world.write("big.bin", BIG)
    world.write("data/a.txt", b"alpha\n")
    world.write("data/deep/b.txt", b"beta\n")
    world.write("data/run.sh", b"#!/bin/sh\n", executable=True)
    (world.root / "data/empty").mkdir()
    (world.root / "data/link").symlink_to("deep/b.txt")
    world.write("README.md", b"about\n")
    world.settle()
    world.ok("add", "table.csv", "big.bin", "data")
    world.commit("first")
    world.git("tag", "v1")
    world.ok("push")
    return world


@pytest.fixture
def elsewhere(study: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A directory of no project, from which the project `study` is a registry that has lost its own cache."""
    outside = World(study.top, name="outside", init=False)
    outside.root.mkdir()
    monkeypatch.chdir(outside.root)
    study.cache.rename(study.top / "cache-that-was")
    return outside


@pytest.fixture
def desk(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A project that this process stands in and tracks files in, not on a build server."""
    world.env.pop("CI", None)
    enter(world, monkeypatch)
    for name in ("CI", "DATATOOL_FROZEN"):
        monkeypatch.delenv(name, raising=False)
    yield world
    process_run().take()
    close_trackers()


@pytest.fixture
def code(desk: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Code]:
    """Modules of the project `desk`, whose stages are counted as they run."""
    with coding(desk, monkeypatch) as made:
        yield made


@pytest.fixture
def notebook(desk: World, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Writes `notes/book.ipynb` and runs it headless, at the project's top; its kernel knows no file by itself."""
    if importlib.util.find_spec("nbclient") is None or importlib.util.find_spec("ipykernel") is None:
        needs.lacking("nbclient and ipykernel")
    import nbclient
    import nbformat

    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
    monkeypatch.setenv("IPYTHONDIR", str(desk.home / "ipython"))

    def run(*cells: str) -> Any:
        book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        desk.write("notes/book.ipynb", nbformat.writes(book).encode())
        place = {"metadata": {"path": str(desk.root)}}
        nbclient.NotebookClient(book, timeout=60, allow_errors=True, resources=place).execute()
        return book

    return run


def enter(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in a project, in its environment."""
    monkeypatch.chdir(world.root)
    for name, value in world.env.items():
        monkeypatch.setenv(name, value)


def clone(study: World) -> World:
    """A clone of the project with its tags, in which nothing was fetched."""
    copy = study.clone()
    study.git("push", "-q", "--tags", str(study.origin))
    copy.git("fetch", "-q", "--tags")
    return copy


def user_cache(world: World) -> Path:
    """The user's own cache."""
    return world.home / ".cache/datatool"
