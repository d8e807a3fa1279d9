"""Stages on a real Dask cluster of processes: each worker has a clone, a cache and a home of its own, and the remote is
in S3."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from api.executing import PIPE, pipeline
from api.tracking import script
from environment import clean_environment
from network.places import s3_place
from servers.fixtures import S3Server
from world import DATATOOL, World

CLUSTER = """
import json, subprocess, sys
import distributed

MACHINES = json.loads(sys.argv[1])
TO_CLONE = "import os, sys; os.chdir(os.environ['CLONE']); sys.path.insert(0, os.environ['CLONE'])"

class Cluster(distributed.LocalCluster):
    def new_worker_spec(self):
        [(number, spec)] = super().new_worker_spec().items()
        options = {"env": MACHINES[number], "preload": [TO_CLONE], "preload_argv": [[]]}
        return {number: {**spec, "options": {**spec["options"], **options}}}

if __name__ == "__main__":
    local = {"processes": True, "threads_per_worker": 1, "dashboard_address": ":0", "protocol": "tcp"}
    with Cluster(n_workers=0, **local) as cluster:
        cluster.scale(len(MACHINES))
        cluster.wait_for_workers(len(MACHINES))
        sys.exit(subprocess.run([sys.executable, sys.argv[2], cluster.scheduler_address]).returncode)
"""
"""Starts a cluster with a worker for each environment, and a program that uses it. The scheduler lies in this process,
which can't import the project."""

DRIVER = """
import json, sys
from dataclasses import dataclass
import distributed
import datatool.dask
import pipe

@dataclass
class Point:
    x: int

@datatool.stage(words=pipe.words, format="json")
def typed(words, point):
    return [len(words), point.x]

FUTURES = {}

class Client(distributed.Client):
    def submit(self, *args, **options):
        future = super().submit(*args, **options)
        FUTURES[future.key] = future
        return future

def taken():
    answers = {key: future.result() for key, future in FUTURES.items()}
    FUTURES.clear()
    client.submit = super(Client, client).submit  # futures that nobody holds need not be computed again
    return {key: answer.record.decode() for key, answer in answers.items() if hasattr(answer, "record")}

if __name__ == "__main__":
    with Client(sys.argv[1]) as client:
        print(json.dumps(RUN))
"""
"""Prints what RUN gives."""


@pytest.fixture
def study(desk: World, s3_server: S3Server) -> World:
    """A project with its remote in S3."""
    s3_place(s3_server).add_to(desk)
    return desk


def machines(world: World, server: S3Server) -> list[dict[str, str]]:
    """Two machines, each with a clone; the S3 login is in their environment."""
    made = []
    for name in ("first", "second"):
        copy = world.clone(name)
        home = world.top / f"home-{name}"
        home.mkdir()
        login = {"AWS_ACCESS_KEY_ID": server.access_key_id, "AWS_SECRET_ACCESS_KEY": server.secret_access_key}
        made.append({**clean_environment(home), **login, "CLONE": str(copy.root)})
    return made


def drive(world: World, environments: list[dict[str, str]], run: str) -> Any:
    """What a program gives that uses these machines."""
    cluster, driver = world.top / "cluster.py", world.root / "driver.py"
    cluster.write_text(CLUSTER)
    driver.write_text(DRIVER.replace("RUN", run))
    done = subprocess.run(
        [sys.executable, str(cluster), json.dumps(environments), str(driver)],
        cwd=world.root,
        env=world.env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


DYING = """
@datatool.stage(number=count, word=longest, format="json")
def deadly(number, word):
    import pathlib, signal
    ran("deadly")
    killed = pathlib.Path({log!r} + ".killed")
    if not killed.exists():
        killed.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number

@datatool.stage(number=deadly, format="json")
def survived(number):
    ran("survived")
    return [number]
"""


def test_workers_with_caches_of_their_own_pass_results_on_by_the_remote_and_one_that_is_killed_costs_its_stage_only(
    study: World, s3_server: S3Server
) -> None:
    ran = pipeline(study, PIPE + DYING)
    workers = machines(study, s3_server)
    first, answers, again, last, typed = drive(
        study,
        workers,
        "[datatool.dask.run(pipe.report, client), taken(),"
        " pipe.report.run(executor=client.get_executor(), mark='?'), datatool.dask.run(pipe.survived, client),"
        " datatool.dask.run(typed, client, point=Point(7))]",
    )
    assert (first, again, last) == ("4 words!", "4 words?", [4])
    assert typed == [4, 7], "what stands in the program itself travels with its code"
    assert ran.take() == {"words": 1, "count": 1, "longest": 1, "report": 2, "deadly": 2, "survived": 1}
    names = [json.loads(record)["name"] for record in answers.values()]
    assert sorted(names) == ["pipe:count", "pipe:longest", "pipe:report", "pipe:words"]
    for key, record in answers.items():
        assert json.loads(record)["fingerprint"] in key, "a task is named after its fingerprint"
    for env in workers:
        checked = subprocess.run([*DATATOOL, "doctor"], cwd=env["CLONE"], env=env, capture_output=True, text=True)
        assert checked.returncode == 0, checked.stdout
    objects = {path.read_bytes() for path in (study.cache / "objects").rglob("*") if path.is_file()}
    assert b'"4 words!"' in objects
    assert b'["a","few","words","here"]' not in objects, "only what was asked for came here"


FAILING = b"""
import threading
import datatool

good_runs, others_end = threading.Event(), threading.Event()

@datatool.stage
def bad():
    good_runs.wait(60)
    raise KeyError("no")

@datatool.stage
def good():
    good_runs.set()
    others_end.wait(60)
    return 1

@datatool.stage(a=bad, b=good)
def both(a, b):
    return 1
"""

IN_THREADS = """
import distributed
import datatool.dask
from datatool.operations.stage import executor
import pipe

wait = executor.wait

def waited(futures, **options):
    if futures and not options:  # those that could not be cancelled
        pipe.others_end.set()
    return wait(futures, **options)

executor.wait = waited
with distributed.Client(processes=False, n_workers=1, threads_per_worker=2, dashboard_address=":0") as client:
    try:
        datatool.dask.run(pipe.both, client)
    except KeyError as problem:
        print(problem, pipe.good.why().cached)
        pipe.others_end.set()
"""


def test_when_a_stage_fails_those_that_run_come_to_their_end_and_are_kept(desk: World) -> None:
    desk.write("pipe.py", FAILING)
    done = script(desk, IN_THREADS, name="job.py")
    assert done.out == "'no' True\n", done
