"""Stretches of a file: (start, end), in bytes."""

from __future__ import annotations

from collections.abc import Iterable

Stretch = tuple[int, int]


def merged(stretches: Iterable[Stretch]) -> list[Stretch]:
    """The same bytes in as few stretches as possible, in order.

    >>> merged([(4, 6), (0, 2), (2, 3), (9, 9)])
    [(0, 3), (4, 6)]
    """
    found: list[Stretch] = []
    for start, end in sorted(stretches):
        if start >= end:
            continue
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return found
