"""`.gitattributes` as git reads them: git itself is asked what is right."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datatool.formats.git_attributes import Attributes
from repositories import git, repository, write


def value(text: str, path: str) -> object:
    return Attributes(b"filter", {b"": text.encode()}).value(path.encode())


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("*.bin filter=lfs", "a.bin", b"lfs"),
        ("*.bin filter=lfs", "deep/down/a.bin", b"lfs"),
        ("*.bin filter=lfs", "a.bin.txt", None),
        ("/*.bin filter=lfs", "a.bin", b"lfs"),
        ("/*.bin filter=lfs", "deep/a.bin", None),
        ("data/** filter=lfs", "data/x/y", b"lfs"),
        ("data filter=lfs", "data/x", None),
        ("data/ filter=lfs", "data/x", None),
        ("a/**/b filter=lfs", "a/b", b"lfs"),
        ("*.bin filter=lfs\n*.bin -filter", "a.bin", False),
        ("*.bin filter=lfs\na.bin !filter", "a.bin", None),
        ("*.bin filter=lfs\n# *.bin -filter", "a.bin", b"lfs"),
        ('"a b.bin" filter=lfs', "a b.bin", b"lfs"),
        ('"\\303\\244.bin" filter=lfs', "ä.bin", b"lfs"),
        ("a[[:space:]]b.bin filter=lfs", "a b.bin", b"lfs"),
        ("[attr]big filter=lfs -text\n*.bin big", "a.bin", b"lfs"),
        ("[attr]big filter=lfs\n*.bin big\na.bin -big", "a.bin", None),
        ("!*.txt filter=lfs", "a.bin", None),
        ("*.bin\tfilter=lfs   diff=lfs\r", "a.bin", b"lfs"),
        ("*.BIN filter=lfs", "a.bin", None),
        ("*.bin =x filter=lfs", "a.bin", None),
        ("\ufeff*.bin filter=lfs", "a.bin", b"lfs"),
        ("x" * 2048 + " filter=lfs", "x" * 2048, None),
    ],
)
def test_lines_say_what_git_takes_them_for(text: str, path: str, expected: object) -> None:
    assert value(text, path) == expected


def test_the_nearest_file_has_the_last_word() -> None:
    found = Attributes(b"filter", {b"": b"*.bin filter=lfs", b"raw": b"*.bin -filter", b"raw/big": b"* filter=lfs"})
    assert found.value(b"a.bin") == b"lfs"
    assert found.value(b"raw/a.bin") is False
    assert found.value(b"raw/other/a.bin") is False
    assert found.value(b"raw/big/a.bin") == b"lfs"
    assert found.value(b"rawer/a.bin") == b"lfs"


def test_a_tree_without_the_attribute_is_known_for_it() -> None:
    assert not Attributes(b"filter", {b"": b"*.txt text eol=lf\n*.png binary"})


@pytest.mark.parametrize("pattern", ["*a" * 300 + "b", "**/a/" * 200 + "b", "**/*a*/" * 200 + "z", "[" * 1000])
def test_no_pattern_takes_long(pattern: str) -> None:
    begun = time.process_time()
    for path in ("a" * 4000, "a/" * 2000 + "a", "xa/" * 1000 + "a"):
        value(f"{pattern} filter=lfs", path)
    assert time.process_time() - begun < 5


WORDS = "a b c * ** *** ? / / [ab] [!a] [^b] \\a \\* [a-c] [[:alpha:]] []a] [a-] [-a] [ ] [[:x:]] [\\]a] [a/b] -"
PATTERNS = st.lists(st.sampled_from(WORDS.split()), min_size=1, max_size=6).map("".join)
SAID = "filter=lfs,-filter,!filter,filter,filter=x,m,-m,!m,text,filter=lfs -m,m filter=y,n -text"
STATES = st.sampled_from(SAID.split(","))
LINES = st.lists(st.tuples(PATTERNS, STATES).map(" ".join), max_size=4)
NAMES = st.sampled_from(["a", "b", "c", "ab", "abc", "ca", "*", "]", "-", "[", "a*"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
MACROS = st.sampled_from([[], ["[attr]m filter=lfs -text"], ["[attr]n m", "[attr]m filter=lfs"]])


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return repository(tmp_path_factory.mktemp("attributes"))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(macros=MACROS, top=LINES, inner=LINES, deep=LINES, paths=st.sets(PATHS, min_size=1, max_size=20))
def test_git_itself_says_the_same(
    tree: Path, macros: list[str], top: list[str], inner: list[str], deep: list[str], paths: set[str]
) -> None:
    files = {b"": "\n".join([*macros, *top]), b"a": "\n".join(inner), b"a/b": "\n".join(deep)}
    for where, text in files.items():
        write(tree, where + b"/.gitattributes" if where else b".gitattributes", text.encode())
    asked = "".join(f"{path}\0" for path in sorted(paths)).encode()
    fields = git(tree, "check-attr", "-z", "--stdin", "filter", input=asked).split(b"\0")
    expected = {fields[at]: fields[at + 2] for at in range(0, len(fields) - 2, 3)}
    attributes = Attributes(b"filter", {where: text.encode() for where, text in files.items()})
    words = {None: b"unspecified", True: b"set", False: b"unset"}
    for path in paths:
        found = attributes.value(path.encode())
        assert (found if isinstance(found, bytes) else words[found]) == expected[path.encode()], path
