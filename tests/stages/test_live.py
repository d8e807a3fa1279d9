"""What determines the result of a function in memory: each ingredient of it, and nothing else."""

from __future__ import annotations

import importlib
import linecache
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from code_files import typed, written

from datatool.errors import UsageError
from datatool.stages.live import Ingredients, ingredients_of
from datatool.stages.values import value_digest

FILES = {
    "pipe.py": """
        import functools
        import json
        import numpy
        import datatool
        from pkg import tools
        from pkg.tools import scale

        RATE = 0.1
        WORDS = {"a": 1}
        NAMES = ["x", "y"]
        SPARE = 3

        def logged(function):
            @functools.wraps(function)
            def wrapper(*args):
                return function(*args)
            return wrapper

        class Model:
            depth = 2
            def fit(self, rows):
                return self.depth * rows

        @logged
        def clean(rows, limit=10):
            return Model().fit(scale(rows) * RATE), WORDS, NAMES, numpy.pi, tools.FACTOR

        def unused():
            return SPARE

        def make(power, words=("a",)):
            table = {"b": 2}
            def inner(x, n=power):
                return x ** power, table, words, scale(x)
            return inner

        squared, cubed = make(2), make(3)
        """,
    "pkg/__init__.py": "",
    "pkg/tools.py": """
        FACTOR = 5
        def scale(rows):
            return helper(rows)
        def helper(rows):
            return rows
        def other():
            return 1
        """,
}


class Loader:
    """Imports modules of small projects, each time anew."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch

    def load(self, top: Path, name: str = "pipe") -> ModuleType:
        self.forget()
        self._patch.syspath_prepend(top)
        return importlib.import_module(name)

    def forget(self) -> None:
        for name in [name for name in sys.modules if name.partition(".")[0] in ("pipe", "pkg")]:
            del sys.modules[name]
        linecache.clearcache()


@pytest.fixture
def loader(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loader]:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader = Loader(monkeypatch)
    yield loader
    loader.forget()


def digests(found: Ingredients) -> dict[str, tuple[str, str]]:
    return {item.name: (item.kind, item.digest) for item in found.items}


def changed(before: Ingredients, after: Ingredients) -> set[str]:
    one, other = digests(before), digests(after)
    return {name for name in one | other if one.get(name) != other.get(name)}


@pytest.fixture
def clean(tmp_path: Path, loader: Loader) -> Any:
    return loader.load(written(tmp_path, FILES)).clean


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


def test_a_closure_counts_by_value_or_by_the_statement_that_made_it(tmp_path: Path, loader: Loader) -> None:
    module = loader.load(written(tmp_path, FILES))
    squared, cubed = ingredients_of(module.squared, tmp_path), ingredients_of(module.cubed, tmp_path)
    name = "pipe:make.<locals>.inner"
    assert changed(squared, cubed) == {f"{name}[power]", f"{name}(n)"}
    assert {f"{name}[table]", f"{name}[words]", name, "pkg.tools:scale"} < set(digests(squared))
    text = (tmp_path / "pipe.py").read_text()
    (tmp_path / "pipe.py").write_text(text.replace('{"b": 2}', '{"b": 3}'))
    again = ingredients_of(loader.load(tmp_path).squared, tmp_path)
    assert changed(squared, again) >= {f"{name}[table]"} and name not in changed(squared, again)


def test_functions_classes_and_modules_in_a_closure_count_by_their_code(tmp_path: Path, loader: Loader) -> None:
    files = {
        "pipe.py": """
            import json
            from pkg import tools
            class Thing:
                def use(self): return 1
            def helper(): return 2
            def make(*given):
                function, kind, module, package, loose = given
                def f():
                    return function, kind, module, package, loose
                return f
            f = make(helper, Thing, tools, json, object())
            """,
        "pkg/__init__.py": "",
        "pkg/tools.py": "def g(): pass",
    }
    found = ingredients_of(loader.load(written(tmp_path, files)).f, tmp_path)
    assert set(digests(found)) == {
        "pipe:make.<locals>.f",
        "pipe:make.<locals>.f[function]",
        "pipe:make.<locals>.f[kind]",
        "pipe:make.<locals>.f[module]",
        "pipe:make.<locals>.f[package]",
        "pipe:helper",
        "pipe:Thing",
        "pipe:Thing.use",
        "pkg.tools:g",
    }
    assert found.packages == ()
    assert found.warnings == ("pipe.py:9: loose is a object from outside, which does not count",)


def test_a_decorator_of_the_project_that_does_not_say_what_it_wraps_is_followed(tmp_path: Path, loader: Loader) -> None:
    files = {
        "pipe.py": """
            def twice(function):
                def run(*args): return function(*args), function(*args)
                return run
            @twice
            def f(x): return helper(x)
            def helper(x): return x
            """
    }
    found = digests(ingredients_of(loader.load(written(tmp_path, files)).f, tmp_path))
    assert {"pipe:twice.<locals>.run", "pipe:f", "pipe:helper", "pipe:twice"} <= set(found)


def test_what_datatools_own_decorators_say_is_no_part_of_the_code(tmp_path: Path, loader: Loader) -> None:
    code = "import datatool\ndef f(): return g()\nif False:\n    datatool\n{decorator}def g(): return 1"
    tops = {"one": "@datatool.stage(ttl='7d')\n", "two": "@datatool.stage\n", "three": ""}
    found = []
    for name, decorator in tops.items():
        written(tmp_path / name, {"pipe.py": "import datatool\ndef f(): return g()\ng = None\n"})
        module = loader.load(tmp_path / name)
        (tmp_path / name / "pipe.py").write_text(code.format(decorator=decorator))
        found.append(digests(ingredients_of(module.f, tmp_path / name))["pipe:g"])
    assert len(set(found)) == 1


def test_lambdas_and_methods_are_functions(tmp_path: Path, loader: Loader) -> None:
    files = {
        "pipe.py": "N = 1\nf = lambda x: x + N\nclass K:\n  def m(self): return N\n  @staticmethod\n  def s(): pass"
    }
    module = loader.load(written(tmp_path, files))
    assert set(digests(ingredients_of(module.f, tmp_path))) == {"pipe:<lambda>", "pipe:N"}
    for method in (module.K.m, module.K().m, module.K.s):
        assert set(digests(ingredients_of(method, tmp_path))) == {"pipe:K", "pipe:K.m", "pipe:K.s", "pipe:N"}


def test_functions_that_refer_to_themselves_are_no_trouble(tmp_path: Path, loader: Loader) -> None:
    files = {"pipe.py": "def make():\n    def f(n): return f(n - 1)\n    return f\nf = make()"}
    name = "pipe:make.<locals>.f"
    found = ingredients_of(loader.load(written(tmp_path, files)).f, tmp_path)
    assert set(digests(found)) == {name, f"{name}[f]"}


def keys(tmp_path: Path, loader: Loader, text: str) -> list[object]:
    """The ingredients of all functions in the list `made` of a module."""
    made = loader.load(written(tmp_path, {"pipe.py": text})).made
    return [sorted(digests(ingredients_of(function, tmp_path)).items()) for function in made]


@pytest.mark.parametrize(
    "text",
    [
        "made = [lambda x: x + 1, lambda x: x + 2]",
        "made = [\n    lambda x: x + 1,\n    lambda x: x + 2,\n]",
        "made = [lambda x=1: x + 1, lambda x=1: x + 2]",
        "made = [lambda x: lambda y: 1, (lambda x: lambda y: 1)(0)]",
        "def mk(f):\n    return lambda x: f(x)\nmade = [mk(lambda x: 1), mk(lambda x: 2)]",
        "def mk(f, g):\n    return lambda x: f(g(x))\na, b = lambda x: 1, lambda x: 2\nmade = [mk(a, b), mk(b, a)]",
        "def mk(f, g):\n    return lambda x: f(g(x))\ndef a(): pass\ndef b(): pass\nmade = [mk(a, b), mk(b, a)]",
        "def mk(f, g, h):\n    return lambda: (f, g, h)\na, b = lambda: 1, lambda: 2\n"
        "made = [mk(a, b, a), mk(a, b, b)]",
        "def mk(f):\n    return lambda x, key=f: key(x)\nmade = [mk(lambda x: 1), mk(lambda x: 2)]",
        "def mk(n):\n    class D:\n        def v(self): return n\n    return lambda: D()\nmade = [mk(1), mk(2)]",
        "def mk(n):\n    class D:\n        @property\n        def v(self): return n\n    return lambda d=D: d\n"
        "made = [mk(1), mk(2)]",
        "def mk(n):\n    class D:\n        v = n\n    class E(D): pass\n    return lambda: E()\nmade = [mk(1), mk(2)]",
        "def mk(n, m):\n    class D:\n        @property\n        def v(self): return n\n        @v.setter\n"
        "        def v(self, x): m\n    return lambda: D\nmade = [mk(1, 1), mk(1, 2)]",
        "import functools\ndef add(a, b): pass\ndef mk(f):\n    return lambda x: f(x)\n"
        "made = [mk(functools.partial(add, 1)), mk(functools.partial(add, 2))]",
        "made = []\nfor k in (1, 2):\n    class C: n = k\n    made.append(lambda c=C: c.n)",
        "def f(): return 1\ng = f\ndef f(): return 2\nmade = [f, g]",
    ],
)
def test_functions_of_one_name_are_told_apart(tmp_path: Path, loader: Loader, text: str) -> None:
    one, other = keys(tmp_path, loader, text)
    assert one != other
    assert keys(tmp_path, loader, text) == [one, other]


def test_functions_of_one_name_in_two_modules_are_told_apart(tmp_path: Path, loader: Loader) -> None:
    files = {"pkg/__init__.py": "", "pkg/a.py": "def h(): return 1", "pkg/b.py": "def h(): return 2"}
    text = "from pkg import a, b\ndef mk(f, g):\n    return lambda: (f, g)\nmade = [mk(a.h, b.h), mk(b.h, a.h)]"
    written(tmp_path, files)
    one, other = keys(tmp_path, loader, text)
    assert one != other


def test_a_method_of_an_object_in_a_closure_is_told(tmp_path: Path, loader: Loader) -> None:
    text = "class O:\n    def m(self): pass\ndef mk(f):\n    return lambda: f()\nf = mk(O().m)"
    (warning,) = ingredients_of(loader.load(written(tmp_path, {"pipe.py": text})).f, tmp_path).warnings
    assert warning.endswith("object of O.m in pipe:mk.<locals>.<lambda>[f] does not count")


def test_lambdas_of_two_cells_are_told_apart(tmp_path: Path) -> None:
    names = typed("f = lambda x: x + 1", "g = lambda x: x + 2")
    assert digests(ingredients_of(names["f"], tmp_path)) != digests(ingredients_of(names["g"], tmp_path))


def test_a_notebook_reaches_the_projects_modules(tmp_path: Path, loader: Loader) -> None:
    loader.load(written(tmp_path, FILES))
    found = ingredients_of(typed("from pkg.tools import scale", "def f(x): return scale(x)")["f"], tmp_path)
    assert set(digests(found)) == {"notebook:f", "notebook:scale import", "pkg.tools:scale", "pkg.tools:helper"}


def test_what_has_no_source_or_is_no_python_is_refused_by_name(tmp_path: Path) -> None:
    names: dict[str, Any] = {}
    exec("def ghost(): pass", names)
    with pytest.raises(UsageError, match="ghost: its source can't be read"):
        ingredients_of(names["ghost"], tmp_path)
    for thing, name in ((len, "len"), (dict, "dict"), (3, "int")):
        with pytest.raises(UsageError, match=f"{name}: is no function written in Python"):
            ingredients_of(thing, tmp_path)


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
