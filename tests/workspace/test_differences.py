"""What differs between a directory and a tree is told by lines as it is path by path, whatever was edited."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datatool.formats.tree_object import TreeWriter, read_tree
from datatool.hashing import digest
from datatool.index.stamp import Stamp, stamp_of, stamps_of
from datatool.index.state import State
from datatool.localfs.walk import Found
from datatool.model.entry import FILE
from datatool.model.oid import ObjectId, to_digest
from datatool.workspace.differences import against, differences
from datatool.workspace.present import Workspace

# What sorts around `/`, names with escapes, and a name that is a file, a link or a directory in turn.
PATHS = st.sampled_from(["a", "a/b", "a/c/d", "a-b", "a.b", "a0", "b c", "b/é", "b/%20", "c/1", "c/2", "c/3/4", "z"])
NODES = st.one_of(
    st.tuples(st.sampled_from("fx"), st.sampled_from([b"", b"one", b"two", b"three"])),
    st.tuples(st.just("l"), st.sampled_from([b"z", b"z0"])),
    st.tuples(st.just("d"), st.just(b"")),
)
Nodes = dict[str, tuple[str, bytes]]
NUMBERS = {"st_size": 1, "st_ctime_ns": 2, "st_dev": 3, "st_mode": 0o100644}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages, chunks and questions of a few entries each."""
    monkeypatch.setattr("datatool.formats.tree_object.CLOSING", 1)
    monkeypatch.setattr("datatool.workspace.present._TOGETHER", 3)
    monkeypatch.setattr("datatool.index.state._PAGE", 4)


def possible(nodes: Mapping[str, tuple[str, bytes]]) -> Nodes:
    """Those that can lie side by side: nothing below what is no directory."""
    found: Nodes = {}
    for path in sorted(nodes):
        parents = [path[:at] for at, letter in enumerate(path) if letter == "/"]
        if not any(parent in found for parent in parents):
            found[path] = nodes[path]
    return found


def write(top: Path, before: Nodes, after: Nodes) -> None:
    """Turn a directory of these files into one of those; what is in both is not touched."""
    for path in sorted(before, reverse=True):
        if after.get(path) != before[path]:
            gone = top / path
            gone.rmdir() if before[path][0] == "d" else gone.unlink()
            while gone.parent != top and not any(gone.parent.iterdir()):
                gone = gone.parent
                gone.rmdir()
    for path, (kind, content) in after.items():
        place = top / path
        if before.get(path) == (kind, content):
            continue
        if kind == "d":
            place.mkdir(parents=True, exist_ok=True)
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        if kind == "l":
            place.symlink_to(os.fsdecode(content))
        else:
            place.write_bytes(content)
            place.chmod(0o755 if kind == "x" else 0o644)


def save(workspace: Workspace, objects: dict[ObjectId, bytes]) -> ObjectId:
    """The tree of what is there, each hash remembered."""
    tree = TreeWriter(objects.__setitem__)
    for seen in workspace.look(b"data"):
        oid = None
        if seen.found.kind == FILE:
            path = b"data/" + seen.found.path
            oid = digest(Path(os.fsdecode(workspace.full(path))).read_bytes())
            workspace.state.remember([(path, seen.stamp, to_digest(oid))])
        tree.add(workspace.entry(seen, oid))
    return tree.finish().oid


@settings(deadline=None)
@given(
    before=st.dictionaries(PATHS, NODES).map(possible),
    edits=st.dictionaries(PATHS, st.none() | NODES, max_size=4),
    modes_bind=st.booleans(),
    looked=st.booleans(),
)
def test_the_differences_are_those_that_a_look_at_every_path_finds(
    before: Nodes, edits: dict[str, tuple[str, bytes] | None], modes_bind: bool, looked: bool
) -> None:
    after = possible({path: node for path, node in {**before, **edits}.items() if node is not None})
    top = Path(tempfile.mkdtemp(prefix="differences-"))
    try:
        (top / "data").mkdir()
        with State(top / "state.db") as state:
            workspace = Workspace(top, state, modes_bind=modes_bind)
            objects: dict[ObjectId, bytes] = {}
            write(top / "data", {}, before)
            tree = save(workspace, objects)
            write(top / "data", before, after)
            seen = iter(list(workspace.look_by_columns(b"data"))) if looked else None
            load = objects.__getitem__
            found = list(differences(workspace, load, b"data", tree, seen=seen))
            every = list(against(workspace, b"data", read_tree(tree, load)))
    finally:
        shutil.rmtree(top)
    assert found == [row for row in every if row[1] != row[2]]
    assert bool(found) == any(before.get(path) != after.get(path) for path in {*before, *after}) or not modes_bind


@given(
    remembered=st.sets(st.integers(0, 40)),
    wanted=st.sets(st.integers(0, 40), min_size=1),
)
def test_many_are_looked_up_as_one_is(remembered: set[int], wanted: set[int]) -> None:
    with tempfile.TemporaryDirectory() as top, State(Path(top) / "state.db") as state:
        stamp: Stamp = stamp_of(os.lstat(top))
        state.remember([(b"%02d" % n, stamp, b"%032d" % n) for n in remembered])
        paths = [b"%02d" % n for n in sorted(wanted)]
        assert state.recall(paths) == [state.row(path) for path in paths]


@given(st.lists(st.tuples(st.integers(-(1 << 40), 1 << 70), st.integers(0, 1 << 128)), max_size=4))
def test_a_stamp_does_not_depend_on_those_beside_it_however_large_its_numbers_are(
    files: list[tuple[int, int]],
) -> None:
    found = [
        Found(b"a", cast("os.stat_result", SimpleNamespace(**NUMBERS, st_mtime_ns=mtime, st_ino=inode)), "f", None)
        for mtime, inode in files
    ]
    assert stamps_of(found) == [stamp_of(item.stat) for item in found]
