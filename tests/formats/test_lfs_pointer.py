"""Pointers of Git LFS: what is one, and what is an ordinary file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datatool.formats.lfs_pointer import LFS_POINTER_LIMIT, LfsPointer, parse_lfs_pointer
from datatool.model.oid import ObjectId

OID = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393"
VERSION = "version https://git-lfs.github.com/spec/v1\n"
PLAIN = f"{VERSION}oid sha256:{OID}\nsize 12345\n"


def test_the_example_of_the_format_is_read() -> None:
    assert parse_lfs_pointer(PLAIN.encode()) == LfsPointer(oid=ObjectId(OID), size=12345)


def test_extensions_are_told_in_their_order() -> None:
    text = f"{VERSION}ext-0-foo sha256:{OID}\next-1-bar sha256:{OID}\noid sha256:{OID}\nsize 1\n"
    found = parse_lfs_pointer(text.encode())
    assert found is not None
    assert found.extensions == ("foo", "bar")


@pytest.mark.parametrize(
    "text",
    [
        PLAIN.replace("\n", "\r\n"),
        PLAIN.rstrip("\n"),
        PLAIN.replace("https://git-lfs.github.com/spec/v1", "https://hawser.github.com/spec/v1"),
        PLAIN.replace("https://git-lfs.github.com/spec/v1", "http://git-media.io/v/2"),
        PLAIN.replace("12345", str((1 << 63) - 1)),
        PLAIN.replace("12345", "0"),
    ],
)
def test_what_git_lfs_reads_is_read(text: str) -> None:
    assert parse_lfs_pointer(text.encode()) is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "version",
        VERSION,
        PLAIN.replace("spec/v1", "spec/v2"),
        PLAIN.replace("spec/v1", "spec/v1 "),
        PLAIN.replace("sha256:", "sha512:"),
        PLAIN.replace("sha256:", "md5:"),
        PLAIN.replace(OID, OID.upper()),
        PLAIN.replace(OID, OID + "0"),
        PLAIN.replace(OID, OID[:-1]),
        PLAIN.replace(OID, "../../../../etc/passwd"),
        PLAIN.replace("12345", "-1"),
        PLAIN.replace("12345", "1.5"),
        PLAIN.replace("12345", "1_0"),
        PLAIN.replace("12345", "٣"),
        PLAIN.replace("12345", str(1 << 63)),
        PLAIN.replace("12345", ""),
        PLAIN.replace("size 12345", "size  12345"),
        f"{VERSION}size 1\noid sha256:{OID}\n",
        f"oid sha256:{OID}\nsize 1\n{VERSION}",
        f"{PLAIN}size 2\n",
        f"{PLAIN}zzz more\n",
        f"{VERSION}aaa first\noid sha256:{OID}\nsize 1\n",
        f"{VERSION}ext-1-b sha256:{OID}\next-0-a sha256:{OID}\noid sha256:{OID}\nsize 1\n",
        f"{VERSION}ext-0-a nothing\noid sha256:{OID}\nsize 1\n",
        f"{VERSION}ext-10-a sha256:{OID}\noid sha256:{OID}\nsize 1\n",
        f" {PLAIN}",
        f"\n{PLAIN}",
        f"# a comment\n{PLAIN}",
        PLAIN + "\n" * LFS_POINTER_LIMIT,
        PLAIN.replace("\nsize", "\r\rsize"),
    ],
)
def test_anything_else_is_an_ordinary_file(text: str) -> None:
    assert parse_lfs_pointer(text.encode()) is None


def test_a_pointer_of_the_largest_size_is_read_and_one_byte_more_is_not() -> None:
    lines = [f"ext-{number}-{'x' * 40} sha256:{OID}" for number in range(6)]
    filler = LFS_POINTER_LIMIT - len("\n".join([VERSION.strip(), *lines, f"oid sha256:{OID}", "size 1", ""]))
    lines[-1] = f"ext-5-{'x' * (40 + filler)} sha256:{OID}"
    text = "\n".join([VERSION.strip(), *lines, f"oid sha256:{OID}", "size 1", ""])
    assert len(text) == LFS_POINTER_LIMIT
    assert parse_lfs_pointer(text.encode()) is not None
    assert parse_lfs_pointer(text.encode() + b"\n") is None


@given(st.binary(max_size=1100))
def test_no_bytes_make_it_fail(data: bytes) -> None:
    found = parse_lfs_pointer(b"version https://git-lfs.github.com/spec/v1\n" + data)
    assert found is None or found.size >= 0


@given(
    st.binary(min_size=32, max_size=32),
    st.integers(min_value=0, max_value=(1 << 63) - 1),
    st.lists(st.from_regex(r"[a-z0-9_]{1,8}", fullmatch=True), max_size=9),
)
def test_what_is_written_by_the_rules_is_read(digest: bytes, size: int, extensions: list[str]) -> None:
    lines = [f"ext-{number}-{name} sha256:{OID}" for number, name in enumerate(extensions)]
    text = VERSION + "".join(f"{line}\n" for line in [*lines, f"oid sha256:{digest.hex()}", f"size {size}"])
    expected = LfsPointer(oid=ObjectId(digest.hex()), size=size, extensions=tuple(extensions))
    assert parse_lfs_pointer(text.encode()) == (expected if len(text) <= LFS_POINTER_LIMIT else None)


@given(st.data())
def test_one_changed_byte_gives_another_pointer_or_none(data: st.DataObject) -> None:
    text = bytearray(PLAIN.encode())
    at = data.draw(st.integers(min_value=0, max_value=len(text) - 1))
    byte = data.draw(st.integers(min_value=0, max_value=255).filter(lambda value: value != text[at]))
    text[at] = byte
    found = parse_lfs_pointer(bytes(text))
    if at == len(text) - 1 and byte in b" \t\r\v\f":
        return  # the end of the last line is not part of it
    assert found != parse_lfs_pointer(PLAIN.encode())
