"""Files that are the cache's own, later: made writable again, linked anew, or left to who writes to them."""

from __future__ import annotations

import os

import pytest

import needs
from operations.adopted import BIG, cached
from world import World


@pytest.fixture(autouse=True)
def _linux() -> None:
    needs.linux()


@pytest.mark.usefixtures("as_if_no_root")
def test_a_link_that_somebody_made_writable_is_sealed_again(linked: World) -> None:
    linked.write("one.bin", BIG)
    linked.ok("add", "one.bin")
    (linked.root / "one.bin").chmod(0o644)
    linked.ok("add", "one.bin")
    assert cached(linked, BIG).stat().st_mode & 0o222 == 0


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
