"""`Stage.run(executor=…)` with the pools of `concurrent.futures`: what has to run is submitted, and nothing else."""

from __future__ import annotations

import importlib
import pickle
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import ModuleType
from typing import Any

import pytest

from api.executing import PIPE, forget, pipeline
from api.tracking import script
from datatool.errors import PathNotFound, UsageError
from world import World

ALL = {"words": 1, "count": 1, "longest": 1, "report": 1}

SCRIPT = (
    PIPE
    + """
if __name__ == "__main__":
    import multiprocessing, sys
    from concurrent.futures import ProcessPoolExecutor
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(sys.argv[1])) as pool:
        print(report.run(executor=pool))
        print(report.run(executor=pool))
        print(report.run(executor=pool, mark="?"))
    print(report(mark="?"), os.getpid())
"""
)


class Watched(ThreadPoolExecutor):
    """Two threads; `submitted` are the stages that were given to them."""

    def __init__(self) -> None:
        super().__init__(2)
        self.submitted: list[str] = []
        self.sizes: list[int] = []

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.submitted.append(args[0].opened().stage.label)
        self.sizes.append(len(pickle.dumps((function, *args))))
        return super().submit(function, *args, **kwargs)


@pytest.fixture
def pool() -> Iterator[Watched]:
    with Watched() as made:
        yield made


@pytest.fixture
def load(desk: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., ModuleType]]:
    """Loads a module of the project, written anew."""
    monkeypatch.syspath_prepend(str(desk.root))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def loading(text: str = "", name: str = "pipe") -> ModuleType:
        if text:
            desk.write(f"{name}.py", text.encode())
        forget(desk.root)
        importlib.invalidate_caches()
        return importlib.import_module(name)

    yield loading
    forget(desk.root)


def test_in_threads_each_stage_that_has_to_run_is_submitted_once_and_what_is_kept_never(
    desk: World, pool: Watched, load: Callable[..., ModuleType]
) -> None:
    ran = pipeline(desk)
    pipe = load()
    assert pipe.report.run(executor=pool) == "4 words!"
    assert sorted(pool.submitted) == ["count", "longest", "report", "words"]
    assert ran.take() == ALL
    assert pipe.report.run(executor=pool) == "4 words!"
    assert len(pool.submitted) == 4
    assert pipe.report.run(mark="?", executor=pool) == "4 words?"
    assert pool.submitted[4:] == ["report"]


def test_without_an_executor_run_is_a_call(desk: World, load: Callable[..., ModuleType]) -> None:
    ran = pipeline(desk)
    assert load().report.run(mark="?") == "4 words?"
    assert ran.take() == ALL


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_in_processes_the_stages_of_a_script_run_once_each_and_in_no_other_process(desk: World, method: str) -> None:
    ran = pipeline(desk, SCRIPT, name="job.py")
    text = (desk.root / "job.py").read_text()
    done = script(desk, text, method, name="job.py")
    first, second, third, last = done.out.splitlines()
    assert (first, second, third) == ("4 words!", "4 words!", "4 words?"), done
    value, _, process = last.rpartition(" ")
    assert value == "4 words?"
    assert process not in {pid for _, pid in ran.lines()}
    assert ran.take() == {**ALL, "report": 2}


def test_independent_stages_run_at_the_same_time(desk: World, pool: Watched, load: Callable[..., ModuleType]) -> None:
    both = threading.Barrier(2)
    pipe = load(
        """
import datatool
meet = None
@datatool.stage
def one():
    meet.wait(30)
    return 1
@datatool.stage
def two():
    meet.wait(30)
    return 2
@datatool.stage(a=one, b=two)
def both(a, b):
    return [a, b]
"""
    )
    pipe.meet = both
    assert pipe.both.run(executor=pool) == [1, 2]


FAILING = """
import datatool
from counted import ran, failing
class Own(Exception):
    def __init__(self, code, text):
        super().__init__(code, text)
@datatool.stage
def bad():
    ran("bad")
    failing.wait(30)
    raise Own(7, "no")
@datatool.stage
def good():
    ran("good")
    failing.set()
    return 1
@datatool.stage(a=bad, b=good)
def both(a, b):
    ran("both")
    return 1
"""


def test_what_a_stage_raises_reaches_the_caller_and_what_was_begun_is_kept(
    desk: World, pool: Watched, load: Callable[..., ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = ModuleType("counted")
    names: list[str] = []
    counted.ran, counted.failing = names.append, threading.Event()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "counted", counted)
    pipe = load(FAILING)
    with pytest.raises(pipe.Own) as raised:
        pipe.both.run(executor=pool)
    assert raised.value.args == (7, "no")
    assert sorted(names) == ["bad", "good"]
    assert pipe.good.run(executor=pool) == 1
    assert sorted(names) == ["bad", "good"], "it was kept although the other one failed"


def test_an_exception_that_can_not_be_sent_is_told_by_another_and_the_pool_lives_on(desk: World) -> None:
    text = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
import datatool

class Own(Exception):
    def __init__(self, code, text):
        super().__init__(f"{code}: {text}")

@datatool.stage
def bad():
    raise Own(7, "no")

@datatool.stage
def good():
    return 1

if __name__ == "__main__":
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as pool:
        try:
            bad.run(executor=pool)
        except RuntimeError as problem:
            print(problem)
        print(good.run(executor=pool))
"""
    told = "stage bad raised Own, which can't be sent from here: 7: no"
    assert script(desk, text).out == f"{told}\n1\n"


def test_a_stage_without_cache_runs_in_the_workers_of_those_that_need_it(
    desk: World, pool: Watched, load: Callable[..., ModuleType]
) -> None:
    pipe = load(
        """
import datatool
@datatool.stage
def base():
    return 20
@datatool.stage(n=base, cache=False)
def handle(n):
    return lambda: n + 1
@datatool.stage(get=handle)
def value(get):
    return get()
@datatool.stage(get=handle, n=value, cache=False)
def last(get, n):
    return get() + n
"""
    )
    assert pipe.value.run(executor=pool) == 21
    assert pool.submitted == ["base", "value"]
    assert pipe.last.run(executor=pool) == 42
    assert pool.submitted == ["base", "value"]


def test_what_travels_does_not_grow_with_the_results(
    desk: World, pool: Watched, load: Callable[..., ModuleType]
) -> None:
    pipe = load(
        """
import datatool
@datatool.stage
def big():
    return "x" * 2_000_000
@datatool.stage(text=big)
def size(text):
    return len(text)
"""
    )
    assert pipe.size.run(executor=pool) == 2_000_000
    assert max(pool.sizes) < 4000


def test_a_stage_is_pickled_by_its_name(desk: World, load: Callable[..., ModuleType]) -> None:
    pipeline(desk)
    pipe = load()
    data = pickle.dumps(pipe.report)
    assert len(data) < 200
    assert pickle.loads(data) is pipe.report


def test_a_stage_that_no_other_process_can_find_says_so(desk: World, load: Callable[..., ModuleType]) -> None:
    pipe = load(
        "import datatool\ndef make():\n    @datatool.stage\n    def inner():\n        return 1\n    return inner\n"
    )
    with pytest.raises(UsageError, match=r"inner: another process can't find it"):
        pickle.dumps(pipe.make())


def test_a_file_that_is_nowhere_is_told_before_anything_is_submitted(
    desk: World, pool: Watched, load: Callable[..., ModuleType]
) -> None:
    pipeline(desk)
    pipe = load()
    (desk.root / "raw.txt").unlink()
    desk.git("rm", "-q", "-f", "raw.txt.dt")
    with pytest.raises(PathNotFound):
        pipe.report.run(executor=pool)
    assert pool.submitted == []


def test_a_file_that_changes_while_a_stage_reads_it_is_read_again(
    desk: World, pool: Watched, load: Callable[..., ModuleType]
) -> None:
    desk.write("now.txt", b"one")
    pipe = load(
        """
import datatool
@datatool.stage(raw=datatool.File("now.txt"))
def read(raw):
    text = raw.read_text()
    if text == "one":
        raw.write_text("another")
    return text
"""
    )
    assert pipe.read.run(executor=pool) == "another"


def test_a_damaged_result_is_made_again(desk: World, pool: Watched, load: Callable[..., ModuleType]) -> None:
    ran = pipeline(desk)
    pipe = load()
    pipe.report.run(executor=pool)
    ran.take()
    for path in (desk.cache / "objects").rglob("*"):
        if path.is_file() and path.read_bytes() == b'"4 words!"':
            path.chmod(0o644)
            path.write_bytes(b'"4 worms!"')
    assert pipe.report.run(executor=pool) == "4 words!"
    assert ran.take() == {"report": 1}


def test_an_answer_that_an_executor_remembers_is_not_believed_where_its_result_is_not_kept(
    desk: World, pool: Watched, load: Callable[..., ModuleType]
) -> None:
    ran = pipeline(desk)
    pipe = load()
    remembered: dict[str, Future[Any]] = {}

    class Remembering(ThreadPoolExecutor):
        def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            return remembered.setdefault(args[0].key, pool.submit(function, *args))

    with Remembering(1) as scheduler:
        assert pipe.words.run(executor=scheduler)
        shutil.rmtree(desk.cache / "runs")
        shutil.rmtree(desk.cache / "objects")
        desk.ok("add", "raw.txt", "--force")
        assert pipe.words.run(executor=scheduler) == ["a", "few", "words", "here"]
    assert ran.take()["words"] > 1


def test_results_that_only_pickle_holds_go_between_processes_of_one_machine(
    desk: World, pool: Watched, load: Callable[..., ModuleType]
) -> None:
    pipe = load(
        "import datatool\n@datatool.stage\ndef odd():\n    return {1: {2, 3}}\n"
        "@datatool.stage(x=odd)\ndef last(x):\n    return [x]\n"
    )
    assert pipe.last.run(executor=pool) == [{1: {2, 3}}]
