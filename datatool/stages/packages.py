"""Door 7 of 8 for imports at first use: versions of installed packages. Python's own module for them brings parsers of
mail and archives along, and most programs that a record describes already need no version.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Set
from functools import cache
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, Final

from datatool.forks import importing

if TYPE_CHECKING:
    from importlib.metadata import Distribution

_MODULES: Final = (".py", ".so", ".pyd")


@cache
def package_version(top: str) -> str:
    """The version of the package that a top module belongs to; empty where it says none."""
    with importing:
        from importlib.metadata import PackageNotFoundError, packages_distributions, version

    try:
        return version(top)
    except PackageNotFoundError:
        pass
    said = getattr(sys.modules.get(top), "__version__", None)
    if isinstance(said, str):
        return said
    for name in packages_distributions().get(top, ()):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return ""


@cache
def is_installed(top: str) -> bool:
    """Whether there is a package or a module of that name, with a version or without."""
    return bool(package_version(top)) or top in sys.modules or PathFinder.find_spec(top) is not None


def versions_of(tops: Set[str]) -> dict[str, str]:
    """The packages that top modules belong to, with their versions.

    Python's `packages_distributions` parses all that is installed, for 0.2 s; here only what was imported is looked
    at closely.
    """
    with importing:
        from importlib.metadata import distributions

    found: dict[str, str] = {}
    for package in distributions() if tops else ():
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
