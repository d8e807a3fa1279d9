"""Taking Git LFS out of a `.gitattributes`, with everything else as it was."""

from __future__ import annotations

import pytest

from datatool.formats.git_attributes import Attributes
from datatool.formats.git_attributes_edit import lfs_macros, names_lfs, with_overrides, without_lfs

LINE = b"*.bin filter=lfs diff=lfs merge=lfs -text"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (LINE + b"\n", b""),
        (LINE, b""),
        (b"# why\r\n" + LINE + b"\r\n*.sh eol=lf\r\n", b"# why\r\n*.sh eol=lf\r\n"),
        (b'"a b/*.bin" filter=lfs diff=lfs whitespace=-all\n', b'"a b/*.bin" whitespace=-all\n'),
        (b"*.bin lockable filter=lfs\n", b""),
        (b"*.bin -filter\n*.x filter=other\n", b"*.bin -filter\n*.x filter=other\n"),
        (b"#" + LINE + b"\n\n", b"#" + LINE + b"\n\n"),
        (b"", b""),
    ],
)
def test_only_the_words_of_lfs_go(text: bytes, left: bytes) -> None:
    assert without_lfs(text) == left
    assert not names_lfs(left)


def test_a_line_stays_while_anything_that_it_matches_is_in_lfs() -> None:
    text = LINE + b"\ndata/** filter=lfs -text\n"
    assert without_lfs(text, left=[b"data/deep/a.csv"]) == b"data/** filter=lfs -text\n"
    assert without_lfs(text, left=[b"sub/a.bin"]) == LINE + b"\n"


def test_files_that_git_keeps_are_no_more_text_than_before() -> None:
    assert without_lfs(LINE + b"\n", plain=[b"plain.bin"]) == b"*.bin -text\n"


def test_macros_go_when_no_line_needs_them() -> None:
    text = b"[attr]big filter=lfs -text\n*.bin big\n*.dat big eol=lf\n"
    assert lfs_macros(text) == {b"big"}
    assert without_lfs(text, macros=[b"big"]) == b"*.dat eol=lf\n"
    assert without_lfs(text, macros=[b"big"], left=[b"a.bin"]) == (
        b"[attr]big filter=lfs -text\n*.bin big\n*.dat eol=lf\n"
    )


def test_overrides_keep_pointers_out_of_lfs_and_go_with_its_lines() -> None:
    text = with_overrides(b"data/** filter=lfs")
    attributes = Attributes(b"filter", {b"": text})
    assert attributes.value(b"data/a.csv") == b"lfs"
    assert attributes.value(b"data/a.csv.dt") is None
    assert attributes.value(b"data/.gitignore") is None
    assert with_overrides(without_lfs(text, left=[b"data/a.csv"])) == text
    assert without_lfs(text) == b""
