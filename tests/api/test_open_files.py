"""A program that works with data for days keeps no files open between its calls."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import datatool
from api.conftest import enter
from datatool.cache.writer import PACKED_BELOW
from world import World

OPEN = Path("/proc/self/fd")


def _open_below(top: Path) -> list[str]:
    """The files and directories below `top` that this process has open."""
    found = []
    for fd in OPEN.iterdir():
        try:
            found.append(os.readlink(fd))
        except FileNotFoundError:  # the one that listed them
            continue
    return sorted(path for path in found if path.startswith(str(top)))


@pytest.mark.skipif(not OPEN.is_dir(), reason="this system does not list a process's open files")
def test_no_operation_leaves_a_file_open(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    enter(world, monkeypatch)
    world.ok("remote", "add", "origin", world.remote)
    data = world.root / "data"
    data.mkdir()
    for number in range(3):
        (data / "small").write_text(f"{number}")
        (data / "large").write_bytes(bytes([number]) * (PACKED_BELOW + 1))
        datatool.add("data")
        assert _open_below(world.top) == [], "add"
        datatool.push()
        assert _open_below(world.top) == [], "push"
        (data / "large").unlink()
        datatool.checkout("data")
        assert _open_below(world.top) == [], "checkout"
        datatool.pull()
        datatool.status()
        datatool.diff()
        datatool.gc()
        assert _open_below(world.top) == [], "what only looks"


@pytest.mark.skipif(not OPEN.is_dir(), reason="this system does not list a process's open files")
def test_an_add_that_fails_leaves_no_file_open(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    enter(world, monkeypatch)
    world.write("large", b"x" * (PACKED_BELOW + 1))
    with monkeypatch.context() as patch, pytest.raises(datatool.LocalError):
        patch.setattr("datatool.localfs.batch.Batch.flush", _refused)
        datatool.add("large")
    assert _open_below(world.top) == []


def _refused(_: object) -> None:
    raise datatool.LocalError("the disk is full")
