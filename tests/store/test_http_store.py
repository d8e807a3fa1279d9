"""Reading a remote from web servers: an honest one, and all kinds of others."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from conformance import NAME, Conformance, opened
from filled import Filled

from datatool.errors import DatatoolError, RemoteBusy, RemoteDenied, RemoteError, RemoteUnreachable, UsageError
from datatool.hashing import digest
from datatool.model.settings import Durability
from datatool.remote.connect import connect
from datatool.remote.stores.http import PART, HttpStore
from datatool.remote.stores.options import StoreOptions
from datatool.remote.url import parse_url
from datatool.store.directory import DirectoryStore
from datatool.store.protocol import ByteRange, NameMissing, Store, WrongBytes
from datatool.store.retry import Retries
from patience import LONG
from servers.fixtures import WebServer
from servers.scripted_http import Asked, ScriptedServer, Speaker

BIG = os.urandom(3 * PART + 12345)


def store_at(
    url: str, tmp_path: Path, *, timeout: float = 10.0, tries: int = 3, jobs: int = 8, **settings: str
) -> HttpStore:
    return HttpStore(
        parse_url(url, root=tmp_path),
        {"url": url, **settings},
        StoreOptions(scratch=tmp_path, timeout=timeout, connect_timeout=5.0, jobs=jobs),
        retries=Retries(tries=tries, base=0.0),
    )


def filled(web_server: WebServer, url: str, tmp_path: Path) -> Store:
    writer = DirectoryStore(web_server.directory, durability=Durability.NONE)
    return Filled(store_at(url, tmp_path), writer)


class TestHttpStore(Conformance):
    @pytest.fixture
    def store(self, web_server: WebServer, tmp_path: Path) -> Store:
        return filled(web_server, web_server.url, tmp_path)


class TestHttpStoreWithoutRanges(Conformance):
    @pytest.fixture
    def store(self, web_server: WebServer, tmp_path: Path) -> Store:
        return filled(web_server, web_server.url_without_ranges, tmp_path)


@contextmanager
def serving(script: Callable[[Speaker, Asked], None], **options: bool) -> Iterator[ScriptedServer]:
    with ScriptedServer(script, **options) as server:  # type: ignore[arg-type]
        yield server


def ranges_of(web_server: WebServer) -> list[str]:
    return [dict(request.headers).get("range", "") for request in web_server.requests]


# Reading only


def test_nothing_can_be_changed_or_listed(tmp_path: Path) -> None:
    store = store_at("http://127.0.0.1:9/data", tmp_path)
    assert not (store.capabilities.write or store.capabilities.list or store.capabilities.delete)
    for change in (
        lambda: store.put(NAME, b""),
        lambda: store.put_file(NAME, tmp_path / "x", digest(b"")),
        lambda: store.delete_many([NAME]),
    ):
        with pytest.raises(RemoteDenied, match="read only"):
            change()
    with pytest.raises(RemoteError, match="can't be listed"):
        store.list("index/")
    assert list(store.leftovers()) == []


def test_a_connection_by_url_reads(web_server: WebServer, tmp_path: Path) -> None:
    (web_server.directory / "a").write_bytes(b"abc")
    store = connect({"url": web_server.url}, root=tmp_path, offline=False, durability=Durability.NONE, scratch=tmp_path)
    assert store.get("a") == b"abc"
    assert store.label == web_server.url


def test_the_time_is_the_servers_date(tmp_path: Path) -> None:
    def script(speaker: Speaker, asked: Asked) -> None:
        speaker.answer(status="404 Not Found", date="Sun, 06 Nov 1994 08:49:37 GMT")

    with serving(script) as server:
        assert store_at(server.url, tmp_path).server_time() == 784111777.0
        assert [asked.method for asked in server.asked] == ["HEAD"]
    with serving(lambda speaker, asked: speaker.answer()) as server, pytest.raises(RemoteError, match="the time"):
        store_at(server.url, tmp_path).server_time()


def test_a_query_in_the_url_goes_with_every_request_and_into_no_message(tmp_path: Path) -> None:
    with serving(lambda speaker, asked: speaker.answer(status="403 No")) as server:
        store = store_at(server.url + "/my%20data?sig=secret", tmp_path)
        with pytest.raises(RemoteDenied) as denied:
            store.get("index/a")
        assert server.asked[0].path == "/data/my%20data/index/a?sig=secret"
        assert "secret" not in f"{denied.value} {denied.value.hint} {store.label}"


@pytest.mark.parametrize("url", ["http://h/a\rb", "http://h/a b", "http://h\t/a", "http://h/\x7f"])
def test_a_url_with_control_characters_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(UsageError):
        store_at(url, tmp_path)


# Requests


def test_one_request_for_one_thing_over_one_connection(web_server: WebServer, tmp_path: Path) -> None:
    (web_server.directory / "a").write_bytes(b"0123456789")
    store = store_at(web_server.url, tmp_path)
    assert [store.get("a"), store.get("a", 2, 3), store.get("a", 12)] == [b"0123456789", b"234", b""]
    assert ranges_of(web_server) == ["", "bytes=2-4", "bytes=12-"]
    assert web_server.proxy.connections == 1
    assert {dict(request.headers)["accept-encoding"] for request in web_server.requests} == {"identity"}


def test_many_are_asked_for_at_once(tmp_path: Path) -> None:
    together = threading.Barrier(4, timeout=LONG)

    def script(speaker: Speaker, asked: Asked) -> None:
        together.wait()
        speaker.answer(asked.path.encode())

    with serving(script) as server:
        store = store_at(server.url, tmp_path)
        found = store.get_many([ByteRange(f"index/{n}", 0, 64 << 20) for n in range(4)])
        assert list(found) == [b"/data/index/%d" % n for n in range(4)]


def test_what_waits_for_its_turn_never_keeps_out_those_before_it(web_server: WebServer, tmp_path: Path) -> None:
    """Of ten answers of 20 MiB three fit: the others wait until those have been taken."""
    for n in range(10):
        (web_server.directory / str(n)).write_bytes(bytes([n]) * (20 << 20))
    store = store_at(web_server.url, tmp_path, timeout=30)
    for n, data in enumerate(store.get_many([ByteRange(str(n), 0, 64 << 20) for n in range(10)])):
        assert (len(data), data[:1]) == (20 << 20, bytes([n]))


def test_without_ranges_a_part_is_cut_out_and_this_is_remembered(web_server: WebServer, tmp_path: Path) -> None:
    (web_server.directory / "pack").write_bytes(BIG)
    store = store_at(web_server.url_without_ranges, tmp_path)
    assert store.capabilities.ranges
    assert store.get("pack", 1000, 10) == BIG[1000:1010]
    assert not store.capabilities.ranges
    assert store_at(web_server.url, tmp_path).get("pack", 1000, 10) == BIG[1000:1010]


# Large files


def test_a_large_file_comes_in_parts_of_the_same_content(web_server: WebServer, tmp_path: Path) -> None:
    (web_server.directory / "big").write_bytes(BIG)
    told: list[int] = []
    with opened(tmp_path / "target") as fd:
        store_at(web_server.url, tmp_path).get_file("big", fd, digest(BIG), len(BIG), advance=told.append)
    assert (tmp_path / "target").read_bytes() == BIG
    assert sum(told) == len(BIG) and len(told) >= 48
    parts = [(start, min(start + PART, len(BIG)) - 1) for start in range(0, len(BIG), PART)]
    assert sorted(ranges_of(web_server)) == sorted(f"bytes={first}-{last}" for first, last in parts)
    etags = {dict(request.headers).get("if-range") for request in web_server.requests}
    assert len(etags) == 2 and None in etags


def test_a_large_file_comes_as_a_whole_where_there_are_no_parts(web_server: WebServer, tmp_path: Path) -> None:
    (web_server.directory / "big").write_bytes(BIG)
    store = store_at(web_server.url_without_ranges, tmp_path)
    for asked in (2, 3):  # that there are no parts is found out once
        with opened(tmp_path / "target") as fd:
            store.get_file("big", fd, digest(BIG), len(BIG))
        assert (tmp_path / "target").read_bytes() == BIG
        assert len(web_server.requests) == asked


class Patchy:
    """Serves `data` with ranges, but breaks each answer off after some bytes."""

    def __init__(self, data: bytes, *, cut_after: int, etag: str = '"one"', ranges: bool = True) -> None:
        self.data, self.cut_after, self.etag, self.ranges = data, cut_after, etag, ranges

    def __call__(self, speaker: Speaker, asked: Asked) -> None:
        start, stop = 0, len(self.data)
        headers: dict[str, object] = {"etag": self.etag}
        status = "200 OK"
        wanted = asked.headers.get("range")
        if self.ranges and wanted and asked.headers.get("if-range") in (None, self.etag):
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            start, stop = int(first), min(int(last) + 1 if last else stop, stop)
            status = "206 Partial Content"
            headers["content_range"] = f"bytes {start}-{stop - 1}/{len(self.data)}"
        speaker.head(status, content_length=stop - start, **headers)
        speaker.send(self.data[start : min(stop, start + self.cut_after)])


@pytest.mark.parametrize("size", [20 << 20, len(BIG)], ids=["whole", "in parts"])
def test_a_cut_download_goes_on_where_it_was(tmp_path: Path, size: int) -> None:
    data = BIG[:size]
    with serving(Patchy(data, cut_after=3 << 20)) as server, opened(tmp_path / "target") as fd:
        store_at(server.url, tmp_path).get_file("big", fd, digest(data), len(data))
        assert (tmp_path / "target").read_bytes() == data
        starts = [int(asked.headers.get("range", "bytes=0-")[6:].split("-")[0]) for asked in server.asked]
        assert len(starts) == len(set(starts))
        assert len(starts) <= size / (2 << 20) + size / PART  # nearly all of what had arrived counts


def test_a_cut_download_goes_on_without_ranges_too(tmp_path: Path) -> None:
    cuts = iter([100, 5000, 1 << 30])
    patchy = Patchy(BIG[:9000], cut_after=0, ranges=False)

    def script(speaker: Speaker, asked: Asked) -> None:
        patchy.cut_after = next(cuts)
        patchy(speaker, asked)

    with serving(script) as server, opened(tmp_path / "target") as fd:
        store_at(server.url, tmp_path).get_file("big", fd, digest(BIG[:9000]), 9000)
        assert (tmp_path / "target").read_bytes() == BIG[:9000]
        assert len(server.asked) == 3


@pytest.mark.parametrize("size", [5 << 20, len(BIG)], ids=["whole", "in parts"])
def test_a_file_that_changes_while_it_is_read_is_read_anew(tmp_path: Path, size: int) -> None:
    old, new = bytes(size), BIG[:size]
    patchy = Patchy(old, cut_after=1 << 20, etag='"old"')

    def script(speaker: Speaker, asked: Asked) -> None:
        patchy(speaker, asked)
        patchy.data, patchy.cut_after, patchy.etag = new, 1 << 30, '"new"'

    with serving(script) as server, opened(tmp_path / "target") as fd:
        store_at(server.url, tmp_path).get_file("big", fd, digest(new), size)
        assert (tmp_path / "target").read_bytes() == new


def test_what_ends_at_the_same_byte_each_time_is_damaged_not_a_bad_connection(tmp_path: Path) -> None:
    with serving(Patchy(b"0123456789", cut_after=5, ranges=False)) as server:
        store = store_at(server.url, tmp_path, tries=5)
        with opened(tmp_path / "target") as fd, pytest.raises(WrongBytes):
            store.get_file("a", fd, digest(b"0123456789"), 10)
        for _ in range(2):
            with pytest.raises(RemoteBusy, match="after 5 of 10"):
                store.get("a")
        assert store.get("a") == b"01234"


def test_a_connection_that_never_holds_is_given_up(tmp_path: Path) -> None:
    with serving(Patchy(b"0123456789", cut_after=0)) as server, opened(tmp_path / "target") as fd:
        with pytest.raises(RemoteBusy, match="the connection broke"):
            store_at(server.url, tmp_path, tries=4).get_file("a", fd, digest(b"0123456789"), 10)
        assert len(server.asked) == 4


def test_several_large_files_share_the_room_there_is(web_server: WebServer, tmp_path: Path) -> None:
    (web_server.directory / "big").write_bytes(BIG)
    store = store_at(web_server.url, tmp_path, timeout=60)
    failures: list[BaseException] = []

    def fetch(number: int) -> None:
        try:
            with opened(tmp_path / f"target{number}") as fd:
                store.get_file("big", fd, digest(BIG), len(BIG))
        except BaseException as error:  # noqa: BLE001 - told by the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=fetch, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert all((tmp_path / f"target{number}").read_bytes() == BIG for number in range(3))


def test_a_full_disk_is_the_disks_fault(web_server: WebServer, tmp_path: Path) -> None:
    (web_server.directory / "a").write_bytes(b"abc")
    fd = os.open("/dev/full", os.O_RDWR) if os.path.exists("/dev/full") else pytest.skip("needs /dev/full")
    try:
        with pytest.raises(DatatoolError) as failed:
            store_at(web_server.url, tmp_path).get_file("a", fd, digest(b"abc"), 3)
        assert not isinstance(failed.value, RemoteError)
    finally:
        os.close(fd)


# Faults


def test_an_endless_body_is_stopped(tmp_path: Path) -> None:
    def script(speaker: Speaker, asked: Asked) -> None:
        speaker.head()
        while True:
            speaker.send(bytes(1 << 20))

    with serving(script) as server:
        store = store_at(server.url, tmp_path)
        with pytest.raises(RemoteError, match="larger than"):
            store.get("index.list")
        assert store.get("a", 5, 3) == bytes(3)
        with opened(tmp_path / "target") as fd, pytest.raises(WrongBytes):
            store.get_file("a", fd, digest(bytes(10)), 10)
        assert (tmp_path / "target").stat().st_size <= 10


def test_a_file_with_more_or_less_than_it_should_have_is_wrong(tmp_path: Path) -> None:
    with serving(lambda speaker, asked: speaker.answer(b"0123456789")) as server:
        store = store_at(server.url, tmp_path)
        for size in (9, 11, 0):
            with opened(tmp_path / "target") as fd, pytest.raises(WrongBytes):
                store.get_file("a", fd, digest(b"0123456789"), size)


@pytest.mark.parametrize("head", ["Content-Length: 1000000", "Transfer-Encoding: chunked"])
def test_a_server_that_gives_a_byte_now_and_then_is_given_up(tmp_path: Path, head: str) -> None:
    def script(speaker: Speaker, asked: Asked) -> None:
        speaker.send(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode())
        speaker.drip(b"1\r\nx\r\n", 0.05)

    with serving(script) as server, pytest.raises(RemoteBusy, match="bytes per second"):
        store_at(server.url, tmp_path, timeout=0.5).get("a")


def test_a_head_that_never_ends_is_given_up(tmp_path: Path) -> None:
    def script(speaker: Speaker, asked: Asked) -> None:
        speaker.send(b"HTTP/1.1 200 OK\r\nX: ")
        speaker.drip(b"x", 0.05)

    with serving(script) as server, pytest.raises(RemoteBusy, match="did not answer in time"):
        HttpStore(
            parse_url(server.url, root=tmp_path), {}, StoreOptions(scratch=tmp_path, timeout=0.3, connect_timeout=0.3)
        ).get("a")


@pytest.mark.parametrize("before", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n012"], ids=["head", "body"])
def test_a_server_that_falls_silent_is_given_up(tmp_path: Path, before: bytes) -> None:
    def script(speaker: Speaker, asked: Asked) -> None:
        speaker.send(before)
        speaker.silence()

    with serving(script) as server, pytest.raises(RemoteBusy, match="too long"):
        store_at(server.url, tmp_path, timeout=0.3).get("a")


@pytest.mark.parametrize(
    "content_range",
    ["bytes 3-5/10", "bytes 2-5/10", "bytes 2-3/10", "bytes 2-4/4", "bytes 2-4", "2-4/10", "bytes 4-2/10", ""],
)
def test_another_part_than_was_asked_for_is_not_taken(tmp_path: Path, content_range: str) -> None:
    def script(speaker: Speaker, asked: Asked) -> None:
        speaker.answer(b"345", "206 Partial Content", content_range=content_range)

    with serving(script) as server, pytest.raises(RemoteBusy, match="another part"):
        store_at(server.url, tmp_path).get("a", 2, 3)


def test_a_part_of_a_file_that_should_reach_further_is_not_taken_for_its_end(tmp_path: Path) -> None:
    def script(speaker: Speaker, asked: Asked) -> None:
        speaker.answer(status="416 Range Not Satisfiable", content_range="bytes */10")

    with serving(script) as server:
        store = store_at(server.url, tmp_path)
        assert store.get("a", 10, 3) == b""
        with pytest.raises(RemoteBusy):
            store.get("a", 9, 3)


def test_a_packed_answer_is_refused(tmp_path: Path) -> None:
    packed = serving(lambda speaker, asked: speaker.answer(b"\x1f\x8b", content_encoding="gzip"))
    with packed as server, pytest.raises(RemoteError, match="compress"):
        store_at(server.url, tmp_path).get("a")


@pytest.mark.parametrize("status", ["500 Oops", "502 Bad", "503 Busy", "504 Slow", "429 Slow down", "408 Late"])
def test_a_busy_server_may_be_asked_again(tmp_path: Path, status: str) -> None:
    with serving(lambda speaker, asked: speaker.answer(status=status, retry_after="7")) as server:
        with pytest.raises(RemoteBusy) as busy:
            store_at(server.url, tmp_path).get("a")
        assert busy.value.retry_after == 7.0


@pytest.mark.parametrize("status", ["404 Not Found", "410 Gone"])
def test_what_is_not_there_is_missing(tmp_path: Path, status: str) -> None:
    with serving(lambda speaker, asked: speaker.answer(b"<html>", status)) as server, pytest.raises(NameMissing):
        store_at(server.url, tmp_path).get("a")


@pytest.mark.parametrize("status", ["400 Bad", "204 Nothing", "300 Choose", "304 Same", "206 Part", "418 Teapot"])
def test_other_answers_are_errors(tmp_path: Path, status: str) -> None:
    with serving(lambda speaker, asked: speaker.answer(status=status)) as server, pytest.raises(RemoteError):
        store_at(server.url, tmp_path).get("a")


@pytest.mark.parametrize(
    "talk", [b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", b"\0\r\n\r\n"]
)
def test_what_does_not_speak_http_is_told(tmp_path: Path, talk: bytes) -> None:
    with serving(lambda speaker, asked: speaker.send(talk)) as server, pytest.raises(RemoteError):
        store_at(server.url, tmp_path).get("a")


def test_nobody_there_is_told_at_once(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(RemoteUnreachable, match="connection refused") as refused:
        store_at(f"http://127.0.0.1:{port}", tmp_path).get("a")
    assert not isinstance(refused.value, RemoteBusy)


def test_a_server_that_takes_no_connection_is_told_in_time(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, ExitStack() as waiting:
        for _ in range(3):  # fill its queue, so that the next one waits at the door
            queued = waiting.enter_context(socket.socket())
            queued.setblocking(False)
            queued.connect_ex(listener.getsockname())
        store = HttpStore(
            parse_url(f"http://127.0.0.1:{listener.getsockname()[1]}", root=tmp_path),
            {},
            StoreOptions(scratch=tmp_path, connect_timeout=0.3),
        )
        with pytest.raises(RemoteUnreachable, match="did not answer in time") as told:
            store.get("a")
        assert not isinstance(told.value, RemoteBusy)


def test_a_host_that_nobody_knows_is_told(tmp_path: Path) -> None:
    with pytest.raises(RemoteUnreachable, match="nobody knows the host no-such-host"):
        store_at("http://no-such-host.invalid/data", tmp_path).get("a")
