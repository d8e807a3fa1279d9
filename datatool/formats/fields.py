"""Typed access to a parsed mapping; what is wrong is told with the file, the key's whole path and the value."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from msgspec import Struct

from datatool.errors import FormatError
from datatool.model.oid import ObjectId, parse_oid, parse_prefixed
from datatool.model.paths import show

Choice = TypeVar("Choice", bound=StrEnum)


class Fields(Struct, frozen=True):
    """One mapping of a file. `name` is the file's, for errors; `at` is the path of the mapping inside it, as `source.`.

    A key that is missing and one with nothing behind it (None) are the same. Keys nobody asks for are ignored.
    """

    values: Mapping[str, object]
    name: str
    at: str = ""

    def text(self, key: str) -> str | None:
        """A string."""
        value = self.values.get(key)
        if value is None or isinstance(value, str):
            return value
        raise self.wrong(key, "text")

    def number(self, key: str) -> int | None:
        """A whole number, zero or more."""
        value = self.values.get(key)
        if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
            return value
        raise self.wrong(key, "a whole number")

    def switch(self, key: str) -> bool | None:
        """True or false."""
        value = self.values.get(key)
        if value is None or isinstance(value, bool):
            return value
        raise self.wrong(key, "true or false")

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings; empty when missing."""
        value = self.values.get(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.wrong(key, "a list of words")
        return tuple(value)

    def inner(self, key: str) -> Fields | None:
        """A mapping inside this one."""
        value = self.values.get(key)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise self.wrong(key, "keys with values")
        return Fields(value, self.name, f"{self.at}{key}.")

    def pairs(self, key: str) -> tuple[tuple[str, str], ...]:
        """A mapping of strings to strings, in its own order; empty when missing."""
        inner = self.inner(key)
        if inner is None:
            return ()
        return tuple((word, inner.text(word) or "") for word in inner.values)

    def choice(self, key: str, kind: type[Choice]) -> Choice | None:
        """One of the words that an enum names."""
        value = self.values.get(key)
        if value is None:
            return None
        if value not in list(kind):
            raise self.wrong(key, " or ".join(kind))
        return kind(str(value))

    def oid(self, key: str, *, bare: bool = False) -> ObjectId | None:
        """An object id, written `sha256:<64 hex>`, or `bare` without the prefix."""
        value = self.values.get(key)
        if value is None:
            return None
        try:
            return parse_oid(value) if bare else parse_prefixed(value)
        except ValueError:
            raise self.wrong(key, "64 lower-case hex digits" if bare else "sha256:<64 lower-case hex digits>") from None

    def missing(self, key: str) -> FormatError:
        """The error for a key that has to be there."""
        return FormatError(f"{show(self.name)}: {show(self.at + key)} is missing", path=self.name)

    def wrong(self, key: str, expected: str) -> FormatError:
        """The error for a value that can't be: "x.dt: source.commit must be …, not 'abc'"."""
        found = self.values.get(key)
        shown = f"'{show(found[:80])}'" if isinstance(found, str) else _kind(found)
        return FormatError(f"{show(self.name)}: {show(self.at + key)} must be {expected}, not {shown}", path=self.name)


def _kind(value: object) -> str:
    if isinstance(value, Mapping):
        return "keys with values"
    if isinstance(value, list):
        return "a list"
    return "nothing" if value is None else str(value).lower()
