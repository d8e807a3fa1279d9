"""Python's own values as JSON, text and bytes."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import BinaryIO, Final, NoReturn, cast

from datatool.stages.result_formats.codec import CannotHold, Codec

_DEPTH: Final = 200
"""Lists in lists: JSON's own reader and writer recurse."""
_DIGITS: Final = 4300
"""Python reads no longer number from a text, as that takes quadratic time."""
_HUGE: Final = 10**_DIGITS
_SINGLE: Final = frozenset({type(None), bool, int, float, str})


def json_holds(value: object) -> str | None:
    """What of a value JSON would change, or None: the types are Python's own and the numbers finite."""
    level = [value]
    for _ in range(_DEPTH):
        if not level:
            return None
        inside: list[object] = []
        for item in level:
            if type(item) is dict:
                if set(map(type, item)) - {str}:
                    return "a dict with keys other than text"
                inside.extend(item)
                inside.extend(item.values())
            elif type(item) is list:
                if set(map(type, item)) != {float} or not all(map(math.isfinite, item)):  # a long list of numbers
                    inside.extend(item)
            elif wrong := _wrong_single(item):
                return wrong
        level = [item for item in inside if type(item) is not bool and item is not None]
    return f"lists and dicts more than {_DEPTH} deep"


def _wrong_single(item: object) -> str | None:
    if type(item) not in _SINGLE:
        return _named(item)
    if isinstance(item, str):
        return None if _is_unicode(item) else "text with half a surrogate pair"
    if isinstance(item, float):
        return None if math.isfinite(item) else "NaN or an infinity"
    if isinstance(item, int) and abs(item) >= _HUGE:
        return f"an integer of more than {_DIGITS} digits"
    return None


def _named(value: object) -> str:
    kind = type(value)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_json(value: object) -> None:
    if wrong := json_holds(value):
        raise CannotHold(f"it would change {wrong}", "return None, bool, int, float, str, list and dict only")


def _write_json(value: object, file: BinaryIO) -> None:
    encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    _write_pieces(encoder.encode(value), file)


def _read_json(file: BinaryIO) -> object:
    return json.loads(file.read().decode(), parse_constant=_no_constant, object_pairs_hook=_once)


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


def _once(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} occurs twice")
        found[key] = value
    return found


def _check_text(value: object) -> None:
    if type(value) is not str:
        raise CannotHold("it holds str only")
    if not _is_unicode(value):
        raise CannotHold("the text has half a surrogate pair, which UTF-8 lacks")


def _write_text(value: object, file: BinaryIO) -> None:
    _write_pieces(cast(str, value), file)


def _write_pieces(text: str, file: BinaryIO, size: int = 1 << 20) -> None:
    """UTF-8 without a second copy of a long text."""
    for start in range(0, len(text), size):
        file.write(text[start : start + size].encode())


def _read_text(file: BinaryIO) -> object:
    return file.read().decode()


def _check_bytes(value: object) -> None:
    if type(value) is not bytes:
        raise CannotHold("it holds bytes only", "return bytes(…)")


def _write_bytes(value: object, file: BinaryIO) -> None:
    file.write(cast(bytes, value))


def _read_bytes(file: BinaryIO) -> object:
    return file.read()


JSON: Final = Codec(check=_check_json, write=_write_json, read=_read_json)
TEXT: Final = Codec(check=_check_text, write=_write_text, read=_read_text)
BYTES: Final = Codec(check=_check_bytes, write=_write_bytes, read=_read_bytes)
