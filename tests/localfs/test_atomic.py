"""Single files: whole or not at all, with the right permission bits."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

import needs
from datatool.errors import LocalError, NoSpace, PathNotFound
from datatool.localfs import atomic
from datatool.localfs.atomic import local_error, make_dirs, remove_dir_if_empty, remove_file, rename, write_file
from datatool.localfs.moving import move
from datatool.model.settings import Durability

BATCH = Durability.BATCH


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    write_file(path, b"one", durability=BATCH)
    write_file(path, b"two", durability=BATCH)
    assert path.read_bytes() == b"two"
    assert os.listdir(path.parent) == ["file"]


def test_bits_come_from_the_call_then_the_old_file_then_the_umask(tmp_path: Path) -> None:
    needs.linux()
    old = os.umask(0o027)
    try:
        write_file(tmp_path / "plain", b"", durability=BATCH)
        write_file(tmp_path / "secret", b"", durability=BATCH, mode=0o600)
        (tmp_path / "kept").write_bytes(b"")
        (tmp_path / "kept").chmod(0o751)
        write_file(tmp_path / "kept", b"new", durability=BATCH)
    finally:
        os.umask(old)
    assert mode(tmp_path / "plain") == 0o640
    assert mode(tmp_path / "secret") == 0o600
    assert mode(tmp_path / "kept") == 0o751


def test_bits_of_a_new_file_come_from_the_directory_it_is_shared_like(tmp_path: Path) -> None:
    needs.linux()
    top = tmp_path / "top"
    top.mkdir()
    top.chmod(0o770)
    write_file(top / "a" / "b", b"", durability=BATCH, like=top)
    assert mode(top / "a") == 0o770
    assert mode(top / "a" / "b") == 0o660


def test_a_secret_is_never_readable_by_others_not_even_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs.linux()
    seen: list[int] = []
    real = os.write

    def write(fd: int, data: bytes) -> int:
        seen.append(stat.S_IMODE(os.fstat(fd).st_mode))
        return real(fd, data)

    monkeypatch.setattr(os, "write", write)
    write_file(tmp_path / "secret", b"x", durability=BATCH, mode=0o600)
    assert seen == [0o600]


def test_a_link_is_replaced_not_written_through(tmp_path: Path) -> None:
    needs.linux()
    (tmp_path / "victim").write_bytes(b"untouched")
    (tmp_path / "file").symlink_to("victim")
    write_file(tmp_path / "file", b"new", durability=BATCH)
    assert (tmp_path / "victim").read_bytes() == b"untouched"
    assert not (tmp_path / "file").is_symlink()


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_a_failure_at_any_step_keeps_the_old_file_and_leaves_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = tmp_path / "file"
    write_file(path, b"old", durability=BATCH)

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patched:
        patched.setattr(os, call, fail)
        with pytest.raises(LocalError, match=r"file: Input/output error"):
            write_file(path, b"new", durability=BATCH)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize(("durability", "expected"), [(BATCH, 2), (Durability.FULL, 2), (Durability.NONE, 0)])
def test_the_file_is_synced_before_its_name_and_the_directory_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durability: Durability, expected: int
) -> None:
    needs.linux()
    there: list[bool] = []
    real = os.fsync

    def fsync(fd: int) -> None:
        there.append((tmp_path / "file").exists())
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    write_file(tmp_path / "file", b"x", durability=durability)
    assert there == [False, True][:expected]


def test_a_full_disk_says_how_much_is_needed_and_free(tmp_path: Path) -> None:
    error = local_error(OSError(errno.ENOSPC, "x"), tmp_path / "deep" / "file", 1_500_000)
    assert isinstance(error, NoSpace)
    assert str(error).startswith(f"{tmp_path / 'deep' / 'file'}: the disk is full: needs 1.5 MB, ")
    assert str(error).endswith(" free")
    assert error.errno == errno.ENOSPC
    assert error.hint


def test_other_errors_keep_their_cause(tmp_path: Path) -> None:
    error = local_error(PermissionError(errno.EACCES, "Permission denied"), "some/\x1bname")
    assert not isinstance(error, NoSpace)
    assert str(error) == "some/\\x1bname: Permission denied"
    assert local_error(error, "other") is error


def test_directories_are_made_where_missing(tmp_path: Path) -> None:
    make_dirs(tmp_path / "a" / "b" / "c")
    make_dirs(tmp_path / "a" / "b" / "c")
    assert (tmp_path / "a" / "b" / "c").is_dir()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(LocalError, match="file"):
        make_dirs(tmp_path / "file" / "a")


def test_a_model_directory_that_is_missing_itself_is_looked_for_further_up(tmp_path: Path) -> None:
    needs.linux()
    tmp_path.chmod(0o2750)
    make_dirs(tmp_path / "a" / "b", like=tmp_path / "a")
    assert mode(tmp_path / "a") == mode(tmp_path / "a" / "b") == 0o2750


def test_removing_is_quiet_where_nothing_is(tmp_path: Path) -> None:
    remove_file(tmp_path / "missing")
    (tmp_path / "file").write_bytes(b"")
    remove_file(tmp_path / "file")
    assert not (tmp_path / "file").exists()


def test_only_an_empty_directory_is_removed(tmp_path: Path) -> None:
    (tmp_path / "full" / "empty").mkdir(parents=True)
    assert not remove_dir_if_empty(tmp_path / "full")
    assert remove_dir_if_empty(tmp_path / "full" / "empty")
    assert remove_dir_if_empty(tmp_path / "full")
    assert remove_dir_if_empty(tmp_path / "full")


def test_a_rename_replaces_and_a_move_does_not(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "b").write_bytes(b"b")
    with pytest.raises(LocalError, match="is there already"):
        move(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"b"
    rename(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"a"
    with pytest.raises(PathNotFound):
        rename(tmp_path / "a", tmp_path / "b")
    with pytest.raises(LocalError):
        rename(tmp_path / "b", tmp_path / "nowhere" / "b")


def test_parts_written_one_by_one_are_put_together(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, bytes(data)[:3]))
    write_file(tmp_path / "file", b"0123456789", durability=Durability.NONE)
    assert (tmp_path / "file").read_bytes() == b"0123456789"


def test_everything_offered_is_there() -> None:
    assert all(hasattr(atomic, name) for name in atomic.__all__)
