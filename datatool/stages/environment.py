"""Where something ran: Python, the platform, and the versions of the packages that were imported. Nothing else of the
environment is recorded: its variables hold secrets.

Door 6 of 7 for imports at first use: `importlib.metadata`, with the parsers of mail and archives that it brings, is
loaded when packages are looked up. A program that a record describes already looks up none.
"""

from __future__ import annotations

import getpass
import platform
import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Final

from datatool.model.run import RunEnvironment

if TYPE_CHECKING:
    from importlib.metadata import Distribution

_MODULES: Final = (".py", ".so", ".pyd")


def environment_of(modules: Iterable[str]) -> RunEnvironment:
    """This Python, this machine, and the versions of the packages that modules (by their full names) belong to."""
    return RunEnvironment(
        python=platform.python_version(), platform=platform.platform(), packages=_versions(_tops(modules))
    )


def host() -> str:
    """This machine's name."""
    return platform.node()


def user() -> str:
    """Who runs this; empty where nobody can tell, as in a container without a user list."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""


def _tops(modules: Iterable[str]) -> set[str]:
    tops = {name.partition(".")[0] for name in modules}
    return {name for name in tops if name not in sys.stdlib_module_names and not name.startswith("_")}


def _versions(tops: set[str]) -> dict[str, str]:
    """Python's `packages_distributions` parses all that is installed, for 0.2 s; here only what was imported is looked
    at closely."""
    found: dict[str, str] = {}
    for package in import_module("importlib.metadata").distributions() if tops else ():
        if tops.isdisjoint(_modules_of(package)):
            continue
        known = package.metadata
        if known["Name"] and known["Version"]:  # else it is half removed
            found.setdefault(known["Name"], known["Version"])
    return dict(sorted(found.items()))


def _modules_of(package: Distribution) -> Iterator[str]:
    """The names under which a package, or something in it, is imported."""
    listed = package.read_text("top_level.txt")
    if listed is not None:
        yield from listed.split()
        return
    for line in (package.read_text("RECORD") or "").splitlines():
        path = line.partition(",")[0].lstrip('"')
        if path.endswith(_MODULES):
            yield path.partition("/")[0].partition(".")[0]
