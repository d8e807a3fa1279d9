"""What the tests of the DVC reader share."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry.dvc.dvc_world import Place, Project, unpack


@pytest.fixture(scope="session")
def made_by_dvc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fixtures, unpacked once; tests do not change them."""
    return unpack(tmp_path_factory.mktemp("made-by-dvc"))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "user")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.make(tmp_path)
