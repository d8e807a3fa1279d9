"""What a store in a directory promises beyond the contract: sharing, syncs, leftovers, and what it never opens."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import needs
from datatool.errors import NoSpace, ReadFailed, RemoteDenied, RemoteError
from datatool.hashing import digest
from datatool.localfs.temps import PREFIX, temp_name
from datatool.store.directory import DirectoryStore
from datatool.store.protocol import NameMissing, WrongBytes

NAME = "packs/ab/x.pack"


def modes(top: Path) -> dict[str, int]:
    return {
        path.relative_to(top).as_posix(): stat.S_IMODE(path.stat().st_mode)
        for path in sorted(top.rglob("*"))
        if path.name != "tmp"
    }


def temps(top: Path) -> list[str]:
    return [path.name for path in top.rglob("*") if os.fsencode(path.name).startswith(PREFIX)]


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o000])
@pytest.mark.parametrize(("top_mode", "file_mode"), [(0o2775, 0o664), (0o770, 0o660), (0o700, 0o600), (0o755, 0o644)])
def test_what_is_created_is_shared_as_the_top_is_whatever_the_umask(
    tmp_path: Path, umask: int, top_mode: int, file_mode: int
) -> None:
    needs.linux()
    top = tmp_path / "remote"
    top.mkdir()
    top.chmod(top_mode)
    old = os.umask(umask)
    try:
        (tmp_path / "source").write_bytes(b"data")
        store = DirectoryStore(top)
        store.put(NAME, b"data")
        store.put_file("objects/cd/y", tmp_path / "source", digest(b"data"))
    finally:
        os.umask(old)
    assert modes(top) == {
        "packs": top_mode,
        "packs/ab": top_mode,
        NAME: file_mode,
        "objects": top_mode,
        "objects/cd": top_mode,
        "objects/cd/y": file_mode,
    }


def test_what_is_created_belongs_to_the_tops_group_and_for_root_to_its_owner(tmp_path: Path) -> None:
    needs.linux()
    if os.geteuid() != 0:
        pytest.skip("only root may give files away")
    top = tmp_path / "remote"
    top.mkdir()
    os.chown(top, 1234, 4321)
    if not os.access(top, os.W_OK):
        pytest.skip("without its override root may not write there either")
    DirectoryStore(top).put(NAME, b"data")
    for path in top.rglob("*"):
        found = path.stat()
        assert (found.st_uid, found.st_gid) == (1234, 4321), path


def test_a_top_in_a_directory_for_everybody_is_not_open_to_everybody(tmp_path: Path) -> None:
    needs.linux()
    tmp_path.chmod(0o1777)
    old = os.umask(0o022)
    try:
        DirectoryStore(tmp_path / "remote").put(NAME, b"data")
    finally:
        os.umask(old)
    assert not any(mode & 0o022 for mode in modes(tmp_path).values())


def test_each_name_is_on_disk_before_it_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs.linux()
    store = DirectoryStore(tmp_path / "remote")
    store.put("packs/ab/first", b"")  # the directories are there now
    events: list[str] = []
    real_fsync, real_replace, real_link = os.fsync, os.replace, os.link

    def fsync(fd: int) -> None:
        what = "directory" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file"
        events.append(f"sync {what}")
        real_fsync(fd)

    def replace(*arguments: object, **options: object) -> None:
        events.append("publish")
        real_replace(*arguments, **options)  # type: ignore[arg-type]

    def link(*arguments: object, **options: object) -> None:
        events.append("publish")
        real_link(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    monkeypatch.setattr(os, "link", link)
    (tmp_path / "source").write_bytes(b"data")
    store.put(NAME, b"data")
    store.put("packs/ab/exclusive", b"data", exclusive=True)
    store.put_file("packs/ab/file", tmp_path / "source", digest(b"data"))
    assert events == ["sync file", "publish", "sync directory"] * 3


def test_what_a_killed_push_left_is_swept_and_what_a_living_one_writes_is_not(tmp_path: Path) -> None:
    needs.linux()
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    mine = temp_name()
    stem = mine[: len(PREFIX) + 4]
    dead = b"%s%06x%06x" % (stem, gone.pid & 0xFFFFFF, 1)
    place = tmp_path / "remote" / "tmp"
    place.mkdir(parents=True)
    for name in (mine, dead, b"not-ours"):
        (place / os.fsdecode(name)).write_bytes(b"left")
    DirectoryStore(tmp_path / "remote").put(NAME, b"data")
    assert {path.name for path in place.iterdir()} == {os.fsdecode(mine), "not-ours"}


def test_nothing_is_left_after_a_failure(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path / "remote")
    (tmp_path / "source").write_bytes(b"data")
    with pytest.raises(WrongBytes):
        store.put_file(NAME, tmp_path / "source", digest(b"other"))
    with pytest.raises(ReadFailed):
        store.put_file(NAME, tmp_path / "missing", digest(b"other"))
    assert temps(tmp_path) == []
    assert not (tmp_path / "remote" / "packs").exists()


def test_a_full_disk_leaves_nothing_and_says_how_much_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = DirectoryStore(tmp_path / "remote")
    store.put("index/a", b"a")

    def full(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "source").write_bytes(b"data")
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(NoSpace, match=r"disk is full: needs 2\.0 kB, .* free"):
            store.put(NAME, b"x" * 2000)
        with pytest.raises(NoSpace, match="needs 4 B"):
            store.put_file(NAME, tmp_path / "source", digest(b"data"))
    assert temps(tmp_path) == []
    assert [row.name for row in store.list("")] == ["index/a"]


def test_only_plain_files_are_listed_and_opened(tmp_path: Path) -> None:
    needs.linux()
    top = tmp_path / "remote"
    store = DirectoryStore(top)
    store.put("objects/ab/plain", b"data")
    (tmp_path / "secret").write_bytes(b"secret")
    (top / "objects/ab/link").symlink_to(tmp_path / "secret")
    os.mkfifo(top / "objects/ab/fifo")
    (top / "objects/ab" / os.fsdecode(temp_name())).write_bytes(b"half")
    (top / "objects/ab/a name").write_bytes(b"of somebody else")
    assert [row.name for row in store.list("")] == ["objects/ab/plain"]
    for name in ("objects/ab/link", "objects/ab/fifo", "objects/ab"):
        with pytest.raises(NameMissing):
            store.get(name)


def test_a_look_creates_nothing(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path / "remote")
    assert list(store.list("")) == []
    with pytest.raises(NameMissing):
        store.get(NAME)
    store.delete_many([NAME])
    assert store.server_time() > 1e9
    assert not (tmp_path / "remote").exists()


def test_a_file_in_the_place_of_the_store_is_told(tmp_path: Path) -> None:
    (tmp_path / "remote").write_bytes(b"")
    with pytest.raises(RemoteError, match="is a file, not a directory"):
        DirectoryStore(tmp_path / "remote").put(NAME, b"data")


def test_a_store_that_may_not_be_written_to_says_so_and_can_be_read(tmp_path: Path) -> None:
    needs.linux()
    top = tmp_path / "remote"
    DirectoryStore(top).put(NAME, b"data")
    for path in (top, top / "packs", top / "packs/ab", top / "tmp"):
        path.chmod(0o555)
    program = f"""
from pathlib import Path
from datatool.errors import RemoteDenied
from datatool.store.directory import DirectoryStore
store = DirectoryStore(Path({str(top)!r}))
assert store.get({NAME!r}) == b"data"
assert store.server_time() > 1e9
for change in (lambda: store.put("index/a", b""), lambda: store.delete_many([{NAME!r}])):
    try:
        change()
    except RemoteDenied as error:
        print("denied:", error, error.hint is not None)
"""
    done = subprocess.run(
        [*needs.without_root_override(), sys.executable, "-c", program], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("denied:") == 2
    assert "Permission denied True" in done.stdout


def test_an_unreadable_directory_is_told_as_denied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = DirectoryStore(tmp_path / "remote")
    store.put(NAME, b"data")

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(RemoteDenied, match="packs: Permission denied"):
        list(store.list("packs/"))
