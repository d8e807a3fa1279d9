"""What determines the result of a function in memory: each ingredient of it, and nothing else."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from code_files import written
from loading import FILES, Loader, changed, digests

from datatool.stages.live import ingredients_of


def test_every_ingredient_is_named_with_its_kind_and_place(tmp_path: Path, clean: Any) -> None:
    found = ingredients_of(clean, tmp_path)
    assert {name: kind for name, (kind, _) in digests(found).items()} == {
        "pipe:clean": "function",
        "pipe:clean(limit)": "default",
        "pipe:logged": "function",
        "pipe:Model": "class",
        "pipe:Model.fit": "function",
        "pipe:functools import": "import",
        "pipe:numpy import": "import",
        "pipe:scale import": "import",
        "pipe:tools.FACTOR import": "import",
        "pipe:RATE": "value",
        "pipe:WORDS": "constant",
        "pipe:NAMES": "constant",
        "pkg.tools:FACTOR": "value",
        "pkg.tools:scale": "function",
        "pkg.tools:helper": "function",
    }
    assert found.packages == ("numpy",) and found.warnings == ()
    assert {item.name: item.where for item in found.items}["pkg.tools:helper"] == "pkg/tools.py:5"


@pytest.mark.parametrize(
    ("file", "old", "new", "names"),
    [
        ("pipe.py", "return SPARE", "return 9", set()),
        ("pipe.py", "SPARE = 3", "SPARE = 4", set()),
        ("pkg/tools.py", "return 1", "return 9", set()),
        ("pipe.py", "RATE = 0.1", "RATE = 1 / 10  # the same", set()),
        ("pkg/tools.py", "return rows\n", "return rows + 1\n", {"pkg.tools:helper"}),
        ("pkg/tools.py", "FACTOR = 5", "FACTOR = 6", {"pkg.tools:FACTOR"}),
        ("pipe.py", "RATE = 0.1", "RATE = 0.2", {"pipe:RATE"}),
        ("pipe.py", '{"a": 1}', '{"a": 2}', {"pipe:WORDS"}),
        ("pipe.py", "depth = 2", "depth = 3", {"pipe:Model"}),
        ("pipe.py", "return self.depth", "return 1 + self.depth", {"pipe:Model.fit"}),
        ("pipe.py", "limit=10", "limit=11", {"pipe:clean", "pipe:clean(limit)"}),
        ("pipe.py", "return function(*args)", "return function(*args) or 0", {"pipe:logged"}),
        ("pipe.py", "def clean", "def clean", set()),
    ],
)
def test_what_is_reached_changes_its_own_ingredient_and_the_rest_none(
    tmp_path: Path, loader: Loader, file: str, old: str, new: str, names: set[str]
) -> None:
    before = ingredients_of(loader.load(written(tmp_path, FILES)).clean, tmp_path)
    text = (tmp_path / file).read_text()
    assert old in text
    (tmp_path / file).write_text(text.replace(old, new))
    assert changed(before, ingredients_of(loader.load(tmp_path).clean, tmp_path)) == names


def test_another_directory_changes_nothing(tmp_path: Path, loader: Loader) -> None:
    one, other = written(tmp_path / "one", FILES), written(tmp_path / "deep/er/other", FILES)
    found = ingredients_of(loader.load(one).clean, one)
    assert found == ingredients_of(loader.load(other).clean, other)


def test_a_mutated_list_counts_by_its_statement_and_is_a_warning(tmp_path: Path, clean: Any) -> None:
    before = ingredients_of(clean, tmp_path)
    sys.modules["pipe"].NAMES.append("z")
    after = ingredients_of(clean, tmp_path)
    assert changed(before, after) == set()
    assert tuple(after.changed_since()) == ("pipe.py:11: NAMES was changed since; it counts by this statement",)


@pytest.mark.parametrize(
    ("statement", "change", "told"),
    [
        ("A, *K = [1, 3]", "", False),
        ("(P, K) = ([1], [2])", "", False),
        ("K: list = [1]", "", False),
        ("K: list = [1]", "K.append(2)", True),
        ("L = K = [1]", "L.append(2)", True),
        ("K = (1, [2])", "K[1].append(3)", True),
    ],
)
def test_a_change_is_told_only_where_there_is_one(
    tmp_path: Path, loader: Loader, statement: str, change: str, told: bool
) -> None:
    module = loader.load(written(tmp_path, {"pipe.py": f"{statement}\ndef f(): return K"}))
    found = ingredients_of(module.f, tmp_path)
    exec(change, vars(module))
    assert found.changed_since() == ["pipe.py:1: K was changed since; it counts by this statement"] * told


MAKING = """
import argparse, collections, dataclasses, json, logging, os, pathlib, re, types
import numpy as np
import pandas as pd
@dataclasses.dataclass
class Cfg:
    rate: int = 1
class Own:
    rate = 1
    def __init__(self): self.depth = 2
def helper(): return Own()
def untouched(K): K.rate = 5
{statement}
def f(): return K
"""


@pytest.mark.parametrize(
    ("statement", "change", "told"),
    [
        ("K = collections.deque([1])", "K.append(2)", "K was changed since"),
        ("K = collections.defaultdict(list)", "K['a']", "K was changed since"),
        ("K = types.SimpleNamespace(a=1)", "K.a = 2", "K was changed since"),
        ("K = np.array([1, 2])", "K[0] = 5", "K was changed since"),
        ("K = np.zeros(3)", "K += 1", "K was changed since"),
        ("K = Cfg(rate=1)", "K.rate = 2", "K was changed since"),
        ("K = Cfg(1)", "K.rate = 2", "K was changed since"),
        ("K = Cfg()", "K.rate = 2", "K was changed since"),
        ("K = pd.DataFrame({'a': [1]})", "K['b'] = 5", "K was changed since"),
        ("K = Own", "Own.rate = 2", "Own.rate was set since"),
        ("K = argparse.ArgumentParser().parse_args([])", "", "not by what is in it"),
        ("K = json.load(open(os.devnull + '')) if 0 else [1]", "", "not by what is in it"),
        ("K = os.environ", "", "not by what is in it"),
        ("K = Own()\ndef main(): K.rate = 5", "", "not by what is in it"),
        ("if 1:\n    K = dict(os.environ)", "", "not by what is in it"),
    ],
)
def test_what_counts_by_its_statement_but_says_something_else_is_told(
    tmp_path: Path, loader: Loader, statement: str, change: str, told: str
) -> None:
    module = loader.load(written(tmp_path, {"pipe.py": MAKING.format(statement=statement)}))
    found = ingredients_of(module.f, tmp_path)
    exec(change, vars(module))
    (text,) = found.changed_since()
    assert text.startswith("pipe.py:") and told in text


@pytest.mark.parametrize(
    "statement",
    [
        "K = logging.getLogger()",
        "K = re.compile('a')",
        "K = pathlib.Path('a')",
        "K = np.array([1.0, 2.0])",
        "K = np.arange(3) + 1",
        "K = collections.deque([1], maxlen=3)",
        "K = collections.defaultdict(list, a=[1])",
        "K = Cfg()",
        "K = pd.DataFrame({'a': [1]})",
        "K = Cfg(rate=2)",
        "K = Own()",
        "K = helper()",
        "K = Own",
        "K = [helper() and 1]",
        "K = []\nK.append(1)",
        "K = Own()\nK.rate = 5",
    ],
)
def test_what_was_never_changed_is_no_warning(tmp_path: Path, loader: Loader, statement: str) -> None:
    module = loader.load(written(tmp_path, {"pipe.py": MAKING.format(statement=statement)}))
    assert ingredients_of(module.f, tmp_path).changed_since() == []


DISPATCH = {
    "pkg/__init__.py": "import pkg.more",
    "pkg/size.py": """
        import functools
        @functools.singledispatch
        def size(x): return 0
        def f(x): return size(x)
        """,
    "pkg/more.py": """
        from pkg.size import size
        def helper(): return 2
        @size.register
        def _(x: int): return helper() + size("")
        @size.register(str)
        def _(x): return 3
        """,
}


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        ("return 3", "return 4", "pkg.more:_"),
        ("return 2", "return 1", "pkg.more:helper"),
        ("return helper()", "return 1 + helper()", "pkg.size:size[int]"),
        ("register(str)", "register(bytes)", "pkg.size:size[bytes]"),
    ],
)
def test_what_is_registered_for_types_counts(tmp_path: Path, loader: Loader, old: str, new: str, name: str) -> None:
    before = ingredients_of(loader.load(written(tmp_path / "one", DISPATCH), "pkg.size").f, tmp_path / "one")
    files = DISPATCH | {"pkg/more.py": DISPATCH["pkg/more.py"].replace(old, new)}
    module = loader.load(written(tmp_path / "two", files), "pkg.size")
    after = ingredients_of(module.f, tmp_path / "two")
    assert name in changed(before, after) and after.still_hold
    module.size.register(float, lambda x: 5)
    assert not after.still_hold


CHOICE = """
import os
{import_}
if {test}:
    def model(): return 1
    class Kind:
        def m(self): return 1
    from pkg.one import tool
else:
    def model(): return 2
    class Kind:
        def m(self): return 2
    from pkg.two import tool
{body}
"""


@pytest.mark.parametrize("body", ["def f(): return model()", "def f(): return Kind()", "def f(): return tool()"])
@pytest.mark.parametrize("test", ["FAST", 'os.environ["FAST_MODEL"] == "y"'])
def test_the_definition_that_a_test_chose_counts(
    tmp_path: Path, loader: Loader, monkeypatch: pytest.MonkeyPatch, body: str, test: str
) -> None:
    files = {"pkg/__init__.py": "", "pkg/one.py": "def tool(): pass", "pkg/two.py": "def tool(): pass"}
    found = []
    for fast in (True, False):
        monkeypatch.setenv("FAST_MODEL", "y" if fast else "n")
        files["pipe.py"] = CHOICE.format(import_=f"FAST = {fast}", test=test, body=body)
        found.append(ingredients_of(loader.load(written(tmp_path, files)).f, tmp_path))
    assert changed(*found) - {"pipe:FAST"}
    assert {"pipe:FAST"} & changed(*found) or "environ" in test


def test_a_function_itself_is_the_one_that_was_chosen(tmp_path: Path, loader: Loader) -> None:
    text = "import sys\nif '{}' in sys.path: \n  def f(): return 1\nelse:\n  def f(): return 2"
    one = ingredients_of(loader.load(written(tmp_path, {"pipe.py": text.format(tmp_path)})).f, tmp_path)
    other = ingredients_of(loader.load(written(tmp_path, {"pipe.py": text.format("no")})).f, tmp_path)
    assert "pipe:f" in changed(one, other)


@pytest.mark.parametrize(
    ("before", "change"),
    [
        ("K = {}", "K['a'] = {}"),
        ("K = []", "K.append({})"),
        ("K = []", "for k in range({}):\n    K.append(k)"),
        ("class K: pass", "K.rate = {}"),
        ("def K(): pass", "K.rate = {}"),
        ("from types import SimpleNamespace\nK = SimpleNamespace()", "K.rate = {}"),
        ("from pkg.tools import K", "K['a'] = {}"),
        ("from pkg.tools import K", "K.update(a={})"),
    ],
)
def test_what_a_module_changes_at_its_top_counts(tmp_path: Path, loader: Loader, before: str, change: str) -> None:
    files = {"pkg/__init__.py": "", "pkg/tools.py": "K = {}"}
    found = []
    for number in (1, 2):
        files["pipe.py"] = f"{before}\n{change.format(number)}\ndef f(): return K"
        found.append(ingredients_of(loader.load(written(tmp_path, files)).f, tmp_path))
    assert changed(*found) and found[0].changed_since() == []


@pytest.mark.parametrize(
    "statement", ["K.info({})", "f.rate({})", "np.random.seed({})", "if __name__ == '__main__':\n    K.append({})"]
)
def test_what_changes_nothing_that_is_reached_does_not_count(tmp_path: Path, loader: Loader, statement: str) -> None:
    found = []
    text = "import logging, numpy as np\nK = logging.getLogger()\ndef f(): return K, np.pi\nf.rate = print\n"
    for number in (1, 2):
        module = loader.load(written(tmp_path, {"pipe.py": text + statement.format(number)}))
        found.append(ingredients_of(module.f, tmp_path))
    assert changed(*found) == set()


def test_a_value_that_was_set_at_run_time_counts_as_it_is(tmp_path: Path, clean: Any) -> None:
    before = ingredients_of(clean, tmp_path)
    sys.modules["pkg.tools"].FACTOR = 7
    assert changed(before, ingredients_of(clean, tmp_path)) == {"pkg.tools:FACTOR"}


def test_what_computes_a_plain_value_does_not_count_but_the_value(tmp_path: Path, loader: Loader) -> None:
    files = {"pipe.py": "def compute(): return 2\nN = compute()\ndef f(): return N"}
    before = ingredients_of(loader.load(written(tmp_path, files)).f, tmp_path)
    assert set(digests(before)) == {"pipe:f", "pipe:N"}
