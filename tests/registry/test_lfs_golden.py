"""A repository made by the real git-lfs (`golden/make_lfs`), read by ours."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from archives import unpack
from datatool.registry.lfs import LfsReader
from registry.lfs_world import LfsWorld
from repositories import git

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def songs(tmp_path: Path) -> LfsWorld:
    git(tmp_path, "clone", "-q", "--bare", str(GOLDEN / "lfs.bundle"), "songs.git")
    with tarfile.open(GOLDEN / "lfs_objects.tar") as archive:
        unpack(archive, tmp_path / "songs.git" / "lfs")
    return LfsWorld(top=tmp_path)


def test_what_git_lfs_keeps_is_offered_with_its_size(songs: LfsWorld) -> None:
    catalog = songs.open(songs.top / "songs.git")
    offers = [offer for reader, offer in catalog.offers() if isinstance(reader, LfsReader)]
    assert [(offer.path, offer.kind, offer.size) for offer in offers] == [
        (b"a.bin", "f", 3),
        (b"raw data/deep/table.csv", "f", 14),
        (b"tool.bin", "x", 20),
    ]


def test_what_git_keeps_stays_git_s(songs: LfsWorld) -> None:
    catalog = songs.open(songs.top / "songs.git")
    others = {offer.path for reader, offer in catalog.offers() if not isinstance(reader, LfsReader)}
    assert others == {b".gitattributes", b"docs/pointer.txt", b"docs/read.txt", b"empty.bin"}


def test_the_bytes_are_those_that_were_committed(songs: LfsWorld) -> None:
    assert songs.get(songs.top / "songs.git") == {
        "a.bin": b"two",
        "raw data/deep/table.csv": b"id,value\n1,42\n",
        "tool.bin": b"#!/bin/sh\necho tool\n",
    }
