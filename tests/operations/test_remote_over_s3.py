"""A remote in a bucket, through the command line: what those may do who have some of the rights only."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from servers.fixtures import S3Server
from servers.radosgw import GUEST
from world import World

READ = ("s3:ListBucket", "s3:GetObject")


class S3World(World):
    """A project whose remote `net` lies in a bucket of its own."""

    def __init__(self, top: Path, server: S3Server) -> None:
        super().__init__(top)
        self.server = server
        self.bucket = server.bucket()
        options = [word for key, value in server.settings().items() for word in ("--set", f"{key}={value}")]
        self.ok("remote", "add", "-d", "net", f"s3://{self.bucket}/data", *options)
        self.write("a.txt", b"a")
        self.ok("add", "a.txt")
        self.commit("a")

    def allow(self, *rights: str) -> None:
        """Be the guest from now on, who may do this."""
        policy = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"AWS": [f"arn:aws:iam:::user/{GUEST}"]},
                    "Action": list(rights),
                    "Resource": [f"arn:aws:s3:::{self.bucket}", f"arn:aws:s3:::{self.bucket}/*"],
                }
            ],
        }
        answer = self.server.raw().send("PUT", f"/{self.bucket}?policy", json.dumps(policy).encode())
        assert answer.status in (200, 204), answer
        self.ok("remote", "set", "net", f"access_key_id={GUEST}key", f"secret_access_key={GUEST}secret")

    def check(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The steps of a check that finds something wrong, by name, and the error."""
        ran = self.fails(6, "remote", "check", "--json")
        return {step["name"]: step for step in ran.json["steps"]}, ran.error

    def keys(self) -> list[str]:
        """The names that a check has left."""
        listing = self.server.raw().send("GET", f"/{self.bucket}?list-type=2&prefix=data%2Fcheck%2F").body.decode()
        return [part.partition("<")[0] for part in listing.split("<Key>data/")[1:]]


@pytest.fixture
def far(radosgw: S3Server, tmp_path: Path) -> S3World:
    return S3World(tmp_path, radosgw)


def test_a_check_tells_a_reader_what_can_be_read(far: S3World) -> None:
    far.ok("push")
    far.allow(*READ)
    steps, error = far.check()
    assert [name for name, step in steps.items() if not step["ok"]] == ["write"]
    assert steps.keys() == {"write", "read", "range", "list"}
    assert "access key gu… may not write" in steps["write"]["detail"]
    assert "write failed" in error["message"] and "datatool remote set net " in error["hint"]


def test_a_check_of_who_may_read_where_nothing_is_yet_has_nothing_to_read(far: S3World) -> None:
    far.allow(*READ)
    steps, _ = far.check()
    assert steps.keys() == {"write"}


def test_a_check_tells_who_may_not_delete_and_leaves_one_object(far: S3World, monkeypatch: pytest.MonkeyPatch) -> None:
    far.allow(*READ, "s3:PutObject")
    far.ok("push")
    steps, _ = far.check()
    assert steps["write"]["ok"] and not steps["delete"]["ok"]
    assert not steps["unfinished uploads"]["ok"]
    assert f"{far.keys()[0]} stays there" in steps["delete"]["detail"]
    monkeypatch.setattr("datatool.remote.check._UNDER_WAY", -2.0)
    far.check()
    assert len(far.keys()) == 1
    far.allow("s3:*")
    far.ok("remote", "check")
    assert far.keys() == []


def test_only_who_may_not_list_unfinished_uploads_is_told_so(far: S3World) -> None:
    far.allow(*READ, "s3:PutObject", "s3:DeleteObject")
    steps, error = far.check()
    assert [name for name, step in steps.items() if not step["ok"]] == ["unfinished uploads"]
    assert "s3:ListBucketMultipartUploads" in error["hint"] and "NAME" not in error["hint"]


def test_the_service_of_an_aws_profile_is_part_of_what_a_remote_is(
    radosgw: S3Server, s3_server: S3Server, tmp_path: Path
) -> None:
    config = tmp_path / "aws"

    def serve(server: S3Server) -> str:
        config.write_text(
            f"[profile lab]\nendpoint_url = {server.endpoint}\naws_access_key_id = {server.access_key_id}\n"
            f"aws_secret_access_key = {server.secret_access_key}\n"
        )
        return server.endpoint

    bucket = radosgw.bucket()
    assert s3_server.raw().send("PUT", f"/{bucket}").status == 200
    s3_server.buckets.append(bucket)
    world = World(tmp_path)
    world.env |= {"AWS_PROFILE": "lab", "AWS_CONFIG_FILE": str(config), "AWS_EC2_METADATA_DISABLED": "true"}
    world.ok("remote", "add", "-d", "net", f"s3://{bucket}/data")
    world.write("a.txt", b"a")
    world.ok("add", "a.txt")
    world.commit("a")
    there = serve(radosgw)
    checked = world.json("remote", "check")
    assert checked["url"] == f"s3://{bucket}/data at {there}" and not checked["capabilities"]["conditional"]
    world.ok("push")
    assert world.json("status")["artifacts"][0]["pushed"] is not None
    elsewhere = serve(s3_server)
    assert world.json("status")["artifacts"][0]["pushed"] is None
    assert world.json("push")["objects"] == 1
    radosgw.empty(bucket)
    serve(radosgw)
    error = world.fails(6, "push", "--json").error
    assert there in error["message"] and elsewhere not in error["message"]
    assert "no remote any more" in error["message"] and "mount" not in error["message"] + error["hint"]


@pytest.mark.slow
def test_a_service_that_goes_silent_during_a_push_is_told_in_time(s3_server: S3Server, tmp_path: Path) -> None:
    world = S3World(tmp_path, s3_server)
    world.ok("push")
    world.write("large.bin", os.urandom(100 << 20))
    world.ok("add", "large.bin")
    s3_server.proxy.fault("stall", direction="up", nth=7, times=None)
    began = time.monotonic()
    error = world.fails(6, "push", "--json").error
    assert time.monotonic() - began < 30
    assert "nothing has moved for 12 seconds" in error["message"] and "_" not in error["message"].partition("(")[2]
    assert "datatool remote set net timeout=60" in error["hint"]
