"""Run records on remotes: whoever clones the project finds what was run, and need not run it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import datatool.operations.push_runs as push_runs
from datatool.errors import RemoteBusy, RemoteDenied
from datatool.store.directory import DirectoryStore
from measure import store_requests
from network.places import s3_place, ssh_place
from servers.fixtures import WebServer
from world import World

CLEAN = "sort raw.csv > clean.csv; echo clean >> ../log"
TRAIN = "cat clean.csv clean.csv > model.bin; echo train >> ../log"


def clean(world: World, *options: str) -> Any:
    return world.ok("run", "-d", "raw.csv", "-o", "clean.csv", *options, "--json", "--", "sh", "-c", CLEAN).json


def train(world: World, *options: str) -> Any:
    return world.ok("run", "-d", "clean.csv", "-o", "model.bin", *options, "--json", "--", "sh", "-c", TRAIN).json


def worked(world: World) -> World:
    """raw.csv → clean.csv → model.bin, of which git knows the pointers."""
    world.write("raw.csv", b"b\na\n")
    world.ok("add", "raw.csv")
    clean(world)
    train(world)
    world.commit()
    return world


def lookups(top: Path) -> set[str]:
    return {path.relative_to(top).as_posix() for path in (top / "runs").rglob("*") if path.is_file()}


def log(world: World) -> list[str]:
    path = world.top / "log"
    return path.read_text().split() if path.exists() else []


def test_in_a_fresh_clone_the_same_command_is_not_run_but_brought(world: World) -> None:
    made = clean(worked(world))
    world.ok("push")
    assert lookups(world.remote) == lookups(world.cache)
    copy = world.clone()
    before = log(world)
    brought = clean(copy)
    assert (brought["action"], brought["run"]) == ("restored", made["run"])
    assert copy.read("clean.csv") == b"a\nb\n"
    assert not copy.exists("raw.csv"), "the input was not needed"
    assert copy.git("status", "--porcelain") == ""
    assert log(world) == before


def test_pull_brings_the_records_that_the_pointers_name(world: World) -> None:
    worked(world).ok("push")
    copy = world.clone()
    copy.ok("pull")
    assert lookups(copy.cache) == lookups(world.cache)
    shutil.rmtree(world.remote)
    before = log(world)
    runs = copy.json("reproduce", "model.bin")["runs"]
    assert [run["action"] for run in runs] == ["unchanged", "unchanged"]
    assert log(world) == before


def test_reproduce_in_a_clone_asks_for_the_records_that_it_lacks(world: World) -> None:
    worked(world).ok("push")
    copy = world.clone()
    runs = copy.json("reproduce", "model.bin")["runs"]
    assert [run["action"] for run in runs] == ["restored", "restored"]
    assert copy.read("model.bin") == b"a\nb\na\nb\n"


def test_a_record_that_nobody_has_is_named(world: World) -> None:
    worked(world)
    copy = world.clone()
    assert "neither here nor on a remote" in copy.fails(3, "reproduce", "model.bin", "--json").error["message"]


def test_an_experiment_that_no_pointer_names_any_more_travels_with_its_outputs(world: World) -> None:
    worked(world)
    world.write("raw.csv", b"experiment\n")
    experiment = clean(world)
    world.git("checkout", "-q", "--", ".")
    world.git("reset", "-q", "--hard")
    world.ok("checkout", "--force")
    world.ok("push")
    copy = world.clone()
    copy.write("raw.csv", b"experiment\n")
    copy.ok("add", "--force", "raw.csv")
    brought = clean(copy)
    assert (brought["action"], brought["run"]) == ("restored", experiment["run"])
    assert copy.read("clean.csv") == b"experiment\n"


def test_a_push_of_one_artifact_takes_the_records_behind_it_and_no_others(world: World) -> None:
    worked(world)
    world.ok("run", "-o", "other", "--", "touch", "other")
    world.ok("push", "model.bin")
    assert len(lookups(world.remote)) == 2
    world.ok("push")
    assert len(lookups(world.remote)) == 3


def test_what_never_leaves_this_machine_does_not_leave_it_with_a_run(world: World) -> None:
    worked(world)
    pointer = world.read("clean.csv.dt")
    world.write("clean.csv.dt", pointer.replace(b"source:", b"push: false\nsource:"))
    world.ok("push")
    copy = world.clone("other")
    oid = pointer.decode().split("oid: sha256:")[1].split()[0]
    copy.write("raw.csv", b"b\na\n")
    assert clean(copy)["action"] == "executed", "nobody else has its bytes"
    assert oid in copy.read("clean.csv.dt").decode()


def test_a_push_with_nothing_to_do_makes_two_requests_with_runs_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    worked(world).ok("push")
    with store_requests(monkeypatch) as counts:
        assert world.json("push")["requests"] == 2
    assert counts == {"list": 2}
    copy = world.clone()
    copy.ok("pull")
    with store_requests(monkeypatch) as counts:
        copy.ok("push")
        copy.ok("push")
    assert counts["put"] <= 2, "each look-up at most once more"


def test_a_look_up_that_could_not_be_written_is_written_by_the_next_push(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    worked(world)

    def fails(*_: object, **__: object) -> None:
        raise RemoteBusy("the line is dead")

    with monkeypatch.context() as patched:
        patched.setattr(push_runs, "write_lookups", fails)
        assert "line is dead" in world.ok("push").err
    assert lookups(world.remote) == set()
    world.ok("push")
    assert lookups(world.remote) == lookups(world.cache)


def test_a_push_that_is_killed_behind_its_commit_leaves_look_ups_to_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    worked(world)

    class Killed(BaseException):
        pass

    original = DirectoryStore.put

    def dies(store: DirectoryStore, name: str, *more: Any, **options: Any) -> None:
        if name.startswith("runs/"):
            raise Killed
        original(store, name, *more, **options)

    with monkeypatch.context() as patched:
        patched.setattr(DirectoryStore, "put", dies)
        with pytest.raises(Killed):
            world.run("push")
    assert lookups(world.remote) == set()
    world.ok("push")
    assert lookups(world.remote) == lookups(world.cache)


def test_a_copy_of_a_remote_has_the_look_ups_too(world: World) -> None:
    worked(world).ok("push")
    world.ok("remote", "add", "second", str(world.top / "second"))
    world.ok("remote", "copy", "default", "second")
    assert lookups(world.top / "second") == lookups(world.remote)


def test_a_remote_that_lies_is_not_believed(world: World) -> None:
    worked(world).ok("push")
    (one, two) = sorted(lookups(world.remote))
    (world.remote / one).rename(world.remote / one.rpartition("/")[0] / two.rpartition("/")[2])
    copy = world.clone()
    copy.ok("pull", "raw.csv")
    assert clean(copy)["action"] in ("executed", "restored")
    assert copy.read("clean.csv") == b"a\nb\n"


def test_a_remote_that_can_not_be_asked_costs_a_warning(world: World) -> None:
    worked(world).ok("push")
    copy = world.clone()
    copy.ok("pull", "raw.csv")
    shutil.rmtree(world.remote)
    ran = copy.ok("run", "-d", "raw.csv", "-o", "new", "--", "cp", "raw.csv", "new")
    assert copy.read("new") == b"b\na\n"
    assert "Traceback" not in ran.err


def test_over_the_web_the_records_are_found_by_the_pointers(world: World, web_server: WebServer) -> None:
    world.ok("remote", "set", "default", f"url={web_server.directory}")
    worked(world).ok("push")
    copy = world.clone()
    copy.ok("remote", "set", "default", "--local", f"url={web_server.url}")
    copy.ok("pull", "clean.csv")
    before = log(world)
    assert clean(copy)["action"] == "unchanged"
    assert [run["action"] for run in copy.json("reproduce", "model.bin")["runs"]] == ["unchanged", "restored"]
    assert log(world) == before


@pytest.mark.parametrize("kind", ["s3", "sftp"])
def test_on_servers_it_is_the_same(world: World, kind: str, request: pytest.FixtureRequest) -> None:
    if kind == "s3":
        place = s3_place(request.getfixturevalue("s3_server"))
    else:
        place = ssh_place(request.getfixturevalue("sshd"))
    place.add_to(world)
    worked(world).ok("push")
    assert {name for name in place.names() if name.startswith("runs/")} == lookups(world.cache)
    assert world.json("push")["requests"] == 2
    copy = place.join(world.clone())
    assert clean(copy)["action"] == "restored"
    assert copy.json("reproduce", "model.bin")["runs"][-1]["action"] == "restored"


METHODS = ("list", "get", "get_many", "put", "put_file")


def _break_the(number: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let one request to directory remotes fail, for good; how many there were is counted in the list given."""
    count = [0]

    def broken(original: Any) -> Any:
        def call(self: DirectoryStore, *words: Any, **options: Any) -> Any:
            count[0] += 1
            if count[0] == number:
                raise RemoteDenied("the line is dead")
            return original(self, *words, **options)

        return call

    for name in METHODS:
        monkeypatch.setattr(DirectoryStore, name, broken(getattr(DirectoryStore, name)))
    return count


def test_whichever_request_of_a_push_fails_the_next_push_completes_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    worked(world)
    number = reached = 0
    while reached >= number:  # until nothing failed
        number += 1
        shutil.rmtree(world.remote, ignore_errors=True)
        shutil.rmtree(world.cache / "remotes", ignore_errors=True)
        with monkeypatch.context() as patched:
            count = _break_the(number, patched)
            ran = world.run("push")
            reached = count[0]
        assert ran.code in (0, 6), ran
        assert "Traceback" not in ran.err
        world.ok("push")
        assert lookups(world.remote) == lookups(world.cache), f"request {number}"
    assert number > 10


def test_whichever_request_of_bringing_a_result_fails_the_command_can_still_run(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    worked(world).ok("push")
    number = reached = 0
    while reached >= number:
        number += 1
        copy = world.clone(f"copy{number}")
        copy.write("raw.csv", b"b\na\n")
        with monkeypatch.context() as patched:
            count = _break_the(number, patched)
            ran = clean(copy)
            reached = count[0]
        assert ran["action"] in ("executed", "restored")
        assert copy.read("clean.csv") == b"a\nb\n"
    assert ran["action"] == "restored"
    assert number > 5
