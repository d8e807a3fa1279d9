"""The S3 store when the network or the service fails: what passes is tried again or told, and no wrong byte passes."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from conformance import opened
from s3_stores import ENGINES, s3_store

from datatool.errors import NotARemote, RemoteBusy, RemoteError
from datatool.hashing import digest
from datatool.remote.stores import s3, s3_multipart
from datatool.remote.stores.s3_download import RANGE
from datatool.store.protocol import ByteRange, NameMissing, Store, WrongBytes
from servers.fixtures import S3Server
from servers.http_proxy import HttpProxy

MIB = 1 << 20
LARGE = os.urandom(3 * RANGE + 12345)
PATIENCE = 2.0
"""Seconds after which tests of stalls take a silence for one."""


@pytest.fixture
def patience() -> float:
    return 20.0


@pytest.fixture
def store(s3_server: S3Server, tmp_path: Path, patience: float) -> Store:
    return s3_store(s3_server.settings(), s3_server.bucket(), tmp_path, timeout=patience)


@pytest.fixture(params=list(ENGINES.values()), ids=list(ENGINES))
def either(request: pytest.FixtureRequest, s3_server: S3Server, tmp_path: Path, patience: float) -> Store:
    engine: ModuleType = request.param
    return s3_store(s3_server.settings(), s3_server.bucket(), tmp_path, timeout=patience, engine=engine)


impatient = pytest.mark.parametrize("patience", [PATIENCE])
broken = pytest.mark.parametrize(("kind", "patience"), [("cut", 20.0), ("reset", 20.0), ("stall", PATIENCE)])


def is_fetched(store: Store, path: Path, data: bytes) -> bool:
    """Fetch a file; whether it is right. (The bytes themselves would make a failure hard to read.)"""
    with opened(path) as fd:
        store.get_file("objects/a", fd, digest(data), len(data))
    return path.read_bytes() == data


SMALL: dict[str, tuple[str, Callable[[Store], object]]] = {
    "get": ("GET", lambda store: store.get("index/a")),
    "range": ("GET", lambda store: store.get("index/a", 10, 1000)),
    "get_many": ("GET", lambda store: list(store.get_many([ByteRange("index/a", 10, 1000)]))),
    "list": ("GET", lambda store: list(store.list("index/"))),
    "put": ("PUT", lambda store: store.put("index/b", bytes(100_000))),
    "delete": ("POST", lambda store: store.delete_many(["index/b"])),
}


@broken
@pytest.mark.parametrize(("method", "do"), SMALL.values(), ids=SMALL)
def test_a_connection_that_breaks_or_stands_still_is_told_as_what_may_pass(
    either: Store, s3_server: S3Server, kind: str, method: str, do: Callable[[Store], object]
) -> None:
    either.put("index/a", bytes(100_000))
    fault = s3_server.proxy.fault(kind, method=method, times=None)  # a connection that was idle is tried twice
    with pytest.raises(RemoteBusy):
        do(either)
    assert fault.happened
    s3_server.proxy.heal()
    do(either)


@impatient
@pytest.mark.parametrize("do", [SMALL["get"][1], SMALL["list"][1]], ids=["get", "list"])
def test_a_service_that_gives_a_byte_at_a_time_is_not_waited_for(
    store: Store, s3_server: S3Server, do: Callable[[Store], object]
) -> None:
    store.put("index/a", bytes(100_000))
    s3_server.proxy.fault("rate", method="GET", rate=20)
    with pytest.raises(RemoteBusy, match="nothing has moved"):
        do(store)


@impatient
def test_bytes_that_stand_still_on_their_way_up_are_noticed(store: Store, s3_server: S3Server) -> None:
    s3_server.proxy.fault("stall", method="PUT", direction="up", at=1 * MIB)
    with pytest.raises(RemoteBusy, match="nothing has moved"):
        store.put("index/a", bytes(16 * MIB))


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429, 408])
def test_a_busy_service_says_when_to_come_again(either: Store, s3_server: S3Server, status: int) -> None:
    s3_server.proxy.fault("answer", status=status, headers={"Retry-After": "7"})
    with pytest.raises(RemoteBusy) as caught:
        either.get("index/a")
    if isinstance(either, s3.S3Store):
        assert caught.value.retry_after == 7.0


@pytest.mark.parametrize("do", [do for _, do in SMALL.values()], ids=SMALL)
def test_a_login_page_is_not_taken_for_an_answer(
    either: Store, s3_server: S3Server, do: Callable[[Store], object]
) -> None:
    either.put("index/a", bytes(100_000))
    s3_server.proxy.fault("login_page", times=None)
    if do in (SMALL["list"][1], SMALL["put"][1], SMALL["delete"][1]):
        with pytest.raises(NotARemote):
            do(either)
    else:
        try:
            do(either)  # a page may be what is stored: whoever asked looks at the bytes
        except RemoteError:
            pass


@pytest.mark.parametrize("body", [b"", b"plain words", b"<html><body>hi</body></html>", b"<a><b>c</b></a>"])
def test_a_success_that_is_no_listing_is_not_an_empty_listing(either: Store, s3_server: S3Server, body: bytes) -> None:
    s3_server.proxy.fault("answer", status=200, body=body, headers={"Content-Type": "application/xml"}, times=None)
    with pytest.raises(RemoteError):
        list(either.list("index/"))


def test_a_redirect_is_not_followed(store: Store, s3_server: S3Server) -> None:
    with HttpProxy(s3_server.direct_port) as elsewhere:
        location = {"Location": f"{elsewhere.url}/login"}
        s3_server.proxy.fault("answer", status=302, headers=location, times=None)
        for _, do in SMALL.values():
            with pytest.raises(NotARemote):
                do(store)
        assert not elsewhere.requests


def test_an_answer_that_does_not_end_is_left(store: Store, s3_server: S3Server) -> None:
    store.put("index/a", b"short")
    s3_server.proxy.fault("endless", method="GET")
    with pytest.raises(RemoteError, match="too large"):
        store.get("index/a")
    s3_server.proxy.fault("endless", method="GET")
    assert store.get("index/a", 0, 3) == b"sho"
    s3_server.proxy.fault("endless", method="GET", path="list-type")
    with pytest.raises(RemoteError):
        list(store.list("index/"))


def test_a_range_from_elsewhere_is_not_taken(either: Store, s3_server: S3Server) -> None:
    either.put("index/a", bytes(range(200)))
    s3_server.proxy.fault("headers", method="GET", headers={"Content-Range": "bytes 20-29/200"})
    with pytest.raises(RemoteError):
        either.get("index/a", 10, 10)


# Files


@broken
def test_a_range_that_breaks_is_gone_on_with_where_it_broke(
    store: Store, s3_server: S3Server, tmp_path: Path, kind: str
) -> None:
    store.put("objects/a", LARGE)
    s3_server.reset()
    fault = s3_server.proxy.fault(kind, method="GET", nth=2, at=10 * MIB)
    assert is_fetched(store, tmp_path / "target", LARGE)
    assert fault.happened
    # What a reset finds in buffers on its way is lost, and that may be some MiB; the range anew would be ten more.
    assert sum(request.bytes_down for request in s3_server.requests) < len(LARGE) + 8 * MIB


@pytest.mark.parametrize(("kind", "patience"), [("cut", 20.0), ("reset", 20.0), ("stall", 10.0)])
def test_a_part_that_breaks_is_sent_again_alone(store: Store, s3_server: S3Server, tmp_path: Path, kind: str) -> None:
    (tmp_path / "source").write_bytes(data := os.urandom(80 * MIB))
    heard: list[int] = []
    fault = s3_server.proxy.fault(kind, method="PUT", nth=2, direction="up", at=10 * MIB)
    store.put_file("objects/a", tmp_path / "source", digest(data), advance=heard.append)
    assert fault.happened
    assert sum(request.bytes_up for request in s3_server.requests if request.method == "PUT") <= len(data) + 16 * MIB
    assert sum(heard) == len(data)
    assert is_fetched(store, tmp_path / "target", data)


@pytest.fixture
def in_small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "SINGLE", MIB)
    monkeypatch.setattr(s3_multipart, "SMALLEST", 8 * MIB)


def test_an_upload_of_which_only_the_answer_was_lost_is_not_left(
    store: Store, s3_server: S3Server, tmp_path: Path, in_small_parts: None
) -> None:
    (tmp_path / "source").write_bytes(LARGE)
    fault = s3_server.proxy.fault("cut", method="POST", path="uploads")
    store.put_file("objects/a", tmp_path / "source", digest(LARGE))
    assert fault.happened
    assert list(store.leftovers()) == []
    assert is_fetched(store, tmp_path / "target", LARGE)


def test_uploads_that_nobody_can_go_on_with_end_when_the_name_is_there(
    store: Store, s3_server: S3Server, tmp_path: Path, in_small_parts: None
) -> None:
    (tmp_path / "source").write_bytes(LARGE)
    s3_server.proxy.fault("answer", method="PUT", path="partNumber", status=403, times=None)
    for name in ("objects/a", "objects/ab"):
        with pytest.raises(RemoteError):
            store.put_file(name, tmp_path / "source", digest(LARGE))
    s3_server.proxy.heal()
    assert [found.name for found in store.leftovers()] == ["objects/a", "objects/ab"]
    store.put_file("objects/a", tmp_path / "source", digest(LARGE))
    assert [found.name for found in store.leftovers()] == ["objects/ab"]  # which is another name


def test_a_file_comes_whole_from_a_service_without_ranges(store: Store, s3_server: S3Server, tmp_path: Path) -> None:
    store.put("objects/a", LARGE)
    whole = {"Content-Range": None}

    def without_ranges(times: int | None) -> None:
        s3_server.proxy.fault("answer", method="GET", body=LARGE, status=200, headers=whole, times=times)

    without_ranges(None)
    assert is_fetched(store, tmp_path / "target", LARGE)
    with opened(tmp_path / "target") as fd:  # and is gone on with
        store.get_file("objects/a", fd, digest(LARGE), len(LARGE), have=20 * MIB)
    assert digest((tmp_path / "target").read_bytes()) == digest(LARGE)


def test_an_object_that_is_replaced_while_it_is_read_is_noticed(radosgw: S3Server, tmp_path: Path) -> None:
    store = s3_store(radosgw.settings(), radosgw.bucket(), tmp_path, jobs=1)
    store.put("objects/a", LARGE)

    def replace(count: int) -> None:
        if radosgw.requests[-1].method == "GET":
            other.put("objects/a", bytes(len(LARGE)))

    other = s3_store(radosgw.settings(), radosgw.buckets[-1], tmp_path)
    with opened(tmp_path / "target") as fd, pytest.raises((RemoteBusy, WrongBytes)):
        store.get_file("objects/a", fd, digest(LARGE), len(LARGE), advance=replace)


@pytest.mark.parametrize("size", [100, len(LARGE)], ids=["small", "large"])
def test_an_object_of_another_size_is_not_read_to_its_end(either: Store, tmp_path: Path, size: int) -> None:
    either.put("objects/a", LARGE[:size])
    for wrong in (size - 1, size + 1):
        with opened(tmp_path / "target") as fd, pytest.raises(WrongBytes):
            either.get_file("objects/a", fd, digest(LARGE[:wrong]), wrong)
        assert (tmp_path / "target").stat().st_size <= size


def test_an_endless_file_is_left_behind_its_end(store: Store, s3_server: S3Server, tmp_path: Path) -> None:
    store.put("objects/a", b"short")
    s3_server.proxy.fault("endless", method="GET")
    with opened(tmp_path / "target") as fd, pytest.raises(WrongBytes):
        store.get_file("objects/a", fd, digest(b"short"), 5)


def test_a_file_that_goes_while_it_is_fetched_is_missing(either: Store, tmp_path: Path) -> None:
    with opened(tmp_path / "target") as fd, pytest.raises(NameMissing):
        either.get_file("objects/none", fd, digest(LARGE), len(LARGE))


def test_a_slow_caller_slows_the_transfer_and_nobody_else(store: Store, s3_server: S3Server, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(data := os.urandom(70 * MIB))
    waiting, go_on = threading.Event(), threading.Event()

    def advance(count: int) -> None:
        waiting.set()
        go_on.wait(60)

    sender = threading.Thread(
        target=store.put_file, args=("objects/a", tmp_path / "source", digest(data)), kwargs={"advance": advance}
    )
    sender.start()
    try:
        assert waiting.wait(60)
        store.put("index/a", b"meanwhile")
        assert store.get("index/a") == b"meanwhile"
        assert sum(request.bytes_up for request in s3_server.requests) < len(data)
    finally:
        go_on.set()
        sender.join()
    assert is_fetched(store, tmp_path / "target", data)


def test_a_full_disk_is_told_as_that(store: Store, tmp_path: Path) -> None:
    store.put("objects/a", LARGE)
    if not os.path.exists("/dev/full"):
        pytest.skip("tests a facility of Linux")
    read_only = os.open(tmp_path / "target", os.O_RDONLY | os.O_CREAT)
    try:
        with pytest.raises(OSError, match="the file being fetched"):
            store.get_file("objects/a", read_only, digest(LARGE), len(LARGE))
    finally:
        os.close(read_only)
