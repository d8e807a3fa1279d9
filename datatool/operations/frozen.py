"""Whether nothing is to be recorded here, as on a build server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_OFF: Final = frozenset({"", "0", "false", "no", "off"})


def is_frozen(environ: Mapping[str, str]) -> bool:
    """What `DATATOOL_FROZEN` says; where it is not set, `CI`, which every build server sets.

    >>> is_frozen({"CI": "true"}), is_frozen({"CI": "true", "DATATOOL_FROZEN": "0"}), is_frozen({})
    (True, False, False)
    """
    said = environ.get("DATATOOL_FROZEN")
    if said is None:
        said = environ.get("CI", "")
    return said.strip().lower() not in _OFF
