"""Stages whose workers are on other machines: values go through the project's remote, and wrong code is refused."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import datatool
from api.conftest import user_cache
from api.elsewhere import Elsewhere
from api.executing import PIPE, Ran, forget, pipeline
from api.tracking import script
from datatool.errors import PartlyDone, PathNotFound, Refused, RemoteNotFound, UsageError
from datatool.operations.stage.task import Done
from environment import PACKAGE
from world import World

Load = Callable[[], ModuleType]
Machine = Callable[..., Elsewhere]


@pytest.fixture
def ran(desk: World) -> Ran:
    return pipeline(desk)


@pytest.fixture
def load(desk: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Loads `pipe`, as it is written now."""
    monkeypatch.syspath_prepend(str(desk.root))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def loading() -> ModuleType:
        forget(desk.root)
        importlib.invalidate_caches()
        return importlib.import_module("pipe")

    yield loading
    forget(desk.root)


@pytest.fixture
def machine(desk: World) -> Iterator[Machine]:
    """Starts the worker, with the project's code as if it were installed there, or with other code."""
    with ExitStack() as stack:

        def start(*, code: Path | None = None, **options: Any) -> Elsewhere:
            return stack.enter_context(Elsewhere(desk.top / "machine", code=code or code_only(desk), **options))

        yield start


def code_only(world: World, text: str | None = None) -> Path:
    """The project's code where nothing of the project is, as if it were installed."""
    directory = world.top / "installed"
    directory.mkdir(exist_ok=True)
    (directory / "pipe.py").write_text(text or (world.root / "pipe.py").read_text())
    return directory


def test_a_worker_without_the_project_gets_what_it_needs_by_way_of_the_remote(
    desk: World, ran: Ran, load: Load, machine: Machine
) -> None:
    worker = machine()
    assert load().report.run(executor=worker) == "4 words!"
    assert ran.take() == {"words": 1, "count": 1, "longest": 1, "report": 1}
    assert load().report() == "4 words!"
    assert ran.take() == {}
    objects = {path.read_bytes() for path in (desk.cache / "objects").rglob("*") if path.is_file()}
    assert b'"4 words!"' in objects
    assert b'["a","few","words","here"]' not in objects, "only the value that was asked for came here"


def test_inputs_lie_there_under_their_own_names_and_can_not_be_changed(
    desk: World, ran: Ran, load: Load, machine: Machine
) -> None:
    text = PIPE.format(log=str(ran.path)).replace("raw.read_text().split()", "[raw.name, oct(raw.stat().st_mode)]")
    desk.write("pipe.py", text.encode())
    worker = machine()
    name, mode = load().words.run(executor=worker)
    assert (name, mode[-3:]) == ("raw.txt", "444")


def test_files_and_stages_that_a_call_gives_are_found_by_what_they_are(
    desk: World, ran: Ran, load: Load, machine: Machine
) -> None:
    desk.write("other.txt", b"some other words\n")
    desk.ok("add", "other.txt")
    desk.write(
        "pipe.py",
        (desk.root / "pipe.py").read_bytes()
        + b"\n@datatool.stage(format='json')\ndef read(file, more):\n    return [open(file).read(), more]\n",
    )
    worker, pipe = machine(), load()
    assert pipe.words.run(raw=datatool.File(desk.root / "other.txt"), executor=worker) == ["some", "other", "words"]
    assert pipe.read.run("other.txt", {"words": pipe.longest}, executor=worker) == [
        "some other words\n",
        {"words": "words"},
    ]


def test_a_result_that_was_made_elsewhere_and_is_gone_from_the_remote_is_an_error(
    desk: World, ran: Ran, load: Load, machine: Machine
) -> None:
    worker = machine()

    class Losing(Executor):
        def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            future = worker.submit(function, *args)
            for path in (desk.remote / "objects", desk.remote / "packs"):
                if isinstance(future.result(), Done):
                    shutil.rmtree(path, ignore_errors=True)
            return future

    with pytest.raises(PartlyDone, match="stage words: a worker made its result, and it can't be fetched"):
        load().words.run(executor=Losing())
    assert ran.take() == {"words": 1}


def test_a_worker_that_does_not_reach_the_remote_says_why(desk: World, ran: Ran, load: Load, machine: Machine) -> None:
    worker = machine(DATATOOL_REMOTES_DEFAULT_URL="/nowhere/either")
    with pytest.raises(PartlyDone, match=r"stage words: a worker can't get what it needs: .*/nowhere/either"):
        load().words.run(executor=worker)
    assert ran.take() == {}


def test_a_worker_that_stands_in_a_clone_works_in_that(desk: World, ran: Ran, load: Load, machine: Machine) -> None:
    desk.ok("push")
    copy = desk.clone()
    worker = machine(code=copy.root, cwd=copy.root)
    assert load().report.run(executor=worker) == "4 words!"
    assert copy.read("raw.txt") == b"a few words here\n", "it was pulled into the clone"
    assert len(list((copy.cache / "runs").rglob("*"))) > 4
    assert not (worker.home / ".cache/datatool/workers").exists()


def test_a_worker_with_other_code_is_refused_and_what_differs_is_named(
    desk: World, ran: Ran, load: Load, machine: Machine
) -> None:
    stale = (desk.root / "pipe.py").read_text().replace("return len(found)", "return len(found) + 1")
    worker = machine(code=code_only(desk, stale))
    with pytest.raises(Refused, match=r"(?m)stage count: the worker's code differs: function pipe:count$") as refused:
        load().report.run(executor=worker)
    assert "start them anew" in (refused.value.hint or "")
    assert "count" not in ran.take()
    assert load().report() == "4 words!"


def test_code_that_is_installed_among_others_can_not_be_compared(
    desk: World, ran: Ran, load: Load, machine: Machine
) -> None:
    installed = desk.top / "lib/site-packages"
    installed.parent.mkdir()
    code_only(desk).rename(installed)
    with pytest.raises(Refused, match=r"site-packages/pipe.py: lies in no copy of the project") as refused:
        load().words.run(executor=machine(code=installed))
    assert "clone" in (refused.value.hint or "")


RULE = """

class Rule:
    most = 3

@datatool.stage(found=words, format="json")
def limited(found):
    ran("limited")
    return found[:Rule.most]
"""


def test_a_worker_whose_code_was_edited_after_it_had_loaded_it_is_refused(
    desk: World, ran: Ran, load: Load, machine: Machine
) -> None:
    desk.write("pipe.py", (desk.root / "pipe.py").read_bytes() + RULE.encode())
    worker = machine()
    assert load().count.run(executor=worker) == 4
    ran.take()
    edited = (desk.root / "pipe.py").read_text().replace("most = 3", "most = 2")
    desk.write("pipe.py", edited.encode())
    code_only(desk)
    with pytest.raises(Refused, match=r"stage limited: the worker's code differs: pipe.py was edited"):
        load().limited.run(executor=worker)
    assert ran.take() == {}


def test_a_worker_that_can_not_import_the_stage_says_what_is_missing(
    desk: World, ran: Ran, load: Load, machine: Machine
) -> None:
    worker = machine(code=desk.top / "empty")
    with pytest.raises(UsageError, match="a worker can't find the stage: pipe can't be imported"):
        load().report.run(executor=worker)


def test_what_is_kept_here_is_sent_to_a_worker_that_needs_it(
    desk: World, ran: Ran, load: Load, machine: Machine
) -> None:
    pipe = load()
    pipe.count()
    ran.take()
    worker = machine()
    assert pipe.report.run(executor=worker) == "4 words!"
    assert ran.take() == {"longest": 1, "report": 1}


def test_a_result_that_only_pickle_holds_can_not_come_from_another_cache(
    desk: World, ran: Ran, load: Load, machine: Machine
) -> None:
    text = "import datatool\n@datatool.stage\ndef odd():\n    return {1: {2, 3}}\n"
    desk.write("pipe.py", (text + "@datatool.stage(x=odd)\ndef last(x):\n    return 1\n").encode())
    worker = machine()
    with pytest.raises(UsageError, match="stage odd: its result is a pickle") as refused:
        load().last.run(executor=worker)
    assert "declare format=" in (refused.value.hint or "")
    load().odd()
    with pytest.raises(UsageError, match="stage odd: its result is a pickle"):
        load().last.run(executor=worker)


def test_a_file_that_nobody_tracks_can_not_go_to_a_worker(desk: World, load: Load, machine: Machine) -> None:
    ran = pipeline(desk, track=False)
    worker = machine()
    with pytest.raises(PathNotFound, match=r"stage words: raw.txt is not where its worker is") as missing:
        load().report.run(executor=worker)
    assert missing.value.hint == "datatool add raw.txt"
    assert ran.take() == {}


def test_a_file_that_git_tracks_is_the_same_in_a_clone(desk: World, load: Load, machine: Machine) -> None:
    pipeline(desk, track=False)
    copy = desk.clone()
    worker = machine(code=copy.root)
    assert load().words.run(executor=worker) == ["a", "few", "words", "here"]


NOTEBOOK = """
if __name__ == "__main__":
    import sys
    from pathlib import Path
    import cloudpickle
    from api.elsewhere import Elsewhere
    with Elsewhere(Path(sys.argv[1]), dumps=cloudpickle.dumps) as worker:
        print(report.run(executor=worker))
"""


def test_what_nobody_can_import_travels_by_its_code_where_the_executor_can_carry_that(desk: World) -> None:
    ran = pipeline(desk, PIPE, name="job.py")
    text = (desk.root / "job.py").read_text() + NOTEBOOK
    path = os.pathsep.join([PACKAGE, str(Path(__file__).parents[1])])
    done = script(desk, text, str(desk.top / "machine"), name="job.py", env={"PYTHONPATH": path})
    assert done.out == "4 words!\n", done
    assert ran.take() == {"words": 1, "count": 1, "longest": 1, "report": 1}
    again = script(desk, text.replace(NOTEBOOK, "\nprint(report())\n"), name="job.py")
    assert again.out == "4 words!\n"
    assert ran.take() == {}, "and the results answer calls here"


def test_an_argument_of_which_a_worker_lacks_the_code_is_named_and_the_worker_goes_on(
    desk: World, ran: Ran, load: Load, machine: Machine
) -> None:
    desk.write("shapes.py", b"import enum\nclass Mark(enum.Enum):\n    BANG = '!'\n")
    worker, pipe = machine(), load()
    mark = importlib.import_module("shapes").Mark.BANG
    with pytest.raises(
        UsageError, match=r"a worker can't read the arguments of pipe\.report-.*: No module named 'shapes'"
    ):
        pipe.report.run(mark=mark, executor=worker)
    assert pipe.report.run(executor=worker) == "4 words!"


def test_without_a_remote_there_is_no_way_to_another_cache(desk: World, ran: Ran, load: Load, machine: Machine) -> None:
    desk.ok("remote", "remove", "default")
    worker = machine()
    with pytest.raises(RemoteNotFound, match=r"stage words: its worker has another cache, and there is no way"):
        load().report.run(executor=worker)
    assert ran.take() == {}


def test_what_a_task_carries_holds_no_credentials(desk: World, ran: Ran, load: Load, machine: Machine) -> None:
    desk.ok("remote", "set", "default", "--local", "secret_access_key=hush-hush", "access_key_id=who-am-i")
    worker = machine()
    assert load().words.run(executor=worker) == ["a", "few", "words", "here"]
    config = next((worker.home / ".cache/datatool/workers").rglob("config.yaml")).read_text()
    assert str(desk.remote) in config
    assert "hush" not in config
    assert "who-am-i" not in config


def test_the_worker_of_a_failing_stage_leaves_what_others_made(
    desk: World, ran: Ran, load: Load, machine: Machine
) -> None:
    text = (desk.root / "pipe.py").read_text().replace("return max(found, key=len)", "raise KeyError('gone')")
    desk.write("pipe.py", text.encode())
    worker = machine()
    with pytest.raises(KeyError, match="gone"):
        load().report.run(executor=worker)
    assert ran.take()["words"] == 1
    load().words()
    assert "words" not in ran.take()


def test_an_input_directory_goes_to_a_worker_whole(desk: World, load: Load, machine: Machine) -> None:
    desk.write("data/a/one.txt", b"1")
    desk.write("data/two.txt", b"2")
    desk.ok("add", "data")
    desk.write(
        "pipe.py",
        b"import datatool\n@datatool.stage(data=datatool.File('data'), format='json')\ndef names(data):\n"
        b"    return sorted(path.relative_to(data).as_posix() for path in data.rglob('*.txt'))\n",
    )
    worker = machine()
    assert load().names.run(executor=worker) == ["a/one.txt", "two.txt"]


def test_user_cache_is_left_alone_here(desk: World, ran: Ran, load: Load, machine: Machine) -> None:
    worker = machine()
    load().words.run(executor=worker)
    assert not (user_cache(desk) / "workers").exists()
    assert not list((desk.cache / "tmp").iterdir()), "the mark by which a worker tells a cache is gone"
