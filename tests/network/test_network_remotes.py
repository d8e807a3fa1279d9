"""Push, fetch, pull and status against real servers: the same as against a directory."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import measure
from datatool.store.limited import Allowance
from datatool.store.protocol import AHEAD
from network.places import Place, left_in, s3_place, ssh_place
from patience import LONG
from servers.fixtures import OwnSshServer, S3Server, SshServer, WebServer
from servers.http_proxy import HttpProxy
from servers.ports import free_port, wait_until
from servers.tcp_proxy import TcpProxy
from world import World

KINDS = ["s3", pytest.param("radosgw", marks=pytest.mark.slow), "sftp"]


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest) -> Place:
    if request.param == "sftp":
        return ssh_place(request.getfixturevalue("sshd"))
    return s3_place(request.getfixturevalue("s3_server" if request.param == "s3" else "radosgw"))


@pytest.fixture
def filled(world: World, place: Place) -> World:
    """A project with small files, an executable, a link, an empty file and directory, and two larger files."""
    for n in range(300):
        world.write(f"data/part{n % 3}/f{n:03}.bin", os.urandom(1000 + n))
    world.write("data/run.sh", b"#!/bin/sh\n", executable=True)
    world.write("data/empty", b"")
    (world.root / "data/nothing").mkdir()
    (world.root / "data/link").symlink_to("run.sh")
    world.write("data/five.bin", os.urandom(5 << 20))
    world.write("large.bin", os.urandom(40 << 20))
    world.ok("add", "data", "large.bin")
    place.add_to(world)
    world.commit("first")
    return world


def loose_name(place: Place, size: int) -> str:
    (name,) = [name for name, found in place.names().items() if name.startswith("objects/") and found == size]
    return name


def test_what_one_pushes_another_pulls(filled: World, place: Place) -> None:
    assert all(item["ok"] for item in filled.json("push")["artifacts"])
    assert all(item["pushed"] for item in filled.json("status")["artifacts"])
    assert {item["remote"] for item in filled.json("status", "--remote")["artifacts"]} == {True}
    clone = place.join(filled.clone())
    clone.ok("pull")
    assert clone.tree() == filled.tree()
    assert os.access(clone.root / "data/run.sh", os.X_OK)
    assert clone.json("status")["clean"]


def test_a_part_and_an_older_version_can_be_pulled(filled: World, place: Place) -> None:
    filled.ok("push")
    old = filled.read("data/part0/f000.bin")
    filled.write("data/part0/f000.bin", b"newer")
    filled.ok("add", "data")
    filled.commit("second")
    done = filled.json("push")
    assert done["objects"] <= 3
    clone = place.join(filled.clone())
    clone.ok("pull", "data/part0")
    assert clone.read("data/part0/f000.bin") == b"newer" and not clone.exists("data/part1")
    clone.ok("pull", "--rev", "HEAD~1", "data/part0/f000.bin")
    assert clone.read("data/part0/f000.bin") == old


def test_a_program_that_pushes_often_keeps_no_connections(world: World, sshd: SshServer) -> None:
    with TcpProxy(sshd.port) as proxy:
        ssh_place(sshd, port=proxy.port).add_to(world)
        for n in range(3):
            world.write("one.txt", str(n).encode())
            world.ok("add", "one.txt")
            world.ok("push")
        assert len(proxy.connections) == 3
        gc.collect()
        wait_until(lambda: not proxy.open_connections, seconds=LONG, what="connections to end")


def test_a_push_with_nothing_to_do_is_two_requests(filled: World) -> None:
    filled.ok("push")
    again = filled.json("push")
    assert (again["requests"], again["bytes"]) == (2, 0)


def test_damage_on_the_server_stays_there_and_is_healed_by_a_push(filled: World, place: Place) -> None:
    filled.ok("push")
    name = loose_name(place, 40 << 20)
    good = filled.read("large.bin")
    place.write(name, good[:-1] + bytes([good[-1] ^ 1]))
    clone = place.join(filled.clone())
    ran = clone.fails(5, "pull", "--json")
    assert [item["ok"] for item in ran.json["artifacts"]] == [True, False]
    assert not clone.exists("large.bin") and clone.tree("data") == filled.tree("data")
    assert not [
        path for path in (clone.cache / "objects").rglob("*") if path.is_file() and path.stat().st_size > 20 << 20
    ]
    filled.ok("push")
    clone.ok("pull")
    assert clone.read("large.bin") == good


def test_a_lost_object_is_seen_and_restored(filled: World, place: Place) -> None:
    filled.ok("push")
    place.delete(loose_name(place, 5 << 20))
    seen = {item["path"]: item["remote"] for item in filled.json("status", "--remote")["artifacts"]}
    assert seen == {"data": False, "large.bin": True}
    filled.ok("push", "--verify")
    assert {item["remote"] for item in filled.json("status", "--remote")["artifacts"]} == {True}
    place.join(filled.clone()).ok("pull")


def test_two_machines_push_at_once(filled: World, place: Place) -> None:
    filled.ok("push")
    other = place.join(filled.clone())
    filled.write("mine.bin", os.urandom(200_000))
    filled.ok("add", "mine.bin")
    other.write("theirs.bin", os.urandom(200_000))
    other.ok("add", "theirs.bin")
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "datatool", "push", "--json"],
            cwd=one.root,
            env=one.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for one in (filled, other)
    ]
    ended = [(process.communicate(), process.returncode) for process in started]
    assert [code for _, code in ended] == [0, 0], ended
    for one in (filled, other):
        assert {item["remote"] for item in one.json("status", "--remote")["artifacts"]} == {True}
        assert one.json("push")["objects"] == 0


def test_no_secret_enters_git_or_is_shown(filled: World, place: Place) -> None:
    secrets = [value for key, value in place.settings.items() if key in ("secret_access_key", "password", "token")]
    texts = [
        filled.git("grep", "-I", "-h", "", "--", ".datatool"),
        filled.ok("config", "list").out,
        filled.ok("remote", "list", "--json").out,
        filled.ok("remote", "check", "-vv").err,
        filled.ok("push", "-vv").err,
    ]
    assert not [secret for secret in secrets for text in texts if secret in text]


def test_a_check_proves_what_the_store_can_do(filled: World) -> None:
    done = filled.json("remote", "check")
    assert done["ok"] and [step["name"] for step in done["steps"]] == [
        "write",
        "read",
        "range",
        "atomic publish",
        "list",
        "delete",
    ]
    assert done["capabilities"]["write"] and done["capabilities"]["list"] and done["leftovers"] == []


def test_offline_the_server_is_not_asked(filled: World) -> None:
    assert "offline" in filled.fails(6, "push", "--offline").err


def test_one_remote_is_copied_to_another_kind(filled: World, place: Place) -> None:
    filled.ok("push")
    filled.ok("remote", "copy", "net", "default")
    clone = filled.clone()
    clone.ok("pull", "-r", "default")
    assert clone.tree("data") == filled.tree("data")


def test_a_bandwidth_limit_is_kept(filled: World, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    paid: list[tuple[float, int]] = []
    monkeypatch.setattr(Allowance, "take", lambda self, count: paid.append((self.rate, count)))
    filled.ok("config", "set", "bandwidth", "10M")
    filled.ok("push")
    assert {rate for rate, _ in paid} == {10_000_000}
    assert sum(count for _, count in paid) >= 45 << 20, "every byte is paid for"


# Who is let in


@pytest.mark.parametrize("wrong", ["access_key_id", "secret_access_key"])
def test_wrong_keys_are_told_with_the_endpoint_and_without_the_secret(
    world: World, s3_server: S3Server, wrong: str
) -> None:
    place = s3_place(s3_server)
    world.write("a", b"1")
    world.ok("add", "a")
    place.add_to(world, **{wrong: "QWERTZUIOPASDFGH"})
    ran = world.fails(6, "push")
    (line,) = [line for line in ran.err.splitlines() if line.startswith("error:")]
    assert s3_server.endpoint.removeprefix("http://") in line
    assert s3_server.secret_access_key not in ran.err
    assert wrong == "access_key_id" or "QWERTZUIOPASDFGH" not in ran.err
    assert "hint:" in ran.err


def test_without_credentials_the_hint_says_where_they_go(world: World, s3_server: S3Server) -> None:
    world.write("a", b"1")
    world.ok("add", "a")
    bucket = s3_server.bucket()
    world.ok("remote", "add", "-d", "net", f"s3://{bucket}", "--set", f"endpoint_url={s3_server.endpoint}")
    ran = world.fails(6, "push", env={"AWS_EC2_METADATA_DISABLED": "true"})
    assert "credentials" in ran.err and "datatool remote set net " in ran.err


def test_credentials_of_the_environment_and_of_a_profile_are_used(world: World, s3_server: S3Server) -> None:
    world.write("a", b"1")
    world.ok("add", "a")
    bucket = s3_server.bucket()
    endpoint = ("--set", f"endpoint_url={s3_server.endpoint}")
    world.ok("remote", "add", "-d", "net", f"s3://{bucket}/x", *endpoint)
    keys = {"AWS_ACCESS_KEY_ID": s3_server.access_key_id, "AWS_SECRET_ACCESS_KEY": s3_server.secret_access_key}
    world.ok("push", env=keys)
    (world.home / ".aws").mkdir()
    (world.home / ".aws/credentials").write_text(
        f"[lab]\naws_access_key_id = {s3_server.access_key_id}\naws_secret_access_key = {s3_server.secret_access_key}\n"
    )
    world.ok("remote", "set", "net", "profile=lab")
    assert world.json("push")["requests"] == 2


def test_what_was_pushed_to_the_service_that_the_environment_names_is_known_of_that_one_alone(
    world: World, s3_server: S3Server
) -> None:
    world.write("a", b"1")
    world.ok("add", "a")
    settings = {key: value for key, value in s3_server.settings().items() if key != "endpoint_url"}
    options = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    world.ok("remote", "add", "-d", "net", f"s3://{s3_server.bucket()}/x", *options)
    here = {"AWS_ENDPOINT_URL": s3_server.endpoint}
    world.ok("push", env=here)

    def pushed(env: dict[str, str]) -> bool:
        (item,) = world.json("status", env=env)["artifacts"]
        return item["pushed"] is not None

    assert pushed(here) and pushed({"AWS_ENDPOINT_URL_S3": s3_server.endpoint, "AWS_ENDPOINT_URL": "http://other"})
    assert not pushed({"AWS_ENDPOINT_URL": "https://other.example.org"})
    assert not pushed({})
    world.ok("remote", "set", "net", f"endpoint_url={s3_server.endpoint}")
    assert pushed({"AWS_ENDPOINT_URL": "https://other.example.org"}), "a setting comes before the environment"


def test_a_bucket_that_is_not_there_is_named(world: World, s3_server: S3Server) -> None:
    world.write("a", b"1")
    world.ok("add", "a")
    options = [word for key, value in s3_server.settings().items() for word in ("--set", f"{key}={value}")]
    world.ok("remote", "add", "-d", "net", "s3://no-such-bucket-anywhere/x", *options)
    assert "no-such-bucket-anywhere" in world.fails(6, "push").err


def test_nobody_at_the_other_end_is_told_soon(world: World, s3_server: S3Server, sshd: SshServer) -> None:
    port = free_port()
    world.write("a", b"1")
    world.ok("add", "a")
    s3 = {**s3_server.settings(), "endpoint_url": f"http://127.0.0.1:{port}"}
    for name, url, settings in (
        ("cloud", "s3://bucket/x", s3),
        ("lab", "ssh://127.0.0.1/tmp/x", {**sshd.settings(port=port)}),
        ("web", f"http://127.0.0.1:{port}/x", {}),
    ):
        options = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
        world.ok("remote", "add", name, url, *options)
        ran = world.fails(6, "push" if name != "web" else "fetch", "-r", name, "--force", "--json")
        assert ran.error["code"] in {"remote_unreachable", "remote_busy"} and str(port) in ran.err, name


def test_an_unknown_host_key_is_refused_with_the_line_that_accepts_it(world: World, sshd: SshServer) -> None:
    place = ssh_place(sshd)
    world.write("a", b"1")
    world.ok("add", "a")
    place.add_to(world)
    (world.home / ".ssh/known_hosts").write_text("")
    ran = world.fails(6, "push")
    assert "host key" in ran.err and f"ssh-keyscan -p {sshd.port}" in ran.err
    assert place.names() == {}


def test_a_changed_host_key_is_refused(world: World, own_sshd: OwnSshServer) -> None:
    place = ssh_place(own_sshd)
    world.write("a", b"1")
    world.ok("add", "a")
    place.add_to(world)
    world.ok("push")
    own_sshd.change_host_key()
    world.write("a", b"2")
    world.ok("add", "a")
    ran = world.fails(6, "push")
    assert "host key" in ran.err and "changed" in ran.err


def test_a_wrong_ssh_key_is_told_with_user_and_host(world: World, sshd: SshServer) -> None:
    place = ssh_place(sshd)
    world.write("a", b"1")
    world.ok("add", "a")
    place.add_to(world, keyfile=str(sshd.unknown_key))
    ran = world.fails(6, "push")
    assert f"{sshd.user}@" in ran.err and "hint:" in ran.err


# What is counted at the server


def test_requests_are_few_and_counted_at_the_server(world: World, s3_server: S3Server) -> None:
    place = s3_place(s3_server)
    for n in range(2000):
        world.write(f"data/d{n % 20}/f{n}.bin", os.urandom(2000))
    world.ok("add", "data")
    place.add_to(world)
    world.commit()
    s3_server.reset()
    world.ok("push")
    puts = [one for one in s3_server.requests if one.method == "PUT"]
    assert len(puts) <= 6  # format file, two packs, shard, index.list
    assert len(s3_server.requests) <= 16
    s3_server.reset()
    world.ok("push")
    assert [one.method for one in s3_server.requests] == ["GET", "GET"]
    clone = place.join(world.clone())
    s3_server.reset()
    clone.ok("pull")
    assert len(s3_server.requests) <= 9
    assert sum(one.bytes_down for one in s3_server.requests) < 2000 * 2000 * 1.1 + 1_000_000
    s3_server.reset()
    clone.ok("pull")
    assert s3_server.requests == []


# A mirror on the web


def test_a_bucket_is_read_through_the_web(world: World, s3_server: S3Server, web_server: WebServer) -> None:
    place = s3_place(s3_server)
    for n in range(300):
        world.write(f"data/f{n}", os.urandom(500))
    world.write("data/big.bin", os.urandom(5 << 20))
    world.ok("add", "data")
    place.add_to(world)
    world.ok("push")
    raw = s3_server.raw()
    bucket = place.url.split("/")[2]
    for name in place.names():  # what a bucket's web face, or a nightly copy, would serve
        target = web_server.directory / "mirror" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(raw.send("GET", f"/{bucket}/data/{name}").body)
    world.ok("remote", "add", "public", f"{web_server.url}/mirror")
    world.ok("config", "set", "read", "public")
    world.commit()
    clone = world.clone()  # it has no credentials for the bucket, and needs none
    s3_server.reset()
    done = clone.json("pull")
    assert done["remote"] == "public" and s3_server.requests == []
    assert clone.tree("data") == world.tree("data")
    assert "read only" in clone.fails(6, "push", "-r", "public").err


@pytest.mark.slow
def test_a_killed_push_goes_on_where_it_was(world: World, radosgw: S3Server) -> None:
    s3_server = radosgw
    place = s3_place(s3_server)
    world.write("huge.bin", os.urandom(160 << 20))
    world.ok("add", "huge.bin")
    place.add_to(world)
    proxy: HttpProxy = s3_server.proxy
    stalled = proxy.fault("stall", method="PUT", path="partNumber", nth=5, times=1000, direction="up", at=1000)
    pushing = subprocess.Popen(
        [sys.executable, "-m", "datatool", "push", "-q"], cwd=world.root, env=world.env, stdin=subprocess.DEVNULL
    )

    def sent() -> int:
        return sum(one.bytes_up for one in s3_server.requests if one.status == 200)

    try:
        stalled.wait()
        wait_until(lambda: sent() >= 32 << 20, seconds=LONG, what="the parts before the stalled one")
    finally:
        pushing.kill()
        pushing.wait()
    arrived = sent()
    proxy.heal()
    leftovers = world.json("remote", "check")["leftovers"]
    assert len(leftovers) == 1 and leftovers[0]["name"].startswith("objects/")
    s3_server.reset()
    world.ok("push")
    again = sum(one.bytes_up for one in s3_server.requests if "partNumber" in one.query)
    assert again <= (160 << 20) - arrived + 10_000  # the few lines that complete an upload count too
    assert world.json("remote", "check")["leftovers"] == []
    world.commit()
    clone = place.join(world.clone())
    clone.ok("pull")
    assert clone.read("huge.bin") == world.read("huge.bin")


@pytest.mark.parametrize("kind", ["s3", "web"])
def test_a_killed_pull_goes_on_where_it_was(
    world: World, s3_server: S3Server, web_server: WebServer, kind: str
) -> None:
    size = 160 << 20
    data = world.write("huge.bin", os.urandom(size))
    world.ok("add", "huge.bin")
    if kind == "s3":
        place = s3_place(s3_server)
        place.add_to(world)
        world.ok("push")
        proxy = s3_server.proxy
    else:
        world.ok("push")
        shutil.copytree(world.remote, web_server.directory / "mirror")
        world.ok("remote", "add", "-d", "net", f"{web_server.url}/mirror")
        proxy = web_server.proxy
    world.commit()
    clone = place.join(world.clone()) if kind == "s3" else world.clone()
    proxy.reset()
    stalled = proxy.fault("stall", method="GET", path="objects/", nth=9, times=1000, at=1000)
    pulling = subprocess.Popen(
        [sys.executable, "-m", "datatool", "pull", "-q"], cwd=clone.root, env=clone.env, stdin=subprocess.DEVNULL
    )
    try:
        stalled.wait()
        wait_until(lambda: _part_of(clone) >= 112 << 20, seconds=LONG, what="the parts before the stalled one")
    finally:
        pulling.kill()
        pulling.wait()
    proxy.heal()
    proxy.reset()
    clone.ok("pull")
    assert clone.read("huge.bin") == data.read_bytes()
    again = sum(one.bytes_down for one in proxy.requests)
    assert again <= size - (112 << 20) + AHEAD + (1 << 20)
    assert not left_in(clone.cache)


def _part_of(world: World) -> int:
    return sum(path.stat().st_size for path in (world.cache / "tmp").glob("*.part"))


@pytest.mark.slow
def test_memory_stays_bounded_whatever_the_file(world: World, place: Place) -> None:
    path: Path = world.root / "huge.bin"
    with path.open("wb") as file:
        for _ in range(512):
            file.write(os.urandom(1 << 20))
    world.ok("add", "huge.bin")
    place.add_to(world)
    world.commit()
    assert measure.peak_mib(world, "push") <= 300
    clone = place.join(world.clone())
    assert measure.peak_mib(clone, "pull") <= 300
