"""The store over SFTP, against OpenSSH."""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from asyncssh.sftp import SFTPClientHandler
from conformance import NAME, Conformance, opened
from other_ssh_server import know, other_ssh_server, umask_of_this_process
from sftp_world import SftpWorld, names, reconfigure, world_at

from datatool.hashing import digest
from datatool.remote.check import check
from datatool.store.protocol import ByteRange, NameMissing, NameTaken, Store
from servers.fixtures import OwnSshServer


class TestSftpStore(Conformance):
    clock_resolution = 1.001

    @pytest.fixture
    def store(self, world: SftpWorld) -> Store:
        return world.store()


class TestSftpStoreWhoseDirectoryIsYetToBeMade(Conformance):
    clock_resolution = 1.001

    @pytest.fixture
    def store(self, world: SftpWorld) -> Store:
        return world.store(world.server.directory() / "deeper" / "still")


@pytest.mark.filterwarnings("ignore:.*FileIO.*:pytest.PytestUnraisableExceptionWarning")  # that server's own
class TestSftpStoreAtAnotherServer(Conformance):
    clock_resolution = 1.001

    @pytest.fixture
    def store(self, world: SftpWorld, tmp_path: Path) -> Iterator[Store]:
        with other_ssh_server() as server:
            know(server, world.home)
            settings = {**server.settings, "port": str(server.port)}
            yield world.store(tmp_path / "elsewhere", settings=settings)
            world.close()


class TestSftpStoreAtAServerWithoutExtensions(Conformance):
    """Such as know the protocol of 2001 and nothing since."""

    clock_resolution = 1.001

    @pytest.fixture
    def store(self, world: SftpWorld, monkeypatch: pytest.MonkeyPatch) -> Store:
        async def forget(handler: SFTPClientHandler) -> None:
            for name in [name for name in vars(handler) if name.startswith("_supports_")]:
                setattr(handler, name, False)

        monkeypatch.setattr(SFTPClientHandler, "request_limits", forget)
        return world.store()

    def test_readers_see_the_old_or_the_new_never_a_part(self, store: Store) -> None:
        """Or nothing, for a moment: there is no renaming onto a name that is taken."""
        versions = [bytes([n]) * (1 << 18) for n in range(8)]
        store.put("index.list", versions[0])
        over = threading.Event()
        seen: set[bytes] = set()

        def read() -> None:
            while not over.is_set():
                try:
                    seen.add(store.get("index.list"))
                except NameMissing:
                    continue

        reader = threading.Thread(target=read)
        reader.start()
        for version in versions:
            store.put("index.list", version)
        over.set()
        reader.join()
        assert seen <= set(versions)

    def test_it_is_said_that_an_exclusive_put_is_not_safe(self, store: Store) -> None:
        store.put("a", b"", exclusive=True)
        assert not store.capabilities.conditional


def test_what_it_can_do_is_known_once_the_server_was_spoken_to(world: SftpWorld) -> None:
    store = world.store()
    assert not store.capabilities.conditional
    store.put("a", b"")
    assert store.capabilities.conditional


def test_a_path_may_begin_at_the_home_directory(
    own_sshd: OwnSshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = own_sshd.directory()  # where sessions begin, so that the test need not write into somebody's own
    reconfigure(own_sshd, f"internal-sftp -d {home}", instead_of="internal-sftp")
    with world_at(own_sshd, tmp_path) as world:
        monkeypatch.setenv("HOME", str(world.home))
        for path, below in {"/~/deeper/data": "deeper/data", "/~": "."}.items():
            store = world.store(url=f"ssh://{own_sshd.host}{path}")
            store.put("index/a", b"at home")
            assert store.get("index/a") == b"at home"
            assert "index/a" in [row.name for row in store.list("")]
            assert (home / below / "index" / "a").read_bytes() == b"at home"


# What is seen


def test_unfinished_files_links_and_special_files_are_no_names(world: SftpWorld) -> None:
    top = world.server.directory()
    store = world.store(top)
    store.put("objects/a", b"a")
    (top / "objects" / "link").symlink_to(top / "objects" / "a")
    (top / "objects" / "dangling").symlink_to("nowhere")
    (top / "tmp" / "unfinished").write_bytes(b"")
    (top / "objects" / "with space").write_bytes(b"")
    (top / "objects" / "umläut").write_bytes(b"")
    os.mkfifo(top / "objects" / "fifo")
    assert [row.name for row in store.list("")] == ["objects/a"]
    assert list(store.list("tmp/")) == []
    for name in ("objects/link", "objects/dangling"):
        with pytest.raises(NameMissing):
            store.get(name)


def test_a_directory_may_be_a_link(world: SftpWorld) -> None:
    top, elsewhere = world.server.directory(), world.server.directory()
    (top / "objects").symlink_to(elsewhere)
    store = world.store(top)
    store.put("objects/ab/c", b"c")
    assert (elsewhere / "ab" / "c").read_bytes() == b"c"
    assert [row.name for row in store.list("objects/")] == ["objects/ab/c"]


def test_a_large_directory_is_listed_whole_and_in_order(world: SftpWorld) -> None:
    top = world.server.directory()
    expected = [f"index/{n:04x}" for n in range(1234)] + [f"packs/{n:02x}/{m}" for n in range(80) for m in range(3)]
    for name in expected:
        path = top / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(b"x" * (len(name) % 7))
    rows = list(world.store(top).list(""))
    assert [row.name for row in rows] == sorted(expected)
    assert all(row.size == len(row.name) % 7 for row in rows)


def test_a_name_that_is_too_large_for_any_record_is_not_read_whole(world: SftpWorld) -> None:
    top = world.server.directory()
    with (top / "huge").open("wb") as file:
        file.truncate(1 << 40)
    store = world.store(top)
    with pytest.raises(Exception, match="more than anything"):
        store.get("huge")
    assert store.get("huge", (1 << 40) - 3) == b"\0\0\0"
    assert store.get("huge", 1 << 39, 5) == b"\0" * 5


def test_many_ranges_of_many_sizes_come_whole_and_in_order(world: SftpWorld) -> None:
    data = os.urandom(5 << 20)
    store = world.store()
    for name in ("packs/a", "packs/b"):
        store.put(name, data)
    ranges = [ByteRange("packs/" + "ab"[n % 2], n * 70_001, (n % 13) * 50_000) for n in range(60)]
    assert list(store.get_many(ranges)) == [data[start : start + length] for _, start, length in ranges]


def test_what_is_not_asked_for_to_the_end_holds_nothing_up(world: SftpWorld) -> None:
    data = os.urandom(3 << 20)
    store = world.store()
    store.put("packs/a", data)
    for _ in range(8):
        pieces = store.get_many([ByteRange("packs/a", 0, 3 << 20)] * 20)
        assert next(pieces) == data
        del pieces
    assert store.get("packs/a") == data


# What is written


def test_a_name_that_others_replace_meanwhile_is_old_or_new(world: SftpWorld) -> None:
    top = world.server.directory()
    reader, writer = world.store(top), world.store(top)
    versions = [bytes([n]) * (1 + n * 77_777) for n in range(12)]
    writer.put("index.list", versions[0])
    over = threading.Event()
    seen: set[bytes] = set()

    def read() -> None:
        while not over.is_set():
            seen.add(reader.get("index.list"))

    thread = threading.Thread(target=read)
    thread.start()
    for version in versions * 3:
        writer.put("index.list", version)
    over.set()
    thread.join()
    assert seen <= set(versions)


def test_nothing_unfinished_stays_behind(world: SftpWorld, tmp_path: Path) -> None:
    top = world.server.directory()
    store = world.store(top)
    store.put("a", b"1")
    with pytest.raises(NameTaken):
        store.put("a", b"2", exclusive=True)
    store.put("b", b"3", exclusive=True)
    (tmp_path / "source").write_bytes(os.urandom(6 << 20))
    with pytest.raises(Exception, match="c"):
        store.put_file("c", tmp_path / "source", digest(b"other"))
    store.server_time()
    assert sorted(names(top)) == ["a", "b"]


def test_a_directory_that_was_removed_meanwhile_is_made_again(world: SftpWorld) -> None:
    top = world.server.directory()
    store = world.store(top)
    store.put("index/a", b"1")
    (top / "index" / "a").unlink()
    (top / "index").rmdir()
    store.put("index/b", b"2")
    subprocess.run(["rm", "-r", top / "index", top / "tmp"], check=True)
    store.put("index/c", b"3", exclusive=True)
    assert sorted(names(top)) == ["index/c"]


def test_many_threads_use_one_store(world: SftpWorld, tmp_path: Path) -> None:
    store = world.store()
    data = {f"packs/{n:02x}/{n}": os.urandom(200_000 + 50_000 * n) for n in range(24)}
    failures: list[BaseException] = []

    def work(some: list[str], number: int) -> None:
        try:
            for name in some:
                source = tmp_path / f"source-{number}"
                source.write_bytes(data[name])
                store.put_file(name, source, digest(data[name]))
                assert store.get(name) == data[name]
                with opened(tmp_path / f"target-{number}") as fd:
                    store.get_file(name, fd, digest(data[name]), len(data[name]))
                assert len(list(store.list("packs/"))) >= 1
        except BaseException as error:  # noqa: BLE001 - told by the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=work, args=(sorted(data)[n::8], n)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert [row.name for row in store.list("packs/")] == sorted(data)


def test_bytes_are_told_as_they_move(world: SftpWorld, tmp_path: Path) -> None:
    data = os.urandom(7 << 20)
    (tmp_path / "source").write_bytes(data)
    store = world.store()
    up: list[int] = []
    down: list[int] = []
    here = threading.get_ident()
    threads: set[int] = set()

    def count(into: list[int], count: int) -> None:
        into.append(count)
        threads.add(threading.get_ident())

    store.put_file(NAME, tmp_path / "source", digest(data), advance=lambda n: count(up, n))
    with opened(tmp_path / "target") as fd:
        store.get_file(NAME, fd, digest(data), len(data), advance=lambda n: count(down, n))
    assert sum(up) == sum(down) == len(data)
    assert len(up) > 5 and len(down) > 5
    assert threads == {here}


# Time


def test_the_time_is_the_servers_and_seldom_asked_for(world: SftpWorld) -> None:
    top = world.server.directory()
    store = world.store(top)
    store.put("a", b"")
    times = []
    for _ in range(50):
        before = time.time()
        times.append(store.server_time())
        assert before - 5 < times[-1] <= time.time() + 0.01
    assert times == sorted(times)


def test_where_there_is_no_remote_asking_for_the_time_makes_none(world: SftpWorld) -> None:
    top = world.server.directory() / "not yet"
    assert abs(world.store(top).server_time() - time.time()) < 5
    assert not top.exists()


def test_who_only_tried_a_place_leaves_nothing_there(world: SftpWorld) -> None:
    top = world.server.directory()
    for place in (top, top / "not" / "yet"):
        store = world.store(place)
        steps = check(store)
        assert [step.name for step in steps if not step.ok] == [] and steps[-1].name == "delete"
        assert list(store.leftovers()) == []
        assert list(top.iterdir()) == []
    store.put("index/a", b"it can be used all the same")
    assert store.get("index/a")


def test_what_others_made_or_use_stays_when_a_name_is_deleted(world: SftpWorld) -> None:
    top = world.server.directory()
    (top / "check").mkdir()
    world.store(top).put("datatool-remote.json", b"{}")
    store = world.store(top)
    assert all(step.ok for step in check(store))
    assert sorted(path.name for path in top.iterdir()) == ["check", "datatool-remote.json", "tmp"]
    store.put("index/a", b"1")
    store.put("index/b", b"1")
    store.delete_many(["index/a"])
    assert store.get("index/b") == b"1" and (top / "tmp").is_dir()


# Permissions


@pytest.mark.parametrize("mode", [0o2775, 0o770, 0o700, 0o755])
def test_what_is_made_is_shared_as_the_top_directory_is(world: SftpWorld, mode: int, tmp_path: Path) -> None:
    top = world.server.directory()
    top.chmod(mode)
    store = world.store(top)
    store.put("index/a", b"a")
    store.put("objects/ab/c", b"a", exclusive=True)
    (tmp_path / "source").write_bytes(b"file")
    store.put_file("objects/ab/d", tmp_path / "source", digest(b"file"))
    for name in ("index", "tmp", "objects", "objects/ab"):
        assert stat.S_IMODE((top / name).stat().st_mode) == mode, name
    for name in ("index/a", "objects/ab/c", "objects/ab/d"):
        assert stat.S_IMODE((top / name).stat().st_mode) == mode & 0o666, name


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="needs root, to give a directory away")
def test_what_root_makes_belongs_to_the_owner_of_the_top_directory(world: SftpWorld) -> None:
    top = world.server.directory()
    os.chown(top, 12345, 23456)
    top.chmod(0o2770)
    store = world.store(top)
    store.put("objects/ab/c", b"a")
    for name in ("objects", "objects/ab", "objects/ab/c", "tmp"):
        found = (top / name).stat()
        assert (found.st_uid, found.st_gid) == (12345, 23456), name
    assert stat.S_IMODE((top / "objects" / "ab").stat().st_mode) == 0o2770


def test_a_directory_where_anybody_may_write_says_nothing_about_reading(world: SftpWorld) -> None:
    top = world.server.directory()
    top.chmod(0o1777)
    world.store(top).put("index/a", b"a")
    assert stat.S_IMODE((top / "index").stat().st_mode) == 0o777 & ~umask_of_this_process()


# Unfinished uploads


def test_unfinished_uploads_are_seen_and_can_be_removed(world: SftpWorld) -> None:
    top = world.server.directory()
    store = world.store(top)
    store.put("objects/ab/c", b"done")
    (stranger,) = {"0123456789abcdef"}
    long_ago = time.time() - 2 * 24 * 3600
    for name, old in {
        f"{stranger}-part-objects+ab+cd": True,
        f"{stranger}-0123456789ab-index+xy.dti": True,
        f"{stranger}-part-objects+ab+young": False,
        f"{store._temps.fresh('packs/ab/mine.pack').removeprefix('tmp/')}": False,
        ".datatool-tmp-0123456789abcdef": True,
        "somebody's own file": True,
    }.items():
        path = top / "tmp" / name
        path.write_bytes(b"12345")
        if old:
            os.utime(path, (long_ago, long_ago))
    found = list(store.leftovers())
    assert sorted((item.name, item.size) for item in found) == [
        ("", 5),
        ("index/xy.dti", 5),
        ("objects/ab/cd", 5),
        ("objects/ab/young", 5),
        ("packs/ab/mine.pack", 5),
    ]
    old = [item for item in found if abs(item.time - long_ago) < 2]
    assert len(old) == 3
    for item in old:
        store.discard(item)
        store.discard(item)
    assert {item.name for item in store.leftovers()} == {"objects/ab/young", "packs/ab/mine.pack"}
    store.discard(next(item for item in found if item.name.startswith("packs/")))
    assert sorted(path.name for path in (top / "tmp").iterdir()) == [
        f"{stranger}-part-objects+ab+young",
        "somebody's own file",
    ]


def test_only_an_unfinished_upload_can_be_discarded(world: SftpWorld) -> None:
    store = world.store()
    store.put("a", b"kept")
    (row,) = list(store.list(""))
    for id in ("../a", "a", "tmp/../../a", ""):
        with pytest.raises(ValueError, match="no unfinished upload"):
            store.discard(type("L", (), {"id": id, "name": "", "size": 0, "time": 0.0})())
    assert store.get(row.name) == b"kept"


# Surroundings


def test_it_works_inside_a_running_event_loop(world: SftpWorld) -> None:
    store = world.store()

    async def notebook() -> bytes:
        store.put("a", b"from a notebook")
        return store.get("a")

    assert asyncio.run(notebook()) == b"from a notebook"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
def test_a_child_makes_a_connection_of_its_own_and_leaves_the_parents_alone(world: SftpWorld) -> None:
    store = world.store()
    store.put("a", b"parent")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            store.put("b", store.get("a") + b" and child")
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert store.get("b") == b"parent and child"
    assert len(world.opened) == 1


def test_a_process_ends_without_a_word(world: SftpWorld) -> None:
    top = world.server.directory()
    world.run("store.put('a', b'x'); list(store.list(''))", path=top)
    world.run("store.put('b', b'x')\nimport gc\ndel store\ngc.collect()", path=top)
    assert sorted(names(top)) == ["a", "b"]


def test_half_a_gigabyte_passes_in_little_memory(world: SftpWorld, tmp_path: Path) -> None:
    size = 512 << 20
    source = tmp_path / "source"
    block = os.urandom(1 << 20)
    hasher = hashlib.sha256()
    with source.open("wb") as file:
        for n in range(size >> 20):
            piece = n.to_bytes(8) + block[8:]
            file.write(piece)
            hasher.update(piece)
    top = world.server.directory()
    code = """
from datatool.hashing import digest
path, target, oid, size = arguments
store.put_file("objects/ab/c", Path(path), oid)
fd = os.open(target, os.O_RDWR | os.O_CREAT, 0o600)
store.get_file("objects/ab/c", fd, oid, int(size))
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:")))
"""
    told = world.run(code, source, tmp_path / "target", hasher.hexdigest(), size, path=top)
    assert int(told) / 1024 < 250  # not ru_maxrss: a child begins with that of the process which started it
    assert (tmp_path / "target").stat().st_size == size
