"""`import datatool` is light and gives its public names when asked."""

from __future__ import annotations

import subprocess
import sys

import pytest

import datatool
from datatool import errors


def test_every_public_name_is_there() -> None:
    for name in datatool.__all__:
        assert getattr(datatool, name) is not None
    assert {"Unsaved", "__version__"} <= set(dir(datatool))


def test_every_error_is_public() -> None:
    raised = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert raised - set(datatool.__all__) == set()
    assert datatool.Unsaved is errors.Unsaved


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        getattr(datatool, "nope")  # noqa: B009


def test_importing_datatool_loads_none_of_its_modules() -> None:
    code = "import sys, datatool; assert [m for m in sys.modules if m.startswith('datatool')] == ['datatool']"
    subprocess.run([sys.executable, "-c", code], check=True)
