"""Reading from several remotes in order, pushing to mirrors, and copying one remote to another."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from needs import tool
from world import World


@pytest.fixture
def two(world: World) -> World:
    """A project with data in its cache, and a second remote."""
    world.write("data/a.txt", b"a" * 10)
    world.write("data/big.bin", os.urandom(5 << 20))
    world.write("one.bin", b"one")
    world.ok("add", "data", "one.bin")
    world.ok("remote", "add", "second", str(world.top / "second"))
    world.commit("one")
    return world


def names(remote: Path) -> set[str]:
    return {path.name for path in remote.rglob("*") if path.is_file()}


# Mirrors


def test_a_push_goes_to_every_mirror_too(two: World) -> None:
    two.ok("config", "set", "remotes.second.mirror", "true")
    two.commit()
    done = two.json("push")
    assert done["remote"] == "default, second"
    assert all(item["ok"] for item in done["artifacts"])
    clone = two.clone()
    shutil.rmtree(two.remote)
    clone.ok("pull", "-r", "second")
    assert clone.tree("data") == two.tree("data")
    assert two.json("push", "-r", "second")["requests"] == 2


def test_a_remote_that_is_named_is_the_only_one_pushed_to(two: World) -> None:
    two.ok("config", "set", "remotes.second.mirror", "true")
    assert two.json("push", "-r", "default")["remote"] == "default"
    assert not (two.top / "second").exists()


def test_a_mirror_that_fails_does_not_stop_the_others(two: World) -> None:
    (two.top / "second").write_bytes(b"a file, where a directory is needed")
    two.ok("config", "set", "remotes.second.mirror", "true")
    ran = two.fails(4, "push", "--json")
    assert "remote second: " in ran.err and ran.json["remote"] == "default"
    first, second = ran.json["remotes"]
    assert first == {"name": "default", "ok": True, "failures": []}
    assert (second["name"], second["ok"], len(second["failures"])) == ("second", False, 1)
    assert second["failures"][0]["code"] == "remote_error"
    said = two.run("push").out
    assert "default: 2 artifacts up to date" in said and "second: 0 of 2 artifacts up to date, 2 failed" in said
    two.clone().ok("pull")


def test_the_list_of_remotes_shows_what_each_is_for(two: World) -> None:
    two.ok("config", "set", "remotes.second.mirror", "true")
    assert [line.split()[-1] for line in two.ok("remote", "list").out.splitlines()] == ["(default)", "(mirror)"]


def test_a_remote_with_settings_and_no_url_is_told_as_such(two: World) -> None:
    two.ok("config", "set", "remotes.lab.keyfile", "/key", "--local")
    ran = two.fails(3, "pull", "-r", "lab")
    assert "lab: this remote has settings, and no URL" in ran.err and "datatool remote set lab url=URL" in ran.err


def test_a_copy_to_a_remote_that_is_gone_says_how_to_make_that_one(two: World) -> None:
    two.ok("push")
    two.ok("remote", "copy", "default", "second")
    shutil.rmtree(two.top / "second")
    assert "datatool push -r second --force" in two.fails(6, "remote", "copy", "default", "second").err
    shutil.rmtree(two.remote)
    ran = two.fails(6, "remote", "copy", "default", "second")
    assert "mount it and try again" in ran.err and "--force" not in ran.err


def test_a_mirror_that_is_configured_wrong_does_not_stop_the_others_either(two: World) -> None:
    config = two.root / ".datatool/config.yaml"
    two.ok("config", "set", "remotes.second.mirror", "true")
    config.write_text(config.read_text().replace(str(two.top / "second"), "s3://not_a bucket"))
    ran = two.fails(4, "push", "--json")
    assert "not a bucket's name" in ran.err and ran.json["remote"] == "default"
    two.clone().ok("pull")


# Reading in order


def test_what_the_first_remote_lacks_comes_from_the_next(two: World) -> None:
    two.ok("push", "one.bin", "-r", "second")
    two.ok("push")
    two.ok("config", "set", "read", "second")
    two.commit()
    clone = two.clone()
    done = clone.json("pull")
    assert done["remote"] == "default, second"
    assert clone.tree("data") == two.tree("data") and clone.read("one.bin") == b"one"


def test_a_remote_that_has_everything_is_asked_alone(two: World) -> None:
    two.ok("push")
    two.ok("push", "-r", "second")
    two.ok("config", "set", "read", "second")
    two.commit()
    clone = two.clone()
    shutil.rmtree(two.remote)
    assert clone.json("pull")["remote"] == "second"


def test_a_remote_that_is_away_is_passed_over_with_a_warning(two: World) -> None:
    two.ok("push")
    two.ok("push", "-r", "second")
    two.ok("config", "set", "read", "second")
    two.commit()
    clone = two.clone()
    clone.ok("fetch", "one.bin")
    shutil.rmtree(two.top / "second")
    ran = clone.ok("pull")
    assert "remote second: " in ran.err and "asking default" in ran.err
    assert "(default)" in ran.out
    assert clone.tree("data") == two.tree("data")


def test_what_no_remote_has_is_told_as_before(two: World) -> None:
    two.ok("push", "one.bin", "-r", "second")
    two.ok("push", "one.bin")
    two.ok("config", "set", "read", "second")
    two.commit()
    clone = two.clone()
    ran = clone.fails(4, "pull", "--json")
    assert [item["ok"] for item in ran.json["artifacts"]] == [False, True]


def test_damage_on_the_first_remote_is_healed_from_the_next(two: World) -> None:
    two.ok("push")
    two.ok("push", "-r", "second")
    two.ok("config", "set", "read", "second")
    two.commit()
    for path in (two.top / "second/objects").rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            path.chmod(0o644)
            path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    clone = two.clone()
    clone.ok("pull")
    assert clone.tree("data") == two.tree("data")


def test_an_unknown_name_among_those_to_read_from_is_an_error(two: World) -> None:
    two.ok("push")
    ran = two.fails(3, "config", "set", "read", "default, secnd")
    assert "secnd: no such remote" in ran.err and "did you mean second" in ran.err
    two.fails(3, "config", "set", "remote", "secnd")
    config = two.root / ".datatool/config.yaml"
    config.write_text(config.read_text() + "read: [secnd]\n")
    two.commit()
    assert "did you mean second" in two.clone().fails(3, "pull").err


# Copying


def test_a_copied_remote_serves_everything_the_first_one_does(two: World) -> None:
    two.ok("push")
    two.write("data/a.txt", b"a second version")
    two.ok("add", "data")
    two.commit("two")
    two.ok("push")
    done = two.json("remote", "copy", "default", "second")
    assert (done["from"], done["to"], done["versions"]) == ("default", "second", 3)
    clone = two.clone()
    shutil.rmtree(two.remote)
    clone.ok("pull", "--rev", "HEAD~1", "-r", "second")
    assert clone.read("data/a.txt") == b"a" * 10
    clone.ok("pull", "--rev", "HEAD", "-r", "second")
    assert clone.read("data/a.txt") == b"a second version"


def test_copying_again_sends_nothing(two: World) -> None:
    two.ok("push")
    first = two.json("remote", "copy", "default", "second")
    assert first["objects"] >= 4
    before = names(two.top / "second")
    again = two.json("remote", "copy", "default", "second")
    assert (again["objects"], again["bytes"]) == (0, 0)
    assert names(two.top / "second") == before


def test_a_copy_needs_nothing_but_lists_in_the_cache(two: World) -> None:
    two.ok("push")
    clone = two.clone()
    clone.ok("remote", "copy", "default", "second")
    assert not [
        path for path in (clone.cache / "objects").rglob("*") if path.is_file() and path.stat().st_size > 1 << 20
    ]
    assert [path for path in (two.top / "second/objects").rglob("*") if path.is_file()]


def test_another_projects_data_is_copied_under_its_own_name(
    two: World, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = World(tmp_path_factory.mktemp("other"))
    other.write("theirs", b"theirs")
    other.ok("add", "theirs")
    other.ok("remote", "set", "default", f"url={two.remote}")
    other.commit()
    two.ok("push")
    other.ok("push")
    two.ok("remote", "copy", "default", "second")
    other.ok("remote", "add", "second", str(two.top / "second"))
    assert other.json("push", "-r", "second")["objects"] == 0  # its own record is there
    assert other.json("push", "-r", "second")["requests"] == 2


def test_a_dry_run_of_a_copy_writes_nothing(two: World) -> None:
    two.ok("push")
    done = two.json("remote", "copy", "default", "second", "--dry-run")
    assert done["dry_run"] and done["objects"] >= 4 and done["bytes"] > 5 << 20
    assert not (two.top / "second").exists()


def test_a_dry_run_of_a_copy_counts_what_versions_share_once(two: World) -> None:
    two.ok("push")
    two.write("data/b.txt", b"b" * 10)
    two.ok("add", "data")
    two.commit("two")
    two.ok("push")
    told = two.json("remote", "copy", "default", "second", "--dry-run")
    done = two.json("remote", "copy", "default", "second")
    assert told["objects"] == done["objects"]
    assert (5 << 20) < told["bytes"] < (6 << 20)


def test_a_damaged_object_is_not_copied(two: World) -> None:
    two.ok("push")
    for path in (two.remote / "objects").rglob("*"):
        if path.is_file():
            path.chmod(0o644)
            path.write_bytes(b"x" * path.stat().st_size)
    ran = two.fails(5, "remote", "copy", "default", "second", "--json")
    assert "damaged" in ran.err
    assert not [path for path in (two.top / "second").rglob("objects/*/*") if path.is_file()]
    two.clone().ok("pull", "one.bin", "-r", "second")


def test_a_copy_to_a_full_disk_says_what_it_needs_and_goes_on_when_there_is_room(
    two: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    two.ok("push")
    write = os.write

    def little_room(fd: int, data: bytes) -> int:
        if os.fstat(fd).st_size + len(data) > 1 << 20:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(fd, data)

    with monkeypatch.context() as full:
        full.setattr(os, "write", little_room)
        error = two.fails(1, "remote", "copy", "default", "second", "--json").error
    assert error["code"] == "no_space" and "the disk is full: needs 5.2 MB" in error["message"]
    there = [path for path in (two.top / "second").rglob("*") if path.is_file()]
    assert not [path for path in there if "tmp-" in path.name or path.stat().st_size > 1 << 20]
    two.ok("remote", "copy", "default", "second")
    clone = two.clone()
    clone.ok("pull", "-r", "second")
    assert clone.tree("data") == two.tree("data")


def test_a_file_too_large_for_the_target_of_a_copy_costs_only_the_version_that_has_it(two: World) -> None:
    tool("prlimit")
    two.ok("push")
    copy = ("remote", "copy", "default", "second")
    for code in (4, 1):  # the second time nothing is left to be done but what can't be
        ran = two.process(*copy, before=["prlimit", "--fsize=2000000"])
        assert ran.code == code and "too large a file: at most 2.0 MB are allowed" in ran.err and "ulimit -f" in ran.err
    clone = two.clone()
    clone.ok("pull", "one.bin", "-r", "second")
    assert two.json(*copy)["objects"] == 1
    clone.ok("pull", "-r", "second")
    assert clone.tree("data") == two.tree("data")


def test_a_remote_is_not_copied_to_itself(two: World) -> None:
    two.fails(2, "remote", "copy", "default", "default")
    two.fails(3, "remote", "copy", "default", "nowhere")


# Looking at a remote


def test_a_check_replaces_a_name_and_tells_what_the_store_can_do(two: World) -> None:
    done = two.json("remote", "check")
    assert [step["name"] for step in done["steps"]] == ["write", "read", "range", "atomic publish", "list", "delete"]
    assert done["ok"] and done["leftovers"] == [] and done["discarded"] == 0
    assert "it can: write, list, delete" in two.ok("remote", "check").out


# Renaming


def test_a_renamed_remote_keeps_its_secrets_and_its_place_in_the_order(two: World) -> None:
    two.ok("remote", "set", "second", "password=hunter2", "access_key_id=AKIA1")
    two.ok("config", "set", "read", "second, default")
    two.ok("add", "one.bin", "--remote", "second")
    ran = two.ok("remote", "rename", "second", "other")
    local = (two.local / "config.yaml").read_text()
    assert "hunter2" in local and "AKIA1" in local and "hidden" not in local
    assert two.json("config", "get", "read")["value"] == "other, default"
    assert "one.bin.dt" in ran.err and "remote: other" in ran.err


def test_an_artifact_whose_own_remote_was_removed_does_not_stop_the_others(two: World) -> None:
    two.ok("add", "one.bin", "--remote", "second")
    two.ok("remote", "remove", "second")
    two.commit()
    ran = two.fails(4, "push")
    assert "error: one.bin: second: no such remote" in ran.err and "datatool remote add second URL" in ran.err
    clone = two.clone()
    assert "one.bin: second: no such remote" in clone.fails(4, "pull").err
    assert clone.tree("data") == two.tree("data")
    assert "one.bin: second" in two.fails(3, "push").err


def test_a_removed_remote_leaves_the_order_too(two: World) -> None:
    two.ok("config", "set", "read", "second, default")
    two.ok("remote", "remove", "second")
    assert two.json("config", "get", "read")["value"] == "default"
    two.ok("remote", "add", "second", str(two.top / "second"))
    two.ok("config", "set", "read", "second")
    two.ok("remote", "remove", "second")
    two.fails(3, "config", "get", "read")
    two.ok("push")


def test_damage_that_a_copy_meets_is_healed_by_the_next_push(two: World) -> None:
    two.ok("push")
    (damaged,) = [path for path in (two.remote / "objects").rglob("*") if path.is_file()]
    damaged.chmod(0o644)
    damaged.write_bytes(b"x" * damaged.stat().st_size)
    two.fails(5, "remote", "copy", "default", "second")
    two.ok("push")
    assert two.json("remote", "copy", "default", "second")["versions"] >= 1
    clone = two.clone()
    clone.ok("pull", "-r", "second")
    assert clone.tree("data") == two.tree("data")


def test_an_engine_that_nobody_knows_is_refused_when_it_is_set(two: World) -> None:
    two.fails(2, "remote", "set", "second", "engine=obstor")
    two.ok("remote", "set", "second", "engine=obstore")
