"""Which paths are refused, which are warned of, and how paths are shown (formats §3)."""

from __future__ import annotations

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datatool.model.paths import (
    PathRefused,
    check_escape,
    check_escapes,
    check_link,
    is_temp_name,
    portability_problems,
    show,
    show_bytes,
)
from patience import patient

REFUSED = [
    b"",
    b"/a",
    b"a//b",
    b"a/",
    b".",
    b"..",
    b"./a",
    b"a/./b",
    b"a/..",
    b"../a",
    b"a/../b",
    b"a\\..\\b",
    b"..\\a",
    b"\\a",
    b"\\\\server\\share",
    b"c:a",
    b"C:/a",
    b"a\0b",
    b".git",
    b".git/config",
    b"a/.git/config",
    b"a/.GIT/hooks",
    b".Git",
    b"git~1",
    b"a/GIT~1/config",
    b".git ",
    b".git.",
    b".git . .",
    b".git::$INDEX_ALLOCATION",
    b".git:x",
    b"a\\.git\\config",
    b".g\xe2\x80\x8cit",
    b"\xef\xbb\xbf.git",
    b".git\xe2\x81\xaf",
    b".datatool",
    b"a/.DataTool/config.yaml",
    b"DATATO~1",
    b".datatool-tmp-0123456789abcdef",
    b"a/.datatool-tmp-0123456789abcdef/b",
]

ALLOWED = [
    b"a",
    b"a/b/c",
    b".gitignore",
    b".gitattributes",
    b"a/.gitmodules",
    b".datatoolignore",
    b".datatool-tmp-x",
    b"git",
    b"a.git",
    b"git~10",
    b"...",
    b"..a",
    b"a..",
    b"a\\b",
    b"-rf",
    b" ",
    b"a\nb",
    b"\xff\xfe",
    b"ab:c",
    b"1:a",
    b"\xe2\x80\x8c",
    b"x.dt",
]


@pytest.mark.parametrize("path", REFUSED, ids=repr)
def test_a_path_that_could_leave_its_place_is_refused(path: bytes) -> None:
    with pytest.raises(PathRefused) as caught:
        check_escape(path)
    assert caught.value.reason and caught.value.path == path
    with pytest.raises(PathRefused):
        check_escapes([b"first", path, b"last"])


@pytest.mark.parametrize("path", ALLOWED, ids=repr)
def test_an_unusual_name_is_no_reason_to_refuse(path: bytes) -> None:
    check_escape(path)
    check_escapes([b"first", path, b"last"])


_PIECES = st.sampled_from(
    [
        b"a",
        b"b.txt",
        b"/",
        b"\\",
        b".",
        b"..",
        b".git",
        b"GIT~1",
        b" ",
        b":",
        b"\n",
        b"\0",
        b"\xe2\x80\x8c",
        b"C:",
        b"\xff",
    ]
)


@patient
@given(st.lists(st.lists(_PIECES, max_size=6).map(b"".join), min_size=1, max_size=5))
def test_many_paths_at_once_are_judged_as_one_by_one(paths: list[bytes]) -> None:
    def refused(path: bytes) -> bool:
        try:
            check_escape(path)
        except PathRefused:
            return True
        return False

    try:
        check_escapes(paths)
    except PathRefused as error:
        assert error.path == next(filter(refused, paths))
    else:
        assert not any(map(refused, paths))


@pytest.mark.parametrize(
    ("path", "target"),
    [
        (b"l", b"a"),
        (b"l", b"a/b"),
        (b"l", b"./a"),
        (b"d/l", b"../a"),
        (b"d/l", b".."),
        (b"d/e/l", b"../../a/b"),
        (b"l", b"missing"),
        (b"l", b"caf\xe9"),
        (b"l", b"..a"),
    ],
    ids=repr,
)
def test_a_link_that_stays_inside_is_allowed(path: bytes, target: bytes) -> None:
    check_link(path, target)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        (b"l", b""),
        (b"l", b".."),
        (b"l", b"../a"),
        (b"d/l", b"../../a"),
        (b"d/l", b"../../d/a"),
        (b"l", b"a/.."),
        (b"d/l", b"a/../../b"),
        (b"d/l", b"./../a"),
        (b"l", b"/etc/passwd"),
        (b"l", b"\\etc"),
        (b"l", b"C:a"),
        (b"l", b"..\\a"),
        (b"l", b"a\\..\\..\\b"),
        (b"l", b"a\0b"),
        (b"l", b".git/hooks"),
    ],
    ids=repr,
)
def test_a_link_that_could_lead_outside_is_refused(path: bytes, target: bytes) -> None:
    with pytest.raises(PathRefused):
        check_link(path, target)


_NAMES = st.sampled_from([b"a", b"b", b"..", b".", b""])


@patient
@given(st.lists(st.sampled_from([b"a", b"b"]), min_size=1, max_size=4), st.lists(_NAMES, max_size=7))
def test_no_allowed_link_points_above_the_top(at: list[bytes], names: list[bytes]) -> None:
    path, target = b"/".join(at), b"/".join(names)
    try:
        check_link(path, target)
    except PathRefused:
        return
    # Whatever directory inside the tree a name leads to through another link, no `..` follows it.
    reached = posixpath.normpath(posixpath.join(b"/top", posixpath.dirname(path), target))
    assert reached == b"/top" or reached.startswith(b"/top/")
    rest = [name for name in names if name not in (b".", b"")]
    assert rest == sorted(rest, key=lambda name: name != b"..")


def test_own_temporary_names_are_known() -> None:
    assert is_temp_name(b".datatool-tmp-0123456789abcdef")
    assert not is_temp_name(b".datatool-tmp-0123456789abcdef0")
    assert not is_temp_name(b".datatool-tmp-0123456789ABCDEF")
    assert not is_temp_name(b"x.datatool-tmp-0123456789abcdef")


@pytest.mark.parametrize(
    "path",
    [
        b"con",
        b"a/NUL.txt",
        b"aux",
        b"lpt1.x",
        b"COM\xc2\xb9",
        b"a:b",
        b"a?",
        b"a|b",
        b"a\\b",
        b"x.",
        b"d./x",
        b"x ",
        b"\xff",
        b"a\nb",
    ],
    ids=repr,
)
def test_a_name_that_some_filesystem_cannot_hold_is_named(path: bytes) -> None:
    assert [found for found, _ in portability_problems([b"before", path, b"zz"])] == [path]


@pytest.mark.parametrize("path", [b"console", b"a/com10", b"x.con", b".x", b"na\xc3\xafve", b"a b", b"com"], ids=repr)
def test_a_portable_name_is_not_named(path: bytes) -> None:
    assert list(portability_problems([b"before", path])) == []


def test_names_that_differ_only_in_case_or_composition_are_named() -> None:
    paths = [b"Readme", b"caf\xc3\xa9", b"cafe\xcc\x81", b"readme"]
    assert [path for path, _ in portability_problems(paths)] == [b"cafe\xcc\x81", b"readme"]


def test_files_in_directories_that_differ_only_in_case_are_named() -> None:
    assert [path for path, _ in portability_problems([b"Data/x", b"data/y", b"other"])] == [b"data/y"]
    assert [path for path, _ in portability_problems([b"Data", b"data/y"])] != []


def test_a_collision_is_found_however_far_the_two_lie_apart() -> None:
    paths = [b"A/x", *(b"b/%05d" % number for number in range(10_000)), b"b/zz", b"c", b"a"]
    assert [path for path, _ in portability_problems(paths)] == [b"a"]


def test_a_very_deep_path_is_no_problem() -> None:
    assert list(portability_problems([b"d/" * 3000 + b"x"])) == []


def test_a_path_is_shown_without_anything_that_acts_on_a_terminal() -> None:
    assert show("plain naïve 文.txt") == "plain naïve 文.txt"
    assert show("a\x1b[2J\u202eb\u00a0") == "a\\x1b[2J\\u202eb\\u00a0"
    assert show_bytes(b"caf\xe9\n\t") == "caf\\xe9\\n\\t"
    assert show("\U000e0041") == "\\U000e0041"


@patient
@given(st.binary(max_size=40))
def test_whatever_is_shown_is_printable(path: bytes) -> None:
    assert show_bytes(path).isprintable()
