"""Moving files, links and directories, also to another filesystem."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from datatool.errors import LocalError, PathNotFound
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
    monkeypatch.setattr(moving, "replace", refuse)


@pytest.mark.usefixtures("across")
def test_a_directory_comes_over_with_all_that_is_in_it(source: Path, tmp_path: Path) -> None:
    before = tree(source)
    move(source, tmp_path / "target")
    assert tree(tmp_path / "target") == before
    assert not source.exists()
    run = os.stat(tmp_path / "target/run")
    assert (run.st_mode & 0o777, run.st_mtime_ns) == (0o750, 2_000_000_000)
    assert (tmp_path / "target/sub").stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in tmp_path.iterdir()) == ["target", "top"]


@pytest.mark.usefixtures("across")
@pytest.mark.parametrize("name", ["run", "link", "dangling", "sub"])
def test_so_does_a_single_thing_and_one_below_a_top(name: str, source: Path, tmp_path: Path) -> None:
    kind = os.lstat(source / name).st_mode
    leads_to = os.readlink(source / name) if (source / name).is_symlink() else None
    with Directories(source.parent) as directories:
        move_out(directories, b"source/" + name.encode(), tmp_path / "target")
    target = tmp_path / "target"
    assert not os.path.lexists(source / name)
    assert os.lstat(target).st_mode == kind
    assert leads_to is None or os.readlink(target) == leads_to


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
def test_what_can_not_be_copied_stays(source: Path, tmp_path: Path) -> None:
    before = tree(source)
    os.mkfifo(source / "sub/fifo")
    with pytest.raises(LocalError, match="target"):
        move(source, tmp_path / "target")
    os.unlink(source / "sub/fifo")
    assert tree(source) == before
    assert [path.name for path in tmp_path.iterdir()] == ["top"]


@pytest.mark.usefixtures("across")
def test_a_full_disk_leaves_everything_where_it_was(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(source)

    def full(*words: object, **more: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(moving, "clone_or_copy", full)
    with pytest.raises(LocalError):
        move(source, tmp_path / "target")
    assert tree(source) == before
    assert [path.name for path in tmp_path.iterdir()] == ["top"]
