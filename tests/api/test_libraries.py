"""Versioned data by URL, with the libraries that people read data with, written as they would write it."""

from __future__ import annotations

import datetime
import os
import warnings
from pathlib import Path
from typing import Any

import fsspec
import pytest

import datatool
import needs
from api.conftest import clone, enter
from world import World


def module(name: str) -> Any:
    """Import a library; one that is missing skips the test by name, and fails it in CI."""
    import importlib

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what a library says to itself while it loads
        try:
            return importlib.import_module(name)
        except ImportError:
            needs.lacking(f"the Python package {name}")


@pytest.fixture
def tables(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A clone in which nothing was fetched of a project with tables, tagged `v1`."""
    pandas = module("pandas")
    module("pyarrow")
    enter(world, monkeypatch)
    frame = pandas.DataFrame(
        {"id": range(30), "name": [f"n{i}" for i in range(30)], "group": [i % 3 for i in range(30)]}
    )
    frame.to_parquet("table.parquet")
    frame.to_parquet("parts", partition_cols=["group"])
    os.mkdir("csv")
    for group, part in frame.groupby("group"):
        part.to_csv(f"csv/{group}.csv", index=False)
    world.ok("add", "table.parquet", "parts", "csv")
    world.commit()
    world.git("tag", "v1")
    world.ok("push")
    copy = clone(world)
    enter(copy, monkeypatch)
    return copy


def test_pandas(tables: World) -> None:
    pandas = module("pandas")
    assert len(pandas.read_parquet("datatool:///table.parquet")) == 30
    assert len(pandas.read_parquet("datatool://@v1/parts")) == 30
    assert len(pandas.read_parquet("datatool:///parts", filters=[("group", "=", 1)])) == 10
    assert pandas.read_csv("datatool://@v1/csv/0.csv")["id"].sum() == 135
    assert len(pandas.read_csv("datatool:///csv/0.csv", storage_options={"project": str(tables.root)})) == 10
    with datatool.open("csv/1.csv") as file:
        assert len(pandas.read_csv(file)) == 10
    with pytest.raises(FileNotFoundError):
        pandas.read_csv("datatool:///csv/9.csv")
    with pytest.raises(PermissionError):
        pandas.DataFrame({"a": [1]}).to_csv("datatool:///csv/new.csv")


def test_pyarrow(tables: World) -> None:
    dataset = module("pyarrow.dataset")
    parquet = module("pyarrow.parquet")
    fs = fsspec.filesystem("datatool")
    found = dataset.dataset("@v1/parts", filesystem=fs, partitioning="hive")
    assert found.to_table(filter=dataset.field("group") == 2).num_rows == 10
    assert parquet.read_table("/table.parquet", filesystem=fs, columns=["id"]).num_rows == 30
    assert parquet.read_table("fsspec+datatool://@v1/table.parquet").num_rows == 30


def test_duckdb(tables: World) -> None:
    duckdb = module("duckdb")
    with duckdb.connect() as connection:
        connection.register_filesystem(fsspec.filesystem("datatool"))

        def first(query: str) -> Any:
            return connection.execute(query).fetchone()[0]

        assert first("select count(*) from 'datatool:///table.parquet'") == 30
        assert first("select sum(id) from read_csv('datatool://@v1/csv/*.csv')") == 435
        parts = "read_parquet('datatool:///parts/**/*.parquet', hive_partitioning = true)"
        assert first(f'select count(*) from {parts} where "group" = 1') == 10
        with pytest.raises(duckdb.Error):
            connection.execute("copy (select 1) to 'datatool:///new.csv'")


def test_dask(tables: World) -> None:
    bag = module("dask.bag")
    frame = module("dask.dataframe")
    assert len(frame.read_csv("datatool:///csv/*.csv")) == 30
    assert frame.read_parquet("datatool://@v1/parts")["id"].sum().compute(scheduler="threads") == 435
    lines = bag.read_text("datatool:///csv/*.csv")
    assert lines.count().compute(scheduler="processes", num_workers=2) == 33
    assert frame.read_csv("datatool:///csv/*.csv")._name == frame.read_csv("datatool:///csv/*.csv")._name


def test_polars(tables: World) -> None:
    polars = module("polars")
    assert polars.scan_parquet(datatool.path("table.parquet")).select("id").collect().height == 30
    assert polars.read_csv(datatool.path("csv/0.csv", rev="v1")).height == 10
    assert polars.scan_csv(datatool.path("csv") / "*.csv").collect().height == 30
    with fsspec.open("datatool://@v1/table.parquet") as file:
        assert polars.read_parquet(file).height == 30
    with datatool.open("table.parquet", mode="rb") as file:
        assert polars.read_parquet(file).height == 30


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
def test_xarray_and_zarr(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    xarray = module("xarray")
    zarr = module("zarr")
    numpy = module("numpy")
    enter(world, monkeypatch)
    xarray.Dataset({"t": (("x", "y"), numpy.arange(12.0).reshape(3, 4))}).to_zarr("grid.zarr", consolidated=False)
    world.ok("add", "grid.zarr")
    world.commit()
    world.git("tag", "v1")
    world.ok("push")
    enter(clone(world), monkeypatch)
    for url in ("datatool:///grid.zarr", "datatool://@v1/grid.zarr"):
        with xarray.open_zarr(url, consolidated=False) as found:
            assert float(found.t.sum()) == 66
        assert zarr.open(url, mode="r")["t"][1:, 2].sum() == 16
    with xarray.open_zarr(datatool.path("grid.zarr"), consolidated=False) as found:
        assert float(found.t.mean()) == 5.5


def test_universal_pathlib(tables: World) -> None:
    UPath = module("upath").UPath
    for top in ("datatool:///", "datatool://@v1/"):
        here = UPath(f"{top}csv")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert sorted(path.name for path in here.iterdir()) == ["0.csv", "1.csv", "2.csv"]
        file = here / "0.csv"
        assert str(file) == f"{top}csv/0.csv" and file.suffix == ".csv" and file.parent == here
        assert file.read_text().startswith("id,name") and file.stat().st_size == len(file.read_bytes())
        assert here.is_dir() and file.is_file() and file.is_absolute() and not (here / "none").exists()
        assert len(list(here.parent.rglob("*.parquet"))) == 4
        assert [path.name for path in here.glob("[01].csv")] == ["0.csv", "1.csv"]
        assert "csv" in [path.name for path in here.parent.iterdir()]
        for method, arguments in (("write_text", ["x"]), ("unlink", []), ("touch", []), ("rename", ["y"])):
            with pytest.raises(PermissionError):
                getattr(file, method)(*arguments)


def test_other_caches_of_fsspec_lie_over_it(tables: World) -> None:
    own = {"cache_storage": str(tables.top / "c")}
    with fsspec.open("simplecache::datatool://@v1/csv/0.csv", simplecache=own) as file:
        assert file.readline() == b"id,name,group\n"
    mapper = fsspec.get_mapper("datatool://@v1/csv")
    assert sorted(mapper) == ["0.csv", "1.csv", "2.csv"] and mapper["1.csv"].startswith(b"id")
    assert isinstance(fsspec.filesystem("datatool").modified("@v1/csv"), datetime.datetime)
    assert Path(datatool.path("csv")).is_dir()
