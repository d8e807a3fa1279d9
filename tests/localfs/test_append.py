"""Adding to a file in one piece, or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import needs
from datatool.localfs.append import SECTOR, append_whole


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "list"
    path.write_bytes(b"one\n")
    return path


def test_a_line_is_added_at_the_end(file: Path) -> None:
    assert append_whole(file, b"two\n", after=4)
    assert file.read_bytes() == b"one\ntwo\n"


def test_what_would_lie_in_two_sectors_is_not_added(file: Path) -> None:
    file.write_bytes(b"x" * (SECTOR - 3))
    assert not append_whole(file, b"two\n", after=SECTOR - 3)
    assert file.stat().st_size == SECTOR - 3
    assert append_whole(file, b"tw\n", after=SECTOR - 3)
    assert append_whole(file, b"two\n", after=SECTOR)


def test_a_file_that_somebody_has_changed_meanwhile_is_left_alone(file: Path) -> None:
    assert not append_whole(file, b"two\n", after=3)
    assert file.read_bytes() == b"one\n"


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    assert not append_whole(tmp_path / "none", b"two\n", after=0)
    assert not os.path.lexists(tmp_path / "none")


def test_a_file_with_another_name_is_left_alone(file: Path, tmp_path: Path) -> None:
    needs.linux()
    (tmp_path / "link").symlink_to(file)
    assert not append_whole(tmp_path / "link", b"two\n", after=4)
    os.link(file, tmp_path / "second")
    assert not append_whole(file, b"two\n", after=4)
    assert file.read_bytes() == b"one\n"


def test_a_limit_to_the_size_of_files_leaves_it_as_it_was(file: Path) -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6, before[1]))
    try:
        assert not append_whole(file, b"two\n", after=4)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert file.read_bytes() == b"one\n"
