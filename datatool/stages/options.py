"""What the author of a stage says about it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from datatool.errors import UsageError
from datatool.model.result import ResultFormat
from datatool.model.span import seconds_of

OPTIONS: Final = ("format", "ttl", "version", "cache", "share", "packages")
"""Names that mean an option, and no parameter of the function."""


class StageOptions(Struct, frozen=True, kw_only=True):
    """`format` is that of the result (None: by its type), `ttl` how many seconds it holds (None: for ever), `version`
    what the author declares it to be; `cache` says whether the result is kept at all, `share` whether it goes to the
    remote (None: as `stages.share` says); `packages` are modules whose versions count besides those that the code
    names."""

    format: ResultFormat | None = None
    ttl: float | None = None
    version: str | None = None
    cache: bool = True
    share: bool | None = None
    packages: tuple[str, ...] = ()


def stage_options(
    *,
    format: str | None,
    ttl: str | float | None,
    version: object,
    cache: bool,
    share: bool | None,
    packages: Sequence[str],
) -> StageOptions:
    """Options as they are written. Raises UsageError for what none of them can be."""
    if isinstance(packages, str) or not all(isinstance(name, str) for name in packages):
        raise UsageError(f"packages={packages!r}: must be a list of names", hint='packages=["numpy"]')
    for name, value in (("cache", cache), ("share", share)):
        if not isinstance(value, bool) and not (value is None and name == "share"):
            raise UsageError(f"{name}={value!r}: must be True or False")
    return StageOptions(
        format=None if format is None else _format(format),
        ttl=None if ttl is None else seconds(ttl, "ttl"),
        version=None if version is None else _version(version),
        cache=cache,
        share=share,
        packages=tuple(packages),
    )


def _format(word: str) -> ResultFormat:
    try:
        return ResultFormat(word)
    except ValueError:
        raise UsageError(f"format={word!r}: is none", hint=f"one of {', '.join(ResultFormat)}") from None


def seconds(age: str | float, option: str) -> float:
    """Seconds, from a number of them or a text such as `7d`. Raises UsageError, which names the option.

    >>> seconds("90m", "ttl")
    5400.0
    """
    if isinstance(age, str):
        seconds = seconds_of(age)
        if seconds is not None:
            return seconds
    elif isinstance(age, int | float) and not isinstance(age, bool) and math.isfinite(age) and age >= 0:
        return float(age)
    text = f"{option}={age!r}: is no span of time"
    raise UsageError(text, hint='seconds, or a text such as "30s", "90m", "12h", "7d"')


def _version(value: object) -> str:
    if isinstance(value, str | int | float):
        return str(value)
    raise UsageError(f"version={value!r}: must be a number or a text")
