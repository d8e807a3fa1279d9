"""Tools that some tests need. A missing one skips the test by name; with CI=true it fails it."""

from __future__ import annotations

import os
import shutil
import sys
from typing import NoReturn

import pytest

ON_CI = "PYTEST_ON_CI"
"""What `CI` was when the tests began; they run without it, as at somebody's desk."""


def in_ci() -> bool:
    return os.environ.get(ON_CI, "").lower() in {"1", "true", "yes"}


def lacking(what: str) -> NoReturn:
    """Stop this test because `what` is not on this machine."""
    if in_ci():
        pytest.fail(f"needs {what}, and CI must not skip it", pytrace=False)
    pytest.skip(f"needs {what}")


def tool(name: str) -> str:
    """The path of a program that the test can't do without."""
    found = shutil.which(name)
    if found is None:
        lacking(name)
    return found


def linux() -> None:
    """Skip what tests a facility of Linux; no tool would help elsewhere."""
    if sys.platform != "linux":
        pytest.skip("tests a facility of Linux")


def without_root_override() -> list[str]:
    """A prefix for a command that must meet permission bits as an ordinary user does; empty for an ordinary user."""
    if sys.platform == "win32" or os.geteuid() != 0:
        return []
    drop = "-dac_override,-dac_read_search"
    return [tool("setpriv"), f"--bounding-set={drop}", f"--inh-caps={drop}"]
