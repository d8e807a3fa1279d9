"""Walking a directory: order, what is left out, what is refused."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

import needs
from datatool.errors import Refused
from datatool.localfs.temps import temp_name
from datatool.localfs.walk import Found, runs


def scan(top: bytes, **options: object) -> Iterator[Found]:
    return chain.from_iterable(runs(top, **options))  # type: ignore[arg-type]


def walked(top: Path, **options: object) -> list[tuple[str, bytes]]:
    return [(found.kind, found.path) for found in scan(os.fsencode(top), **options)]


def fill(top: Path, *names: str) -> None:
    for name in names:
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("/"):
            path.mkdir(exist_ok=True)
        else:
            path.write_bytes(name.encode())


def key(found: Found) -> bytes:
    return found.path + b"/" if found.kind == "d" else found.path


def test_paths_come_in_the_order_of_their_bytes_not_directory_by_directory(tmp_path: Path) -> None:
    fill(tmp_path, "a/b", "a.txt", "a-1", "a0", "b", "a/a/a", "a/a.x", "B")
    assert [path for _, path in walked(tmp_path)] == [b"B", b"a-1", b"a.txt", b"a/a.x", b"a/a/a", b"a/b", b"a0", b"b"]


def test_an_empty_directory_sorts_with_a_slash_behind_it(tmp_path: Path) -> None:
    fill(tmp_path, "a/", "a.txt", "a0", "b/c/", "b/c.x")
    assert walked(tmp_path) == [("f", b"a.txt"), ("d", b"a"), ("f", b"a0"), ("f", b"b/c.x"), ("d", b"b/c")]


def test_any_tree_comes_sorted_and_complete(tmp_path: Path) -> None:
    chance = random.Random(7)
    letters = "ab.-0~!"
    paths: set[str] = set()
    for _ in range(300):
        parts = ["".join(chance.choices(letters, k=chance.randint(2, 3))) for _ in range(chance.randint(1, 4))]
        if not any(part in ("..", ".") for part in parts):
            name = "/".join(parts)
            if not any((name + "/").startswith(other + "/") or (other + "/").startswith(name + "/") for other in paths):
                paths.add(name)
    fill(tmp_path, *paths)
    found = list(scan(os.fsencode(tmp_path)))
    assert [key(one) for one in found] == sorted(key(one) for one in found)
    assert {one.path.decode() for one in found} == paths


def test_links_are_told_never_followed(tmp_path: Path) -> None:
    needs.linux()
    fill(tmp_path, "dir/file")
    (tmp_path / "to-dir").symlink_to("dir")
    (tmp_path / "dangling").symlink_to(b"no/\xff")
    (tmp_path / "loop").symlink_to("loop")
    found = {one.path: one for one in scan(os.fsencode(tmp_path))}
    assert {path: one.kind for path, one in found.items()} == {
        b"dangling": "l",
        b"dir/file": "f",
        b"loop": "l",
        b"to-dir": "l",
    }
    assert found[b"dangling"].target == b"no/\xff"
    assert found[b"to-dir"].target == b"dir"


def test_names_of_any_bytes_are_found(tmp_path: Path) -> None:
    needs.linux()
    names = [b"\xff\xfe", b"a\nb", b'"', b"-dash", b" space ", "ü".encode(), b"*"]
    for name in names:
        (tmp_path / os.fsdecode(name)).write_bytes(b"")
    assert [path for _, path in walked(tmp_path)] == sorted(names)


def test_the_lstat_comes_with_it(tmp_path: Path) -> None:
    fill(tmp_path, "a/file", "empty/")
    found = {one.path: one for one in scan(os.fsencode(tmp_path))}
    assert found[b"a/file"].stat == os.lstat(tmp_path / "a/file")
    assert found[b"empty"].stat.st_ino == os.lstat(tmp_path / "empty").st_ino


def test_special_files_are_named_and_left_out(tmp_path: Path) -> None:
    needs.linux()
    fill(tmp_path, "a/file")
    os.mkfifo(tmp_path / "a/fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "sock"))
        heard: list[tuple[bytes, str]] = []
        assert walked(tmp_path, on_special=lambda path, what: heard.append((path, what))) == [("f", b"a/file")]
        assert walked(tmp_path) == [("f", b"a/file")]
    assert heard == [(b"a/fifo", "FIFO"), (b"sock", "socket")]


def test_our_own_temporary_files_are_never_seen(tmp_path: Path) -> None:
    fill(tmp_path, "a/file", "b/" + os.fsdecode(temp_name()), os.fsdecode(temp_name()))
    assert walked(tmp_path) == [("f", b"a/file"), ("d", b"b")]


def test_what_is_skipped_is_not_entered(tmp_path: Path) -> None:
    fill(tmp_path, "keep/a", "skip/a", "keep/skip/b", "skip.txt")
    (tmp_path / "skip" / ".git").mkdir()
    asked: list[tuple[bytes, bool]] = []

    def skip(path: bytes, is_directory: bool) -> bool:
        asked.append((path, is_directory))
        return path.endswith(b"skip")

    assert walked(tmp_path, skip=skip) == [("f", b"keep/a"), ("f", b"skip.txt")]
    assert (b"skip", True) in asked
    assert (b"skip.txt", False) in asked
    assert not any(path.startswith(b"skip/") for path, _ in asked)


@pytest.mark.parametrize("where", ["", "a/b/"])
def test_a_git_repository_inside_is_refused(tmp_path: Path, where: str) -> None:
    fill(tmp_path, where + "file")
    (tmp_path / where / ".git").mkdir()
    with pytest.raises(Refused, match="contains a git repository") as caught:
        walked(tmp_path, skip=lambda path, is_directory: path.endswith(b".git"))
    assert caught.value.path == str(tmp_path / where).rstrip("/")


def test_a_file_of_git_in_a_submodule_is_refused_too(tmp_path: Path) -> None:
    fill(tmp_path, "sub/.git")
    with pytest.raises(Refused):
        walked(tmp_path)


def test_other_dot_files_are_data(tmp_path: Path) -> None:
    fill(tmp_path, ".gitignore", ".gitattributes", ".git-x", ".datatool-tmp", ".a/.b")
    assert len(walked(tmp_path)) == 5


def test_a_top_that_is_no_directory_is_one_find(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    assert walked(tmp_path / "file") == [("f", b"")]
    needs.linux()
    (tmp_path / "link").symlink_to("file")
    assert [(one.kind, one.path, one.target) for one in scan(os.fsencode(tmp_path / "link"))] == [("l", b"", b"file")]
    os.mkfifo(tmp_path / "fifo")
    heard: list[str] = []
    assert walked(tmp_path / "fifo", on_special=lambda path, what: heard.append(what)) == []
    assert heard == ["FIFO"]


def test_a_top_that_is_missing_or_empty_is_nothing(tmp_path: Path) -> None:
    assert walked(tmp_path / "missing") == []
    assert walked(tmp_path) == []


def test_what_vanishes_meanwhile_was_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, "a/x", "b/x", "c")
    found = []
    for one in scan(os.fsencode(tmp_path)):
        found.append((one.kind, one.path))
        if one.path == b"a/x":
            (tmp_path / "b/x").unlink()
            (tmp_path / "b").rmdir()
    assert (b"b/x") not in [path for _, path in found]
    assert ("f", b"c") in found


def test_an_unreadable_directory_fails_and_does_not_look_empty(tmp_path: Path) -> None:
    needs.linux()
    fill(tmp_path, "a/file", "locked/file")
    (tmp_path / "locked").chmod(0)
    program = f"""
import os
from datatool.errors import ReadFailed
from datatool.localfs.walk import runs
try:
    list(runs(os.fsencode({str(tmp_path)!r})))
except ReadFailed as error:
    print(error, "|", error.path)
"""
    done = subprocess.run(
        [*needs.without_root_override(), sys.executable, "-c", program], capture_output=True, text=True
    )
    (tmp_path / "locked").chmod(0o700)
    locked = tmp_path / "locked"
    assert done.stdout.strip() == f"{locked}: can't be read: Permission denied | {locked}", done.stderr


def test_a_very_deep_directory_is_walked(tmp_path: Path) -> None:
    needs.linux()
    depth = 150
    path = "/".join(["d"] * depth)
    (tmp_path / path).mkdir(parents=True)
    (tmp_path / path / "file").write_bytes(b"")
    assert walked(tmp_path) == [("f", path.encode() + b"/file")]
