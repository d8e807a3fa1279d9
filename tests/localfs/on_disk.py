"""What lies in a directory, for tests that write into it."""

from __future__ import annotations

from pathlib import Path


def files(top: Path) -> dict[str, bytes]:
    """Every file below, temporary ones too."""
    return {p.relative_to(top).as_posix(): p.read_bytes() for p in sorted(top.rglob("*")) if p.is_file()}
