"""The reference of the Python interface is generated from the docstrings and up to date."""

from __future__ import annotations

import inspect
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import datatool
from datatool import errors

SCRIPT = Path(__file__).parents[2] / "scripts" / "python_reference.py"


def test_the_reference_is_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    code = runpy.run_path(str(SCRIPT))["main"](["--check"])
    assert code == 0, capsys.readouterr().err


def test_every_function_is_documented_with_an_example_and_typed() -> None:
    found = runpy.run_path(str(SCRIPT))["public"]()
    assert {"open", "read", "path", "get_url", "list", "Entry"} <= found.keys()
    for value in found.values():
        assert (value.__doc__ or "").strip()
        if inspect.isfunction(value):
            assert ">>> " in (value.__doc__ or "")
            signature = inspect.signature(value)
            assert all(each.annotation is not inspect.Parameter.empty for each in signature.parameters.values())
            assert signature.return_annotation is not inspect.Signature.empty


def test_what_runs_stages_on_dask_is_in_the_reference_and_loads_nothing_of_dask() -> None:
    assert "### datatool.dask.run\n" in runpy.run_path(str(SCRIPT))["reference"]()
    code = "import sys, datatool.dask; print(sorted({'dask', 'distributed'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_every_error_is_offered_by_the_package() -> None:
    kinds = {name for name, value in vars(errors).items() if inspect.isclass(value) and issubclass(value, Exception)}
    assert kinds <= set(datatool.__all__)
    assert all(getattr(datatool, name) is getattr(errors, name) for name in kinds)
