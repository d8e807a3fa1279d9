"""Where the programs of the servers are."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

import needs

_ADMINISTRATORS = ("/usr/local/sbin", "/usr/sbin", "/sbin")
"""Where Debian has its servers, and where the PATH of an ordinary user does not lead."""


def find(name: str) -> str | None:
    """The absolute path of a program; those that pip installed lie beside the interpreter."""
    places = (str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath), *_ADMINISTRATORS)
    return shutil.which(name, path=os.pathsep.join(places))


def only_on_linux() -> None:
    """Servers are tied to the run by the kernel, and proxies break connections, as Linux does it."""
    if sys.platform != "linux":
        pytest.skip("test servers and their proxies run on Linux")


def require(*names: str) -> dict[str, str]:
    """The paths of all these programs; the test can't do without any of them."""
    only_on_linux()
    found = {name: find(name) for name in names}
    for name, path in found.items():
        if path is None:
            needs.lacking(name)
    return {name: path for name, path in found.items() if path is not None}
