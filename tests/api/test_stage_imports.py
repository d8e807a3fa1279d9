"""What an imported name means counts: the same text gives something else where the import brings something else."""

from __future__ import annotations

import math
import ntpath
import operator
import os
import pickle
import posixpath
from collections import Counter
from collections.abc import Iterator

import pytest

from api.staging import Code, coding, stage_below
from datatool.errors import UsageError
from datatool.stages.callables import module_of
from world import World


@pytest.fixture
def code(desk: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Code]:
    with coding(desk, monkeypatch) as made:
        made.write("one.py", "def g(): return 1")
        made.write("two.py", "def k(): return 2\ndef g(): return 3")
        yield made


def written(code: Code, imports: str, result: str, body: str = "") -> None:
    code.write("pipe.py", stage_below(f"{imports}\n{body}", result))


FLOOR = "from math import floor as h", "from math import ceil as h"


@pytest.mark.parametrize(
    ("before", "after", "body", "result"),
    [
        (*FLOOR, "", "h(2.5)"),
        ("from numpy import floor as h", "from numpy import ceil as h", "", "float(h(2.5))"),
        ("from statistics import mean as h", "from statistics import median as h", "", "h([1, 2, 6])"),
        ("import math as z", "import cmath as z", "", "str(z.sqrt(4))"),
        ("from json import dumps", "from pickle import dumps", "", "str(dumps(1))"),
        ("from numpy import sort", "from numpy import argsort as sort", "", "sort([3, 1]).tolist()"),
        ("import numpy.fft as z", "import numpy.linalg as z", "", "z.__name__"),
        ("from math import *", "from cmath import *", "", "str(sqrt(4))"),
        (
            "from collections import OrderedDict as B",
            "from collections import Counter as B",
            "class D(B): pass",
            "D.__mro__[1].__name__",
        ),
        (*FLOOR, "held = {'a': h}", "held['a'](2.5)"),
        (*FLOOR, "import functools\nheld = functools.partial(h, 2.5)", "held()"),
        (*FLOOR, "def helper(): return h(2.5)", "helper()"),
        (*FLOOR, "def helper(): return lambda: h(2.5)", "helper()()"),
        (
            "try: from math import floor as h\nexcept ImportError: h = None",
            "try: from math import ceil as h\nexcept ImportError: h = None",
            "",
            "h(2.5)",
        ),
        ("from math import floor as h, ceil as h", "from math import ceil as h, floor as h", "", "h(2.5)"),
        (
            "from one import g as a; from two import k as b",
            "from two import k as a; from one import g as b",
            "",
            "a() + 2 * b()",
        ),
        (
            "from one import g",
            "from two import g",
            "import one, two\ndef all(): return one.g() + two.g()",
            "g() + all()",
        ),
    ],
)
def test_another_meaning_runs_a_stage_again(code: Code, before: str, after: str, body: str, result: str) -> None:
    found = []
    for imports in (before, after):
        written(code, imports, result, body)
        pipe = code.load()
        with code.running("f"):
            found.append(pipe.f())
        with code.running():
            assert code.load().f() == found[-1]
    assert found[0] != found[1]


@pytest.mark.parametrize("between", ["helper.h(2.5)", "h(2.5)", "inner()(2.5)"])
def test_a_name_that_the_project_passes_on_counts_by_what_it_is_at_the_end(code: Code, between: str) -> None:
    for name, ran in (("floor", ["f"]), ("ceil", ["f"]), ("floor", [])):
        code.write("helper.py", f"from math import {name} as x\nh = None\nfrom math import {name} as h")
        code.write("deep.py", "from helper import x as y")
        body = "def inner():\n    from deep import y\n    return y"
        written(code, "import helper\nfrom deep import y as h", between, body)
        pipe = code.load()
        with code.running(*ran):
            assert pipe.f() == (2 if name == "floor" else 3)


@pytest.mark.parametrize(
    "imports",
    [
        "from math import ceil; from math import floor as h",
        "from math import (floor as h)  # a remark",
        "import os\nfrom math import floor as h",
        "from helper import h",
        "from helper import *",
    ],
)
def test_the_same_meaning_by_another_way_runs_nothing(code: Code, imports: str) -> None:
    code.write("helper.py", "from math import floor as h")
    written(code, "from math import floor as h; import os", "h(2.5)")
    with code.running("f"):
        code.load().f()
    written(code, imports, "h(2.5)")
    with code.running():
        assert code.load().f() == 2


def test_what_is_imported_and_not_reached_runs_nothing(code: Code) -> None:
    written(code, "from math import floor as h, ceil as j", "h(2.5)", "def other(): return j(1.5)")
    with code.running("f"):
        code.load().f()
    with code.running():
        code.edited("pipe.py", "ceil as j", "trunc as j").f()


def test_why_says_what_the_name_meant_and_means(code: Code) -> None:
    written(code, FLOOR[0], "h(2.5)")
    code.load().f()
    said = str(code.edited("pipe.py", *FLOOR).f.why())
    assert "  import h: math.floor → math.ceil (pipe.py:2)" in said.splitlines()


def test_why_names_the_module_that_imports(code: Code) -> None:
    code.write("helper.py", "from math import floor as h")
    written(code, "import helper", "helper.h(2.5)")
    code.load().f()
    said = str(code.edited("helper.py", "floor", "ceil").f.why())
    assert "  import helper.h: math.floor → math.ceil (helper.py:1)" in said.splitlines()


def test_an_import_that_was_edited_after_it_was_loaded_is_refused(code: Code, desk: World) -> None:
    code.write("helper.py", "from math import floor as x")
    written(code, "from helper import x as h", "h(2.5)")
    pipe = code.load()
    code.write("helper.py", "from math import ceil as x")
    with code.running(), pytest.raises(UsageError, match=r"helper\.py: was edited after it was loaded"):
        pipe.f()


def test_a_function_of_a_library_as_an_argument_is_told_from_others(code: Code) -> None:
    code.write(
        "pipe.py",
        """
        import counted, datatool, math, numpy
        def make(h):
            @datatool.stage
            def f():
                counted.ran("f")
                return float(h(2.5))
            return f
        made = [make(math.floor), make(math.ceil), make(numpy.floor), make(numpy.ceil)]
        """,
    )
    pipe = code.load()
    with code.running("f", "f", "f", "f"):
        assert [f() for f in pipe.made] == [2, 3, 2, 3]


@pytest.mark.parametrize(
    ("function", "module"),
    [
        (operator.add, "operator"),
        (os.path.join, "os.path"),
        (pickle.dumps, "pickle"),
        (math.floor, "math"),
        (Counter, "collections"),
    ],
)
def test_a_function_is_of_one_module_wherever_python_has_it(function: object, module: str) -> None:
    assert module_of(function) == module


def test_a_path_of_another_system_is_another_function() -> None:
    assert module_of(posixpath.join) != module_of(ntpath.join)
