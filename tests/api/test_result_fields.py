"""What `--json` has, a result has under the same name, at the same place and with the same meaning."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import pytest

import datatool
from api.conftest import clone, enter
from api.test_operations import CASES, change
from datatool.operations.result import Part
from world import World


def unlike(value: Any, said: Any, at: str) -> list[str]:
    """Where what a result holds is not what its JSON says."""
    if isinstance(said, dict):
        return [place for key in said for place in unlike(inner(value, key), said[key], f"{at}.{key}")]
    if isinstance(said, list):
        held = list(value) if hasattr(value, "__iter__") else [value]
        if len(held) != len(said):
            return [at]
        return [place for one, other in zip(held, said, strict=True) for place in unlike(one, other, f"{at}[]")]
    return [] if value == said else [at]


def inner(value: Any, key: str) -> Any:
    if isinstance(value, Mapping):
        return value.get(key, "no such key")
    return getattr(value, f"{key}_" if key == "from" else key, "no such attribute")


def reads_like_its_json(result: Part) -> bool:
    assert unlike(result, result.to_dict(), type(result).__name__) == []
    return True


def result_of(call: Any) -> Any:
    try:
        return call()
    except datatool.DatatoolError as error:
        assert error.result is not None
        return error.result


@pytest.mark.parametrize("case", CASES)
def test_what_the_json_of_a_project_has_is_an_attribute(case: str, study: World) -> None:
    change(study)
    assert reads_like_its_json(result_of(CASES[case][1]))


def test_what_a_pull_says_can_be_read_without_knowing_its_halves(study: World, monkeypatch: pytest.MonkeyPatch) -> None:
    enter(clone(study), monkeypatch)
    pulled = datatool.pull()
    assert pulled.objects and pulled.bytes and pulled.requests and not pulled.skipped_objects and not pulled.dry_run
    assert pulled.remote == pulled.transfer.remote
    assert pulled.checkout is not None
    assert [item.ok for item in pulled.checkout] == [True, True, True]
    assert reads_like_its_json(pulled)


def test_what_a_clone_says_of_its_pull_is_an_attribute(study: World) -> None:
    cloned = datatool.clone(study.root, "../cloned")
    assert cloned.pull is not None
    assert cloned.pull.objects and reads_like_its_json(cloned)


def test_what_the_json_of_registries_has_is_an_attribute(study: World, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = study.root
    enter(World(study.top / "mine"), monkeypatch)
    got = datatool.get(theirs, ["data", "table.csv"])
    assert [(item.ok, item.kind, item.failed) for item in got.artifacts] == [
        (True, "directory", ()),
        (True, "file", ()),
    ]
    assert reads_like_its_json(got)
    assert reads_like_its_json(datatool.get_from_url(f"{theirs}/README.md"))
    assert reads_like_its_json(datatool.import_(theirs, "big.bin"))
    assert reads_like_its_json(datatool.import_url(f"{theirs}/README.md", "b.md"))
    shutil.move(theirs / ".git", theirs / "gone")
    assert result_of(datatool.update).failed[0].path == "big.bin"
    assert reads_like_its_json(result_of(datatool.update))


def test_what_the_json_of_entries_has_is_an_attribute(study: World) -> None:
    for entry in datatool.list("data"):
        assert reads_like_its_json(entry)


def test_what_the_json_of_a_reproduction_has_is_an_attribute(study: World) -> None:
    study.ok("run", "-d", "table.csv", "-o", "out.txt", "--", "cp", "table.csv", "out.txt")
    for force in (False, True):
        reproduced = datatool.reproduce("out.txt", force=force)
        assert [(item.name, item.kind, item.same) for item in reproduced.runs] == [
            ("cp table.csv out.txt", "command", True)
        ]
        assert reproduced.runs[0].outputs[0].path == "out.txt"
        assert reads_like_its_json(reproduced)
    study.write("out.txt", b"edited\n")
    assert reads_like_its_json(result_of(lambda: datatool.reproduce("out.txt")))


OLD = "814fa5ca98406a903e22b43d9b610105"
"""The MD5 of `old` in a line."""


def test_what_the_json_of_a_migration_has_is_an_attribute(study: World) -> None:
    study.write(".dvc/config", b"")
    study.write(f".dvc/cache/files/md5/{OLD[:2]}/{OLD[2:]}", b"old\n")
    study.write("old.csv.dvc", b"outs:\n- md5: %s\n  hash: md5\n  path: old.csv\n" % OLD.encode())
    study.write("dvc.yaml", b"stages:\n  make:\n    cmd: make\n")
    study.git("add", "-f", ".dvc", "old.csv.dvc", "dvc.yaml")
    migrated = result_of(lambda: datatool.migrate(dry_run=True))
    assert [item.from_ for item in migrated.artifacts] == ["dvc"]
    assert [item.path for item in migrated.stays] == ["dvc.yaml"]
    assert reads_like_its_json(migrated)


def test_what_the_json_lacks_is_no_public_field_of_a_push(study: World) -> None:
    sent = datatool.push()
    assert {field.name for field in fields(sent) if not field.name.startswith("_")} == set(sent.to_dict())
