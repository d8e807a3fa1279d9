"""Files that are being downloaded, kept for the next attempt."""

from __future__ import annotations

import os
from pathlib import Path

import needs
from datatool.localfs.partial import KEPT, open_partial, sweep_partials


def begun(directory: Path, name: str, data: bytes) -> None:
    partial = open_partial(directory, name)
    assert partial is not None
    os.write(partial.fd, data)
    partial.keep()


def test_what_was_kept_is_there_at_the_next_attempt(tmp_path: Path) -> None:
    needs.linux()
    begun(tmp_path, "a", b"half")
    again = open_partial(tmp_path, "a")
    assert again is not None and again.size == 4
    assert os.pread(again.fd, 9, 0) == b"half"
    again.discard()
    assert list(tmp_path.iterdir()) == []


def test_two_do_not_work_on_one_file(tmp_path: Path) -> None:
    needs.linux()
    first = open_partial(tmp_path, "a")
    assert first is not None
    assert open_partial(tmp_path, "a") is None
    first.keep()
    second = open_partial(tmp_path, "a")
    assert second is not None
    second.keep()


def test_what_was_taken_is_nobody_elses(tmp_path: Path) -> None:
    needs.linux()
    first = open_partial(tmp_path, "a")
    assert first is not None
    os.write(first.fd, b"complete")
    fd, name = first.take()
    (found,) = tmp_path.iterdir()
    assert os.fsencode(found.name) == name and found.read_bytes() == b"complete"
    other = open_partial(tmp_path, "a")
    assert other is not None and other.size == 0
    os.write(other.fd, b"another")
    other.keep()
    os.close(fd)
    assert found.read_bytes() == b"complete"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    needs.linux()
    (tmp_path / "victim").write_bytes(b"precious")
    (tmp_path / "a.part").symlink_to("victim")
    try:
        assert open_partial(tmp_path, "a") is None
    except OSError:
        pass
    assert (tmp_path / "victim").read_bytes() == b"precious"


def test_what_nobody_goes_on_with_is_swept_after_a_week(tmp_path: Path) -> None:
    needs.linux()
    begun(tmp_path, "old", b"1")
    begun(tmp_path, "new", b"2")
    held = open_partial(tmp_path, "held")
    assert held is not None
    long_ago = (tmp_path / "new.part").stat().st_mtime_ns - KEPT - 1_000_000_000
    for name in ("old", "held"):
        os.utime(tmp_path / f"{name}.part", ns=(long_ago, long_ago))
    sweep_partials(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"new.part", "new.notes", "held.part", "held.notes"}
    held.discard()


def test_what_was_noted_is_known_at_the_next_attempt(tmp_path: Path) -> None:
    needs.linux()
    partial = open_partial(tmp_path, "a")
    assert partial is not None
    os.truncate(partial.fd, 100)
    for start, end in ((40, 50), (0, 10), (50, 60), (90, 120), (10, 15)):
        partial.note(start, end)
    partial.keep()
    again = open_partial(tmp_path, "a")
    assert again is not None and again.noted() == [(0, 15), (40, 60), (90, 100)]
    again.note(45, 45)
    again.note(70, 80)
    assert again.noted() == [(0, 15), (40, 45), (70, 80)]
    again.discard()
    assert list(tmp_path.iterdir()) == []


def test_notes_do_not_outlive_their_file(tmp_path: Path) -> None:
    needs.linux()
    partial = open_partial(tmp_path, "a")
    assert partial is not None
    os.write(partial.fd, b"1234")
    partial.note(0, 4)
    partial.keep()
    (tmp_path / "a.part").unlink()
    again = open_partial(tmp_path, "a")
    assert again is not None and again.noted() == []
    fd, _ = again.take()
    os.close(fd)
    assert not (tmp_path / "a.notes").exists()
