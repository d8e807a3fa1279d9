"""Golden bytes as annotated hex: `#` starts a comment, a line in single quotes stands for its text's bytes."""

from __future__ import annotations

from pathlib import Path


def read_hex(path: Path) -> bytes:
    """The bytes that a hex file spells."""
    data = b""
    for line in path.read_text(encoding="utf-8").splitlines():
        data += line[1:-1].encode() if line.startswith("'") else bytes.fromhex(line.partition("#")[0])
    return data
