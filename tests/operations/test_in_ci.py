"""What a job in CI does: shallow and detached clones, another owner's checkout, remotes that only give."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from servers.fixtures import S3Server, WebServer
from world import World

FILES = {"data/a.csv": b"1", "data/b.csv": b"22", "model.bin": b"model"}


def publish(world: World) -> None:
    """Two commits with data, all of it pushed."""
    for path, data in FILES.items():
        world.write(path, data)
    world.ok("add", "data", "model.bin")
    world.commit("one")
    world.ok("push")
    world.write("data/c.csv", b"333")
    world.ok("add", "data")
    world.commit("two")
    world.ok("push")


def job(world: World, name: str = "job") -> World:
    """The checkout that a CI system makes: one commit, no branch."""
    world.clone(f"{name}-seed")  # the origin is there now
    copy = World(world.top / name, name="checkout", init=False)
    copy.git("clone", "-q", "--depth=1", f"file://{world.origin}", str(copy.root), cwd=world.top)
    copy.git("checkout", "-q", "--detach")
    return copy


def is_complete(copy: World) -> bool:
    return copy.tree("data") == {"a.csv": b"1", "b.csv": b"22", "c.csv": b"333"} and copy.read("model.bin") == b"model"


def test_a_shallow_clone_pulls_everything_and_is_clean(world: World) -> None:
    publish(world)
    copy = job(world)
    copy.ok("pull")
    assert is_complete(copy)
    status = copy.json("status", "--remote")
    assert status["clean"]
    assert all(artifact["remote"] for artifact in status["artifacts"])


def test_a_shallow_clone_publishes_new_data(world: World) -> None:
    publish(world)
    copy = job(world)
    copy.ok("pull")
    copy.write("data/d.csv", b"4444")
    copy.ok("add", "data")
    copy.commit("three")
    copy.ok("push")
    copy.git("push", "-q", "origin", "HEAD:refs/heads/results")
    world.git("fetch", "-q", str(world.origin), "results")
    world.git("reset", "-q", "--hard", "FETCH_HEAD")
    world.ok("pull")
    assert world.read("data/d.csv") == b"4444"


def test_a_job_that_is_cut_off_from_the_remote_uses_the_cache_that_was_kept(world: World) -> None:
    publish(world)
    first = job(world, "first")
    first.ok("pull")
    second = job(world, "second")
    (second.local).mkdir(parents=True, exist_ok=True)
    first.cache.rename(second.cache)
    done = second.json("pull", env={"DATATOOL_OFFLINE": "1"})
    assert done["objects"] == 0
    assert is_complete(second)


def test_a_cache_that_was_kept_and_is_damaged_gives_no_wrong_byte_and_heals(world: World) -> None:
    publish(world)
    first = job(world, "first")
    first.ok("pull")
    for path in (first.cache / "objects").rglob("*"):
        if path.is_file():
            path.chmod(0o644)
            path.write_bytes(b"x" * path.stat().st_size)
    second = job(world, "second")
    (second.local).mkdir(parents=True, exist_ok=True)
    first.cache.rename(second.cache)
    assert "was damaged" in second.ok("pull").err
    assert is_complete(second)


def test_a_checkout_of_another_owner_is_pulled_without_git(world: World) -> None:
    publish(world)
    copy = job(world)
    other = {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"}
    copy.ok("pull", env=other)
    assert is_complete(copy)
    assert copy.json("status", env=other)["clean"]


def test_nothing_is_tracked_where_git_refuses_and_would_take_the_data_itself(world: World) -> None:
    publish(world)
    copy = job(world)
    other = {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"}
    copy.write("new.bin", b"new")
    ran = copy.fails(1, "add", "new.bin", env=other)
    assert "safe.directory" in ran.err
    assert not copy.exists("new.bin.dt")
    copy.fails(1, "import", str(world.root), "model.bin", "-o", "again.bin", env=other)
    assert not copy.exists("again.bin")


def test_safe_directory_makes_a_checkout_of_another_owner_an_ordinary_one(world: World) -> None:
    publish(world)
    copy = job(world)
    other = {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"}
    copy.write("new.bin", b"new")
    ran = copy.run("push", "--json", env=other)
    if ran.code:
        assert "safe.directory" in ran.error["hint"]
    copy.git("config", "--global", "--add", "safe.directory", str(copy.root))
    copy.ok("add", "new.bin", env=other)
    copy.ok("push", env=other)
    assert "new.bin.dt" in copy.git("diff", "--cached", "--name-only")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root, who may give files away")
def test_root_in_a_container_pulls_into_the_checkout_of_the_runners_user(world: World) -> None:
    publish(world)
    copy = job(world)
    for path in [copy.root, *copy.root.rglob("*")]:
        os.lchown(path, 12345, 12345)
    ran = copy.process("pull")
    assert ran.code == 0, ran
    assert is_complete(copy)
    local = copy.root / ".datatool" / "local"
    strangers = [str(path) for path in [local, *local.rglob("*")] if os.lstat(path).st_uid != 12345]
    assert not strangers, "the user of the checkout could not work with it afterwards"


def test_a_web_server_and_a_shallow_clone_are_enough(world: World, web_server: WebServer) -> None:
    world.ok("remote", "set", "default", f"url={web_server.directory}")
    publish(world)
    copy = job(world)
    copy.ok("remote", "set", "default", "--local", f"url={web_server.url}")
    copy.ok("pull")
    assert is_complete(copy)
    copy.write("data/d.csv", b"4")
    copy.ok("add", "data")
    ran = copy.fails(6, "push", "--json")
    assert "read only" in ran.error["message"]


def test_a_public_bucket_is_read_by_nobody_and_written_by_nobody(world: World, radosgw: S3Server) -> None:
    bucket = radosgw.bucket()
    keys = {key: value for key, value in radosgw.settings().items() if key.startswith(("access", "secret"))}
    world.ok("remote", "set", "default", f"url=s3://{bucket}/data", f"endpoint_url={radosgw.endpoint}")
    world.ok("remote", "set", "default", "--local", *(f"{key}={value}" for key, value in keys.items()))
    world.commit("bucket")
    publish(world)
    everybody = {"Effect": "Allow", "Principal": "*"}
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {**everybody, "Action": ["s3:GetObject"], "Resource": [f"arn:aws:s3:::{bucket}/*"]},
            {**everybody, "Action": ["s3:ListBucket"], "Resource": [f"arn:aws:s3:::{bucket}"]},
        ],
    }
    answer = radosgw.raw().send("PUT", f"/{bucket}?policy=", body=json.dumps(policy).encode())
    assert answer.status in (200, 204), answer
    copy = job(world)
    copy.ok("remote", "set", "default", "--local", "anonymous=true")
    radosgw.reset()
    copy.ok("pull")
    assert is_complete(copy)
    assert not any(request.header("authorization") for request in radosgw.requests)
    copy.write("data/d.csv", b"4")
    copy.ok("add", "data")
    ran = copy.fails(6, "push", "--json")
    assert "anonymous" in ran.error["message"]


def test_two_jobs_may_share_a_cache_directory(world: World, tmp_path: Path) -> None:
    publish(world)
    shared = {"DATATOOL_CACHE_DIR": str(tmp_path / "shared")}
    first, second = job(world, "first"), job(world, "second")
    assert first.json("pull", env=shared)["objects"] > 0
    assert second.json("pull", env=shared)["objects"] == 0
    assert is_complete(second)
