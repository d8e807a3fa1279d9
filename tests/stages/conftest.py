"""Projects of code that are loaded."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from code_files import written
from loading import FILES, Loader


@pytest.fixture
def loader(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loader]:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader = Loader(monkeypatch)
    yield loader
    loader.forget()


@pytest.fixture
def clean(tmp_path: Path, loader: Loader) -> Any:
    return loader.load(written(tmp_path, FILES)).clean
