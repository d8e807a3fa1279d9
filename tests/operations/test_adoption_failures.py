"""An `add` with hardlinks that fails or is stopped: nobody's file stays read-only, and no object becomes writable."""

from __future__ import annotations

import errno
import os

import pytest

import needs
from datatool.cache import adoption
from datatool.errors import NoSpace
from datatool.hashing import digest
from datatool.localfs.batch import Batch, Published
from datatool.workspace.present import Workspace
from operations.adopted import BIG, MIDDLING, add, all_objects_are_right, cached, same
from world import World


@pytest.fixture(autouse=True)
def _linux() -> None:
    needs.linux()


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
    assert all_objects_are_right(linked) and linked.json("status")["clean"]


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
