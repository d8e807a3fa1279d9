"""The smaller rooms of localfs: temporary files, locks, clocks, safe paths, copies, probes."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import needs
from datatool.errors import Locked, UnsafeInput
from datatool.localfs import clock, copying, links, temps
from datatool.localfs.clock import COARSE, FINE, granularity, scratch_time
from datatool.localfs.copying import clone_or_copy
from datatool.localfs.links import hardlinks_safe, modes_bind, symlinks_work
from datatool.localfs.locks import Lock
from datatool.localfs.moving import move_out
from datatool.localfs.safe_paths import Directories, check_parents
from datatool.localfs.sharing import Sharing
from datatool.localfs.temps import FORGOTTEN, PREFIX, is_left_over, new_temp, sweep_temps, temp_name
from datatool.localfs.umask import umask
from datatool.model.paths import is_temp_name
from datatool.model.settings import LinkMethod
from patience import LONG, started

# Temporary files


def test_temporary_names_are_ours_and_never_the_same() -> None:
    names = {temp_name() for _ in range(1000)}
    assert len(names) == 1000
    assert all(is_temp_name(name) for name in names)


def test_a_forked_process_makes_other_names() -> None:
    needs.linux()
    mine = temp_name()
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.write(writer, temp_name())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(reader, 100)
    os.close(reader)
    os.close(writer)
    assert theirs[: len(PREFIX) + 4] == mine[: len(PREFIX) + 4]
    assert theirs[len(PREFIX) + 4 : len(PREFIX) + 10] == b"%06x" % (child & 0xFFFFFF)


def test_nothing_that_is_there_is_opened_as_a_temporary_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [PREFIX + b"%016x" % n for n in range(2)]
    (tmp_path / os.fsdecode(names[0])).write_bytes(b"of somebody else")
    remaining = iter(names)
    monkeypatch.setattr(temps, "temp_name", lambda: next(remaining))
    fd, path = new_temp(tmp_path)
    os.close(fd)
    assert path.name == os.fsdecode(names[1])
    assert (tmp_path / os.fsdecode(names[0])).read_bytes() == b"of somebody else"


def test_a_temporary_file_is_left_over_when_its_process_has_gone_or_a_day_has_passed() -> None:
    needs.linux()
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    mine = temp_name()
    here = mine[: len(PREFIX) + 4]
    elsewhere = PREFIX + (b"0000" if not here.endswith(b"0000") else b"1111")
    dead = b"%06x000000" % (gone.pid & 0xFFFFFF)
    now = 10 * FORGOTTEN
    assert not is_left_over(mine, now, now)
    assert is_left_over(mine, now - FORGOTTEN - 1, now)
    assert is_left_over(here + dead, now, now)
    assert not is_left_over(elsewhere + dead, now, now)
    assert is_left_over(elsewhere + dead, now - FORGOTTEN - 1, now)
    assert not is_left_over(here + b"000001" + b"000000", now, now), "process 1 belongs to somebody else, and lives"


def test_sweeping_takes_left_over_files_only(tmp_path: Path) -> None:
    old = PREFIX + b"0" * 16
    new = temp_name()
    for name in (old, new, b"data", PREFIX + b"x"):
        (tmp_path / os.fsdecode(name)).write_bytes(b"")
    os.utime(tmp_path / os.fsdecode(old), (0, 0))
    assert sweep_temps(tmp_path) == 1
    assert sorted(os.listdir(os.fsencode(tmp_path))) == sorted([new, b"data", PREFIX + b"x"])
    assert sweep_temps(tmp_path / "missing") == 0


# Locks


def test_a_lock_keeps_others_out_and_names_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "locks" / "one"
    told = rf"locked by process {os.getpid()} on .* \(datatool add data\)"
    with Lock(path, purpose="datatool add data"), pytest.raises(Locked, match=told), Lock(path, wait=False):
        raise AssertionError
    with Lock(path, wait=False) as lock:
        assert lock.held


def test_who_waits_is_told_for_whom_and_goes_on_when_it_is_free(tmp_path: Path) -> None:
    path = tmp_path / "one"
    waiting, entered = threading.Event(), threading.Event()
    told: list[str] = []

    def wait() -> None:
        def on_wait(holder: str) -> None:
            told.append(holder)
            waiting.set()

        with Lock(path, on_wait=on_wait):
            entered.set()

    thread = threading.Thread(target=wait)
    with Lock(path, purpose="push"):
        thread.start()
        assert waiting.wait(LONG)
        assert not entered.is_set()
    thread.join(LONG)
    assert entered.is_set()
    assert told
    assert "(push)" in told[0]


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    path = tmp_path / "one"
    program = (
        "import sys, time; from pathlib import Path; from datatool.localfs.locks import Lock\n"
        f"lock = Lock(Path({str(path)!r})); lock.__enter__(); print('held', flush=True); sys.stdin.read()"
    )
    with started([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Locked), Lock(path, wait=False):
            raise AssertionError
        holder.kill()
        holder.wait()
    with Lock(path, wait=False) as lock:
        assert lock.held


def test_a_child_that_was_forked_off_meanwhile_neither_keeps_a_lock_nor_gives_it_up(tmp_path: Path) -> None:
    needs.linux()
    program = """
import os, sys
from pathlib import Path
from datatool.errors import Locked
from datatool.localfs.locks import Lock
path = Path(sys.argv[1])
end, go_on = os.pipe()
with Lock(path):
    child = os.fork()
    if child == 0:
        os.close(go_on)
        os.read(end, 1)
if child == 0:
    os._exit(0)
with Lock(path, wait=False):
    os.close(go_on)
    os.waitpid(child, 0)
    try:
        with Lock(path, wait=False):
            print("twice")
    except Locked:
        print("once")
"""
    done = subprocess.run([sys.executable, "-c", program, tmp_path / "one"], capture_output=True, text=True, check=True)
    assert done.stdout == "once\n"


@pytest.mark.parametrize("content", [b"", b"\xff\x00\x1b[31m" * 100_000, b"process 1 on here\n"])
def test_whatever_is_in_a_lock_file_the_lock_works(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "one"
    path.write_bytes(content)
    with Lock(path), pytest.raises(Locked) as caught, Lock(path, wait=False):
        raise AssertionError
    assert "\x1b" not in str(caught.value)


def test_a_link_in_the_place_of_a_lock_is_not_followed(tmp_path: Path) -> None:
    needs.linux()
    (tmp_path / "victim").write_bytes(b"untouched")
    (tmp_path / "one").symlink_to("victim")
    with Lock(tmp_path / "one") as lock:
        assert lock.held
    assert (tmp_path / "victim").read_bytes() == b"untouched"
    assert not (tmp_path / "one").is_symlink()


def test_where_there_are_no_locks_work_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs.linux()

    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("datatool.localfs.locks.fcntl.flock", no_locks)
    with Lock(tmp_path / "one") as lock:
        assert not lock.held
    (tmp_path / "directory").mkdir()
    with Lock(tmp_path / "directory") as lock:
        assert not lock.held


# Clocks


def test_time_comes_from_the_filesystem_and_nothing_stays(tmp_path: Path) -> None:
    first = scratch_time(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    assert first <= os.stat(tmp_path / "file").st_mtime_ns
    assert os.listdir(tmp_path) == ["file"]


def test_whole_seconds_mean_a_coarse_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert clock.of_times(5_000_000_001) == FINE
    assert clock.of_times(5_000_000_000) == COARSE
    monkeypatch.setattr(clock, "_known", {})
    assert granularity(tmp_path) in (FINE, COARSE)
    monkeypatch.setattr(clock, "_known", {os.stat(tmp_path).st_dev: 7})
    assert granularity(tmp_path) == 7, "found out once per filesystem"


# Safe paths


def test_a_link_on_the_way_is_refused_and_missing_parts_are_not(tmp_path: Path) -> None:
    needs.linux()
    (tmp_path / "real" / "sub").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    check_parents(tmp_path, b"real/sub/file")
    check_parents(tmp_path, b"link")  # the path itself may be a link: it would be replaced, not followed
    check_parents(tmp_path, b"missing/sub/file")
    for path in (b"link/file", b"link/sub/file"):
        with pytest.raises(UnsafeInput, match="link: is a symlink") as caught:
            check_parents(tmp_path, path)
        assert caught.value.path == "link"


def test_the_top_itself_may_be_reached_through_a_link(tmp_path: Path) -> None:
    needs.linux()
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with Directories(tmp_path / "link") as directories:
        directories.make_directory(b"a/b")
    assert (tmp_path / "real/a/b").is_dir()


def test_paths_below_a_top_are_changed_safely(tmp_path: Path) -> None:
    needs.linux()
    top = tmp_path / "top"
    (top / "a/b").mkdir(parents=True)
    (top / "a/b/file").write_bytes(b"1")
    (top / "a/move").write_bytes(b"2")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/file").write_bytes(b"kept")
    (top / "link").symlink_to(tmp_path / "outside")
    with Directories(top) as directories:
        assert directories.lstat(b"a/b/file").st_size == 1
        assert not directories.remove_directory(b"a/b")
        assert directories.remove(b"a/b/file")
        assert not directories.remove(b"a/b/file")
        assert directories.remove_directory(b"a/b")
        assert not directories.remove(b"a/b/file")
        directories.make_directory(b"a/b")
        move_out(directories, b"a/move", tmp_path / "moved")
        with pytest.raises(UnsafeInput):
            directories.remove(b"link/file")
        assert directories.remove(b"link")
    assert (tmp_path / "outside/file").read_bytes() == b"kept"
    assert (tmp_path / "moved").read_bytes() == b"2"
    assert sorted(p.relative_to(top).as_posix() for p in top.rglob("*")) == ["a", "a/b"]


# Copies and probes


@pytest.mark.parametrize("size", [0, 5, (1 << 20) + 1, (9 << 20) + 1])
@pytest.mark.parametrize("methods", [(LinkMethod.REFLINK, LinkMethod.COPY), (LinkMethod.COPY,)])
@pytest.mark.parametrize("in_kernel", [True, False])
def test_a_copy_has_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, methods: tuple[LinkMethod, ...], in_kernel: bool
) -> None:
    if not in_kernel:
        monkeypatch.delattr(os, "copy_file_range", raising=False)
    data = os.urandom(size)
    (tmp_path / "source").write_bytes(data)
    source = os.open(tmp_path / "source", os.O_RDONLY)
    target = os.open(tmp_path / "target", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        how = clone_or_copy(source, target, size, methods)
    finally:
        os.close(source)
        os.close(target)
    assert how in methods
    assert (tmp_path / "target").read_bytes() == data


def test_blocks_are_shared_only_where_that_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cloned: list[int] = []

    def clone(source: int, target: int) -> bool:
        cloned.append(os.write(target, os.read(source, 100)))
        return True

    monkeypatch.setattr(copying, "clone", clone)
    (tmp_path / "source").write_bytes(b"data")
    for methods, how in (((LinkMethod.REFLINK,), LinkMethod.REFLINK), ((LinkMethod.COPY,), LinkMethod.COPY)):
        source = os.open(tmp_path / "source", os.O_RDONLY)
        target = os.open(tmp_path / how, os.O_RDWR | os.O_CREAT, 0o600)
        assert clone_or_copy(source, target, 4, methods) is how
        os.close(source)
        os.close(target)
        assert (tmp_path / how).read_bytes() == b"data"
    assert cloned == [4]


def test_a_source_that_ends_early_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"data")
    source = os.open(tmp_path / "source", os.O_RDONLY)
    target = os.open(tmp_path / "target", os.O_RDWR | os.O_CREAT, 0o600)
    with pytest.raises(OSError, match="ends after 4 of 5 bytes"):
        clone_or_copy(source, target, 5, (LinkMethod.COPY,))
    os.close(source)
    os.close(target)


def test_root_is_told_that_modes_do_not_protect_and_others_that_they_do(tmp_path: Path) -> None:
    needs.linux()
    tmp_path.chmod(0o777)
    (tmp_path / "file").touch(0o444)
    overrides = os.access(tmp_path / "file", os.W_OK)
    program = (
        "from pathlib import Path; from datatool.localfs.links import hardlinks_safe\n"
        f"print(hardlinks_safe(Path({str(tmp_path)!r})), hardlinks_safe(Path({str(tmp_path / 'missing')!r})))"
    )

    def ask(*prefix: str) -> str:
        done = subprocess.run([*prefix, sys.executable, "-c", program], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    assert ask(*needs.without_root_override()) == "True False"
    assert ask() == ("False False" if overrides else "True False")
    assert os.listdir(tmp_path) == ["file"]


def test_a_filesystem_is_tried_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[Path] = []

    def attempt(directory: Path) -> bool:
        tried.append(directory)
        return True

    monkeypatch.setattr(links, "_safe", {})
    monkeypatch.setattr(links, "_try_hardlink", attempt)
    (tmp_path / "a").mkdir()
    assert hardlinks_safe(tmp_path)
    assert hardlinks_safe(tmp_path / "a")
    assert tried == [tmp_path]


def test_probes_leave_nothing(tmp_path: Path) -> None:
    needs.linux()
    assert modes_bind(tmp_path)
    assert symlinks_work(tmp_path)
    assert os.listdir(tmp_path) == []
    assert not modes_bind(tmp_path / "missing")
    assert not symlinks_work(tmp_path / "missing")


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_the_umask_is_read_and_left(mask: int) -> None:
    needs.linux()
    old = os.umask(mask)
    try:
        assert umask() == mask
        assert Sharing.by_umask().file_mode(0o777) == 0o777 & ~mask
    finally:
        assert os.umask(old) == mask
