"""With hardlinks configured, `add` lets the cache have a file where it lies: no second copy, and no loss for anybody
who writes to it."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import needs
from datatool.localfs import leases
from datatool.localfs.batch import Batch
from datatool.model.oid import ObjectId
from datatool.workspace import adopt
from operations.adopted import BIG, MIDDLING, add, all_objects_are_right, cached, same
from patience import LONG
from servers.ports import wait_until
from world import World


@pytest.fixture(autouse=True)
def _linux() -> None:
    needs.linux()


def test_a_file_becomes_the_object_itself(linked: World) -> None:
    linked.write("one.bin", BIG)
    linked.write("data/middling.bin", MIDDLING)
    linked.write("data/small.txt", b"small")
    linked.write("data/tool", b"#!" + MIDDLING, executable=True)
    before = {path: os.lstat(linked.root / path) for path in ("one.bin", "data/middling.bin")}
    assert add(linked, "one.bin", "data").code == 0
    for path, was in before.items():
        now = os.lstat(linked.root / path)
        assert (now.st_ino, now.st_mtime_ns, now.st_nlink) == (was.st_ino, was.st_mtime_ns, 2)
        assert now.st_mode & 0o777 == 0o444
    assert same(linked.root / "one.bin", cached(linked, BIG))
    assert os.lstat(linked.root / "data/tool").st_nlink == 1
    assert linked.read("one.bin") == BIG and linked.read("data/middling.bin") == MIDDLING
    assert linked.json("status")["clean"]
    linked.commit()
    linked.ok("push")
    copy = linked.clone()
    copy.ok("pull")
    assert copy.read("one.bin") == BIG and copy.read("data/middling.bin") == MIDDLING


def test_it_is_not_read_again(linked: World, monkeypatch: pytest.MonkeyPatch) -> None:
    linked.write("one.bin", BIG)
    linked.write("data/middling.bin", MIDDLING)
    assert add(linked, "one.bin", "data").code == 0
    hashed: list[int] = []

    def heard(fd: int, size: int, **more: object) -> ObjectId:
        hashed.append(size)
        raise AssertionError

    for module in ("datatool.workspace.present", "datatool.workspace.adopt", "datatool.cache.local"):
        monkeypatch.setattr(f"{module}.hash_fd", heard)
    assert linked.json("status")["clean"]
    linked.ok("add", "one.bin", "data")
    linked.commit()
    linked.ok("push")
    assert not hashed


def test_of_files_with_the_same_bytes_all_are_links(linked: World) -> None:
    for name in ("a", "b", "c"):
        linked.write(f"data/{name}.bin", BIG)
    linked.write("again.bin", BIG)
    assert add(linked, "data", "again.bin").code == 0
    assert os.lstat(cached(linked, BIG)).st_nlink == 5
    assert linked.json("status")["clean"]


def test_one_whose_object_is_in_the_cache_is_replaced_by_a_link_to_it(linked: World) -> None:
    linked.write("first.bin", BIG)
    assert add(linked, "first.bin").code == 0
    linked.write("second.bin", BIG)
    assert add(linked, "second.bin").code == 0
    assert same(linked.root / "second.bin", linked.root / "first.bin")


def test_damage_in_the_cache_is_mended_by_it(linked: World) -> None:
    linked.ok("config", "set", "cache.link", "copy")
    linked.write("one.bin", BIG)
    linked.ok("add", "one.bin")
    linked.ok("config", "set", "cache.link", "hardlink")
    broken = cached(linked, BIG)
    broken.chmod(0o644)
    broken.write_bytes(b"broken" + BIG[6:])
    linked.write("two.bin", BIG)
    assert add(linked, "two.bin").code == 0
    assert same(linked.root / "two.bin", cached(linked, BIG)) and cached(linked, BIG).read_bytes() == BIG


def test_a_file_that_somebody_has_open_for_writing_is_copied_and_stays_theirs(linked: World) -> None:
    linked.write("one.bin", BIG)
    linked.write("data/middling.bin", MIDDLING)
    with (linked.root / "one.bin").open("ab") as one, (linked.root / "data/middling.bin").open("ab") as middling:
        assert add(linked, "one.bin", "data").code == 0
        assert cached(linked, BIG).read_bytes() == BIG
        one.write(b"more")
        middling.write(b"more")
    assert linked.read("one.bin") == BIG + b"more" and linked.read("data/middling.bin") == MIDDLING + b"more"
    assert cached(linked, BIG).read_bytes() == BIG
    states = {item["path"]: item["state"] for item in linked.json("status")["artifacts"]}
    assert states == {"one.bin": "modified", "data": "modified"}
    assert add(linked, "one.bin", "data").code == 0
    assert same(linked.root / "one.bin", cached(linked, BIG + b"more"))
    assert linked.json("status")["clean"]


def test_a_file_under_two_names_is_copied_and_its_other_name_stays_writable(linked: World) -> None:
    linked.write("one.bin", BIG)
    os.link(linked.root / "one.bin", linked.top / "elsewhere.bin")
    assert add(linked, "one.bin").code == 0
    elsewhere = linked.top / "elsewhere.bin"
    assert os.lstat(elsewhere).st_nlink == 1 and os.lstat(elsewhere).st_mode & 0o200
    assert same(linked.root / "one.bin", cached(linked, BIG))


def test_a_file_of_the_future_is_copied_as_its_time_would_show_no_change(linked: World) -> None:
    linked.write("one.bin", BIG)
    os.utime(linked.root / "one.bin", (4e9, 4e9))
    inode = os.lstat(linked.root / "one.bin").st_ino
    assert add(linked, "one.bin").code == 0
    assert os.lstat(cached(linked, BIG)).st_ino != inode
    assert linked.json("status")["clean"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="about root")
def test_a_file_of_root_whom_modes_do_not_bind_is_copied(linked: World) -> None:
    linked.write("one.bin", BIG)
    linked.ok("add", "one.bin")
    assert os.lstat(linked.root / "one.bin").st_nlink == 1
    assert os.lstat(linked.root / "one.bin").st_mode & 0o200


def test_where_copies_or_symlinks_come_first_nothing_is_adopted(world: World) -> None:
    world.ok("config", "set", "cache.link", "symlink, hardlink")
    world.write("one.bin", BIG)
    assert add(world, "one.bin").code == 0
    assert os.path.islink(world.root / "one.bin")
    world.ok("config", "set", "cache.link", "copy, hardlink")
    world.write("two.bin", BIG[1:])
    assert add(world, "two.bin").code == 0
    assert os.lstat(world.root / "two.bin").st_nlink == 1


@pytest.mark.usefixtures("as_if_no_root")
def test_where_there_are_no_leases_the_file_is_copied_and_linked(
    linked: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(fd: int) -> None:
        raise OSError(22, "no such thing here")

    monkeypatch.setattr(leases, "_take", refuse)
    linked.write("one.bin", BIG)
    inode = os.lstat(linked.root / "one.bin").st_ino
    linked.ok("add", "one.bin")
    assert same(linked.root / "one.bin", cached(linked, BIG))
    assert os.lstat(linked.root / "one.bin").st_ino != inode


@pytest.mark.usefixtures("as_if_no_root")
def test_so_it_is_where_the_cache_can_have_no_name_for_it(linked: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Batch, directory: bytes, fd: int) -> None:
        os.close(fd)

    monkeypatch.setattr(Batch, "adopt", refuse)
    linked.write("one.bin", BIG)
    linked.ok("add", "one.bin")
    assert same(linked.root / "one.bin", cached(linked, BIG))
    assert linked.json("status")["clean"]


def _writes_at_the_end(path: Path, more: bytes) -> None:
    with path.open("ab") as file:
        file.write(more)


@pytest.mark.usefixtures("as_if_no_root")
@pytest.mark.parametrize("size", [len(MIDDLING), len(BIG)])
def test_who_opens_it_while_it_is_hashed_writes_to_a_file_of_their_own(
    size: int, linked: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    writers: list[threading.Thread] = []
    hash_fd = adopt.hash_fd

    def disturbed(fd: int, count: int, *, advance: Callable[[int], None] | None = None) -> ObjectId:
        thread = threading.Thread(target=_writes_at_the_end, args=(linked.root / "data/one.bin", b"more"))
        thread.start()
        writers.append(thread)
        wait_until(lambda: not leases.Lease(fd).holds, seconds=LONG, what="the writer")
        return hash_fd(fd, count, advance=advance)

    linked.write("data/one.bin", BIG[:size])
    monkeypatch.setattr(adopt, "hash_fd", disturbed)
    ran = linked.run("add", "data")
    for thread in writers:
        thread.join()
    assert ran.code == 0, ran
    assert len(writers) == 1
    assert linked.read("data/one.bin") == BIG[:size] + b"more", "not a byte of theirs is lost"
    assert all_objects_are_right(linked)
    monkeypatch.undo()
    assert add(linked, "data").code == 0
    assert all_objects_are_right(linked) and linked.json("status")["clean"]


@pytest.mark.usefixtures("as_if_no_root")
def test_who_opens_it_while_it_is_hashed_does_not_wait_for_all_of_it(
    linked: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    writers: list[threading.Thread] = []
    told: list[int] = []
    hash_fd = adopt.hash_fd

    def disturbed(fd: int, count: int, *, advance: Callable[[int], None]) -> ObjectId:
        thread = threading.Thread(target=_writes_at_the_end, args=(linked.root / "one.bin", b"more"))
        thread.start()
        writers.append(thread)
        wait_until(lambda: not leases.Lease(fd).holds, seconds=LONG, what="the writer")

        def heard(step: int) -> None:
            told.append(step)
            advance(step)

        return hash_fd(fd, count, advance=heard)

    linked.write("one.bin", BIG + BIG)
    monkeypatch.setattr(adopt, "hash_fd", disturbed)
    ran = linked.run("add", "one.bin")
    for thread in writers:
        thread.join()
    assert ran.code == 0, ran
    assert told == [8 << 20], "of 18 MiB"


@pytest.mark.usefixtures("as_if_no_root")
def test_who_opens_it_between_the_hash_and_the_seal_does_too(linked: World, monkeypatch: pytest.MonkeyPatch) -> None:
    writers: list[threading.Thread] = []
    seal = leases.Lease.seal

    def disturbed(lease: leases.Lease) -> bool:
        thread = threading.Thread(target=_writes_at_the_end, args=(linked.root / "one.bin", b"more"))
        thread.start()
        writers.append(thread)
        wait_until(lambda: not lease.holds, seconds=LONG, what="the writer")
        return seal(lease)

    linked.write("one.bin", BIG)
    monkeypatch.setattr(leases.Lease, "seal", disturbed)
    ran = linked.run("add", "one.bin")
    for thread in writers:
        thread.join()
    assert ran.code == 0, ran
    assert len(writers) == 1
    assert linked.read("one.bin") == BIG + b"more"
    assert all_objects_are_right(linked)
    assert not [path for path in (linked.cache / "tmp").iterdir() if path.is_file()]


@pytest.mark.usefixtures("as_if_no_root")
def test_the_second_of_two_equal_files_is_a_link_though_the_first_is_a_copy(linked: World) -> None:
    linked.write("data/a.bin", BIG, executable=True)
    linked.write("data/b.bin", BIG)
    linked.ok("add", "data")
    assert os.lstat(linked.root / "data/a.bin").st_mode & 0o777 == 0o755
    assert same(linked.root / "data/b.bin", cached(linked, BIG))
    assert linked.json("status")["clean"]


@pytest.mark.usefixtures("as_if_no_root")
def test_one_whose_object_another_command_saved_meanwhile_is_a_link_to_that(
    linked: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    linked.write("one.bin", BIG)
    flush = Batch.flush
    place = cached(linked, BIG)

    def overtaken(self: Batch) -> None:
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(BIG)
            place.chmod(0o444)
        flush(self)

    with monkeypatch.context() as patched:
        patched.setattr(Batch, "flush", overtaken)
        linked.ok("add", "one.bin")
    assert same(linked.root / "one.bin", place) and linked.json("status")["clean"]


@pytest.mark.usefixtures("as_if_no_root")
def test_elsewhere_than_on_linux_nothing_is_adopted(linked: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datatool.cache.adoption.POSSIBLE", False)
    linked.write("one.bin", BIG)
    inode = os.lstat(linked.root / "one.bin").st_ino
    linked.ok("add", "one.bin")
    assert same(linked.root / "one.bin", cached(linked, BIG)) and os.lstat(cached(linked, BIG)).st_ino != inode


@pytest.mark.usefixtures("as_if_no_root")
def test_on_a_disk_of_many_machines_nothing_is_adopted_but_links_are_made(
    linked: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(fd: int) -> None:
        raise OSError(errno.EAGAIN, "no delegation, no lease")

    monkeypatch.setattr("datatool.cache.adoption.on_own_disk", lambda place: False)
    monkeypatch.setattr("datatool.operations.relink.on_own_disk", lambda place: False)
    monkeypatch.setattr(leases, "_take", refuse)
    linked.write("one.bin", BIG)
    inode = os.lstat(linked.root / "one.bin").st_ino
    linked.ok("add", "one.bin")
    assert same(linked.root / "one.bin", cached(linked, BIG)) and os.lstat(cached(linked, BIG)).st_ino != inode


def test_outputs_of_a_run_stay_writable(linked: World) -> None:
    words = ("run", "-o", "out.bin", "--", "sh", "-c", "head -c 100000 /dev/zero > out.bin")
    ran = linked.process(*words, before=needs.without_root_override())
    assert ran.code == 0, ran
    found = os.lstat(linked.root / "out.bin")
    assert found.st_mode & 0o200 and found.st_nlink == 1


def test_an_old_file_that_is_being_adopted_is_nobodys_left_over(tmp_path: Path) -> None:
    """A command beside this one sweeps what has lain there for a day; the name is new, whatever the file's time."""
    from datatool.localfs.temps import sweep_temps, temp_name

    old = tmp_path / "old"
    old.write_bytes(b"old")
    os.utime(old, (1e9, 1e9))
    (tmp_path / "tmp").mkdir()
    temp = tmp_path / "tmp" / os.fsdecode(temp_name())
    os.link(old, temp)
    assert sweep_temps(temp.parent) == 0 and temp.exists()
    old.unlink()
    assert sweep_temps(temp.parent) == 1
