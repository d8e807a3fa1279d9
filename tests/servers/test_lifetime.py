"""A server is started once for all workers, and nothing of it stays, however the run ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from servers import programs
from servers.ports import wait_until
from servers.process_tree import speaking_of

pytestmark = pytest.mark.slow

TESTS = Path(__file__).parents[1]

PREAMBLE = """
import json, os, signal
from pathlib import Path
from servers.ports import wait_until

TOP = Path(__file__).parent

def say(name, content):
    (TOP / f"{name}.new").write_text(content)
    (TOP / f"{name}.new").rename(TOP / name)

def hear(name):
    wait_until((TOP / name).exists, seconds=120, what=name)
    return (TOP / name).read_text()
"""

MEET = """
def test_two_workers_meet(sshd, web_server, worker_id):
    say(worker_id, f"{sshd.port} {web_server.directory.parent}")
    assert hear({"gw0": "gw1", "gw1": "gw0"}[worker_id]) == hear(worker_id)
"""

STAY = """
def test_that_waits(sshd, web_server, own_sshd):
    say("ready", "yes")
    hear("never")
"""

DIE = """
def test_that_kills_its_worker(sshd, web_server, own_sshd):
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def _on_linux() -> None:
    programs.require("sshd", "ssh-keygen", "nginx")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tmp_path / "base"


def pytest_run(tmp_path: Path, test: str, *words: str) -> subprocess.Popen[str]:
    """Start a pytest of its own with this one test."""
    (tmp_path / "test_inner.py").write_text(PREAMBLE + test)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "servers.fixtures", "-p", "xdist", "-p", "no:randomly"]
    command += ["-p", "no:cacheprovider", "--rootdir", str(tmp_path), "--basetemp", str(tmp_path / "base"), *words]
    outer = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.Popen(
        [*command, str(tmp_path / "test_inner.py")],
        env=outer | {"PYTHONPATH": str(TESTS)},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def nothing_is_left(base: Path) -> None:
    wait_until(lambda: not speaking_of(str(base)), seconds=60, what=f"the end of what runs in {base}")


def test_workers_share_one_server_and_leave_nothing(tmp_path: Path, base: Path) -> None:
    run = pytest_run(tmp_path, MEET, "-n", "2", "--dist", "each")
    output, _ = run.communicate(timeout=300)
    assert run.returncode == 0, output
    assert "2 passed" in output
    nothing_is_left(base)
    assert not (base / "servers" / "nginx" / "data").exists()
    assert (base / "servers" / "nginx" / "access.log").exists()


def test_a_worker_that_dies_leaves_nothing(tmp_path: Path, base: Path) -> None:
    run = pytest_run(tmp_path, DIE, "-n", "1", "--max-worker-restart", "0")
    output, _ = run.communicate(timeout=300)
    assert "crashed" in output
    nothing_is_left(base)


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_run_that_is_killed_leaves_nothing(tmp_path: Path, base: Path, workers: str) -> None:
    run = pytest_run(tmp_path, STAY, "-n", workers)
    wait_until((tmp_path / "ready").exists, seconds=300, what="the inner test")
    assert len(speaking_of(str(base))) >= 6
    run.kill()
    run.communicate(timeout=300)
    nothing_is_left(base)


def test_a_keeper_that_is_killed_leaves_nothing(tmp_path: Path, base: Path) -> None:
    with pytest_run(tmp_path, STAY, "-n", "0") as run:
        wait_until((tmp_path / "ready").exists, seconds=300, what="the inner test")
        for line in speaking_of(str(base)):
            if "servers.keeper" in line:
                os.kill(int(line.split()[0]), signal.SIGKILL)
        wait_until(lambda: len(speaking_of(str(base))) == 1, seconds=60, what="only pytest to be left")
        run.kill()
