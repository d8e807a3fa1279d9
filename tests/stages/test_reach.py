"""Which code a script or a function reaches."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from code_files import notebook, written

from datatool.stages.definitions import Kind, Reached
from datatool.stages.modules import Modules
from datatool.stages.reach import Walk, reached, reached_by_script
from datatool.stages.resolve import Own

LIBRARY = {
    "train.py": """
        from pkg.clean import tidy as t
        import pkg.deep.model as m

        def main():
            return m.fit(t([1]))

        def unused():
            return 1

        if __name__ == "__main__":
            main()
        """,
    "pkg/__init__.py": "",
    "pkg/clean.py": """
        from .words import STOP, lower

        def tidy(rows):
            def inner(row):
                return lower(row) not in STOP
            return [inner(row) for row in rows]

        def other():
            return 2
        """,
    "pkg/words.py": """
        STOP = {"a", "the"}
        SPARE = 1

        def lower(text):
            return text.lower()
        """,
    "pkg/deep/__init__.py": "",
    "pkg/deep/model.py": """
        import numpy as np
        from ..words import lower

        RATE = 0.1

        class Base:
            scale = 1
            def score(self):
                return helper()

        class Model(Base):
            rate = RATE
            def fit(self, rows):
                return np.mean(rows) * self.rate

        def helper():
            return 3

        def fit(rows):
            return Model().fit(rows)
        """,
}


def names(found: Reached) -> set[str]:
    """The code that is reached, without what imports mean."""
    return {definition.name for definition in found.definitions if definition.kind is not Kind.IMPORT}


def reached_by_function(path: Path, name: str, root: Path) -> Reached:
    """What a function or class at the top of a file reaches, and the constants that it reads."""
    modules = Modules(root, path.parent)
    walk = Walk(modules, loading=False)
    walk.follow([Own(modules.at(path), name)])
    return walk.result()


def of_script(top: Path, files: Mapping[str, str], entry: str = "train.py") -> Reached:
    return reached_by_script(written(top, files) / entry, top)[0]


def of_function(top: Path, files: Mapping[str, str], function: str, entry: str = "train.py") -> Reached:
    return reached_by_function(written(top, files) / entry, function, top)


def test_a_script_reaches_its_own_code_and_functions_of_other_modules(tmp_path: Path) -> None:
    found = of_script(tmp_path, LIBRARY)
    assert names(found) == {
        "train.py",
        "train.py:main",
        "pkg",
        "pkg.clean",
        "pkg.clean:tidy",
        "pkg.words",
        "pkg.words:lower",
        "pkg.deep",
        "pkg.deep.model",
        "pkg.deep.model:Base",
        "pkg.deep.model:Base.score",
        "pkg.deep.model:Model",
        "pkg.deep.model:Model.fit",
        "pkg.deep.model:helper",
        "pkg.deep.model:fit",
    }
    assert found.packages == ("numpy",) and found.warnings == ()


def test_a_function_reaches_what_it_uses_and_the_constants_that_it_reads(tmp_path: Path) -> None:
    found = of_function(tmp_path, LIBRARY, "tidy", "pkg/clean.py")
    assert names(found) == {"pkg.clean:tidy", "pkg.words:lower", "pkg.words:STOP"}
    assert found.packages == ()
    model = of_function(tmp_path, LIBRARY, "fit", "pkg/deep/model.py")
    assert "pkg.deep.model:RATE" in names(model) and "pkg.words:lower" not in names(model)


def test_the_result_for_run_records_is_names_and_hashes(tmp_path: Path) -> None:
    written(tmp_path, LIBRARY)
    found = reached(tmp_path / "train.py", tmp_path)
    assert list(found) == sorted(found) and all(len(value) == 64 for value in found.values())


@pytest.mark.parametrize(
    ("file", "old", "new", "changed"),
    [
        ("pkg/words.py", "text.lower()", "text.upper()", "pkg.words:lower"),
        ("pkg/words.py", '"the"', '"an"', "pkg.words"),
        ("pkg/deep/model.py", "RATE = 0.1", "RATE = 0.2", "pkg.deep.model"),
        ("pkg/deep/model.py", "scale = 1", "scale = 2", "pkg.deep.model:Base"),
        ("pkg/deep/model.py", "return 3", "return 4", "pkg.deep.model:helper"),
        ("train.py", "main()\n", "print(main())\n", "train.py"),
        ("train.py", "return 1", "return 9", None),
        ("pkg/clean.py", "return 2", "return 9", None),
        ("pkg/clean.py", "def other", "# A comment.\ndef other", None),
    ],
)
def test_only_what_is_reached_changes_the_hashes(
    tmp_path: Path, file: str, old: str, new: str, changed: str | None
) -> None:
    top = written(tmp_path, LIBRARY)
    before = reached(top / "train.py", top)
    path = top / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    after = reached(top / "train.py", top)
    assert {name for name in before | after if before.get(name) != after.get(name)} == ({changed} - {None})


def test_another_place_or_working_directory_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = written(tmp_path / "one", LIBRARY), written(tmp_path / "other", LIBRARY)
    found = reached(one / "train.py", one)
    assert found == reached(other / "train.py", other)
    monkeypatch.chdir(other)
    assert found == reached(Path("train.py"), Path())
    (tmp_path / "link").symlink_to(one)
    assert found == reached(tmp_path / "link" / "train.py", tmp_path / "link")


@pytest.mark.parametrize(
    ("code", "reaches"),
    [
        ("def f(x=helper()): pass", "helper"),
        ("@helper\ndef f(): pass", "helper"),
        ("def f(): return lambda: helper()", "helper"),
        ("class K(Thing): pass\ndef f(): return K", "Thing.use"),
        ("def f(): return [helper for helper in range(3)], helper", "helper"),
        ("PIPE = [helper]\ndef f(): return PIPE", "helper"),
        ("def f():\n    global LIMIT\n    LIMIT = 1\n    return LIMIT", "LIMIT"),
        ("def f():\n    def g():\n        return LIMIT\n    return g", "LIMIT"),
        ("class K:\n    LIMIT = LIMIT\ndef f(): return K.LIMIT", "LIMIT"),
        ("def f():\n    from train import helper as h\n    return h()", "helper"),
        ("def f():\n    import train\n    return train.helper()", "helper"),
        ("def f():\n    import train\n    return getattr(train, 'helper')()", "helper"),
        ("def f():\n    import importlib\n    return importlib.import_module('train')", "helper"),
        ("import train as me\ndef f(): return me.me.helper()", "helper"),
        ("import train as me\ndef f(): return print(me)", "helper"),
        ("def f(x: Thing): pass", "Thing"),
        ("def f():\n    match 1:\n        case Thing(): pass", "Thing"),
        ("if LIMIT:\n    def f(): return helper()\nelse:\n    def f(): return 0", "helper"),
        ("f = helper", "helper"),
        ("async def f():\n    async with Thing() as t: pass", "Thing"),
        ("def f(): return f'{helper()}'", "helper"),
        ("def f():\n    try: pass\n    except Thing: pass", "Thing"),
    ],
)
def test_a_reference_of_any_kind_is_followed(tmp_path: Path, code: str, reaches: str) -> None:
    rest = "\nLIMIT = 1\ndef helper(): return LIMIT\nclass Thing:\n    def use(self): return 2\n"
    written(tmp_path, {})
    (tmp_path / "train.py").write_text(code + rest)
    assert f"train:{reaches}" in names(reached_by_function(tmp_path / "train.py", "f", tmp_path))


@pytest.mark.parametrize(
    "code",
    [
        "def f(helper): return helper()",
        "def f():\n    helper = 1\n    return helper",
        "def f():\n    return [helper for helper in range(3)]",
        "def f():\n    for helper in (): print(helper)",
        "def f():\n    def g(helper): return helper\n    return g",
        "def f(): return lambda helper: helper",
        "def f(x):\n    match x:\n        case {'a': helper}: return helper",
        "def f():\n    import json as helper\n    return helper.dumps(1)",
        "def f(x): return x.helper",
        "def f():\n    if (helper := 1): return helper",
        "def f():\n    with open('x') as helper: return helper",
    ],
)
def test_a_name_of_the_functions_own_is_not_the_modules(tmp_path: Path, code: str) -> None:
    (tmp_path / "train.py").write_text(code + "\ndef helper(): return 1\n")
    assert names(reached_by_function(tmp_path / "train.py", "f", tmp_path)) == {"train:f"}


def test_functions_that_call_each_other_and_modules_that_import_each_other_are_no_trouble(tmp_path: Path) -> None:
    files = {
        "one.py": "from two import *\nfrom two import g\ndef f(): return g()\ndef h(): return nowhere()",
        "two.py": "from one import *\nfrom one import f\ndef g(): return f() or h()",
    }
    assert names(of_function(tmp_path, files, "f", "one.py")) == {"one:f", "two:g", "one:h"}


def test_names_passed_on_by_packages_lead_to_where_they_are_defined(tmp_path: Path) -> None:
    files = {
        "train.py": "import pkg\nfrom pkg import *\ndef f(): return pkg.load(), save(), hidden(), pkg.sub.deep()",
        "pkg/__init__.py": "from ._load import load, hidden\nfrom ._save import *\n__all__ = ['save']",
        "pkg/_load.py": "def load(): pass\ndef hidden(): pass",
        "pkg/_save.py": "def save(): pass\ndef _not(): pass",
        "pkg/sub.py": "def deep(): pass",
    }
    assert names(of_function(tmp_path, files, "f")) == {"train:f", "pkg._load:load", "pkg._save:save", "pkg.sub:deep"}


def test_modules_are_found_beside_the_script_in_the_root_and_in_src(tmp_path: Path) -> None:
    files = {
        "jobs/train.py": "import beside, top, lib.part, loose.file\nbeside.f(); top.f(); lib.part.f(); loose.file.f()",
        "jobs/beside.py": "def f(): pass",
        "top.py": "def f(): pass",
        "src/lib/__init__.py": "",
        "src/lib/part.py": "def f(): pass",
        "loose/file.py": "def f(): pass",
    }
    found = of_script(tmp_path, files, "jobs/train.py")
    assert {name for name in names(found) if ":" in name} == {
        "jobs.beside:f",
        "top:f",
        "src.lib.part:f",
        "loose.file:f",
    }
    assert "jobs/train.py" in names(found)


def test_packages_are_named_and_what_is_installed_inside_the_project_is_one(tmp_path: Path) -> None:
    files = {
        "train.py": "import json, pandas as pd\nfrom sklearn.svm import SVC\nimport env.lib.thing\n"
        "def f(): return json.dumps(pd.DataFrame(SVC())), env.lib.thing.g()",
        "env/pyvenv.cfg": "",
        "env/lib/thing.py": "def g(): pass",
        "pandas/data.csv": "a directory of data",
    }
    found = of_function(tmp_path, files, "f")
    assert names(found) == {"train:f"} and found.packages == ("env", "pandas", "sklearn")


def test_a_module_of_the_project_does_not_hide_one_of_pythons_own_unless_it_lies_beside_the_script(
    tmp_path: Path,
) -> None:
    files = {"jobs/train.py": "import random, sys\nrandom.f(); sys.f()", "random.py": "def f(): pass"}
    assert names(of_script(tmp_path, files, "jobs/train.py")) == {"jobs/train.py"}
    beside = {"jobs/random.py": "def f(): pass", "jobs/sys.py": "def f(): pass"}
    assert names(of_script(tmp_path, beside, "jobs/train.py")) == {"jobs/train.py", "jobs.random", "jobs.random:f"}


@pytest.mark.parametrize(
    "call",
    [
        "'.h', __package__",
        "'.h', package=__package__",
        "'..sub.h', package=__package__",
        "'.h', 'pkg.sub'",
        "'.sub.h', package='pkg'",
        "'...sub.h', 'pkg.sub.deep'",
    ],
)
def test_a_module_that_is_imported_from_a_package_is_followed(tmp_path: Path, call: str) -> None:
    files = {
        "pkg/__init__.py": "",
        "pkg/sub/__init__.py": "",
        "pkg/sub/h.py": "def helper(): pass",
        "pkg/sub/one.py": f"import importlib\ndef f(): return importlib.import_module({call})",
    }
    found = of_function(tmp_path, files, "f", "pkg/sub/one.py")
    assert "pkg.sub.h:helper" in {item.name for item in found.definitions} and not found.warnings


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("getattr(pkg, name)", "getattr with a name that is made at run time"),
        ("eval('1')", "eval runs code that it is given"),
        ("exec(text)", "exec runs code"),
        ("importlib.import_module(name)", "importlib.import_module with a name"),
        ("load(name)", "load with a name"),
        ("load('.tools', pkg.name)", "load with a package"),
        ("load('.tools')", "load with a package"),
        ("__import__(name)", "__import__ with a name"),
        ("globals()['g']()", "globals reaches names"),
        ("vars(pkg)['g']", "vars reaches names"),
    ],
)
def test_what_cannot_be_followed_is_told_with_file_and_line(tmp_path: Path, code: str, told: str) -> None:
    files = {
        "jobs/train.py": f"import importlib\nfrom importlib import import_module as load\ndef f(pkg, name):\n  {code}"
    }
    (warning,) = of_function(tmp_path, files, "f", "jobs/train.py").warnings
    assert warning.startswith("jobs/train.py:4: ") and told in warning


@pytest.mark.parametrize("code", ["getattr(x, 'name')", "vars()", "x.eval('1')", "int(x)"])
def test_what_can_be_followed_is_no_warning(tmp_path: Path, code: str) -> None:
    assert of_function(tmp_path, {"train.py": f"def f(x):\n  return {code}"}, "f").warnings == ()


def test_a_function_that_a_decorator_may_register_belongs_to_the_script(tmp_path: Path) -> None:
    files = {
        "train.py": """
            import functools, typer
            app = typer.Typer()
            @app.command()
            def go(): return helper()
            def helper(): return 1
            @functools.cache
            def unused(): return 2
            app()
            """
    }
    assert names(of_script(tmp_path, files)) == {"train.py", "train.py:go", "train.py:helper"}


def test_a_class_that_nothing_uses_is_no_code_of_a_run(tmp_path: Path) -> None:
    files = {"train.py": "class K:\n    x = helper()\ndef f(x=helper()): pass\ndef helper(): pass"}
    assert names(of_script(tmp_path, files)) == {"train.py"}
    found, _ = reached_by_script(tmp_path / "train.py", tmp_path, defining=True)
    assert names(found) == {"train.py", "train.py:helper"}


def test_an_imported_modules_main_block_is_not_reached(tmp_path: Path) -> None:
    files = {
        "train.py": "import helper\nhelper.f()",
        "helper.py": "def f(): pass\ndef demo(): pass\nif __name__ == '__main__':\n    demo()",
    }
    before = of_script(tmp_path, files)
    assert names(before) == {"train.py", "helper", "helper:f"}


def test_a_class_of_several_definitions_and_a_property_with_a_setter_are_one_each(tmp_path: Path) -> None:
    files = {
        "train.py": """
            class K:
                @property
                def x(self): return 1
                @x.setter
                def x(self, value): pass
                class Inner:
                    def y(self): pass
            def f(): return K()
            """
    }
    assert names(of_function(tmp_path, files, "f")) == {
        "train:f",
        "train:K",
        "train:K.x",
        "train:K.Inner",
        "train:K.Inner.y",
    }


def test_a_notebooks_cells_are_one_module_without_ipythons_lines(tmp_path: Path) -> None:
    files = {
        "study.ipynb": notebook(
            "%matplotlib inline\n!pip install x\nimport helper\nfiles = !ls\nhelp?",
            "%%bash\nrm -rf /",
            "%%time\ndef f():\n    return helper.g()",
            "x = (7\n  % 4)\nawait f()",
            "this is no Python",
        ),
        "helper.py": "def g(): pass",
    }
    found = of_script(tmp_path, files, "study.ipynb")
    assert names(found) == {"study.ipynb", "study.ipynb:f", "helper", "helper:g"}
    assert found.warnings == ("study.ipynb: cell 5 is no Python: invalid syntax (line 1)",)


def test_the_place_in_a_notebook_is_told_by_cell(tmp_path: Path) -> None:
    files = {"study.ipynb": notebook("x = 1\n", "y = 2\neval('x')")}
    assert of_script(tmp_path, files, "study.ipynb").warnings == (
        "study.ipynb, cell 2, line 2: eval runs code that it is given",
    )


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("train.py", b"def f(:\n", "train.py: is no Python: "),
        ("train.py", b"x = '\0'", "train.py: is no Python: "),
        ("train.py", b"\xff\xfe", "train.py: is no Python: "),
        ("train.py", b"(" * 100_000, "train.py: is no Python: "),
        ("train.py", b"x = " + b"-" * 100_000 + b"1", "train.py: is no Python: "),
        ("a.ipynb", b"{", "a.ipynb: is no notebook: "),
        ("a.ipynb", b"[" * 100_000, "a.ipynb: is no notebook: "),
        ("a.ipynb", b"[]", "a.ipynb: is no notebook of format 4"),
        ("a.ipynb", notebook("x", language="R").encode(), "a.ipynb: is a notebook in r, not in Python"),
    ],
)
def test_a_file_that_does_not_read_is_a_warning_that_names_it(
    tmp_path: Path, name: str, data: bytes, told: str
) -> None:
    (tmp_path / name).write_bytes(data)
    (warning,) = reached_by_script(tmp_path / name, tmp_path)[0].warnings
    assert warning.startswith(told)


def test_a_file_that_is_missing_no_file_or_too_large_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "directory.py").mkdir()
    with (tmp_path / "huge.py").open("wb") as file:
        file.truncate(17 << 20)
    told = {
        name: reached_by_script(tmp_path / name, tmp_path)[0].warnings for name in ("no.py", "directory.py", "huge.py")
    }
    assert told == {
        "no.py": ("no.py: can't be read: No such file or directory",),
        "directory.py": ("directory.py: is no regular file",),
        "huge.py": ("huge.py: is too large for a program (17 MB)",),
    }


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs")
def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.py")
    assert reached_by_script(tmp_path / "pipe.py", tmp_path)[0].warnings == ("pipe.py: is no regular file",)


def test_long_generated_code_is_no_deep_recursion(tmp_path: Path, without_collection: None) -> None:
    chain = "".join(f"\nelif x == {number}:\n  y = f{number % 7}()" for number in range(300))
    text = "x = y = 0\nif x:\n  pass" + chain + "".join(f"\ndef f{number}(): pass" for number in range(7))
    (tmp_path / "train.py").write_text(text + "\nz = " + " + ".join(["x"] * 900))
    assert len(names(reached_by_script(tmp_path / "train.py", tmp_path)[0])) == 8


def test_code_outside_the_project_is_not_its_own(tmp_path: Path) -> None:
    written(tmp_path, {"outside/helper.py": "def g(): pass"})
    files = {"sub/train.py": "from ... import outside\nfrom ...outside.helper import g\nimport os.path\ng(os)"}
    assert names(of_script(tmp_path / "project", files, "sub/train.py")) == {"sub/train.py"}


def test_nothing_is_executed(tmp_path: Path) -> None:
    files = {"train.py": "import helper\nraise SystemExit", "helper.py": "open('made', 'w')\nraise SystemExit"}
    of_script(tmp_path, files)
    assert not (tmp_path / "made").exists() and "helper" not in sys.modules


def test_a_warning_of_the_compiler_is_not_the_callers(tmp_path: Path) -> None:
    assert of_script(tmp_path, {"train.py": r"x = '\d'; y = 1 is 1"}).warnings == ()


def test_an_edited_file_is_read_again(tmp_path: Path) -> None:
    top = written(tmp_path, {"train.py": "x = 1"})
    before = reached(top / "train.py", top)
    (top / "train.py").write_text("x = 10")
    assert reached(top / "train.py", top) != before
