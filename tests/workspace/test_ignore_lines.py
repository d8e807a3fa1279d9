"""Lines in `.gitignore`, judged by git itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datatool.workspace.ignore_lines import (
    add_line,
    add_lines,
    append_lines,
    escape_name,
    has_line,
    remove_line,
    sort_lines,
)
from needs import tool
from patience import patient

ODD = [
    b"songs", b"a b", b"trail ", b"two  ", b" lead", b"#hash", b"!bang", b"star*", b"what?", b"[set]", b"a]b", b"{a,b}",
    b"back\\slash", b"end\\", b"end\\ ", b"line\nbreak", b"carriage\r", b"\n", b"tab\t", b"tab\t ", b'quo"te', b"-dash",
    b"\xff\xfe", "weiß".encode(), b"**", b"a**b", b"$HOME", b"~", b"a:b", b"...", b"\\*", b"a\\", b"\x01", b"x.csv",
]  # fmt: skip


def test_git_ignores_exactly_what_each_line_names(tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("these names need a POSIX filesystem")
    git = tool("git")
    subprocess.run([git, "init", "-q", str(tmp_path)], check=True)
    for name in ODD:
        (tmp_path / ".gitignore").write_bytes(add_line(b"", name))
        os.mkdir(os.path.join(os.fsencode(tmp_path), b"directory"))
        asked = [name, name + b"/inner", name + b".dt", b"x" + name, name + b"x", b"directory/" + name]
        done = subprocess.run(
            [git, "-C", str(tmp_path), "check-ignore", "--no-index", "-z", "--stdin"],
            input=b"\0".join(asked) + b"\0",
            capture_output=True,
        )
        assert done.stdout.split(b"\0")[:-1] == [name, name + b"/inner"], name
        os.rmdir(os.path.join(os.fsencode(tmp_path), b"directory"))


def test_lines_are_inserted_sorted() -> None:
    text = b""
    for name in (b"m", b"b", b"z", b"a"):
        text = add_line(text, name)
    assert text == b"/a\n/b\n/m\n/z\n"


def test_the_users_own_lines_and_their_order_stay() -> None:
    text = b"# mine\n*.tmp\n/zebra\n/build\n\n# data\n/b\n/d\n\n*.log\n"
    assert add_line(text, b"c") == b"# mine\n*.tmp\n/zebra\n/build\n\n# data\n/b\n/c\n/d\n\n*.log\n"
    assert add_line(text, b"e") == b"# mine\n*.tmp\n/zebra\n/build\n\n# data\n/b\n/d\n/e\n\n*.log\n"
    assert add_line(b"*.log", b"a") == b"*.log\n/a\n"


def test_a_line_never_lands_above_one_that_takes_it_back() -> None:
    assert add_line(b"/b\n!/d*\n*.log\n", b"data") == b"/b\n!/d*\n*.log\n/data\n"
    assert add_line(b"!/d*\n/b\n", b"data") == b"!/d*\n/b\n/data\n"


@pytest.mark.parametrize("text", [b"", b"*.tmp\n", b"/z\n/b\n", b"/a\n/c\n", b"/a\n!/a\n", b"/a\n*.x\n", b"/a"])
def test_many_lines_at_once_are_as_one_after_the_other(text: bytes) -> None:
    names = [b"m", b"a", b"zz", b"0", b"m"]
    expected = text
    for name in names:
        expected = add_line(expected, name)
    assert add_lines(text, names) == expected


def test_adding_twice_changes_nothing_and_windows_line_ends_stay() -> None:
    text = b"*.tmp\r\n/b\r\n"
    assert add_line(text, b"b") == text
    assert add_line(text, b"a") == b"*.tmp\r\n/a\r\n/b\r\n"
    assert add_line(b"/b", b"b") == b"/b"


def test_removing_takes_the_line_and_nothing_else() -> None:
    assert remove_line(b"# a\n/a\na\n/a/\n/ab\n/a", b"a") == b"# a\na\n/a/\n/ab\n"
    assert remove_line(b"/a\n", b"a") == b""
    assert remove_line(b"/a\r\n/b\r\n", b"a") == b"/b\r\n"
    assert remove_line(b"", b"a") == b""


texts = st.lists(st.sampled_from([b"", b"# c", b"*.x", b"/a", b"/m", b"/b/", b"!/a", b"a", b"/z\r"])).map(b"\n".join)


@patient
@given(texts, st.binary(min_size=1, max_size=5).filter(lambda name: b"\0" not in name and b"/" not in name))
def test_a_line_can_be_added_to_any_text_and_removed_again(text: bytes, name: bytes) -> None:
    added = add_line(text, name)
    assert has_line(added, name)
    assert add_line(added, name) == added
    removed = remove_line(added, name)
    assert not has_line(removed, name)
    if not has_line(text, name):
        ended = text if not text or text.endswith(b"\n") else text + (b"\r\n" if b"\r\n" in text else b"\n")
        assert removed == ended
        assert len(added) == len(ended) + len(escape_name(name)) + (2 if b"\r\n" in text else 1)


@patient
@given(
    st.lists(st.sampled_from([b"/a", b"/b", b"/c", b"*.tmp", b"!/b", b"# mine", b""])),
    st.lists(st.sampled_from([b"a", b"b", b"bb", b"c", b"d"]), unique=True),
    st.sampled_from([b"\n", b"\r\n"]),
)
def test_lines_put_at_the_end_for_now_are_sorted_in_as_if_they_had_been_at_once(
    lines: list[bytes], names: list[bytes], ending: bytes
) -> None:
    text = b"".join(line + ending for line in lines)
    new = [name for name in names if not has_line(text, name)]
    for_now = append_lines(text, names)
    assert for_now.startswith(text)
    assert all(has_line(for_now, name) for name in names)
    assert sort_lines(for_now, new) == add_lines(text, new)
    assert append_lines(for_now, names) == for_now
