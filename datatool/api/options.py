"""Options of the wrong kind are named before anything is done, not where something deep inside trips over them."""

from __future__ import annotations

import inspect
import operator
import os
from collections.abc import Callable, Iterable, Mapping
from functools import cache, wraps
from types import NoneType, UnionType
from typing import Final, ParamSpec, SupportsIndex, TypeVar, Union, get_args, get_origin

from datatool.errors import UsageError

P = ParamSpec("P")
R = TypeVar("R")

_SAID: Final[Mapping[object, str]] = {
    bool: "True or False",
    int: "a whole number",
    str: "text",
    os.PathLike: "a path",
    Iterable: "several of them",
    Mapping: "a dictionary",
    NoneType: "None",
}
"""The kinds that are looked at, in the words of errors."""


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """The function, which first refuses what is not of the kinds that it declares. Raises UsageError.

    >>> datatool.status(remote=True)  # doctest: +SKIP
    Traceback (most recent call last):
    datatool.errors.UsageError: remote takes text or None, not True
    ask_remote=True asks the remote
    """

    @wraps(function)
    def call(*args: P.args, **named: P.kwargs) -> R:
        kinds = _kinds(function)
        for name, value in (*zip(kinds, args, strict=False), *named.items()):
            if name in kinds and not _is(value, kinds[name]):
                raise _wrong(function, name, value)
            if name == "jobs" and isinstance(value, SupportsIndex) and operator.index(value) < 1:
                raise UsageError(f"jobs takes 1 or more, not {value}")
        return function(*args, **named)

    return call


@cache
def _kinds(function: Callable[..., object]) -> dict[str, object]:
    """What each parameter takes, in their order."""
    found = inspect.signature(function, eval_str=True).parameters
    return {name: parameter.annotation for name, parameter in found.items()}


def _is(value: object, kind: object) -> bool:
    """Whether a value is of a kind, as far as that is looked at: whole numbers and booleans may be NumPy's too."""
    origin = get_origin(kind) or kind
    if origin in (Union, UnionType):
        return any(_is(value, one) for one in get_args(kind))
    if origin is bool:
        return type(value).__name__ in ("bool", "bool_")
    if origin is int:
        return isinstance(value, SupportsIndex) and not isinstance(value, bool)
    if origin is Iterable:
        several = isinstance(value, Iterable) and not isinstance(value, str | bytes)
        return several and (not isinstance(value, list | tuple) or all(_is(one, get_args(kind)[0]) for one in value))
    return origin not in _SAID or isinstance(value, origin)  # type: ignore[arg-type]


def _wrong(function: Callable[..., object], name: str, value: object) -> UsageError:
    kinds = _kinds(function)
    union = get_origin(kinds[name]) in (Union, UnionType)
    *firsts, last = (_SAID[get_origin(kind) or kind] for kind in (get_args(kinds[name]) if union else [kinds[name]]))
    takes = f"{', '.join(firsts)} or {last}" if firsts else last
    among = value if isinstance(value, list | tuple) else ()
    culprit = next((one for one in among if not isinstance(one, str | os.PathLike)), value)
    plain = culprit is None or isinstance(culprit, bool | int | float)  # else it may be long, or secret
    asks = f"ask_{name}"
    return UsageError(
        f"{name} takes {takes}, not {culprit if plain else type(culprit).__name__}",
        hint=f"{asks}=True asks the {name}" if asks in kinds else f"help(datatool.{function.__name__}) explains it",
    )
