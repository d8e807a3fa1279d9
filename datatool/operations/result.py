"""What operations give back: frozen values that say themselves as the JSON of `--json`, and as HTML in a notebook."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Final

from datatool.operations.failures import Failure

_PLAIN: Final = frozenset({str, int, bool, float, type(None)})
_renderers: list[Callable[[Part], str]] = []


class Part:
    """A part of a result, such as what became of one artifact; always a frozen dataclass."""

    __slots__ = ()

    def to_dict(self) -> dict[str, object]:
        """The fields as `--json` prints them: dictionaries, lists, text, numbers, booleans and None."""
        return fields_of(self)

    def _repr_html_(self) -> str | None:
        """A table, for notebooks; None (so that they show the plain `repr`) where nobody has said how."""
        return _renderers[-1](self) if _renderers else None


class Result(Part):
    """All that an operation did."""

    __slots__ = ()

    @property
    def problems(self) -> tuple[Failure, ...]:
        """What failed while the rest went on."""
        return ()

    @property
    def finished(self) -> bool:
        """Whether anything was done in spite of the problems."""
        return False


def show_parts_with(renderer: Callable[[Part], str]) -> None:
    """Say how notebooks show results. The layer that knows HTML is above this one, so it is passed in."""
    _renderers[:] = [renderer]


def fields_of(part: Part, *leave_out: str) -> dict[str, object]:
    """The fields of a part as JSON values, without some of them; an `error` stands there only if there is one."""
    dataclass: Any = part  # every part is one; the type system has no word for that
    found: dict[str, object] = {}
    for field in fields(dataclass):
        name = field.name
        value = getattr(part, name)
        if name not in leave_out and not (name == "error" and value is None):
            found[name] = value if type(value) in _PLAIN else plain(value)
    return found


def plain(value: object) -> object:
    """A value in JSON's few types."""
    if isinstance(value, Part):
        return value.to_dict()
    if isinstance(value, Failure):
        return {"code": value.code, "message": value.message, "hint": value.hint, "path": value.path}
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return str(value) if isinstance(value, str) else value
