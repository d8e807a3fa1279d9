"""Records of runs in the cache, found by fingerprint; and what determines one."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from datatool.cache.local import Cache
from datatool.formats.run_record import decode_run
from datatool.index.state import State
from datatool.model.oid import ObjectId
from datatool.model.pointer import ArtifactKind
from datatool.model.run import RunCode, RunEnvironment, RunFile, RunKind, RunRecord
from datatool.stages.fingerprint import command_fingerprint, program_fingerprint
from datatool.stages.run_store import (
    all_runs,
    find_runs,
    load_run,
    lookup_directory,
    lookup_name,
    recorded_inputs,
    save_run,
)

HELLO = ObjectId("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")
WORLD = ObjectId("a948904f2f0f479b8f8197694b30184b0d2ed1c1cd2a1ec0fb85d299a192a447")
RECORD = RunRecord(
    fingerprint=WORLD,
    project="p",
    kind=RunKind.COMMAND,
    name="train",
    code=RunCode(),
    inputs=(),
    outputs=(RunFile(path=b"out", kind=ArtifactKind.FILE, oid=HELLO, size=5),),
    parameters={},
    metrics={},
    started="2026-01-01T00:00:00Z",
    duration=1.0,
    host="",
    user="",
    environment=RunEnvironment(python="3.12", platform="x"),
    command=("make",),
)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache", State(None))


def test_a_record_is_an_object_of_the_cache_with_an_empty_lookup_beside_it(cache: Cache) -> None:
    oid = save_run(cache, RECORD)
    assert decode_run(cache.load(oid)) == RECORD
    assert (cache.top / "runs" / WORLD[:2] / WORLD[2:] / oid).read_bytes() == b""
    assert load_run(cache, oid) == RECORD
    assert lookup_name(WORLD, oid) == f"{lookup_directory(WORLD)}/{oid}"


def test_the_newest_of_a_fingerprint_comes_first_and_other_projects_are_left_out(cache: Cache) -> None:
    old = save_run(cache, RECORD)
    new = save_run(cache, replace(RECORD, started="2026-01-02T00:00:00Z"))
    again = save_run(cache, replace(RECORD, started="2026-01-02T00:00:00Z", duration=0.5))
    os.utime(cache.top / lookup_name(WORLD, again), (2_000_000_000, 2_000_000_000))  # of one second, the later here
    save_run(cache, replace(RECORD, project="another"))
    save_run(cache, replace(RECORD, fingerprint=HELLO))
    assert [known.oid for known in find_runs(cache, WORLD, "p")] == [again, new, old]
    assert {known.record.fingerprint for known in all_runs(cache, "p")} == {HELLO, WORLD}
    assert find_runs(cache, "0" * 64, "p") == []


def test_what_is_no_record_or_belongs_to_another_fingerprint_is_left_out(cache: Cache) -> None:
    oid = save_run(cache, RECORD)
    wrong = cache.top / lookup_directory(HELLO)
    wrong.mkdir(parents=True)
    (wrong / oid).touch()  # a look-up that lies
    (cache.top / lookup_directory(WORLD) / "README").touch()
    (cache.top / lookup_directory(WORLD) / HELLO).touch()  # an object that is not here
    assert find_runs(cache, HELLO, "p") == []
    assert [known.oid for known in find_runs(cache, WORLD, "p")] == [oid]


@pytest.mark.parametrize("fingerprint", ["../" * 20, "AB" * 32, "", "0" * 63])
def test_a_fingerprint_never_becomes_another_path(fingerprint: str) -> None:
    with pytest.raises(ValueError, match="not a fingerprint"):
        lookup_directory(fingerprint)


def fingerprint(**change: object) -> str:
    file = RunFile(path=b"in", kind=ArtifactKind.FILE, oid=HELLO, size=5)
    values: dict[str, object] = {
        "command": ("make", "all"),
        "directory": "",
        "parameters": {"a": 1, "b": 2},
        "inputs": [file, replace(file, path=b"b")],
        "outputs": [b"x", b"y"],
        "code": {b"Makefile": HELLO, b"m\xff": WORLD},
    }
    return command_fingerprint(**{**values, **change})  # type: ignore[arg-type]


def test_all_that_determines_a_command_changes_its_fingerprint_and_order_does_not() -> None:
    file = RunFile(path=b"in", kind=ArtifactKind.FILE, oid=HELLO, size=5)
    same = [
        fingerprint(),
        fingerprint(parameters={"b": 2, "a": 1}),
        fingerprint(inputs=[replace(file, path=b"b"), file]),
        fingerprint(outputs=[b"y", b"x"]),
    ]
    assert len(set(same)) == 1
    others = [
        fingerprint(command=("make",)),
        fingerprint(directory="src"),
        fingerprint(parameters={"a": 1}),
        fingerprint(inputs=[file]),
        fingerprint(inputs=[replace(file, oid=WORLD), replace(file, path=b"b")]),
        fingerprint(outputs=[b"x"]),
        fingerprint(code={b"Makefile": HELLO}),
        fingerprint(code={b"Makefile": WORLD, b"m\xff": WORLD}),
    ]
    assert len({same[0], *others}) == 1 + len(others)


def test_where_a_program_ran_counts_unless_it_is_the_top_of_the_project() -> None:
    def of(directory: str | None) -> str:
        return program_fingerprint(
            kind=RunKind.SCRIPT,
            entry="train.py",
            name="train.py",
            functions={"train.py": "1f"},
            directory=directory,
            parameters={},
            inputs=[],
        )

    assert of(None) == of("") and len({of(""), of("jobs"), of("jobs/deep")}) == 3


@pytest.mark.parametrize(
    ("ran", "cells", "known"),
    [
        ("abc", "abcd", True),
        ("abc", "ab", True),
        ("abcd", "ab", False),
        ("", "ab", False),
        ("abc", "", False),
    ],
)
def test_a_notebooks_run_is_known_by_most_of_the_cells_that_ran_if_the_kernel_knew_no_file(
    cache: Cache, ran: str, cells: str, known: bool
) -> None:
    file = RunFile(path=b"in", kind=ArtifactKind.FILE, oid=HELLO, size=5)
    code = RunCode(functions={f"In[{number}]": cell for number, cell in enumerate(ran, 1)})
    save_run(cache, replace(RECORD, code=code, inputs=(file,)))
    assert bool(recorded_inputs(cache, "p", "a.ipynb", set(cells))) == known
    save_run(cache, replace(RECORD, code=RunCode(entry="a.ipynb"), inputs=()))
    assert recorded_inputs(cache, "p", "a.ipynb", set(cells)) == []
