"""The three hashes that DVC may have given to the same bytes."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datatool.formats.dvc_file import Md5
from datatool.registry.dvc.md5 import CHUNK, Md5Check, is_content_of

TEXT = b"line\r\n"


def plain(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def found(data: bytes, *, step: int = CHUNK) -> tuple[str, ...]:
    check = Md5Check(legacy=True)
    for start in range(0, len(data), step):
        check.update(data[start : start + step])
    return check.found()


def test_text_of_old_was_hashed_with_unix_line_ends() -> None:
    assert found(b"dos\r\nline\r\n") == (plain(b"dos\r\nline\r\n"), *[plain(b"dos\nline\n")] * 2)


def test_a_pair_that_straddles_two_chunks_stays() -> None:
    data = b"x" * (CHUNK - 1) + b"\r\n" + b"y\r\n"
    assert found(data)[1] == plain(b"x" * (CHUNK - 1) + b"\r\n" + b"y\n")


def test_text_is_told_by_the_first_bytes_of_the_file_or_by_those_of_each_chunk() -> None:
    first, second = TEXT * (CHUNK // 6) + b"12\r\n", b"\0\r\n" + bytes(100)
    data = first[:CHUNK] + second
    head = first[:CHUNK].replace(b"\r\n", b"\n")
    assert found(data)[1:] == (plain(head + second.replace(b"\r\n", b"\n")), plain(head + second))


@pytest.mark.parametrize("data", [b"", b"\0\r\n", b"\x01" * 31 + b"a" * 69 + b"\r\n"])
def test_what_is_no_text_is_hashed_as_it_is(data: bytes) -> None:
    assert set(found(data)) == {plain(data)}


def test_a_new_hash_is_of_the_bytes_alone() -> None:
    assert not is_content_of(b"a\r\n", Md5(digits=plain(b"a\n")))
    assert is_content_of(b"a\r\n", Md5(digits=plain(b"a\n"), legacy=True))
    assert is_content_of(b"a\r\n", Md5(digits=plain(b"a\r\n"), legacy=True))


@given(st.binary(max_size=64), st.integers(1, 64))
def test_the_pieces_do_not_matter(data: bytes, step: int) -> None:
    assert found(data, step=step) == found(data)
