"""zstd, where this Python has it: an optional package, or part of the standard library from 3.14 on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Final

from datatool.errors import FormatError, LocalError
from datatool.forks import load_module

PROBE: Final = 64 << 10
"""So many bytes at the start of an object tell whether compressing it is worth the time."""
LEVEL: Final = 3

_local = threading.local()  # a compressor serves one thread at a time and is dear to make


def available() -> bool:
    """Whether objects can be compressed and decompressed here."""
    return _engine() is not None


def compress_if_worth(data: bytes | memoryview) -> bytes | None:
    """An object's bytes compressed, or None where that saves too little, or can't be done here.

    It is worth it if a quick try on the first 64 KiB saves more than 10 % (formats §5).
    """
    if not available():
        return None
    head = data[:PROBE]
    if len(_compressor(1)(head)) * 10 >= len(head) * 9:
        return None
    compressed = _compressor(LEVEL)(data)
    return compressed if len(compressed) < len(data) else None


def decompress(data: bytes, *, limit: int) -> bytes:
    """The bytes that were compressed, of which there must be no more than `limit`: memory is bounded by it.

    Raises FormatError for more and for damage, LocalError where there is no zstd.
    """
    engine = _engine()
    if engine is None:
        raise LocalError(
            "an object is compressed with zstd, which this Python lacks",
            hint="python -m pip install zstandard",
        )
    try:
        read = _by_package if engine.__name__ == "zstandard" else _by_library
        result = read(engine, data, limit)
    except engine.ZstdError as error:
        raise FormatError(f"zstd: damaged: {error}") from error
    if len(result) > limit:
        raise FormatError(f"zstd: holds more than the {limit} bytes expected")
    return result


@cache
def _engine() -> ModuleType | None:
    """The one door to either implementation, opened at the first use: neither is needed to start."""
    for name in ("zstandard", "compression.zstd"):
        try:
            return load_module(name)
        except ImportError:
            continue
    return None


def _compressor(level: int) -> Callable[[bytes | memoryview], bytes]:
    made: dict[int, Callable[[bytes | memoryview], bytes]] | None = getattr(_local, "made", None)
    if made is None:
        made = _local.made = {}
    if level not in made:
        engine = _engine()
        assert engine is not None
        if engine.__name__ == "zstandard":
            made[level] = engine.ZstdCompressor(level=level).compress
        else:
            made[level] = lambda data: engine.compress(data, level)
    return made[level]


def _by_package(engine: ModuleType, data: bytes, limit: int) -> bytes:
    # `max_output_size` counts only where the data doesn't claim a size, so the claim is looked at first.
    if engine.frame_content_size(data) > limit:
        raise FormatError(f"zstd: holds more than the {limit} bytes expected")
    result: bytes = engine.ZstdDecompressor().decompress(data, max_output_size=limit + 1, allow_extra_data=False)
    return result


def _by_library(engine: ModuleType, data: bytes, limit: int) -> bytes:
    decompressor = engine.ZstdDecompressor()
    result: bytes = decompressor.decompress(data, max_length=limit + 1)
    if (not decompressor.eof and len(result) <= limit) or decompressor.unused_data:
        raise FormatError("zstd: is cut off, or goes on behind its end")
    return result
