"""Which paths a script or notebook tracks, as far as its text tells."""

from __future__ import annotations

from pathlib import Path

import pytest
from code_files import notebook, written

from datatool.stages.script_inputs import ScriptInputs, script_inputs


def of(top: Path, code: str, name: str = "train.py", **files: str) -> ScriptInputs:
    others = {f"{module.replace('__', '/')}.py": text for module, text in files.items()}
    return script_inputs(written(top, {name: code, **others}) / name, top)


def inputs(found: ScriptInputs) -> list[str]:
    return [item.path for item in found.inputs]


IMPORTS = """
import os
import os.path as osp
import pathlib
from os.path import join
from pathlib import Path
import datatool
import datatool as dt
from datatool import track, track as t, File
DATA = Path("data")
NAME = "x"
FILES = ["a", "b"]
"""


@pytest.mark.parametrize(
    ("code", "paths"),
    [
        ("track('x.csv')", ["x.csv"]),
        ("track(path='x.csv')", ["x.csv"]),
        ("t('x.csv')", ["x.csv"]),
        ("datatool.track('x.csv')", ["x.csv"]),
        ("dt.track('x.csv', on_change='keep')", ["x.csv"]),
        ("datatool.File('x.csv')", ["x.csv"]),
        ("pd.read_csv(track('x.csv')).mean()", ["x.csv"]),
        ("with open(track('x.csv')) as f: pass", ["x.csv"]),
        ("track(['a', 'b'])", ["a", "b"]),
        ("track(('a', 'b'))", ["a", "b"]),
        ("track(FILES)", ["a", "b"]),
        ("track(FILES + ['c'])", ["a", "b", "c"]),
        ("track([*FILES, 'c'])", ["a", "b", "c"]),
        ("track(sorted(FILES))", ["a", "b"]),
        ("track(Path('a') / 'b.csv')", ["a/b.csv"]),
        ("track('a' / Path('b.csv'))", ["a/b.csv"]),
        ("track(pathlib.Path('a', 'b.csv'))", ["a/b.csv"]),
        ("track(DATA / 'x.csv')", ["data/x.csv"]),
        ("track(DATA.joinpath('a', 'b'))", ["data/a/b"]),
        ("track((DATA / 'x.csv').with_suffix('.dat'))", ["data/x.dat"]),
        ("track((DATA / 'x.csv').parent)", ["data"]),
        ("track(str(DATA / 'x.csv'))", ["data/x.csv"]),
        ("track((DATA / 'x.csv').as_posix())", ["data/x.csv"]),
        ("track(os.path.join('a', NAME))", ["a/x"]),
        ("track(osp.join('a', 'b'))", ["a/b"]),
        ("track(join('a', 'b'))", ["a/b"]),
        ("track(os.fspath(DATA))", ["data"]),
        ("track(f'{DATA}/{NAME}.csv')", ["data/x.csv"]),
        ("track(f'x.csv')", ["x.csv"]),
        ("track('x' + '.csv')", ["x.csv"]),
        ("track('a/'\n'b.csv')", ["a/b.csv"]),
        ("track(Path.cwd() / 'x.csv')", ["x.csv"]),
        ("for name in ['a', 'b']:\n    track(f'{name}.csv')", ["a.csv", "b.csv"]),
        ("for name in FILES: track(DATA / name)", ["data/a", "data/b"]),
        ("[track(name) for name in FILES]", ["a", "b"]),
        ("track([DATA / name for name in FILES])", ["data/a", "data/b"]),
        ("def main():\n    path = DATA / 'x'\n    return track(path)\nmain()", ["data/x"]),
        ("def main():\n    from datatool import track as u\n    u('x')\nmain()", ["x"]),
        ("def main():\n    from pathlib import Path as P\n    track(P('x') / 'y')\nmain()", ["x/y"]),
        ("class K:\n    raw = track('x')\nK()", ["x"]),
        ("class K:\n    def load(self): return track('x')\nK()", ["x"]),
        ("if __name__ == '__main__':\n    track('x')", ["x"]),
        ("@datatool.stage(raw=File('x'))\ndef clean(raw): pass", ["x"]),
        ("@dt.stage\ndef clean(raw): return track('x')", ["x"]),
        ("async def main(): await work(track('x'))\nmain()", ["x"]),
        ("x = track('x') if track('y') else 1", ["x", "y"]),
        ("track('same'); track('same')", ["same"]),
    ],
)
def test_a_path_that_is_spelled_out_is_known(tmp_path: Path, code: str, paths: list[str]) -> None:
    found = of(tmp_path, IMPORTS + code)
    assert sorted(inputs(found)) == paths
    assert found.unknown == () and found.problems == () and all(item.sure for item in found.inputs)


@pytest.mark.parametrize(
    "code", ["track(Path(__file__).parent / 'x')", "track(Path(__file__).resolve().parents[0] / 'x')"]
)
def test_a_path_from_the_scripts_own_place_is_known(tmp_path: Path, code: str) -> None:
    assert inputs(of(tmp_path, IMPORTS + code, "jobs/train.py")) == [str(tmp_path / "jobs" / "x")]
    code = "import os\nfrom datatool import track\ntrack(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'x'))"
    assert inputs(of(tmp_path, code, "jobs/train.py")) == [str(tmp_path / "jobs" / "x")]


@pytest.mark.parametrize(
    ("code", "paths"),
    [
        ("track('a' if os.name else 'b')", ["a", "b"]),
        ("if os.name:\n    P = 'a'\nelse:\n    P = 'b'\ntrack(P)", ["a", "b"]),
        ("def main():\n    p = 'a'\n    p = 'b'\n    track(p)\nmain()", ["a", "b"]),
        ("track('x', source=fetch)", ["x"]),
        ("track('x', output=flag)", ["x"]),
        ("track('x'); track('x', output=True)", ["x"]),
        ("@datatool.stage(raw='x')\ndef clean(raw): pass", ["x"]),
        ("track([name for name in FILES if os.path.exists(name)])", ["a", "b"]),
    ],
)
def test_a_path_that_the_script_may_do_without_is_known_as_such(tmp_path: Path, code: str, paths: list[str]) -> None:
    found = of(tmp_path, IMPORTS + code)
    assert sorted(inputs(found)) == paths and not any(item.sure for item in found.inputs)


@pytest.mark.parametrize(
    ("code", "paths"),
    [
        ("track(sys.argv[1])", []),
        ("track(f'{os.getpid()}.csv')", []),
        ("track(os.environ['DATA'])", []),
        ("track(DATA / name)", []),
        ("track(*FILES)", []),
        ("track()", []),
        ("track(list(DATA.glob('*.csv')))", []),
        ("track(['a', name])", ["a"]),
        ("def load(path): return track(path)\nload('x')", []),
        ("def load(path='x'): return track(path)\nload()", ["x"]),
        ("P = 'a'\nP += 'b'\ntrack(P)", ["a"]),
        ("P = P / 'a'\ntrack(P)", []),
        ("track(Path('a', 1))", []),
        ("track('a' / 'b')", []),
        ("track(f'{NAME:>9}')", []),
        ("track(Path('~/x').expanduser())", []),
        ("for a, b in [('x', 'y')]: track(a)", []),
        ("track(" + " + ".join(["NAME"] * 300) + ")", []),
    ],
)
def test_what_cannot_be_known_is_told_with_its_place(tmp_path: Path, code: str, paths: list[str]) -> None:
    found = of(tmp_path, IMPORTS + code)
    assert inputs(found) == paths and len(found.unknown) == 1
    line = IMPORTS.count("\n") + 1 + code[: code.rindex("track(")].count("\n")
    assert found.unknown == (f"train.py:{line}",)


@pytest.mark.parametrize(
    "code",
    [
        "from other import track as other\nother('x')",
        "def main(track): track('x')\nmain(print)",
        "def unused(): return track('x')",
        "class K:\n    def track(self, path): pass\nK().track('x')",
        "# track('x')\n'''track('x')'''",
        "track('')",
        "track('a\\0b')",
    ],
)
def test_what_only_looks_like_it_is_no_input(tmp_path: Path, code: str) -> None:
    found = of(tmp_path, IMPORTS + code)
    assert (inputs(found), found.unknown) == ([], ())


@pytest.mark.parametrize(
    "code",
    [
        "class K:\n    raw = track('x')",
        "class K:\n    raw: object = track('x')",
        "class K:\n    if True:\n        raw = [track('x')]",
        "class K:\n    class Inner:\n        raw = track('x')",
        "class K:\n    from datatool import track as u\n    raw = u('x')",
        "class K:\n    raw = load()\ndef load(): return track('x')",
        "class K:\n    def m(self, raw=track('x')): pass",
        "class K:\n    @tool(track('x'))\n    def m(self): pass",
        "class K:\n    raw: Annotated[str, track('x')]",
        "class K(base(track('x'))): pass",
        "class K(object, raw=track('x')): pass",
        "@tool(track('x'))\nclass K: pass",
        "@tool(track('x'))\ndef f(): pass",
        "@functools.cache(track('x'))\ndef f(): pass",
        "def f(raw=track('x')): pass",
        "def f(*, raw=track('x')): pass",
        "async def f(raw=track('x')): pass",
        "def f(raw: Annotated[str, track('x')]): pass",
        "def f() -> Annotated[str, track('x')]: pass",
        "if os.name:\n    class K:\n        raw = track('x')",
        "try:\n    pass\nfinally:\n    def f(raw=track('x')): pass",
    ],
)
def test_what_runs_to_define_a_function_or_class_counts_though_nothing_uses_it(tmp_path: Path, code: str) -> None:
    found = of(
        tmp_path, IMPORTS + "import functools\nfrom typing import Annotated\nfrom lib import base, tool\n" + code
    )
    assert inputs(found) == ["x"] and found.unknown == ()


@pytest.mark.parametrize(
    "code",
    [
        "class K:\n    def m(self): return track('x')",
        "class K:\n    class Inner:\n        def m(self): return track('x')",
        "class K:\n    if True:\n        def m(self): return track('x')",
        "class K:\n    def m(self):\n        class Inner:\n            raw = track('x')",
        "def f():\n    class K:\n        raw = track('x')",
        "def f():\n    def g(raw=track('x')): pass",
        "class A:\n    def m(self): return track('x')\nclass B(A):\n    a: A\ndef f(a: A, kind=A) -> A: pass",
        "class K:\n    def __init__(self, raw: 'track(1)'): self.raw = track('x')",
    ],
)
def test_the_body_of_a_function_that_is_only_defined_and_named_does_not_count(tmp_path: Path, code: str) -> None:
    found = of(tmp_path, IMPORTS + code)
    assert (inputs(found), found.unknown) == ([], ())


def test_annotations_that_are_never_evaluated_do_not_count(tmp_path: Path) -> None:
    code = "class K:\n    a: list[track('x')]\n    def m(self, b: track('x')) -> track('x'): pass\n"
    later = "from __future__ import annotations\nfrom datatool import track\n"
    assert inputs(of(tmp_path, later + code)) == []


@pytest.mark.parametrize("code", ["import pkg", "from pkg import K", "import pkg.sub", "from pkg.sub import f"])
def test_a_class_in_an_imported_module_counts_as_in_the_script(tmp_path: Path, code: str) -> None:
    package = "import datatool\nclass K:\n    raw = datatool.track('x')"
    files = {"train.py": code, "pkg/__init__.py": package, "pkg/sub.py": "def f(): pass"}
    assert inputs(script_inputs(written(tmp_path, files) / "train.py", tmp_path)) == ["x"]


def test_outputs_are_no_inputs(tmp_path: Path) -> None:
    found = of(tmp_path, IMPORTS + "track('in'); track('out', output=True); track('in2', output=False)")
    assert inputs(found) == ["in", "in2"]
    assert [item.path for item in found.tracked if item.output] == ["out"]


def test_what_the_projects_own_modules_track_counts_where_it_is_reached(tmp_path: Path) -> None:
    found = of(
        tmp_path,
        "from data import load, ROOT\nimport lib.paths\nfrom datatool import track\nload()\n"
        "track(ROOT / 'c')\ntrack(lib.paths.TABLE)\n",
        "jobs/train.py",
        data="from pathlib import Path\nimport datatool\nROOT = Path('root')\nSIDE = datatool.track('side')\n"
        "def load(): return datatool.track('a')\ndef other(): return datatool.track('b')",
        lib__paths="TABLE = 'table.csv'",
    )
    assert sorted(inputs(found)) == ["a", "root/c", "side", "table.csv"]
    assert {item.path: item.beside.name for item in found.inputs}["root/c"] == "jobs"
    assert {item.path: item.beside for item in found.inputs}["a"] == tmp_path


def test_a_notebook_tracks_what_its_code_cells_track(tmp_path: Path) -> None:
    text = notebook("%load_ext x\nfrom datatool import track\nP = 'a.csv'", "!ls\ndf = track(P)", "track(name)")
    found = script_inputs(written(tmp_path, {"study.ipynb": text}) / "study.ipynb", tmp_path)
    assert inputs(found) == ["a.csv"] and found.inputs[0].place == "study.ipynb, cell 2, line 2"
    assert found.unknown == ("study.ipynb, cell 3, line 1",)


def test_a_script_that_is_no_python_is_a_problem(tmp_path: Path) -> None:
    found = of(tmp_path, "import helper\ntrack('x.csv')", helper="def f(:")
    assert found.problems == ("helper.py: is no Python: invalid syntax (line 1)",)


def test_choices_without_end_are_not_told_apart(tmp_path: Path) -> None:
    digits = str([str(number) for number in range(10)])
    found = of(tmp_path, f"from datatool import track\nD = {digits}\nfor a in D:\n track(Path(a) / f'{'{a}' * 6}')")
    assert len(found.unknown) == 1
