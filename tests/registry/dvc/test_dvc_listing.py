"""Lists of directories come from elsewhere: they are read as DVC writes them, and refused when they could do harm."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datatool.errors import FormatError, UnsafeInput
from datatool.formats.dvc_listing import parse_listing

MD5 = "d41d8cd98f00b204e9800998ecf8427e"
REAL = (
    b'[{"md5": "b7d2b43ca2b7c56f0257746bd3e82d4c", "relpath": "a.txt"}, '
    b'{"md5": "9d53135f39f58186a35830ea0f58a661", "relpath": "h\\u00e9llo w.txt"}, '
    b'{"md5": "1b385affd7adb5a6283fef292b5df0f7", "relpath": "sub/c.txt"}]'
)
HOSTILE = [
    *("../evil", "a/../../evil", "/tmp/evil", "..\\evil", "C:\\evil", "C:evil", "\\\\host\\share\\evil", "\\evil"),
    *(".git/hooks/post-checkout", ".GIT/config", "git~1/config", ".git::$INDEX_ALLOCATION/config", ".g\u200cit/config"),
    *(".git./config", ".git /config", ".datatool/config", ".DataTool/config", "", ".", "..", "a//b", "a/", "a/./b"),
    *("a\0b", "d/" * 10_000 + "f", "x" * 5000),
]
LITERAL = [
    "~/evil",
    "$HOME/evil",
    "%2e%2e/evil",
    "-rf",
    "a\nb",
    "invoice\u202ecsv.exe",
    "CON",
    ".gitattributes",
    "x.dvc",
]


def listing(*paths: str) -> bytes:
    return json.dumps([{"md5": MD5, "relpath": path} for path in paths]).encode()


def test_a_real_list() -> None:
    found = parse_listing(REAL, name="songs")
    assert [entry.path.decode() for entry in found] == ["a.txt", "héllo w.txt", "sub/c.txt"]


@pytest.mark.parametrize("path", HOSTILE, ids=lambda path: repr(path[:20]))
def test_paths_that_could_be_written_elsewhere_refuse_the_list(path: str) -> None:
    began = time.process_time()
    with pytest.raises(UnsafeInput):
        parse_listing(listing("fine", path), name="songs")
    assert time.process_time() - began < 5


@pytest.mark.parametrize("paths", [("a", "a"), ("a", "a/b"), ("a", "a.txt", "a/b/c"), ("d/e/f", "d")])
def test_paths_that_can_not_all_be_there_refuse_the_list(paths: tuple[str, ...]) -> None:
    with pytest.raises(UnsafeInput):
        parse_listing(listing(*paths), name="songs")


@pytest.mark.parametrize("path", LITERAL)
def test_names_that_mean_nothing_stay_what_they_are(path: str) -> None:
    assert parse_listing(listing(path), name="songs")[0].path == path.encode()


@pytest.mark.parametrize(
    "data",
    [
        *(
            b"",
            b"{}",
            b"42",
            b"null",
            b"[1]",
            b"[null]",
            b"[[]]",
            b"\xff",
            b"[" * 100_000,
            b'[{"md5": "ab", "relpath": "a"}]',
        ),
        *(
            b'[{"relpath": "a"}]',
            b'[{"md5": "%s"}]' % MD5.encode(),
            b'[{"md5": 1, "relpath": "a"}]',
            b"<!DOCTYPE html>",
        ),
        *(b'[{"md5": "%s", "relpath": "a", "relpath": "b"}]' % MD5.encode(), b'[{"md5": NaN, "relpath": "a"}]'),
        *(b'[{"md5": "%s", "relpath": "\\ud800"}]' % MD5.encode(), '[{"md5": "１", "relpath": "a"}]'.encode()),
        *(b'[{"md5": "../../../../etc/passwd", "relpath": "a"}]', b'[{"md5": "%s\\n", "relpath": "a"}]' % MD5.encode()),
    ],
    ids=lambda data: repr(data[:16]),
)
@pytest.mark.usefixtures("without_collection")
def test_what_is_no_list_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse_listing(data, name="songs")


def test_keys_in_another_order_and_more_of_them_are_read() -> None:
    data = b'[{"relpath": "b", "size": 3, "md5": "%s"}, {"md5": "%s", "relpath": "a"}]' % ((MD5.upper().encode(),) * 2)
    assert [tuple(entry) for entry in parse_listing(data, name="songs")] == [(b"a", MD5), (b"b", MD5)]


def test_a_name_that_is_no_text_comes_through() -> None:
    assert parse_listing(listing("bad\udcff"), name="songs")[0].path == b"bad\xff"


@given(st.lists(st.text(alphabet="abc/", min_size=1, max_size=6), max_size=8))
def test_what_is_taken_can_all_lie_in_one_directory(paths: list[str]) -> None:
    try:
        found = parse_listing(listing(*paths), name="songs")
    except UnsafeInput:
        return
    assert sorted(paths) == [entry.path.decode() for entry in found]
    assert not any(
        other.startswith(path + "/") or path.startswith("/") or path.endswith("/") for path in paths for other in paths
    )
