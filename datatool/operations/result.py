"""What operations give back: frozen values that say themselves as the JSON of `--json`, and as HTML in a notebook."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Final

from datatool.operations.failures import Failure

_PLAIN: Final = frozenset({str, int, bool, float, type(None)})
_renderers: list[Callable[[Part], str]] = []
_known_names: dict[tuple[type[Part], tuple[str, ...]], tuple[str, ...]] = {}


class Part:
    """A part of a result, such as what became of one artifact; always a frozen dataclass, as the Python
    interface promises (values that stay inside are Structs)."""

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
    found: dict[str, object] = {}
    for name in _names(part, leave_out):
        value = getattr(part, name)
        found[name] = value if type(value) in _PLAIN else plain(value)
    if found.get("error", part) is None:
        del found["error"]
    return found


def told(part: Part, *names: str) -> dict[str, object]:
    """The same of fields and properties by their names, for a part that shows more, or otherwise, than it holds."""
    found = {name: plain(getattr(part, name)) for name in names}
    if found.get("error", part) is None:
        del found["error"]
    return found


def _names(part: Part, leave_out: tuple[str, ...]) -> tuple[str, ...]:
    """The names of a part's fields, looked up once for each class: a list has a million parts."""
    key = (type(part), leave_out)
    if key not in _known_names:
        dataclass: Any = part  # every part is one; the type system has no word for that
        _known_names[key] = tuple(field.name for field in fields(dataclass) if field.name not in leave_out)
    return _known_names[key]


def plain(value: object) -> object:
    """A value in JSON's few types."""
    if isinstance(value, Part):
        return value.to_dict()
    if isinstance(value, Failure):
        return {"code": value.code, "message": value.message, "hint": value.hint, "path": value.path}
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return str(value) if isinstance(value, str) else value
