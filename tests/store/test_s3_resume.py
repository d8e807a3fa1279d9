"""Uploads to S3 that were interrupted: gone on with by whoever comes next, listed, ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from conformance import opened
from s3_stores import PREFIX, opened_on, s3_store

from datatool.errors import RemoteBusy
from datatool.hashing import digest
from datatool.localfs.partial import open_partial
from datatool.model.oid import ObjectId
from datatool.progress import Spared
from datatool.remote.stores import s3_download
from datatool.remote.stores.s3_multipart import SMALLEST
from datatool.store.counting import CountingStore
from datatool.store.protocol import Kept, NameMissing, Store, WrongBytes
from patience import LONG
from servers.fixtures import S3Server
from servers.ports import wait_until

pytestmark = pytest.mark.slow

MIB = 1 << 20
SIZE = 6 * SMALLEST + 12345
NAME = "objects/ab/large"

_UPLOAD = """
import json, sys
from pathlib import Path
from s3_stores import s3_store
settings, bucket, name, source, sha256 = json.loads(sys.argv[1])
s3_store(settings, bucket, Path(source).parent).put_file(name, Path(source), sha256)
"""


@pytest.fixture(params=["s3_server", "radosgw"])
def server(request: pytest.FixtureRequest) -> S3Server:
    found: S3Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(os.urandom(SIZE))
    return path


def oid_of(path: Path) -> ObjectId:
    return digest(path.read_bytes())


def sent(server: S3Server) -> int:
    return sum(request.bytes_up for request in server.requests if request.method == "PUT")


def uploading(server: S3Server, bucket: str, source: Path) -> subprocess.Popen[bytes]:
    words = json.dumps([server.settings(), bucket, NAME, str(source), oid_of(source)])
    here = Path(__file__).parent
    env = {**os.environ, "PYTHONPATH": os.pathsep.join((str(here), str(here.parent)))}
    return subprocess.Popen([sys.executable, "-c", _UPLOAD, words], env=env)


def interrupted(server: S3Server, bucket: str, source: Path) -> None:
    """An upload whose process is killed after some parts have arrived."""
    stall = server.proxy.fault("stall", method="PUT", nth=5, direction="up", times=None)  # the server hears nothing
    process = uploading(server, bucket, source)
    try:
        stall.wait()
        wait_until(lambda: _answered(server) >= 4, seconds=LONG, what="the parts before the stalled one")
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    server.proxy.heal()


def _answered(server: S3Server) -> int:
    return sum("partNumber" in request.query and request.status == 200 for request in server.requests)


def is_there(store: Store, source: Path, target: Path) -> bool:
    with opened(target) as fd:
        store.get_file(NAME, fd, oid_of(source), SIZE)
    return digest(target.read_bytes()) == oid_of(source)


def test_a_killed_upload_goes_on_where_it_was(server: S3Server, source: Path, tmp_path: Path) -> None:
    bucket = server.bucket()
    interrupted(server, bucket, source)
    store = s3_store(server.settings(), bucket, tmp_path)
    (left,) = store.leftovers()
    assert left.name == NAME and left.size >= 2 * SMALLEST and left.size % SMALLEST == 0
    with pytest.raises(NameMissing):
        store.get(NAME, 0, 1)
    server.reset()
    heard: list[int] = []
    counting = CountingStore(store)
    counting.put_file(NAME, source, oid_of(source), advance=heard.append)
    assert sent(server) == counting.bytes_out <= SIZE - left.size
    assert sum(heard) == SIZE
    assert sum(count for count in heard if isinstance(count, Spared)) == SIZE - counting.bytes_out
    assert is_there(store, source, tmp_path / "target")
    assert list(store.leftovers()) == []


def test_parts_of_another_file_are_not_used(server: S3Server, source: Path, tmp_path: Path) -> None:
    bucket = server.bucket()
    interrupted(server, bucket, source)
    source.write_bytes(os.urandom(SIZE))
    server.reset()
    store = s3_store(server.settings(), bucket, tmp_path)
    store.put_file(NAME, source, oid_of(source))
    assert sent(server) == SIZE
    assert is_there(store, source, tmp_path / "target")
    assert list(store.leftovers()) == []  # nobody needs an upload of a name that is there


def test_a_part_that_is_not_right_is_sent_again(server: S3Server, source: Path, tmp_path: Path) -> None:
    """The first part is that of an earlier version, which shares the others."""
    bucket = server.bucket()
    data = source.read_bytes()
    interrupted(server, bucket, source)
    changed = bytearray(data)
    changed[2 * SMALLEST] ^= 1
    source.write_bytes(changed)
    store = s3_store(server.settings(), bucket, tmp_path)
    (left,) = store.leftovers()
    server.reset()
    store.put_file(NAME, source, oid_of(source))
    # rclone can't replace a part: there it begins anew.
    assert sent(server) <= (SIZE - left.size + SMALLEST if server.proxy.fix_ranges is False else 2 * SIZE)
    assert is_there(store, source, tmp_path / "target")


def test_leftovers_can_be_ended_and_ended_again(server: S3Server, source: Path, tmp_path: Path) -> None:
    bucket = server.bucket()
    interrupted(server, bucket, source)
    store = s3_store(server.settings(), bucket, tmp_path)
    (left,) = store.leftovers()
    assert abs(left.time - store.server_time()) < 600
    store.discard(left)
    assert list(store.leftovers()) == []
    store.discard(left)
    server.reset()
    store.put_file(NAME, source, oid_of(source))
    assert sent(server) == SIZE


def test_a_file_with_other_bytes_leaves_no_upload(server: S3Server, source: Path, tmp_path: Path) -> None:
    store = opened_on(server, tmp_path)
    with pytest.raises(WrongBytes):
        store.put_file(NAME, source, digest(b"other"))
    assert list(store.leftovers()) == []
    with pytest.raises(NameMissing):
        store.get(NAME, 0, 1)


def test_two_machines_may_push_the_same_object_at_once(radosgw: S3Server, source: Path, tmp_path: Path) -> None:
    """On Ceph's gateway: rclone's server may answer for minutes with InternalError when two finish one name at once."""
    server = radosgw
    bucket = server.bucket()
    failures: list[BaseException] = []
    sha256 = oid_of(source)
    start = threading.Barrier(3)

    def push() -> None:
        store = s3_store(server.settings(), bucket, tmp_path)
        start.wait()
        try:
            store.put_file(NAME, source, sha256)
        except BaseException as error:  # noqa: BLE001 - told by the test
            failures.append(error)

    pushes = [threading.Thread(target=push) for _ in range(3)]
    for thread in pushes:
        thread.start()
    for thread in pushes:
        thread.join()
    assert not failures
    store = s3_store(server.settings(), bucket, tmp_path)
    assert is_there(store, source, tmp_path / "target")


def test_an_upload_that_another_machine_finished_is_done(server: S3Server, source: Path, tmp_path: Path) -> None:
    """Both go on with the same one; the second finds it gone, and the object in its place."""
    bucket = server.bucket()
    interrupted(server, bucket, source)
    slow, fast = (s3_store(server.settings(), bucket, tmp_path) for _ in range(2))
    sha256 = oid_of(source)
    finished = threading.Event()

    def overtake(count: int) -> None:
        if not finished.is_set():
            finished.set()
            fast.put_file(NAME, source, sha256)

    slow.put_file(NAME, source, sha256, advance=overtake)
    assert finished.is_set()
    assert is_there(slow, source, tmp_path / "target")
    assert list(slow.leftovers()) == []


def test_an_answer_to_the_last_request_that_is_lost_is_no_failure(
    server: S3Server, source: Path, tmp_path: Path
) -> None:
    store = opened_on(server, tmp_path)
    fault = server.proxy.fault("cut", method="POST", path="uploadId=")
    server.reset()
    store.put_file(NAME, source, oid_of(source))
    assert fault.happened
    assert sent(server) == SIZE
    assert is_there(store, source, tmp_path / "target")


def test_a_service_that_lists_no_uploads_begins_anew(server: S3Server, source: Path, tmp_path: Path) -> None:
    bucket = server.bucket()
    interrupted(server, bucket, source)
    store = s3_store(server.settings(), bucket, tmp_path)
    for status in (501, 403):
        server.proxy.fault("answer", status=status, method="GET", path="[?&]uploads")
    server.reset()
    store.put_file(NAME, source, oid_of(source))
    assert sent(server) == SIZE
    assert is_there(store, source, tmp_path / "target")


def test_a_push_that_fails_for_good_leaves_what_was_sent(server: S3Server, source: Path, tmp_path: Path) -> None:
    store = opened_on(server, tmp_path)
    server.proxy.fault("answer", method="PUT", status=503, nth=4, times=None)
    with pytest.raises(RemoteBusy):
        store.put_file(NAME, source, oid_of(source))
    server.proxy.heal()
    (left,) = store.leftovers()
    server.reset()
    store.put_file(NAME, source, oid_of(source))
    assert sent(server) == SIZE - left.size > 0


def test_a_part_that_was_replaced_is_noticed_before_publishing(radosgw: S3Server, source: Path, tmp_path: Path) -> None:
    """Somebody else's part in our upload: the server refuses to publish, and the upload begins anew."""
    store = opened_on(radosgw, tmp_path)
    bucket = radosgw.buckets[-1]
    meddled = threading.Event()

    def meddle(count: int) -> None:
        if sum(heard) < SIZE - SMALLEST or meddled.is_set():
            heard.append(count)
            return
        (left,) = store.leftovers()
        target = f"/{bucket}/{PREFIX}/{NAME}?partNumber=1&uploadId={left.id}"
        assert radosgw.raw().send("PUT", target, bytes(5 * MIB)).status == 200
        meddled.set()

    heard: list[int] = []
    store.put_file(NAME, source, oid_of(source), advance=meddle)
    assert meddled.is_set()
    assert is_there(store, source, tmp_path / "target")


def test_all_that_arrived_of_a_download_is_kept_though_it_lies_in_pieces(
    server: S3Server, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_download, "RANGE", 3 * MIB)
    store = opened_on(server, tmp_path)
    store.put_file(NAME, source, oid_of(source))
    slow = server.proxy.fault("stall", method="GET", nth=2, at=MIB + MIB // 2, direction="down")
    heard: list[int] = []

    def stop(count: int) -> None:
        heard.append(count)
        if sum(heard) > SIZE // 4:
            raise KeyboardInterrupt

    partial = open_partial(tmp_path, "big")
    assert partial is not None
    with pytest.raises(KeyboardInterrupt):
        store.get_file(
            NAME, partial.fd, oid_of(source), SIZE, have=Kept.of([], least=0, note=partial.note), advance=stop
        )
    partial.keep()
    assert slow.happened
    server.proxy.heal()
    again = open_partial(tmp_path, "big")
    assert again is not None
    noted = again.noted()
    arrived = sum(end - start for start, end in noted)
    assert len(noted) > 1 and arrived >= sum(heard)
    counting = CountingStore(store)
    counting.get_file(NAME, again.fd, oid_of(source), SIZE, have=Kept.of(noted, least=0, note=again.note))
    assert counting.bytes_in == SIZE - arrived
    assert digest(os.pread(again.fd, SIZE, 0)) == oid_of(source)
    again.discard()
