"""With hardlinks configured, `add` lets the cache have a file where it lies: no second copy, and no loss for anybody
who writes to it."""

from __future__ import annotations

import errno
import os
import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import needs
from datatool.cache import adoption
from datatool.errors import NoSpace
from datatool.hashing import digest
from datatool.localfs import leases
from datatool.localfs.batch import Batch, Published
from datatool.model.oid import ObjectId
from datatool.workspace import adopt
from datatool.workspace.present import Workspace
from patience import LONG
from servers.ports import wait_until
from world import Ran, World

BIG = random.Random(2).randbytes(9 << 20)
MIDDLING = BIG[: 70 << 10]


@pytest.fixture(autouse=True)
def _linux() -> None:
    needs.linux()


@pytest.fixture
def linked(world: World) -> World:
    world.ok("config", "set", "cache.link", "hardlink, copy")
    return world


@pytest.fixture
def as_if_no_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hardlinks in this process too, where the tests are root's."""
    monkeypatch.setattr(adoption, "hardlinks_safe", lambda directory: True)
    monkeypatch.setattr("datatool.workspace.placing.hardlinks_safe", lambda directory: True)


def add(world: World, *words: str) -> Ran:
    """As an ordinary user, whom modes bind."""
    return world.process("add", *words, before=needs.without_root_override())


def cached(world: World, data: bytes) -> Path:
    oid = digest(data)
    return world.cache / "objects" / oid[:2] / oid[2:]


def same(one: Path, two: Path) -> bool:
    return one.exists() and two.exists() and os.path.samefile(one, two)


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
    assert _all_objects_are_right(linked)
    monkeypatch.undo()
    assert add(linked, "data").code == 0
    assert _all_objects_are_right(linked) and linked.json("status")["clean"]


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
    assert _all_objects_are_right(linked)
    assert not [path for path in (linked.cache / "tmp").iterdir() if path.is_file()]


def test_an_add_that_fails_gives_its_files_their_modes_back(linked: World) -> None:
    linked.write("data/a.bin", BIG)
    linked.write("data/b.bin", MIDDLING)
    (linked.root / "data/b.bin").chmod(0)
    (linked.root / "data/a.bin").chmod(0o640)
    ran = add(linked, "data")
    assert ran.code == 1 and "b.bin" in ran.err, ran
    found = os.lstat(linked.root / "data/a.bin")
    assert (found.st_mode & 0o777, found.st_nlink) == (0o640, 1)
    (linked.root / "data/b.bin").chmod(0o600)
    assert add(linked, "data").code == 0
    assert same(linked.root / "data/a.bin", cached(linked, BIG))


@pytest.mark.usefixtures("as_if_no_root")
def test_so_does_one_that_fails_when_all_is_published(linked: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Batch) -> None:
        raise NoSpace("the disk is full")

    linked.write("one.bin", BIG)
    with monkeypatch.context() as patched:
        patched.setattr(Batch, "flush", full)
        assert linked.run("add", "one.bin").code == 1
    found = os.lstat(linked.root / "one.bin")
    assert found.st_mode & 0o200 and found.st_nlink == 1


@pytest.mark.usefixtures("as_if_no_root")
def test_one_that_is_stopped_while_files_get_their_names_leaves_objects_read_only(
    linked: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python hears of Ctrl-C when link(2) has returned: the object is there, and so is its temporary name."""
    link = os.link

    def interrupted(source: bytes, target: bytes, **more: object) -> None:
        link(source, target, **more)  # type: ignore[arg-type]
        if os.fsdecode(target) == digest(BIG)[2:]:
            raise KeyboardInterrupt

    linked.write("data/a.bin", BIG)
    linked.write("data/b.bin", MIDDLING)
    with monkeypatch.context() as patched:
        patched.setattr("datatool.localfs.publish.os.link", interrupted)
        assert linked.run("add", "data").code == 130
    assert cached(linked, BIG).stat().st_mode & 0o222 == 0
    assert (linked.root / "data/b.bin").stat().st_mode & 0o200 or cached(linked, MIDDLING).exists()
    linked.ok("add", "data")
    assert os.lstat(linked.root / "data/a.bin").st_mode & 0o222 == 0
    assert _all_objects_are_right(linked) and linked.json("status")["clean"]


@pytest.mark.usefixtures("as_if_no_root")
def test_a_link_that_somebody_made_writable_is_sealed_again(linked: World) -> None:
    linked.write("one.bin", BIG)
    linked.ok("add", "one.bin")
    (linked.root / "one.bin").chmod(0o644)
    linked.ok("add", "one.bin")
    assert cached(linked, BIG).stat().st_mode & 0o222 == 0


@pytest.mark.usefixtures("as_if_no_root")
def test_a_sync_that_fails_gives_the_file_its_mode_back(linked: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(fd: int) -> None:
        raise OSError(errno.EIO, "the disk is broken")

    linked.write("one.bin", BIG)
    (linked.root / "one.bin").chmod(0o640)
    linked.ok("config", "set", "--local", "durability", "full")
    with monkeypatch.context() as patched:
        patched.setattr("datatool.localfs.syncing.full_sync", failing)
        assert linked.run("add", "one.bin").code == 1
    found = os.lstat(linked.root / "one.bin")
    assert (found.st_mode & 0o777, found.st_nlink) == (0o640, 1)


@pytest.mark.usefixtures("as_if_no_root")
def test_a_refused_add_leaves_even_a_very_large_file_as_it_is(linked: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of other objects a batch would be full and published."""
    linked.write("one.bin", BIG)
    linked.ok("add", "one.bin")
    linked.commit("one")
    linked.ok("edit", "one.bin")
    linked.write("one.bin", BIG[1:])
    linked.ok("add", "one.bin")
    linked.commit("two")
    linked.git("checkout", "-q", "HEAD~1")
    linked.ok("checkout")
    linked.git("checkout", "-q", "main")
    linked.ok("edit", "one.bin")
    monkeypatch.setitem(Batch.__init__.__kwdefaults__, "max_bytes", 1 << 20)
    ran = linked.run("add", "one.bin")
    assert ran.code == 7, ran
    found = os.lstat(linked.root / "one.bin")
    assert found.st_mode & 0o200 and found.st_nlink == 1


@pytest.mark.usefixtures("as_if_no_root")
def test_what_is_published_when_something_fails_stays_read_only(linked: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As there is too much of it to be published at the end."""
    monkeypatch.setattr(adoption, "_TOGETHER", 1)

    def failing(self: Workspace, published: list[Published]) -> None:
        raise NoSpace("the disk is full")

    linked.write("one.bin", BIG)
    with monkeypatch.context() as patched:
        patched.setattr(Workspace, "remember_published", failing)
        assert linked.run("add", "one.bin").code == 1
    assert cached(linked, BIG).stat().st_mode & 0o222 == 0
    linked.ok("add", "one.bin")
    assert same(linked.root / "one.bin", cached(linked, BIG)) and linked.json("status")["clean"]


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


def test_where_no_pointer_can_be_written_a_file_is_copied_and_stays_as_it_is(linked: World) -> None:
    linked.write("sub/one.bin", BIG)
    (linked.root / "sub").chmod(0o555)
    try:
        ran = add(linked, "sub/one.bin")
    finally:
        (linked.root / "sub").chmod(0o755)
    assert ran.code == 1
    found = os.lstat(linked.root / "sub/one.bin")
    assert found.st_mode & 0o200 and found.st_nlink == 1


@pytest.mark.usefixtures("as_if_no_root")
def test_an_add_that_fails_later_says_what_is_read_only_and_edit_makes_it_writable(
    linked: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*words: object) -> None:
        raise NoSpace("the disk is full")

    linked.write("data/one.bin", BIG)
    linked.write("data/small", b"small")
    with monkeypatch.context() as patched:
        patched.setattr("datatool.operations.add.publish", failing)
        ran = linked.run("add", "data")
    assert ran.code == 1 and "warning: data/one.bin: in the cache already, and read-only now" in ran.err
    assert same(linked.root / "data/one.bin", cached(linked, BIG))
    assert linked.json("edit", "data")["artifacts"] == [{"path": "data", "unlinked": 1}]
    found = os.lstat(linked.root / "data/one.bin")
    assert found.st_mode & 0o200 and found.st_nlink == 1 and linked.read("data/one.bin") == BIG
    linked.fails(3, "edit", "data")


@pytest.mark.usefixtures("as_if_no_root")
@pytest.mark.parametrize("link", ["hardlink", "symlink"])
def test_what_is_tracked_no_longer_can_be_made_writable(link: str, linked: World) -> None:
    linked.ok("config", "set", "cache.link", link)
    linked.write("one.bin", BIG)
    linked.ok("add", "one.bin")
    linked.ok("remove", "one.bin")
    linked.ok("edit", "one.bin")
    assert not os.path.islink(linked.root / "one.bin")
    linked.write("one.bin", b"mine")
    assert cached(linked, BIG).read_bytes() == BIG


@pytest.mark.usefixtures("as_if_no_root")
def test_edit_leaves_the_cache_alone_and_does_all_or_nothing(linked: World) -> None:
    linked.write("one.bin", BIG)
    linked.write("two/a.bin", BIG[1:])
    linked.ok("add", "one.bin", "two")
    linked.ok("remove", "one.bin")
    inode = os.lstat(cached(linked, BIG)).st_ino
    for place in (cached(linked, BIG), cached(linked, BIG).parent, linked.cache, linked.root / ".git"):
        linked.fails(3, "edit", place)
    assert os.lstat(cached(linked, BIG)).st_ino == inode == os.lstat(linked.root / "one.bin").st_ino
    linked.fails(3, "edit", "one.bin", "missing")
    assert os.lstat(linked.root / "one.bin").st_nlink == 2
    assert linked.json("edit", "two", "two/a.bin", "one.bin")["artifacts"] == [
        {"path": "one.bin", "unlinked": 1},
        {"path": "two", "unlinked": 1},
    ]


@pytest.mark.usefixtures("as_if_no_root")
def test_a_pack_that_can_not_be_written_leaves_large_files_as_they_are(
    linked: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*words: object) -> None:
        raise NoSpace("the disk is full")

    linked.write("data/one.bin", BIG)
    for number in range(300):
        linked.write(f"data/{number}.txt", b"%d" % number)
    monkeypatch.setattr("datatool.cache.pack_thread.PackThread._write", full)
    assert linked.run("add", "data").code == 1
    found = os.lstat(linked.root / "data/one.bin")
    assert found.st_mode & 0o200 and found.st_nlink == 1


@pytest.mark.usefixtures("as_if_no_root")
def test_relinking_by_root_takes_hardlinks_away(linked: World, monkeypatch: pytest.MonkeyPatch) -> None:
    linked.write("one.bin", BIG)
    linked.write("data/one.bin", BIG)
    linked.ok("add", "one.bin", "data")
    monkeypatch.setattr("datatool.workspace.placing.hardlinks_safe", lambda directory: False)
    linked.ok("checkout", "--relink")
    for name in ("one.bin", "data/one.bin"):
        assert os.lstat(linked.root / name).st_nlink == 1 and os.lstat(linked.root / name).st_mode & 0o200


@pytest.mark.usefixtures("as_if_no_root")
@pytest.mark.parametrize("name", ["one.bin", "data/one.bin"])
def test_relinking_leaves_what_somebody_writes_to_and_what_is_linked_already(name: str, linked: World) -> None:
    linked.write(name, BIG)
    linked.ok("add", name.split("/")[0])
    linked.ok("edit", name)
    with (linked.root / name).open("ab") as file:
        linked.ok("checkout", "--relink")
        file.write(b"more")
    assert linked.read(name) == BIG + b"more"
    linked.ok("checkout", "--force")
    inode = os.lstat(linked.root / name).st_ino
    assert inode == os.lstat(cached(linked, BIG)).st_ino
    assert linked.json("checkout", "--relink")["artifacts"][0]["written"] == 0
    linked.ok("config", "set", "cache.link", "copy")
    linked.ok("checkout", "--relink")
    assert os.lstat(linked.root / name).st_nlink == 1 and os.lstat(linked.root / name).st_mode & 0o200


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


def _all_objects_are_right(world: World) -> bool:
    loose = [path for path in (world.cache / "objects").rglob("*") if path.is_file() and len(path.name) == 62]
    return bool(loose) and all(digest(path.read_bytes()) == path.parent.name + path.name for path in loose)
