"""Moving files, links and directories, also to another filesystem."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from datatool.errors import LocalError, NoSpace, PathNotFound
from datatool.localfs import moving
from datatool.localfs.moving import move, move_out
from datatool.localfs.safe_paths import Directories
from world import tree


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A directory with some of everything."""
    top = tmp_path / "top" / "source"
    (top / "sub/empty").mkdir(parents=True)
    (top / "sub/file").write_bytes(b"data")
    (top / "run").write_bytes(b"#!")
    (top / "run").chmod(0o750)
    os.utime(top / "run", ns=(1_000_000_000, 2_000_000_000))
    (top / "link").symlink_to("sub/file")
    (top / "dangling").symlink_to("/nowhere")
    (top / "sub").chmod(0o700)
    return top


@pytest.fixture
def across(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the two places no rename is possible, as between filesystems."""
    rename = os.rename

    def refuse(old: object, new: object, **more: object) -> None:
        if b".datatool-tmp-" in os.fsencode(os.path.basename(str(old))) or "datatool-tmp-" in str(old):
            rename(old, new)  # type: ignore[arg-type]
            return
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(moving.os, "rename", refuse)
    monkeypatch.setattr("datatool.localfs.atomic.replace", refuse)


@pytest.mark.usefixtures("across")
@pytest.mark.parametrize("name", ["run", "link", "dangling", "sub/file"])
def test_a_file_or_link_gets_to_another_filesystem(name: str, source: Path, tmp_path: Path) -> None:
    found = os.lstat(source / name)
    leads_to = os.readlink(source / name) if (source / name).is_symlink() else None
    data = None if leads_to else (source / name).read_bytes()
    with Directories(source.parent) as directories:
        move_out(directories, b"source/" + name.encode(), tmp_path / "target")
    target = tmp_path / "target"
    assert not os.path.lexists(source / name)
    assert os.lstat(target).st_mode == found.st_mode
    assert os.readlink(target) == leads_to if leads_to else target.read_bytes() == data
    assert leads_to or os.lstat(target).st_mtime_ns == found.st_mtime_ns
    move(target, source / name)
    assert not os.path.lexists(target) and os.path.lexists(source / name)


@pytest.mark.usefixtures("across")
def test_a_directory_stays_where_it_is(source: Path, tmp_path: Path) -> None:
    before = tree(source)
    with pytest.raises(LocalError, match="another filesystem"):
        move(source, tmp_path / "target")
    assert tree(source) == before
    assert [path.name for path in tmp_path.iterdir()] == ["top"]


@pytest.mark.usefixtures("across")
def test_what_changes_while_it_is_copied_stays_too(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = moving._copy

    def disturbed(name: bytes, at: int | None, target: bytes) -> None:
        copy(name, at, target)
        (source / "run").write_bytes(b"newer")

    monkeypatch.setattr(moving, "_copy", disturbed)
    with pytest.raises(LocalError, match="somebody is writing to it"):
        move(source / "run", tmp_path / "target")
    assert (source / "run").read_bytes() == b"newer"
    assert [path.name for path in tmp_path.iterdir()] == ["top"]


def test_on_one_filesystem_it_is_a_rename(source: Path, tmp_path: Path) -> None:
    inode = source.stat().st_ino
    move(source, tmp_path / "target")
    assert (tmp_path / "target").stat().st_ino == inode


def test_nothing_is_moved_over_something(source: Path, tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"mine")
    with pytest.raises(LocalError, match="is there already"):
        move(source, tmp_path / "target")
    with pytest.raises(PathNotFound):
        move(tmp_path / "missing", tmp_path / "other")


@pytest.mark.usefixtures("across")
def test_a_full_disk_leaves_everything_where_it_was(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*words: object, **more: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(moving, "clone_or_copy", full)
    with pytest.raises(NoSpace):
        move(source / "run", tmp_path / "target")
    assert (source / "run").read_bytes() == b"#!"
    assert [path.name for path in tmp_path.iterdir()] == ["top"]
