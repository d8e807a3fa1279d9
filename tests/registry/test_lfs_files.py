"""Files that Git LFS keeps: which they are, what is known of them, and how they come from this machine."""

from __future__ import annotations

import os

import pytest

from datatool.errors import DamageFound, DatatoolError, FormatError, PartlyDone
from datatool.registry.lfs import LfsReader
from datatool.registry.offer import Offer, Origin
from registry.lfs_world import LfsWorld, oid_of, pointer
from repositories import git, repository

SMALL = {"a.bin": b"one", "data/b.bin": b"two" * 1000}


def lfs_offers(songs: LfsWorld, within: bytes = b"") -> dict[str, Offer]:
    catalog = songs.open(songs.work)
    return {offer.path.decode(): offer for reader, offer in catalog.offers(within) if isinstance(reader, LfsReader)}


def error_of(outcome: bytes | DatatoolError) -> DatatoolError:
    assert isinstance(outcome, DatatoolError), outcome
    return outcome


def test_a_pointer_tells_size_and_id_without_its_bytes(songs: LfsWorld) -> None:
    songs.make(SMALL)
    offers = lfs_offers(songs)
    assert {path: (offer.size, offer.oid, offer.origin, offer.kind) for path, offer in offers.items()} == {
        path: (len(data), oid_of(data), Origin.LFS, "f") for path, data in SMALL.items()
    }
    roots = songs.open(songs.work).roots()
    assert [(root.path, root.origin, root.size, root.directory) for root in roots] == [
        (b"a.bin", Origin.LFS, 3, False),
        (b"data/b.bin", Origin.LFS, 3000, False),
    ]


def test_executables_are_known_by_git(songs: LfsWorld) -> None:
    songs.make(SMALL)
    (songs.work / "a.bin").chmod(0o755)
    songs.publish()
    assert {path: offer.kind for path, offer in lfs_offers(songs).items()} == {"a.bin": "x", "data/b.bin": "f"}


def test_what_no_attribute_names_is_git_s_whatever_it_looks_like(songs: LfsWorld) -> None:
    songs.make(SMALL)
    songs.write("docs/example.txt", pointer(b"one"))
    songs.write("plain.bin", b"never migrated")
    songs.write("large.bin", pointer(b"one") + b"x" * 2000)
    (songs.work / "link.bin").symlink_to("a.bin")
    songs.publish()
    assert set(lfs_offers(songs)) == set(SMALL)


def test_attributes_of_directories_around_a_path_count_for_it(songs: LfsWorld) -> None:
    songs.make({"data/deep/b.bin": b"two"}, attributes="")
    songs.write("data/.gitattributes", b"*.bin filter=lfs\n")
    songs.publish()
    assert set(lfs_offers(songs, b"data/deep")) == {"data/deep/b.bin"}
    assert set(lfs_offers(songs, b"data/deep/b.bin")) == {"data/deep/b.bin"}
    assert lfs_offers(songs, b"data/other") == {}


def test_only_its_configuration_is_hidden(songs: LfsWorld) -> None:
    songs.make(SMALL)
    catalog = songs.open(songs.work)
    reader = next(reader for reader, _ in catalog.offers() if isinstance(reader, LfsReader))
    assert reader.hidden(b".lfsconfig")
    assert not reader.hidden(b"a.bin")
    assert not reader.hidden(b"data/.lfsconfig")


def test_a_file_that_a_program_changed_is_told_and_not_brought(songs: LfsWorld) -> None:
    songs.make(SMALL)
    extension = b"ext-0-crypt sha256:" + oid_of(b"x").encode()
    songs.write("a.bin", pointer(b"one").replace(b"\noid", b"\n" + extension + b"\noid"))
    songs.publish()
    songs.keep("a.bin")
    offer = lfs_offers(songs)["a.bin"]
    assert "crypt" in (offer.problem or "")
    assert offer.oid is None
    assert isinstance(error_of(songs.get(songs.work)["a.bin"]), PartlyDone)


def test_objects_come_from_the_repositorys_own_store(songs: LfsWorld) -> None:
    songs.make({**SMALL, "large.bin": os.urandom(9 << 20), "empty.bin": b""})
    for path in songs.contents:
        songs.keep(path)
    assert songs.get(songs.work) == songs.contents


def test_a_linked_work_tree_has_the_store_of_its_repository(songs: LfsWorld) -> None:
    songs.make(SMALL)
    for path in SMALL:
        songs.keep(path)
    linked = songs.top / "linked"
    git(songs.work, "worktree", "add", "-q", str(linked))
    assert songs.get(linked) == SMALL


def test_a_store_may_lie_elsewhere(songs: LfsWorld) -> None:
    songs.make(SMALL)
    git(songs.work, "config", "lfs.storage", str(songs.top / "store"))
    for path in SMALL:
        songs.keep(path, where=songs.top / "store")
    assert songs.get(songs.work) == SMALL


def test_a_repository_on_this_machine_may_name_another_by_its_path(songs: LfsWorld) -> None:
    songs.make(SMALL)
    bare = songs.served / "songs.git"
    for path in SMALL:
        songs.keep(path, where=bare / "lfs")
    assert isinstance(error_of(songs.get(songs.work)["a.bin"]), PartlyDone)
    git(songs.work, "remote", "add", "origin", str(bare))
    assert songs.get(songs.work) == SMALL


def test_lfsconfig_of_a_repository_on_this_machine_may_name_a_directory(songs: LfsWorld) -> None:
    songs.make(SMALL)
    other = repository(songs.top / "other")
    for path in SMALL:
        songs.keep(path, where=other / ".git" / "lfs")
    songs.write(".lfsconfig", f"[lfs]\n\turl = file://{other}\n".encode())
    songs.publish()
    assert songs.get(songs.work) == SMALL


def test_a_directory_that_was_typed_is_read(songs: LfsWorld) -> None:
    songs.make(SMALL)
    other = repository(songs.top / "other", "--bare")
    for path in SMALL:
        songs.keep(path, where=other / "lfs")
    assert songs.get(songs.work, given={"url": str(other)}) == SMALL


@pytest.mark.parametrize("size", [3, 9 << 20])
def test_damage_in_the_store_is_found(songs: LfsWorld, size: int) -> None:
    songs.make({"a.bin": b"x" * size, "b.bin": b"fine"})
    songs.keep("a.bin", data=b"x" * (size - 1) + b"y")
    songs.keep("b.bin")
    found = songs.get(songs.work)
    assert found["b.bin"] == b"fine"
    assert isinstance(error_of(found["a.bin"]), DamageFound)


def test_only_regular_files_are_opened(songs: LfsWorld) -> None:
    songs.make(SMALL)
    first, second = songs.keep("a.bin"), songs.keep("data/b.bin")
    first.unlink()
    os.mkfifo(first)
    elsewhere = songs.top / "elsewhere"
    second.rename(elsewhere)
    second.symlink_to(elsewhere)
    for outcome in songs.get(songs.work).values():
        assert isinstance(error_of(outcome), PartlyDone)


def test_a_pointer_that_lies_about_the_size_brings_nothing(songs: LfsWorld) -> None:
    songs.make(SMALL)
    songs.write("c.bin", pointer(b"one", size=4))
    songs.publish()
    for path in SMALL:
        songs.keep(path)
    found = songs.get(songs.work)
    assert found["a.bin"] == b"one"
    assert isinstance(error_of(found["c.bin"]), FormatError)
    assert "4 bytes" in error_of(found["c.bin"]).message


def test_the_error_for_what_is_nowhere_names_path_and_object(songs: LfsWorld) -> None:
    songs.make(SMALL)
    error = error_of(songs.get(songs.work)["data/b.bin"])
    assert "data/b.bin" in error.message
    assert oid_of(SMALL["data/b.bin"])[:12] in error.message


def test_nothing_of_the_repository_is_run(songs: LfsWorld) -> None:
    songs.make(SMALL)
    for path in SMALL:
        songs.keep(path)
    trap = songs.top / "trap"
    pwned = songs.top / "pwned"
    trap.write_text(f"#!/bin/sh\ntouch '{pwned}'\n")
    trap.chmod(0o755)
    for key in ("core.fsmonitor", "core.sshCommand", "filter.lfs.smudge", "filter.lfs.process", "credential.helper"):
        git(songs.work, "config", key, str(trap))
    assert songs.get(songs.work) == SMALL
    assert not pwned.exists()
