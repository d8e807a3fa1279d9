"""Where the interface is used: threads, running event loops, forked processes; and that it keeps quiet."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import datatool
import needs
from api.conftest import BIG, TABLE, clone, enter
from datatool.api.words import Logged
from servers.fixtures import WebServer
from world import World


def test_threads_may_read_at_once(study: World, monkeypatch: pytest.MonkeyPatch) -> None:
    enter(clone(study), monkeypatch)
    wanted = {"table.csv": TABLE, "big.bin": BIG, "data/a.txt": b"alpha\n", "data/deep/b.txt": b"beta\n"}
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda name: (name, datatool.read(name, mode="rb")), [*wanted] * 6))
    assert all(wanted[name] == data for name, data in found)


@pytest.fixture
def served(study: World, web_server: WebServer, monkeypatch: pytest.MonkeyPatch) -> World:
    """A clone that reads its remote from a web server, as one in Jupyter may."""
    study.ok("remote", "set", "default", f"url={web_server.directory}")
    study.ok("push")
    copy = clone(study)
    copy.ok("remote", "set", "default", "--local", f"url={web_server.url}")
    enter(copy, monkeypatch)
    return copy


def test_a_running_event_loop_is_no_obstacle(served: World) -> None:
    async def cell() -> tuple[str, bytes]:
        other = await asyncio.to_thread(datatool.read, "data/a.txt")
        return other, datatool.read("big.bin", mode="rb")

    assert asyncio.run(cell()) == ("alpha\n", BIG)


FORKS = """
import os, sys
import fsspec
import datatool
fs = fsspec.filesystem("datatool")
assert datatool.read("data/a.txt") == "alpha\\n"
assert fs.cat_file("/data/run.sh") == b"#!/bin/sh\\n"
child = os.fork()
if child == 0:
    ok = datatool.read("data/deep/b.txt") == "beta\\n" and len(fs.cat_file("/big.bin")) == int(sys.argv[1])
    os._exit(0 if ok else 1)
_, status = os.waitpid(child, 0)
assert fs.cat_file("/table.csv").startswith(b"id")
sys.exit(os.waitstatus_to_exitcode(status))
"""


def test_a_forked_process_reads_as_its_parent_does(served: World) -> None:
    needs.linux()
    done = subprocess.run(
        [sys.executable, "-P", "-W", "ignore", "-c", FORKS, str(len(BIG))],
        cwd=served.root,
        env=served.env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def read_in_worker(root: str) -> bytes:
    os.chdir(root)
    return datatool.read("table.csv", mode="rb")


def test_worker_processes_read_too(study: World) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.map(read_in_worker, [str(study.root)] * 4) == [TABLE] * 4


def test_warnings_go_to_the_logger(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="datatool"):
        Logged().warn("remote lab: away", hint="mount it")
        Logged().hint("some stay")
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "remote lab: away (mount it)"),
        ("INFO", "some stay"),
    ]


QUIET = """
import datatool
datatool.open("table.csv"); datatool.open("big.bin", mode="rb"); datatool.path("data"); datatool.list()
try:
    datatool.open("none")
except FileNotFoundError:
    pass
"""


def test_a_program_without_logging_prints_nothing(study: World) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-X", "dev", "-c", QUIET], cwd=study.root, env=study.env, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_working_directory_and_environment_stay_as_they_are(study: World) -> None:
    before = (Path.cwd(), dict(os.environ))
    datatool.read("data/a.txt", repo=study.root, rev="v1")
    assert (Path.cwd(), dict(os.environ)) == before


def test_errors_are_named_through_the_package() -> None:
    code = (
        "import datatool\ntry:\n    raise datatool.errors.Refused('no')\nexcept datatool.Refused:\n    print('caught')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "caught\n", done.stderr
