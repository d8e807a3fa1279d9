"""A pull copies a large file into the workspace while it arrives in the cache, and does so with all the usual care."""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import needs
from datatool.cache import local
from datatool.hashing import digest
from datatool.localfs import copying, following
from datatool.model.oid import ObjectId
from datatool.model.settings import LinkMethod
from datatool.store import directory
from datatool.store.objects import Wanted
from datatool.store.protocol import Kept
from datatool.workspace import early_copies
from datatool.workspace.early_copies import EarlyCopies
from world import World

BIG = random.Random(1).randbytes(17 << 20)
LINKS = (LinkMethod.REFLINK, LinkMethod.COPY)


@pytest.fixture(autouse=True)
def _linux() -> None:
    needs.linux()


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of large files that a checkout had to copy by itself."""
    copied: list[int] = []

    def heard(source: int, target: int, size: int, methods: Sequence[LinkMethod], **more: object) -> LinkMethod:
        copied.append(size)
        return copying.clone_or_copy(source, target, size, methods)

    monkeypatch.setattr(local, "clone_or_copy", heard)
    monkeypatch.setattr(early_copies, "clone", lambda source, target: False)  # as on a filesystem without reflinks
    return copied


@pytest.fixture
def clone(world: World) -> World:
    """A clone of a project with large files, of which nothing is here yet."""
    world.write("one.bin", BIG)
    world.write("data/sub/inside.bin", BIG[1:])
    world.write("data/run", BIG[2:], executable=True)
    world.write("data/again.bin", BIG)
    world.write("data/small.txt", b"small")
    world.ok("add", "one.bin", "data")
    world.commit()
    world.ok("push")
    return world.clone()


def temps(world: World) -> list[Path]:
    return [path for path in world.root.rglob(".datatool-tmp-*") if world.git_dir not in path.parents]


def check_right(clone: World) -> None:
    assert clone.read("one.bin") == BIG == clone.read("data/again.bin")
    assert clone.read("data/sub/inside.bin") == BIG[1:]
    assert clone.read("data/run") == BIG[2:]
    assert os.access(clone.root / "data/run", os.X_OK)
    assert not os.access(clone.root / "one.bin", os.X_OK)
    assert temps(clone) == []
    assert clone.json("status")["clean"]


def test_a_pull_copies_large_files_while_they_arrive(clone: World, late: list[int]) -> None:
    clone.ok("pull")
    check_right(clone)
    assert late == [len(BIG)]  # the second of two files with the same bytes


def test_a_new_version_replaces_the_old_one(clone: World, late: list[int], world: World) -> None:
    clone.ok("pull")
    world.write("one.bin", BIG[5:])
    world.ok("add", "one.bin")
    world.commit()
    world.ok("push")
    world.git("push", "-q", str(world.origin), "HEAD")
    clone.git("pull", "-q", "--ff-only")
    late.clear()
    clone.ok("pull")
    assert clone.read("one.bin") == BIG[5:]
    assert late == [] and temps(clone) == []
    assert clone.json("status")["clean"]


def test_of_a_file_that_may_be_right_there_is_no_early_copy(
    clone: World, late: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    clone.write("one.bin", BIG)
    clone.write("data/again.bin", BIG)
    begun: list[bytes] = []
    begin = EarlyCopies._begin

    def heard(self: EarlyCopies, wanted: Wanted) -> int | None:
        found = begin(self, wanted)
        begun.extend([wanted.label] if found is not None else [])
        return found

    monkeypatch.setattr(EarlyCopies, "_begin", heard)
    clone.ok("pull")
    check_right(clone)
    assert sorted(begun) == [b"data/run", b"data/sub/inside.bin"]


def test_an_unsaved_file_is_left_alone_and_so_is_the_disk(clone: World, late: list[int]) -> None:
    clone.write("one.bin", b"mine")
    clone.fails(7, "pull", "one.bin")
    assert clone.read("one.bin") == b"mine" and temps(clone) == []
    clone.ok("pull", "--force")
    check_right(clone)
    (kept,) = [path for path in (clone.local / "lost+found").rglob("*") if path.is_file()]
    assert kept.read_bytes() == b"mine"


def test_a_directory_in_the_place_of_a_file_and_a_file_in_that_of_a_directory(clone: World, late: list[int]) -> None:
    clone.write("one.bin/mine.txt", b"mine")
    clone.write("data", b"mine too")
    clone.fails(7, "pull")
    assert (clone.read("one.bin/mine.txt"), clone.read("data")) == (b"mine", b"mine too")
    assert temps(clone) == []
    clone.ok("pull", "--force")
    check_right(clone)


def test_a_link_in_the_place_of_a_directory_leads_nowhere(clone: World, late: list[int], tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (clone.root / "data").mkdir()
    (clone.root / "data/sub").symlink_to(outside)
    assert clone.run("pull").code != 0
    assert list(outside.iterdir()) == [] and temps(clone) == []


@pytest.mark.parametrize("method", ["hardlink", "symlink"])
def test_what_is_linked_is_not_copied(
    method: str, clone: World, late: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datatool.workspace.placing.hardlinks_safe", lambda directory: True)  # root may write to them
    clone.ok("config", "set", "cache.link", method, "--local")
    clone.ok("pull")
    check_right(clone)
    assert late == [len(BIG) - 2]  # an executable file is never a link


def test_where_it_would_be_tight_files_are_copied_one_after_the_other(
    clone: World, late: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(early_copies, "free_at", lambda directory: early_copies.SPARE + (100 << 20))
    clone.ok("pull")
    check_right(clone)
    assert len(late) == 4


def test_where_blocks_are_shared_files_are_not_copied_early(
    clone: World, late: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(early_copies, "clone", lambda source, target: True)
    clone.ok("pull")
    check_right(clone)
    assert len(late) == 4


def test_an_early_copy_that_fails_is_made_by_the_checkout(
    clone: World, late: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(following.Following, "_copy_some", full)
    clone.ok("pull")
    check_right(clone)
    assert len(late) == 4


def _change(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"X")


def test_nobody_sees_a_copy_before_it_has_its_name(
    clone: World, late: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    finish = following.Following.finish

    def looked(self: following.Following) -> None:
        seen.append(clone.git("status", "--porcelain"))
        assert temps(clone) == []
        finish(self)

    monkeypatch.setattr(following.Following, "finish", looked)
    clone.ok("pull")
    assert seen == [""] * 3
    check_right(clone)


def test_where_files_need_names_the_checkout_copies(
    clone: World, late: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(directory: int | None) -> int:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(early_copies, "open_nameless", refused)
    clone.ok("pull")
    check_right(clone)
    assert len(late) == 4


def test_a_copy_that_can_not_get_a_name_is_made_again(
    clone: World, late: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(fd: int, name: bytes, directory: int | None) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    before = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr("datatool.localfs.batch.give_name", refused)
    clone.ok("pull")
    check_right(clone)
    assert len(late) == 4
    assert len(os.listdir("/proc/self/fd")) <= before


def test_where_no_more_files_can_be_opened_the_checkout_copies(
    clone: World, late: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(source: int, target: int, *, have: int) -> following.Following:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(early_copies, "Following", refused)
    clone.ok("pull")
    check_right(clone)
    assert len(late) == 4


def test_not_more_files_are_open_than_may_be(clone: World, late: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(early_copies, "MOST", 2)
    clone.ok("pull")
    check_right(clone)
    assert len(late) == 2


def test_damage_on_the_remote_leaves_nothing_of_it(clone: World, late: list[int], world: World) -> None:
    for path in (world.remote / "objects").rglob("*"):
        if path.is_file() and path.read_bytes() == BIG[1:]:
            _change(path)
    assert clone.fails(5, "pull").err.count("data/sub/inside.bin") >= 1
    assert not clone.exists("data/sub/inside.bin") and temps(clone) == []
    assert clone.read("one.bin") == BIG == clone.read("data/again.bin")


def test_bytes_of_a_first_attempt_do_not_stay_in_the_copy(tmp_path: Path) -> None:
    wrong = b"w" * len(BIG)
    oid = digest(BIG)
    with EarlyCopies(tmp_path, LINKS) as early, (tmp_path / "arriving").open("w+b", buffering=0) as file:
        with early.following(Wanted(oid, len(BIG), b"deep/er/a.bin"), file.fileno(), 0) as have:
            assert isinstance(have, Kept)
            for data in (wrong, BIG):  # as a store whose first attempt broke off
                for start in range(0, len(data), 1 << 20):
                    piece = data[start : start + (1 << 20)]
                    os.pwrite(file.fileno(), piece, start)
                    have.note(start, start + len(piece))
        fd = early.take(b"deep/er/a.bin", oid)
        assert fd is not None
        assert os.pread(fd, len(BIG) + 1, 0) == BIG
        os.close(fd)
        assert early.take(b"deep/er/a.bin", oid) is None


def test_a_pull_that_is_interrupted_goes_on_where_it_was(
    clone: World, late: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = directory.copy_and_hash

    def interrupted(*files: int, have: int, advance: Callable[[int], None] | None) -> ObjectId:
        def heard(count: int) -> None:
            if advance is not None:
                advance(count)
            raise KeyboardInterrupt

        return copy(*files, have=have, advance=heard)

    with monkeypatch.context() as patch:
        patch.setattr(directory, "copy_and_hash", interrupted)
        clone.fails(130, "pull", "one.bin")
        assert temps(clone) == [] and clone.git("status", "--porcelain") == ""
    told = clone.json("pull", "one.bin")
    assert 0 < told["bytes"] < len(BIG)
    assert clone.read("one.bin") == BIG and late == []
    clone.ok("pull")
    check_right(clone)


def test_what_nobody_takes_is_gone(tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    (tmp_path / "arriving").write_bytes(BIG)
    wanted = Wanted(digest(BIG), len(BIG), b"a.bin")
    with EarlyCopies(tmp_path, LINKS) as early, (tmp_path / "arriving").open("rb") as file:
        with early.following(wanted, file.fileno(), 0):
            pass
        with pytest.raises(KeyboardInterrupt), early.following(wanted, file.fileno(), 0):
            raise KeyboardInterrupt
        assert len(os.listdir("/proc/self/fd")) == len(before) + 2
        assert early.take(b"a.bin", digest(b"another")) is None
    assert os.listdir("/proc/self/fd") == before
    assert [path.name for path in tmp_path.iterdir()] == ["arriving"]


@pytest.fixture
def registry(world: World) -> World:
    """A project with large files that others get and import from."""
    world.write("models/one.bin", BIG)
    world.write("models/sub/inside.bin", BIG[1:])
    world.write("models/run", BIG[2:], executable=True)
    world.write("alone.bin", BIG[3:])
    world.ok("add", "models", "alone.bin")
    world.commit()
    world.ok("push")
    return world


@pytest.fixture
def elsewhere(registry: World, tmp_path: Path) -> Path:
    """A directory in no project, with nothing in the user's cache."""
    place = tmp_path / "elsewhere"
    place.mkdir()
    return place


def check_got(place: Path) -> None:
    assert (place / "one.bin").read_bytes() == BIG and (place / "sub/inside.bin").read_bytes() == BIG[1:]
    assert (place / "run").read_bytes() == BIG[2:] and os.access(place / "run", os.X_OK)
    assert not os.access(place / "one.bin", os.X_OK)
    assert list(place.rglob(".datatool-tmp-*")) == [] == list(place.parent.glob(".datatool-tmp-*"))


@pytest.mark.parametrize("out", ["got", "not/yet/there"])
def test_get_copies_large_files_while_they_arrive(out: str, registry: World, elsewhere: Path, late: list[int]) -> None:
    registry.ok("get", str(registry.root), "models", "-o", out, cwd=elsewhere)
    check_got(elsewhere / out)
    assert late == []


def test_so_it_does_with_several_paths_a_single_file_and_everything(
    registry: World, elsewhere: Path, late: list[int]
) -> None:
    (elsewhere / "all").mkdir()
    registry.ok("get", str(registry.root), "alone.bin", "models/sub", "-o", "several", cwd=elsewhere)
    assert (elsewhere / "several/alone.bin").read_bytes() == BIG[3:]
    assert (elsewhere / "several/sub/inside.bin").read_bytes() == BIG[1:]
    assert late == []
    registry.ok("get", str(registry.root), ".", "-o", "everything", cwd=elsewhere)
    check_got(elsewhere / "everything/models")
    assert (elsewhere / "everything/alone.bin").read_bytes() == BIG[3:]
    assert sorted(late) == sorted(map(len, (BIG[1:], BIG[3:]))), "which the user's cache had already"


def test_get_over_something_else_changes_nothing(registry: World, elsewhere: Path, late: list[int]) -> None:
    (elsewhere / "alone.bin").write_bytes(b"mine")
    registry.fails(7, "get", str(registry.root), "alone.bin", cwd=elsewhere)
    assert (elsewhere / "alone.bin").read_bytes() == b"mine"
    assert sorted(path.name for path in elsewhere.iterdir()) == ["alone.bin"]


def test_import_and_update_copy_large_files_while_they_arrive(registry: World, tmp_path: Path, late: list[int]) -> None:
    desk = World(tmp_path / "desk", name="desk")
    desk.ok("import", str(registry.root), "models", "-o", "data/base")
    check_got(desk.root / "data/base")
    assert late == [] and desk.json("status")["clean"]
    registry.write("models/one.bin", BIG[7:])
    registry.ok("add", "models")
    registry.commit()
    registry.ok("push")
    ran = desk.json("update", "--check")
    assert ran["artifacts"][0]["available"] and late == []
    desk.ok("update")
    assert desk.read("data/base/one.bin") == BIG[7:]
    assert late == [] and desk.json("status")["clean"] and temps(desk) == []
