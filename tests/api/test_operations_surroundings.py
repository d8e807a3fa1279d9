"""Where the operations are called from: threads, running event loops, forked and spawned processes, schedulers."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import datatool
import needs
from api.conftest import clone, enter
from servers.fixtures import WebServer
from world import World


def test_threads_may_work_in_one_project(study: World) -> None:
    def work(number: int) -> str:
        study.write(f"part{number}.csv", b"%d" % number)
        path = datatool.add(f"part{number}.csv").artifacts[0].path
        datatool.push(path)
        datatool.status()
        (study.root / path).unlink()
        datatool.pull(path)
        return path

    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(work, range(8)))
    assert {study.read(path) for path in paths} == {b"%d" % number for number in range(8)}
    study.commit()
    assert study.json("status", "--remote")["clean"]
    ignored = study.read(".gitignore").decode().split()
    assert {f"/{path}" for path in paths} <= set(ignored)


def test_threads_may_work_in_several_projects(study: World) -> None:
    others = [World(study.top / f"other{number}", name=f"p{number}") for number in range(4)]

    def work(other: World) -> str:
        other.write("sub/data.csv", b"1")
        datatool.add("data.csv", project=other.root / "sub")
        other.write("sub/data.csv", b"unsaved")
        with pytest.raises(datatool.Unsaved) as caught:
            datatool.checkout("data.csv", project=other.root / "sub")
        return str(caught.value).split(":")[0]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, others)) == ["data.csv"] * 4


@pytest.fixture
def served(study: World, web_server: WebServer, monkeypatch: pytest.MonkeyPatch) -> World:
    """A clone that pulls from a web server."""
    study.ok("remote", "set", "default", f"url={web_server.directory}")
    study.ok("push")
    copy = clone(study)
    copy.ok("remote", "set", "default", "--local", f"url={web_server.url}")
    enter(copy, monkeypatch)
    return copy


def test_a_running_event_loop_is_no_obstacle(served: World) -> None:
    async def cell() -> list[int]:
        here = datatool.pull("table.csv")
        there = await asyncio.gather(*(asyncio.to_thread(datatool.pull, path) for path in ("big.bin", "data")))
        return [result.transfer.objects > 0 for result in (here, *there)]

    assert asyncio.run(cell()) == [True] * 3
    assert datatool.status().clean


FORKS = """
import os, sys
import datatool
assert datatool.pull("table.csv").transfer.objects
child = os.fork()
if child == 0:
    ok = datatool.pull("data").transfer.objects > 0 and datatool.status("data").clean
    os._exit(0 if ok else 1)
_, status = os.waitpid(child, 0)
assert datatool.pull("big.bin").transfer.objects
sys.exit(os.waitstatus_to_exitcode(status))
"""


def test_a_forked_process_works_as_its_parent_does(served: World) -> None:
    needs.linux()
    done = subprocess.run(
        [sys.executable, "-P", "-W", "ignore", "-c", FORKS],
        cwd=served.root,
        env=served.env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def task(project: str) -> list[str]:
    """What a scheduler would run, in a process of its own that stands elsewhere."""
    return [item.path for item in datatool.status(project=project).artifacts]


def test_a_worker_needs_only_the_projects_directory(study: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(study.top)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.map(task, [str(study.root)] * 2) == [["big.bin", "data", "table.csv"]] * 2


QUIET = """
import datatool
from pathlib import Path
Path("new.csv").write_text("1")
datatool.add("new.csv"); datatool.push(); datatool.status(); datatool.diff(); datatool.pull()
datatool.remove("new.csv")
datatool.clone(".", "../quiet-clone")
try:
    datatool.add("none")
except FileNotFoundError:
    pass
"""


def test_a_program_without_logging_prints_nothing(study: World) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-X", "dev", "-c", QUIET], cwd=study.root, env=study.env, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_directory_environment_and_signal_handlers_stay_as_they_are(study: World) -> None:
    def surroundings() -> tuple[object, ...]:
        return Path.cwd(), dict(os.environ), signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    before = surroundings()
    study.write("table.csv", b"id\n")
    datatool.add("table.csv")
    datatool.push(project=study.root)
    datatool.clone(study.root, study.top / "one-more")
    assert surroundings() == before


def test_local_work_loads_no_network_library(study: World) -> None:
    code = "import datatool, sys; datatool.status(); datatool.add('table.csv'); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=study.root, env=study.env, capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & {"fsspec", "s3fs", "sshfs", "asyncssh", "asyncio", "aiohttp", "typer", "rich", "IPython"}
