"""Which classes are dataclasses: those that users get, and those that hide a field. Other values are Structs."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from functools import cache
from importlib import import_module
from pkgutil import walk_packages

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


def test_inside_only_what_hides_a_field_is_a_dataclass() -> None:
    inside = {kind for kind in classes() if is_dataclass(kind) and not issubclass(kind, (Part, Failure))}
    assert {kind for kind in inside if not hides_a_field(kind)} == set()


def test_results_are_frozen_dataclasses() -> None:
    results = {kind for kind in classes() if issubclass(kind, (Part, Failure))} - {Part, Result}
    assert len(results) > 40
    assert {kind for kind in results if not is_dataclass(kind) or not kind.__dataclass_params__.frozen} == set()
