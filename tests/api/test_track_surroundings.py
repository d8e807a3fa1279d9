"""Where `track()` is called: any directory, modules, classes, threads, processes, notebooks; and that it is quiet."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import datatool
import needs
from api.tracking import NEW, OWN, run_python, script
from datatool.api.current_run import process_run
from datatool.operations.track import recording
from world import World

# ---- which file is meant


def test_a_relative_path_is_looked_for_here_then_beside_the_caller_then_at_the_top(desk: World) -> None:
    code = """
import datatool, sys
sys.stdout.write(str(datatool.track("x.csv")))
"""
    (desk.root / "deep/er").mkdir(parents=True)
    found = []
    for place in ("x.csv", "code/x.csv", "deep/er/x.csv"):  # each comes before those that are there already
        desk.write(place, place.encode())
        found.append(script(desk, code, name="code/script.py", cwd=desk.root / "deep/er").out)
    assert found == [str(desk.root / place) for place in ("x.csv", "code/x.csv", "deep/er/x.csv")]


def test_a_new_path_is_in_the_working_directory(desk: World) -> None:
    (desk.root / "deep").mkdir()
    code = 'import datatool\ndatatool.track("out.txt", output=True).write_text("o")\n'
    assert script(desk, code, name="code/script.py", cwd=desk.root / "deep").code == 0
    assert desk.exists("deep/out.txt.dt")


def test_a_pointer_or_a_tracked_directory_is_as_good_as_the_file(desk: World) -> None:
    desk.write("code/x.csv", NEW)
    desk.write("code/data/a.txt", b"a\n")
    desk.ok("add", "code/x.csv", "code/data")
    (desk.root / "code/x.csv").unlink()
    (desk.root / "code/data/a.txt").unlink()
    code = 'import datatool\nfor p in ("x.csv", "data/a.txt"): assert datatool.track(p).exists()\n'
    done = script(desk, code, name="code/script.py", cwd=desk.top)
    assert done.code == 0, done.err
    assert (desk.read("code/x.csv"), desk.read("code/data/a.txt")) == (NEW, b"a\n")


def test_the_nearest_project_wins(desk: World) -> None:
    inner = World(desk.root, name="inner")
    inner.write("x.csv", NEW)
    datatool.track(inner.root / "x.csv")
    assert inner.exists("x.csv.dt")
    assert inner.ok("status").code == 0


def test_outside_any_project_it_warns_once_and_gives_the_path(desk: World) -> None:
    outside = desk.top / "outside"
    outside.mkdir()
    code = """
import datatool, pathlib
for name in ("a.txt", "b.txt"):
    assert datatool.track(name) == pathlib.Path.cwd() / name
datatool.track("new/out.txt", output=True).write_text("o")
assert datatool.track("made.txt", source=lambda: "m").read_text() == "m"
"""
    (desk.top / "script.py").write_text(code)
    done = run_python(desk, str(desk.top / "script.py"), cwd=outside)
    assert (done.code, done.out) == (0, "")
    assert done.err.count("in no datatool project") == len(done.err.splitlines()) == 1


def test_the_project_may_be_that_of_the_calling_file_or_of_the_path(desk: World) -> None:
    desk.write("x.csv", NEW)
    done = script(desk, f"import datatool\ndatatool.track({str(desk.root / 'x.csv')!r})\n", cwd=Path("/"))
    assert done.code == 0, done.err
    assert desk.exists("x.csv.dt")


def test_modules_classes_and_functions_may_track(desk: World) -> None:
    desk.write("lib/tables/a.csv", b"a\n")
    desk.write("lib/tables/b.csv", b"b\n")
    desk.write("lib/tables/c.csv", b"c\n")
    desk.write(
        "lib/tables/__init__.py",
        b"""
import datatool
A = datatool.track("a.csv")
class Table:
    path = datatool.track("b.csv")
    def __init__(self):
        self.own = datatool.track("c.csv")
""",
    )
    code = "import sys\nsys.path.insert(0, 'lib')\nimport tables\ntables.Table()\n"
    done = script(desk, code)
    assert done.code == 0, done.err
    assert all(desk.exists(f"lib/tables/{name}.csv.dt") for name in "abc")


# ---- at the same time


def test_threads_track_the_same_and_different_files(desk: World) -> None:
    names = [f"d/{i % 20}.txt" for i in range(120)]
    for name in set(names):
        desk.write(name, name.encode())
    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(datatool.track, names))
    assert found == [desk.root / name for name in names]
    assert desk.json("status")["clean"]
    assert len(desk.json("status")["artifacts"]) == 20


def test_threads_that_lack_the_same_file_have_it_made_once(desk: World) -> None:
    made: list[Path] = []

    def make(path: Path) -> bytes:
        made.append(path)
        return NEW

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: datatool.track("x.csv", source=make), range(16)))
    assert made == [desk.root / "x.csv"]


def test_a_thread_of_a_making_function_may_track(desk: World) -> None:
    desk.write("x.csv", NEW)

    def make() -> bytes:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(datatool.track, "x.csv").result(timeout=60).read_bytes()

    assert datatool.track("y.csv", source=make).read_bytes() == NEW


TWO = """
import datatool, pathlib, sys
for i in range(30):
    datatool.track(f"d/{i}.txt")
    own = pathlib.Path(f"own/{sys.argv[1]}-{i}.txt")
    own.write_text(sys.argv[1])
    datatool.track(own)
datatool.track(f"out/{sys.argv[1]}.txt", output=True).write_text("o")
"""


def test_two_processes_at_once_lose_nothing(desk: World) -> None:
    for i in range(30):
        desk.write(f"d/{i}.txt", b"%d\n" % i)
    (desk.root / "own").mkdir()
    path = desk.write("script.py", TWO.encode())
    running = [
        subprocess.Popen([sys.executable, path, name], cwd=desk.root, env=desk.env, stderr=subprocess.PIPE)
        for name in ("one", "two")
    ]
    errors = [process.communicate(timeout=120)[1] for process in running]
    assert [process.returncode for process in running] == [0, 0], errors
    status = desk.json("status")
    assert status["clean"]
    assert len(status["artifacts"]) == 92
    assert status["notes"] == [], "every line is in its .gitignore"


def test_a_file_that_another_process_begins_to_track_in_the_same_moment_is_no_error(
    desk: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.write("x.csv", NEW)
    original = recording.refuse_untrackable

    def later(*arguments: Any, **options: Any) -> None:
        desk.ok("add", "x.csv")
        original(*arguments, **options)

    monkeypatch.setattr(recording, "refuse_untrackable", later)
    assert datatool.track("x.csv").read_bytes() == NEW
    assert desk.json("status")["clean"]


CHILDREN = """
import multiprocessing, sys
import datatool

def work(number):
    datatool.track("x.csv")
    datatool.track(f"out/{number}.txt", output=True).write_text(str(number))

if __name__ == "__main__":
    datatool.track("x.csv")
    context = multiprocessing.get_context(sys.argv[1])
    children = [context.Process(target=work, args=(number,)) for number in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0, 0, 0]
    with context.Pool(2) as pool:
        pool.map(work, range(3, 6))
        pool.close()
        pool.join()
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_children_of_multiprocessing_track_and_record_their_outputs(method: str, desk: World) -> None:
    if method == "fork":
        needs.linux()
    desk.write("x.csv", NEW)
    done = script(desk, CHILDREN, method)
    assert done.code == 0, done.err
    assert sorted(path.name for path in (desk.root / "out").glob("*.dt")) == [f"{i}.txt.dt" for i in range(6)]
    assert desk.json("status")["clean"]


FORKED = """
import os
import datatool
datatool.track("x.csv")
datatool.track("parent.txt", output=True).write_text("p")
child = os.fork()
if child == 0:
    datatool.track("x.csv")
    datatool.track("child.txt", output=True).write_text("c")
    raise SystemExit(0)
assert os.waitpid(child, 0)[1] == 0
assert not os.path.exists("parent.txt.dt"), "a child's end is not its parent's"
datatool.track("x.csv")
"""


def test_a_forked_child_has_a_run_and_an_end_of_its_own(desk: World) -> None:
    needs.linux()
    desk.write("x.csv", NEW)
    done = script(desk, FORKED)
    assert done.code == 0, done.err
    assert desk.exists("parent.txt.dt")
    assert desk.exists("child.txt.dt")
    assert done.err.count("parent.txt: tracked") == 1


def test_a_running_event_loop_is_no_obstacle(desk: World) -> None:
    desk.write("x.csv", NEW)

    async def cell() -> bytes:
        path = await asyncio.to_thread(datatool.track, "x.csv")
        return path.read_bytes() + datatool.track("x.csv").read_bytes()

    assert asyncio.run(cell()) == NEW * 2


# ---- notebooks


CELLS = (
    "import datatool, pathlib",
    "table = datatool.track('x.csv').read_bytes()",
    "async def later():\n    return datatool.track('x.csv').read_bytes()\nassert await later() == table",
    "1 / 0",  # an error that is shown ends nothing
    "datatool.track('out.txt', output=True).write_text('from a notebook')",
)


def test_a_notebook_tracks_as_a_script_does(
    desk: World, notebook: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", str(desk.root / "notes/book.ipynb"))
    desk.write("notes/x.csv", NEW)
    book = notebook(*CELLS)
    outputs = [output for cell in book.cells for output in cell.outputs]
    errors = [output for output in outputs if output.output_type == "error"]
    assert [error.ename for error in errors] == ["ZeroDivisionError"], errors
    said = "".join(output.text for output in outputs if output.output_type == "stream" and output.name == "stderr")
    assert "x.csv: tracked from now on, 7 B" in said
    assert desk.exists("notes/x.csv.dt"), "beside the notebook"
    assert desk.exists("out.txt.dt"), "recorded when the kernel ended"
    assert desk.json("status")["clean"]


UNKNOWN = (
    "\n%time import datatool",
    "name = 'x' + str(len('1'))",
    "datatool.track(f'{name}.csv').read_bytes()\n",
)


def test_a_notebook_whose_kernel_knew_no_file_is_known_again_by_its_cells(
    desk: World, notebook: Callable[..., Any]
) -> None:
    desk.write("x1.csv", NEW)
    notebook(*UNKNOWN)
    (desk.root / "x1.csv").unlink()
    desk.ok("pull", "notes/book.ipynb")
    assert desk.read("x1.csv") == NEW
    (desk.root / "x1.csv").unlink()
    text = desk.read("notes/book.ipynb")
    desk.write("notes/book.ipynb", text.replace(b"len('1')", b"len('2')"))
    desk.ok("pull", "notes/book.ipynb")
    assert desk.read("x1.csv") == NEW, "most of what ran is still there"
    desk.write("notes/book.ipynb", text.replace(b"len('1')", b"len('2')").replace(b"name}", b"name!s}"))
    assert "tracks no data" in desk.fails(3, "pull", "notes/book.ipynb").err


# ---- what is said


def test_one_line_says_what_was_recorded_and_how_to_go_back(desk: World) -> None:
    desk.write("x.csv", NEW)
    desk.ok("add", "x.csv")
    desk.commit()
    desk.write("x.csv", OWN)
    done = script(desk, 'import datatool\nfor _ in range(3): datatool.track("x.csv")\n')
    assert done.out == ""
    assert done.err == (
        "datatool: x.csv: recorded a new version, 12 B (was 7 B); datatool checkout x.csv --rev HEAD goes back\n"
    )
    words = done.err.partition("; datatool ")[2].partition(" goes back")[0].split()
    desk.ok(*words)
    assert desk.read("x.csv") == NEW


def test_a_program_that_logs_gets_the_line_in_its_log(desk: World) -> None:
    desk.write("x.csv", NEW)
    code = """
import logging
logging.basicConfig(level=logging.INFO, filename="log.txt", format="%(name)s %(levelname)s %(message)s")
import datatool
datatool.track("x.csv")
"""
    assert script(desk, code).err == ""
    assert desk.read("log.txt") == b"datatool INFO x.csv: tracked from now on, 7 B\n"


@pytest.mark.parametrize(
    ("silence", "lines"),
    [
        ("logging.getLogger('datatool').setLevel(logging.ERROR)", 0),
        ("logging.getLogger('datatool').setLevel(logging.WARNING)", 1),
        ("logging.getLogger('datatool').addHandler(logging.NullHandler())", 0),
        ("logging.getLogger().addHandler(logging.NullHandler())", 0),
        ("logging.getLogger().setLevel(logging.ERROR)", 0),
        ("logging.disable(logging.CRITICAL)", 0),
        ("logging.disable(logging.INFO)", 1),
        ("logging.getLogger('datatool').disabled = True", 0),
        ("logging.getLogger('another').setLevel(logging.ERROR)", 2),
        ("datatool.list()", 2),
    ],
)
def test_a_program_may_silence_the_line(desk: World, silence: str, lines: int) -> None:
    desk.write("x.csv", NEW)
    outside = desk.home / "y.csv"  # in no project, which is a warning
    for order in (f"{silence}; import datatool.api.words", f"import datatool.api.words; {silence}"):
        code = f"import datatool, logging\n{order}\ndatatool.track('x.csv')\ndatatool.track({str(outside)!r})\n"
        assert len(script(desk, code).err.splitlines()) == lines, order
        (desk.root / "x.csv.dt").unlink()


def test_in_the_same_process_it_is_quiet_and_stays_where_it_is(
    desk: World, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    desk.write("deep/x.csv", NEW)
    caplog.set_level(logging.INFO, "datatool")
    os.chdir(desk.root / "deep")
    datatool.track("x.csv")
    assert os.getcwd() == str(desk.root / "deep")
    os.chdir(desk.root)
    assert capfd.readouterr() == ("", "")
    assert [record.getMessage() for record in caplog.records] == ["x.csv: tracked from now on, 7 B"]
    assert [noted.root for noted in process_run().take()] == [desk.root]
