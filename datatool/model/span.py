"""Spans of time as people write them."""

from __future__ import annotations

import re
from typing import Final

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])", re.ASCII)


def seconds_of(text: str) -> float | None:
    """Seconds, from a number with its unit; None for what is none.

    >>> seconds_of("90m"), seconds_of("7 d"), seconds_of("soon")
    (5400.0, 604800.0, None)
    """
    found = _SPAN.fullmatch(text.strip())
    return None if found is None else float(found[1]) * _UNITS[found[2]]
