"""Columns and indexes of libraries count by content, as tables do."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from datatool.stages.library_values import library_bytes

COLUMNS: dict[str, Callable[[], object]] = {
    "a pandas series": lambda: pd.Series([1, 2]),
    "a named one": lambda: pd.Series([1, 2], name="a"),
    "an index": lambda: pd.Index([1, 2]),
    "an index with a name": lambda: pd.Index([1, 2], name="a"),
    "an index of other values": lambda: pd.Index([1, 3]),
    "a range": lambda: pd.RangeIndex(1, 3),
    "days": lambda: pd.DatetimeIndex(["2026-01-01", "2026-01-02"]),
    "days, one after the other": lambda: pd.date_range("2026-01-01", periods=2),
    "days somewhere": lambda: pd.DatetimeIndex(["2026-01-01", "2026-01-02"], tz="Europe/Paris"),
    "two levels": lambda: pd.MultiIndex.from_tuples([(1, "x"), (2, "y")]),
    "two levels of one name": lambda: pd.MultiIndex.from_tuples([(1, "x"), (2, "y")], names=["n", "n"]),
    "categories": lambda: pd.Categorical(["x"], categories=["x", "y"]),
    "more categories": lambda: pd.Categorical(["x"], categories=["x", "y", "z"]),
    "an index of categories": lambda: pd.CategoricalIndex(["x"], categories=["x", "y"]),
    "a polars series": lambda: pl.Series([1, 2]),
    "a named polars series": lambda: pl.Series("a", [1, 2]),
    "a polars series of another type": lambda: pl.Series([1, 2], dtype=pl.Int32),
    "an arrow array": lambda: pa.array([1, 2]),
    "an arrow array with a gap": lambda: pa.array([1, None]),
    "an arrow array in chunks": lambda: pa.chunked_array([[1], [2]]),
}


@pytest.mark.parametrize("make", COLUMNS.values(), ids=COLUMNS)
def test_an_equal_column_counts_the_same(make: Callable[[], object]) -> None:
    first = library_bytes(make(), "column")
    assert first is not None
    assert first == library_bytes(make(), "column")


def test_no_two_different_columns_count_the_same() -> None:
    counted = {name: library_bytes(make(), "column") for name, make in COLUMNS.items()}
    assert [(one, two) for one, two in combinations(counted, 2) if counted[one] == counted[two]] == []
