"""What a function carries with it: variables, functions and objects from outside, and what its decorators wrap."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from code_files import typed, written
from loading import FILES, Loader, changed, digests

from datatool.errors import UsageError
from datatool.stages.live import ingredients_of


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
