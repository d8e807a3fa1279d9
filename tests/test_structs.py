"""Which classes are dataclasses: what users get, with all in it, and what hides a field. Other values are Structs."""

from __future__ import annotations

import re
import sys
from dataclasses import fields, is_dataclass
from functools import cache
from importlib import import_module
from pkgutil import walk_packages

from msgspec import Struct

import datatool
from datatool.operations.failures import Failure
from datatool.operations.result import Part, Result


@cache
def classes() -> set[type]:
    """All that our modules hold."""
    names = [found.name for found in walk_packages(datatool.__path__, "datatool.") if found.name != "datatool.__main__"]
    held = [value for name in names for value in vars(import_module(name)).values()]
    return {kind for kind in held if isinstance(kind, type) and kind.__module__.startswith("datatool.")}


def hides_a_field(kind: type) -> bool:
    """Whether a field is kept out of `repr` or of comparisons, which a Struct can't."""
    return not all(field.repr and field.compare for field in fields(kind))


def values_in(kind: type) -> set[type]:
    """Those of our values that its fields are declared to hold."""
    words = {word for text in kind.__annotations__.values() for word in re.findall(r"\w+", str(text))}
    held = {vars(sys.modules[kind.__module__]).get(word) for word in words}
    return {value for value in held & classes() if is_dataclass(value) or issubclass(value, Struct)}


def results() -> set[type]:
    """What the Python interface gives back, and what is in it."""
    found: set[type] = set()
    left = {kind for kind in classes() if issubclass(kind, (Part, Failure))} - {Part, Result}
    while left:
        found |= left
        left = {value for kind in left for value in values_in(kind)} - found
    return found


def test_inside_only_what_hides_a_field_is_a_dataclass() -> None:
    inside = {kind for kind in classes() - results() if is_dataclass(kind)}
    assert {kind for kind in inside if not hides_a_field(kind)} == set()


def test_results_and_all_in_them_are_frozen_dataclasses() -> None:
    assert len(results()) > 50
    assert {kind for kind in results() if not is_dataclass(kind) or not kind.__dataclass_params__.frozen} == set()
