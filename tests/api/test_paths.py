"""`datatool.path`, `datatool.get_url` and `datatool.list`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import datatool
import needs
from api.conftest import BIG, TABLE, clone, enter, user_cache
from servers.fixtures import WebServer
from world import World, tree

DATA = {
    "a.txt": b"alpha\n",
    "deep/b.txt": b"beta\n",
    "empty": None,
    "link": "-> deep/b.txt",
    "run.sh": b"#!/bin/sh\n",
}


def writable(top: Path) -> list[Path]:
    """The files at or below a path that say they may be written to."""
    files = [top] if top.is_file() else [path for path in top.rglob("*") if path.is_file() and not path.is_symlink()]
    return [path for path in files if path.stat().st_mode & 0o222]


# ---- path


@pytest.mark.parametrize("rev", [None, "v1"])
def test_a_file_has_a_path_that_keeps_its_name_and_is_read_only(study: World, rev: str | None) -> None:
    found = datatool.path("table.csv", rev=rev)
    assert found.read_bytes() == TABLE and found.name == "table.csv"
    assert user_cache(study) in found.parents
    assert not writable(found)
    assert found == datatool.path(study.root / "table.csv")


@pytest.mark.parametrize("rev", [None, "v1"])
def test_a_directory_has_a_path_with_all_that_is_in_it(study: World, rev: str | None) -> None:
    found = datatool.path("data", rev=rev)
    assert found.name == "data" and tree(found) == DATA
    assert os.access(found / "run.sh", os.X_OK) and not os.access(found / "a.txt", os.X_OK)
    assert not writable(found)


@pytest.mark.parametrize("rev", [None, "v1"])
def test_a_part_of_a_directory_has_one_too(study: World, rev: str | None) -> None:
    assert tree(datatool.path("data/deep", rev=rev)) == {"b.txt": b"beta\n"}
    assert datatool.path("data/link", rev=rev).read_bytes() == b"beta\n"


@pytest.mark.parametrize("rev", [None, "HEAD"])
def test_a_directory_around_artifacts_leaves_out_what_only_serves_git(study: World, rev: str | None) -> None:
    study.write("sets/one.csv", b"1\n")
    study.write("sets/two/x.csv", b"2\n")
    study.write("sets/readme.txt", b"about\n")
    study.ok("add", "sets/one.csv", "sets/two")
    study.commit()
    assert tree(datatool.path("sets", rev=rev)) == {"one.csv": b"1\n", "readme.txt": b"about\n", "two/x.csv": b"2\n"}


def test_a_path_that_was_given_out_stays_right(study: World) -> None:
    old = datatool.path("table.csv")
    study.write("table.csv", b"new\n")
    study.ok("add", "table.csv")
    assert datatool.path("table.csv").read_bytes() == b"new\n"
    assert old.read_bytes() == TABLE


@pytest.mark.parametrize("name", ["table.csv", "data"])
def test_what_somebody_changed_is_made_again(study: World, name: str) -> None:
    found = datatool.path(name)
    before = found.read_bytes() if found.is_file() else tree(found)
    victim = found if found.is_file() else found / "a.txt"
    victim.unlink()
    victim.write_bytes(b"changed")
    if found.is_dir():
        (found / "more").write_bytes(b"x")
    again = datatool.path(name)
    assert again == found
    assert (again.read_bytes() if again.is_file() else tree(again)) == before


def test_the_path_of_an_unchanged_file_costs_no_second_copy(study: World) -> None:
    first = datatool.path("big.bin").stat()
    assert datatool.path("big.bin").stat().st_ino == first.st_ino


ASKS = "import datatool, sys; print(datatool.path(sys.argv[1], repo=sys.argv[2]))"


@pytest.mark.parametrize("name", ["big.bin", "data"])
def test_two_processes_may_ask_at_once(study: World, elsewhere: World, name: str) -> None:
    asking = [
        subprocess.Popen(
            [sys.executable, "-P", "-c", ASKS, name, study.root],
            cwd=elsewhere.root,
            env=elsewhere.env,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    answers = {process.communicate()[0].strip() for process in asking}
    assert [process.returncode for process in asking] == [0] * 4
    assert len(answers) == 1
    found = Path(answers.pop())
    assert found.read_bytes() == BIG if name == "big.bin" else tree(found) == DATA


def test_a_registry_gives_paths_as_a_project_does(study: World, elsewhere: World) -> None:
    assert datatool.path("table.csv", repo=study.root).read_bytes() == TABLE
    assert tree(datatool.path("data", repo=study.root, rev="v1")) == DATA
    whole = datatool.path(repo=study.root)
    assert {"table.csv", "README.md", "data/a.txt"} <= tree(whole).keys()
    assert not [name for name in tree(whole) if name.endswith(".dt")]


def test_ordinary_users_get_hardlinks_and_can_still_not_write(study: World) -> None:
    prefix = needs.without_root_override()
    code = "import datatool, os; p = datatool.path('big.bin'); print(os.stat(p).st_nlink); open(p, 'r+b')"
    done = subprocess.run(
        [*prefix, sys.executable, "-P", "-c", code], cwd=study.root, env=study.env, capture_output=True, text=True
    )
    assert int(done.stdout) == 2
    assert "PermissionError" in done.stderr


# ---- get_url


def test_a_large_file_has_the_url_of_its_object(study: World) -> None:
    found = Path(datatool.get_url("big.bin"))
    assert study.remote in found.parents and found.read_bytes() == BIG
    assert datatool.get_url("big.bin", rev="v1") == str(found)


def test_what_has_no_url_says_why(study: World) -> None:
    for path, why in (("table.csv", "pack"), ("README.md", "git"), ("data/a.txt", "pack")):
        for rev in (None, "v1"):
            with pytest.raises(datatool.UrlNotFound, match=why):
                datatool.get_url(path, rev=rev)
    study.write("never.bin", b"x" * (5 << 20))
    study.ok("add", "never.bin")
    with pytest.raises(datatool.UrlNotFound, match="not on the remote"):
        datatool.get_url("never.bin")
    with pytest.raises(IsADirectoryError):
        datatool.get_url("data")


def test_a_registry_tells_urls_and_a_server_answers_them(
    study: World, web_server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    study.ok("remote", "add", "web", str(web_server.directory))
    study.ok("push", "-r", "web")
    study.ok("remote", "set", "default", f"url={web_server.url}")
    config = study.read(".datatool/config.yaml")
    by_hand = config.replace(web_server.url.encode(), f"{web_server.url}?token=secret".encode())
    study.write(".datatool/config.yaml", by_hand)
    study.commit()
    monkeypatch.chdir(study.top)
    found = datatool.get_url("big.bin", repo=study.root)
    assert found.startswith(f"{web_server.url}/objects/") and "secret" not in found
    served = web_server.directory / found.removeprefix(web_server.url).lstrip("/")
    assert served.read_bytes() == BIG


# ---- list


@pytest.mark.parametrize("rev", [None, "v1"])
def test_a_list_tells_what_there_is(study: World, rev: str | None) -> None:
    found = {entry.path: entry for entry in datatool.list(rev=rev)}
    assert found["table.csv"].origin == "datatool" and found["table.csv"].size == len(TABLE)
    assert found["README.md"].origin == "git" and found["README.md"].oid is None
    assert found["data"].kind == "directory"
    inner = {entry.path: entry for entry in datatool.list("data", rev=rev)}
    assert list(inner) == ["data/a.txt", "data/deep", "data/empty", "data/link", "data/run.sh"]
    assert inner["data/link"].kind == "symlink" and inner["data/run.sh"].executable
    assert (inner["data/a.txt"].oid or "").startswith("sha256:")
    assert "data/deep/b.txt" in [entry.path for entry in datatool.list("data", rev=rev, recursive=True)]
    assert datatool.list("data/empty", rev=rev) == []
    with pytest.raises(FileNotFoundError):
        datatool.list("none", rev=rev)


def test_a_list_says_what_the_command_says(study: World) -> None:
    for words, entries in (
        ([], datatool.list()),
        (["-R", "data"], datatool.list("data", recursive=True)),
        ([str(study.root)], datatool.list(repo=study.root)),
    ):
        told = study.json("list", *words)["entries"]
        assert [(e["path"], e["kind"], e["origin"], e["size"], e["oid"], e["executable"]) for e in told] == [
            (e.path, e.kind, e.origin, e.size, e.oid, e.executable) for e in entries
        ]


def test_an_entry_may_stand_where_a_path_does(study: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(study.root / "data")
    for entry in datatool.list("data/deep"):
        assert datatool.read(entry) == "beta\n"
    assert [entry.path for entry in datatool.list(".")] == [entry.path for entry in datatool.list("data")]


def test_a_list_downloads_nothing_but_lists(study: World, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = clone(study)
    enter(copy, monkeypatch)
    assert [entry.path for entry in datatool.list("data/deep")] == ["data/deep/b.txt"]
    monkeypatch.chdir(study.top)
    assert len(datatool.list("data", repo=f"file://{copy.root}", recursive=True)) == len(DATA) + 1
    study.remote.rename(study.top / "away")
    monkeypatch.chdir(copy.root)
    with pytest.raises(datatool.RemoteError):
        datatool.read("data/deep/b.txt")
