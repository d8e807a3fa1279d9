"""What the S3 store asks of a server: how many requests, how many bytes, and how little memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from conformance import opened
from s3_stores import opened_on, s3_store

from datatool.hashing import digest
from datatool.remote.stores import s3_obstore
from datatool.store.protocol import ByteRange, Store
from servers.fixtures import S3Server

MIB = 1 << 20
MEASURED = Path(__file__).parents[2] / "scripts" / "measured.py"
MOST_MEMORY = 250.0


@pytest.fixture
def store(s3_server: S3Server, tmp_path: Path) -> Store:
    return opened_on(s3_server, tmp_path)


def large_file(path: Path, size: int) -> Path:
    block = os.urandom(16 * MIB)
    with path.open("wb") as file:
        for start in range(0, size, len(block)):
            file.write(block[: min(len(block), size - start)])
    return path


def kinds(server: S3Server) -> Counter[str]:
    """The requests by method and by what their query asks for."""
    words = ("uploads", "uploadId", "list-type", "delete")
    return Counter(
        " ".join([request.method, *(word for word in words if word in parse_qs(request.query, keep_blank_values=True))])
        for request in server.requests
    )


def test_each_small_operation_is_one_request(store: Store, s3_server: S3Server) -> None:
    store.put("index/a", b"12345")
    assert store.get("index/a", 1, 3) == b"234"
    assert len(list(store.list("index/"))) == 1
    store.server_time()
    store.delete_many(["index/a", "index/b"])
    assert kinds(s3_server) == {"PUT": 1, "GET": 1, "GET list-type": 1, "POST delete": 1}


def test_the_first_question_about_the_time_is_one_request(store: Store, s3_server: S3Server) -> None:
    assert store.server_time() <= store.server_time()
    assert kinds(s3_server) == {"HEAD": 1}


def test_a_listing_is_one_request_for_a_thousand_names(store: Store, s3_server: S3Server) -> None:
    names = [f"index/{number:04}" for number in range(1200)]
    for name in names:
        store.put(name, b"")
    s3_server.reset()
    assert [row.name for row in store.list("index/")] == names
    assert kinds(s3_server) == {"GET list-type": 2}
    s3_server.reset()
    store.delete_many(names)
    assert kinds(s3_server) == {"POST delete": 2}
    assert list(store.list("")) == []


def test_many_ranges_share_few_connections(store: Store, s3_server: S3Server) -> None:
    store.put("packs/a", bytes(range(256)))
    s3_server.reset()
    assert len(list(store.get_many([ByteRange("packs/a", n, 1) for n in range(100)]))) == 100
    assert kinds(s3_server) == {"GET": 100}
    assert len({request.connection for request in s3_server.requests}) <= 8


def test_a_file_up_to_64_mib_is_sent_with_one_request(store: Store, s3_server: S3Server, tmp_path: Path) -> None:
    source = large_file(tmp_path / "source", 20 * MIB)
    heard: list[int] = []
    store.put_file("objects/a", source, digest(source.read_bytes()), advance=heard.append)
    assert kinds(s3_server) == {"PUT": 1}
    assert sum(heard) == 20 * MIB


@pytest.mark.parametrize("name", ["s3_server", "radosgw"])
def test_a_large_file_goes_in_parts_and_comes_in_ranges(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    server: S3Server = request.getfixturevalue(name)
    store = opened_on(server, tmp_path)
    size = 200 * MIB
    source = large_file(tmp_path / "source", size)
    sha256 = digest(source.read_bytes())
    heard: list[int] = []
    store.put_file("objects/a", source, sha256, advance=heard.append)
    # Is there an unfinished upload? begin, 13 parts of 16 MiB, publish.
    assert kinds(server) == {"GET uploads": 1, "POST uploads": 1, "PUT uploadId": 13, "POST uploadId": 1}
    assert sum(request.bytes_up for request in server.requests if request.method == "PUT") == size
    assert sum(heard) == size
    server.reset()
    heard.clear()
    with opened(tmp_path / "target") as fd:
        store.get_file("objects/a", fd, sha256, size, advance=heard.append)
    assert kinds(server) == {"GET": 13}
    assert sum(request.bytes_down for request in server.requests) == sum(heard) == size
    assert len({request.connection for request in server.requests}) <= 8
    assert digest((tmp_path / "target").read_bytes()) == sha256


def test_bytes_go_out_with_a_checksum_and_without_asking_for_leave(store: Store, s3_server: S3Server) -> None:
    store.put("index/a", b"first")
    store.put("index/b", b"second")
    first, second = s3_server.requests
    # Nothing is known of the server at first; this one then shows that it does not check a sha256.
    assert first.header("x-amz-checksum-sha256") and first.header("content-md5")
    assert second.header("content-md5") and not second.header("x-amz-checksum-sha256")
    assert not first.header("expect") and not second.header("expect")


def test_a_server_that_checks_a_sha256_gets_no_md5(store: Store, s3_server: S3Server) -> None:
    checked = {"x-amz-checksum-sha256": "as asked"}
    s3_server.proxy.fault("headers", method="PUT", headers=checked)
    store.put("index/a", b"first")
    store.put("index/b", b"second")
    assert s3_server.requests[1].header("x-amz-checksum-sha256") and not s3_server.requests[1].header("content-md5")


@pytest.mark.parametrize("name", ["s3_server", "radosgw"])
def test_bytes_that_were_damaged_on_their_way_are_not_published(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    server: S3Server = request.getfixturevalue(name)
    store = opened_on(server, tmp_path)
    source = large_file(tmp_path / "source", 70 * MIB)
    sha256 = digest(source.read_bytes())
    flips = [
        server.proxy.fault("flip", at=100_000, direction="up", method="PUT", path="objects/small"),
        server.proxy.fault("flip", at=100_000, direction="up", method="PUT", path="partNumber=2", nth=1),
    ]
    small = large_file(tmp_path / "small", MIB)
    store.put_file("objects/small", small, digest(small.read_bytes()))
    store.put_file("objects/large", source, sha256)
    assert all(flip.happened for flip in flips)
    assert store.get("objects/small") == small.read_bytes()
    with opened(tmp_path / "target") as fd:
        store.get_file("objects/large", fd, sha256, 70 * MIB)


# Memory

_PROGRAM = """
import json, os, sys
from pathlib import Path
from s3_stores import ENGINES, s3_store
engine, settings, bucket, what, source, sha256, size = json.loads(sys.argv[1])
store = s3_store(settings, bucket, Path(source).parent, engine=ENGINES[engine])
if what == "up":
    store.put_file("objects/a", Path(source), sha256, advance=lambda count: None)
else:
    fd = os.open(source + ".target", os.O_RDWR | os.O_CREAT)
    store.get_file("objects/a", fd, sha256, size, advance=lambda count: None)
"""


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["s3fs", "obstore"])
def test_memory_is_bounded_for_a_file_of_512_mib(engine: str, s3_server: S3Server, tmp_path: Path) -> None:
    size = 512 * MIB
    source = large_file(tmp_path / "source", size)
    sha256 = digest(source.read_bytes())
    bucket = s3_server.bucket()
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (Path(__file__).parent, Path(__file__).parents[1])))}
    peaks = {}
    for what in ("up", "down"):
        words = json.dumps([engine, s3_server.settings(), bucket, what, str(source), sha256, size])
        command = [sys.executable, "-c", _PROGRAM, words]
        result = tmp_path / "cost.json"
        done = subprocess.run(
            [sys.executable, "-S", MEASURED, result, *command], env=env, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr[-3000:]
        peaks[what] = json.loads(result.read_text())["peak_kib"] / 1024
    assert max(peaks.values()) < MOST_MEMORY, peaks


def test_the_other_engine_needs_as_few_requests(s3_server: S3Server, tmp_path: Path) -> None:
    store = s3_store(s3_server.settings(), s3_server.bucket(), tmp_path, engine=s3_obstore)
    store.put("index/a", b"12345")
    assert store.get("index/a", 1, 3) == b"234"
    assert [row.name for row in store.list("index/")] == ["index/a"]
    assert [row.name for row in store.list("index/a")] == ["index/a"]
    assert len(list(store.get_many([ByteRange("index/a", n, 1) for n in range(5)]))) == 5
    store.delete_many(["index/a", "index/b"])
    assert kinds(s3_server) == {"PUT": 1, "GET": 6, "GET list-type": 2, "POST delete": 1}
