"""A pushed remote behind a web server: what others can do with it, with ranges and without."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from datatool.hashing import digest
from patience import LONG, started
from servers.fixtures import WebServer
from servers.scripted_http import Asked, ScriptedServer, Speaker
from world import DATATOOL, World

BIG = os.urandom(17 << 20)
MIDDLE = os.urandom(5 << 20)


@pytest.fixture
def published(world: World, web_server: WebServer) -> World:
    """A project whose remote, a directory, is given out by a web server."""
    world.ok("remote", "set", "default", f"url={web_server.directory}")
    for number in range(300):
        world.write(f"data/{number:03}.txt", b"%d " % number * 50)
    world.write("data/middle.bin", MIDDLE)
    world.write("big.bin", BIG)
    world.ok("add", "data", "big.bin")
    world.commit("data")
    world.ok("push")
    return world


def reader(published: World, url: str, name: str = "reader") -> World:
    """A clone on another machine, which knows the remote by its URL alone."""
    copy = published.clone(name)
    copy.ok("remote", "set", "default", "--local", f"url={url}")
    return copy


def urls(web_server: WebServer) -> dict[str, str]:
    return {"with ranges": web_server.url, "without": web_server.url_without_ranges}


@pytest.mark.parametrize("kind", ["with ranges", "without"])
def test_everything_is_pulled(published: World, web_server: WebServer, kind: str) -> None:
    copy = reader(published, urls(web_server)[kind])
    done = copy.json("pull")
    assert done["objects"] == 303 and all(item["ok"] for item in done["artifacts"])
    assert copy.tree("data") == published.tree("data") and copy.read("big.bin") == BIG
    assert copy.json("status", "--remote")["artifacts"][0]["remote"] is True


def test_a_second_use_asks_for_what_is_new_only(published: World, web_server: WebServer) -> None:
    copy = reader(published, web_server.url)
    copy.ok("pull")
    web_server.reset()
    copy.json("fetch", "--force")
    assert [request.target.rpartition("/")[2] for request in web_server.requests] == ["index.list"]
    published.write("data/new.txt", b"new")
    published.ok("add", "data")
    published.ok("push")
    shutil.copy(published.root / "data.dt", copy.root / "data.dt")
    web_server.reset()
    copy.ok("pull")
    assert copy.read("data/new.txt") == b"new"
    assert len(web_server.requests) <= 5  # the list, its shard, tree pages and file


def test_without_ranges_a_pack_is_read_once(published: World, web_server: WebServer) -> None:
    copy = reader(published, web_server.url_without_ranges)
    copy.ok("pull", "data/000.txt", "data/150.txt", "data/299.txt")
    packs = [request.target for request in web_server.requests if "/packs/" in request.target]
    assert len(packs) <= len(set(packs)) + 1


def test_a_list_of_what_there_is_needs_no_data(published: World, web_server: WebServer) -> None:
    copy = reader(published, web_server.url)
    entries = copy.json("list", "-R", "--data-only")["entries"]
    assert len([entry for entry in entries if entry["kind"] == "file"]) == 302
    assert not copy.exists("data")


def test_status_asks_for_each_name(published: World, web_server: WebServer) -> None:
    copy = reader(published, web_server.url)
    copy.ok("fetch")

    def states() -> dict[str, bool]:
        return {item["path"]: item["remote"] for item in copy.json("status", "--remote")["artifacts"]}

    assert states() == {"big.bin": True, "data": True}
    oid = digest(BIG)
    place = web_server.directory / "objects" / oid[:2] / oid[2:]
    os.truncate(place, 1000)
    assert states() == {"big.bin": False, "data": True}
    place.unlink()
    assert states() == {"big.bin": False, "data": True}


def test_a_push_is_refused_before_anything_is_asked(published: World, web_server: WebServer) -> None:
    copy = reader(published, web_server.url)
    copy.ok("pull")
    copy.write("data/new.txt", b"new")
    copy.ok("add", "data")
    web_server.reset()
    for words in (["push"], ["push", "--force"], ["push", "--verify"], ["push", "--dry-run"]):
        ran = copy.fails(6, *words, "--json")
        assert "read only" in ran.error["message"] and "-r NAME" in ran.error["hint"]
    assert web_server.requests == []


def test_check_proves_that_it_can_be_read(published: World, web_server: WebServer) -> None:
    copy = reader(published, web_server.url)
    done = copy.json("remote", "check")
    assert [(step["name"], step["ok"]) for step in done["steps"]] == [
        ("read", True),
        ("range", True),
        ("index.list", True),
    ]
    assert done["capabilities"]["write"] is False
    assert "read only" in copy.ok("remote", "check").out


# Damage


def flip(path: Path, at: int) -> None:
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))


@pytest.mark.parametrize("kind", ["with ranges", "without"])
@pytest.mark.parametrize("what", ["flipped", "cut off", "another page"])
def test_a_damaged_object_is_told_and_costs_itself_only(
    published: World, web_server: WebServer, kind: str, what: str
) -> None:
    oid = digest(BIG)
    place = web_server.directory / "objects" / oid[:2] / oid[2:]
    place.chmod(0o644)
    if what == "flipped":
        flip(place, 9 << 20)
    elif what == "cut off":
        os.truncate(place, 9 << 20)
    else:
        place.write_bytes(b"<html>please log in</html>")
    copy = reader(published, urls(web_server)[kind])
    ran = copy.fails(5, "pull", "--json")
    assert {item["path"]: item["ok"] for item in ran.json["artifacts"]} == {"big.bin": False, "data": True}
    assert copy.tree("data") == published.tree("data") and not copy.exists("big.bin")
    assert not [
        path for path in (copy.cache / "objects").rglob("*") if path.is_file() and path.stat().st_size > 7 << 20
    ]
    assert not [path for path in (copy.cache / "tmp").rglob("*") if path.is_file()]
    assert "notes the damage" in str(ran.json["artifacts"])
    place.write_bytes(BIG)
    copy.ok("pull")
    assert copy.read("big.bin") == BIG


@pytest.mark.parametrize("kind", ["with ranges", "without"])
def test_a_pack_that_was_cut_off_is_damage(published: World, web_server: WebServer, kind: str) -> None:
    packs = sorted((web_server.directory / "packs").rglob("*.pack"), key=lambda path: path.stat().st_size)
    kept = packs[-1].read_bytes()
    packs[-1].chmod(0o644)
    packs[-1].write_bytes(kept[:100])
    copy = reader(published, urls(web_server)[kind])
    assert "damaged" in copy.fails(5, "pull").err
    assert copy.read("big.bin") == BIG
    packs[-1].write_bytes(kept)
    copy.ok("pull")
    assert copy.tree("data") == published.tree("data")


def test_a_damaged_index_is_told(published: World, web_server: WebServer) -> None:
    (shard,) = (web_server.directory / "index").iterdir()
    shard.chmod(0o644)
    flip(shard, shard.stat().st_size - 1)
    copy = reader(published, web_server.url)
    assert f"index/{shard.name} is damaged" in copy.fails(5, "pull").err


# Lists that are missing, old, or none


def test_a_remote_without_a_list_says_what_to_do(published: World, web_server: WebServer) -> None:
    (web_server.directory / "index.list").unlink()
    copy = reader(published, web_server.url)
    ran = copy.fails(6, "pull", "--json")
    assert "has no index.list" in ran.error["message"]
    assert "datatool push --verify" in ran.error["hint"]
    published.ok("push")
    copy.fails(6, "pull")
    published.ok("push", "--verify")
    copy.ok("pull")


def test_a_list_that_names_a_shard_that_is_gone_is_read_again_once(published: World, web_server: WebServer) -> None:
    published.write("more.txt", b"more")
    published.ok("add", "more.txt")
    published.commit("more")
    published.ok("push")
    listed = json.loads((web_server.directory / "index.list").read_text())
    listed["shards"].append("0" * 64)
    (web_server.directory / "index.list").write_text(json.dumps(listed))
    copy = reader(published, web_server.url)
    copy.ok("pull")
    names = [request.target.rpartition("/")[2] for request in web_server.requests]
    assert names.count("index.list") == 2 and names.count("0" * 64 + ".dti") == 2
    assert copy.read("more.txt") == b"more" and copy.read("big.bin") == BIG


def test_what_gc_dropped_is_not_read(published: World, web_server: WebServer) -> None:
    path = web_server.directory / "index.list"
    listed = json.loads(path.read_text())
    oid = digest(BIG)
    listed["dropped"] = [f"objects/{oid[:2]}/{oid[2:]}"]
    path.write_text(json.dumps(listed))
    copy = reader(published, web_server.url)
    assert "is not on the remote" in copy.fails(4, "pull").err


@pytest.mark.parametrize("name", ["datatool-remote.json", "index.list"])
def test_a_login_page_is_no_remote(published: World, web_server: WebServer, name: str) -> None:
    (web_server.directory / name).write_bytes(b"<!doctype html><title>Log in</title>")
    copy = reader(published, web_server.url)
    ran = copy.fails(6, "pull", "--json")
    assert "URL" in ran.error["hint"] and web_server.url in ran.error["message"]
    assert "log in" in ran.error["hint"]


def test_where_nothing_was_pushed_yet_the_address_is_told(published: World, web_server: WebServer) -> None:
    copy = reader(published, web_server.url + "/nowhere")
    assert f"nothing was ever pushed to {web_server.url}/nowhere" in copy.fails(4, "pull").err
    assert all(not item["remote"] for item in copy.json("status", "--remote")["artifacts"])


def test_a_remote_that_is_gone_is_told(published: World, web_server: WebServer) -> None:
    copy = reader(published, web_server.url)
    copy.ok("pull", "data")
    for path in web_server.directory.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    ran = copy.fails(6, "pull", "--json")
    assert "there is no remote any more" in ran.error["message"] and "--force" not in ran.error["hint"]


def test_another_remote_at_the_same_address_is_noticed(published: World, web_server: WebServer, tmp_path: Path) -> None:
    copy = reader(published, web_server.url)
    copy.ok("pull", "data/000.txt")
    for path in web_server.directory.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.rmtree(published.local / "cache" / "remotes")
    published.ok("push")
    copy.ok("pull")
    assert copy.read("big.bin") == BIG


def test_access_denied_names_who_asked(published: World, web_server: WebServer) -> None:
    copy = reader(published, web_server.url_with_password)
    ran = copy.fails(6, "pull", "--json")
    assert "without credentials" in ran.error["message"] and "datatool remote set" in ran.error["hint"]
    copy.ok("remote", "set", "default", f"user={web_server.user}", f"password={web_server.password}")
    copy.ok("pull")
    assert copy.read("big.bin") == BIG


def test_offline_asks_nothing(published: World, web_server: WebServer) -> None:
    copy = reader(published, web_server.url)
    assert "offline" in copy.fails(6, "pull", "--offline").err
    assert web_server.requests == []


def test_what_readers_found_damaged_heals_after_a_pull_of_somebody_who_may_write(
    published: World, web_server: WebServer
) -> None:
    oid = digest(BIG)
    place = web_server.directory / "objects" / oid[:2] / oid[2:]
    place.chmod(0o644)
    flip(place, 9 << 20)
    copy = reader(published, web_server.url)
    copy.fails(5, "pull")
    published.clone("writer").fails(5, "pull")
    published.ok("push")
    copy.ok("pull")
    assert copy.read("big.bin") == BIG


def test_ctrl_c_ends_the_wait_for_a_silent_server(world: World) -> None:
    world.write("a.bin", b"a")
    world.ok("add", "a.bin")
    world.commit("a")
    copy = world.clone()
    reached = threading.Event()

    def script(speaker: Speaker, asked: Asked) -> None:
        reached.set()
        speaker.silence()

    with ScriptedServer(script) as server:
        copy.ok("remote", "set", "default", "--local", f"url={server.url}", "timeout=3600")
        with started([*DATATOOL, "pull"], cwd=copy.root, env=copy.env, stderr=subprocess.PIPE, text=True) as process:
            assert reached.wait(LONG)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=LONG)
            assert process.returncode == 130 and "Traceback" not in err
