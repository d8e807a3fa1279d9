"""A repository to begin with."""

from __future__ import annotations

from pathlib import Path

import pytest

from repositories import repository


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """An empty repository."""
    return repository(tmp_path / "r")
