"""Numbers as people read them: sizes and counts."""

from __future__ import annotations

_UNITS = ("kB", "MB", "GB", "TB", "PB", "EB")


def human_size(size: int) -> str:
    """Bytes with a decimal unit.

    >>> human_size(1_800_000_000), human_size(512)
    ('1.8 GB', '512 B')
    """
    if size < 1000:
        return f"{size} B"
    value, power = size / 1000, 0
    while value >= 999.95 and power < len(_UNITS) - 1:
        value, power = value / 1000, power + 1
    return f"{value:.1f} {_UNITS[power]}"


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(10_000, "file"), counted(1, "file")
    ('10,000 files', '1 file')
    """
    return f"{number:,} {noun if number == 1 else noun + 's'}"


def human_duration(seconds: float) -> str:
    """A span of time.

    >>> human_duration(0.25), human_duration(75), human_duration(7300)
    ('0.2 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60:,} h {minutes % 60} min"
