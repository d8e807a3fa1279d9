"""Which values count by themselves."""

from __future__ import annotations

import pytest

from datatool.stages.values import value_digest


@pytest.mark.parametrize("value", [None, True, 3, 1 << 60, 2.5, 1j, "a\udc80", b"b", (1, ("x",)), frozenset({1, "a"})])
def test_plain_values_have_a_digest(value: object) -> None:
    assert len(value_digest(value) or "") == 64


def test_a_number_of_any_size_has_a_digest() -> None:
    assert value_digest(1 << 20_000) != value_digest(1 << 20_001)


def test_values_that_differ_in_type_or_grouping_differ() -> None:
    values = [
        None,
        "None",
        True,
        1,
        1.0,
        "1",
        b"1",
        (1,),
        (1, 2),
        ((1,), 2),
        (1, (2,)),
        frozenset({1}),
        (),
        frozenset(),
        "",
    ]
    assert len({value_digest(value) for value in values}) == len(values)


@pytest.mark.parametrize("value", [[1], {"a": 1}, {1}, (1, [2]), object(), type("Text", (str,), {})("a"), int, len])
def test_other_values_do_not_count_by_themselves(value: object) -> None:
    assert value_digest(value) is None
