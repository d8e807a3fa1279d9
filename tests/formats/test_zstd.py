"""zstd: bounded, and only where it is worth it (formats §5)."""

from __future__ import annotations

import random
import threading

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from datatool.errors import FormatError, LocalError
from datatool.formats import zstd
from datatool.formats.pack import PackBuilder
from datatool.formats.zstd import available, compress_if_worth, decompress
from datatool.model.oid import ObjectId
from patience import patient

TEXT = b"year,title,artist\n" * 1000


def test_text_is_compressed_and_comes_back() -> None:
    compressed = compress_if_worth(TEXT)
    assert available() and compressed is not None and len(compressed) < len(TEXT) // 10
    assert compress_if_worth(memoryview(TEXT)) == compressed
    assert decompress(compressed, limit=len(TEXT)) == TEXT


def test_noise_is_left_as_it_is() -> None:
    noise = random.Random(1).randbytes(100_000)
    assert compress_if_worth(noise) is None
    assert compress_if_worth(b"x") is None
    assert compress_if_worth(b"") is None


def test_the_first_64_kib_decide() -> None:
    noise = random.Random(1).randbytes(64 << 10)
    assert compress_if_worth(noise + TEXT * 100) is None


def test_more_than_expected_is_refused_without_being_unpacked() -> None:
    compressed = zstandard.compress(bytes(100 << 20))
    for limit in (0, 10, (100 << 20) - 1):
        with pytest.raises(FormatError):
            decompress(compressed, limit=limit)
    unsized = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(1 << 20))
    with pytest.raises(FormatError):
        decompress(unsized, limit=1000)
    assert len(decompress(unsized, limit=1 << 20)) == 1 << 20


def test_a_claimed_size_costs_no_memory() -> None:
    frame = bytes.fromhex("28b52ffd e0") + (1 << 40).to_bytes(8, "little") + bytes.fromhex("010000")
    with pytest.raises(FormatError):
        decompress(frame, limit=1000)


def test_what_is_cut_off_is_refused() -> None:
    compressed = zstandard.compress(TEXT)
    for length in range(len(compressed)):
        with pytest.raises(FormatError):
            decompress(compressed[:length], limit=len(TEXT))


def test_threads_compress_side_by_side() -> None:
    results: list[bytes | None] = []
    threads = [threading.Thread(target=lambda: results.append(compress_if_worth(TEXT))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(results)) == 1 and len(results) == 8


def test_without_zstd_nothing_is_compressed_and_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zstd, "_engine", lambda: None)
    assert not available()
    assert compress_if_worth(TEXT) is None
    builder = PackBuilder(compress=True)
    builder.add(ObjectId("0" * 64), TEXT)
    assert builder.build(bytes).records[0].kind == 0
    with pytest.raises(LocalError) as caught:
        decompress(b"", limit=1)
    assert caught.value.hint is not None and "zstandard" in caught.value.hint


@patient
@given(st.binary(max_size=300), st.integers(0, 1000))
def test_arbitrary_bytes_are_refused_or_within_the_limit(data: bytes, limit: int) -> None:
    for candidate in (data, b"\x28\xb5\x2f\xfd" + data):
        try:
            assert len(decompress(candidate, limit=limit)) <= limit
        except FormatError:
            pass


@patient
@given(st.integers(0, 40), st.integers(1, 255))
def test_damage_is_refused_or_other_bytes_within_the_limit(at: int, flip: int) -> None:
    mutated = bytearray(zstandard.compress(TEXT))
    mutated[at % len(mutated)] ^= flip
    try:
        assert len(decompress(bytes(mutated), limit=len(TEXT))) <= len(TEXT)
    except FormatError:
        pass
