"""`datatool://` paths of universal_pathlib, which loads this by its entry point; datatool itself never does."""

from __future__ import annotations

from typing import Any, NoReturn

import fsspec
from upath import UPath

from datatool.api.addresses import PROTOCOL
from datatool.errors import Refused

# How names are joined and split it asks of the filesystem, but only of one that is loaded.
fsspec.get_filesystem_class(PROTOCOL)


class DatatoolPath(UPath):
    """A path in a project or registry, to be read as any other.

    >>> songs = UPath("datatool://songs@v1.0/1999")
    >>> [path.name for path in songs.glob("*.ogg")]
    """

    __slots__ = ()

    def is_absolute(self) -> bool:
        """Always, but for what `relative_to` gives: every path starts at the top of a repository."""
        return self._relative_base is None

    def _refuse(self, *arguments: Any, **options: Any) -> NoReturn:
        raise Refused(f"{self}: versioned data can only be read")

    rename = replace = _refuse
