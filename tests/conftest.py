"""Fixtures every test may use, and the list of what was skipped and why."""

from __future__ import annotations

import compileall
import gc
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

import memory
from datatool import interruption
from environment import PACKAGE, clean_environment
from needs import ON_CI

pytest.register_assert_rewrite(
    "aftermath",
    "measure",
    "scenario",
    "scenarios_of_files",
    "scenarios_of_registries",
    "scenarios_of_remotes",
    "scenarios_of_runs",
    "world",
)

pytest_plugins = ["servers.fixtures"]

# How long an example takes says more about the machine's other work than about us.
settings.register_profile("datatool", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("datatool")

if TYPE_CHECKING:
    from world import World


@pytest.hookimpl(tryfirst=True)  # before pytest chooses where temporary directories lie
def pytest_configure(config: pytest.Config) -> None:
    """Ctrl-C is heard, here and in every command; and once for all workers, what makes the suite twice as fast."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started by `nohup`, or behind `&` in a script
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(config, "workerinput"):
        return
    os.environ.setdefault(ON_CI, os.environ.get("CI", ""))
    if memory.has_room():  # half of the time of a test on a disk is waiting for fsync
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", memory.DIRECTORY)
    for top in (Path(PACKAGE) / "datatool", Path(__file__).parent):
        compileall.compile_dir(top, quiet=2)  # tests start commands, which write no bytecode


@pytest.fixture
def _stays_where_it_is() -> Iterator[None]:
    """No test leaves the next one in a directory that is about to be deleted."""
    before = Path.cwd()
    yield
    after = os.path.realpath(".")
    os.chdir(before)
    assert after == str(before), "the test stayed in another working directory"


@pytest.fixture
def _no_signal_is_noted() -> None:
    """What one test was sent interrupts no other."""
    interruption._noted.clear()


@pytest.fixture(autouse=True)
def _own_environment(
    _no_signal_is_noted: None,
    _stays_where_it_is: None,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No test sees the user's git, datatool or terminal settings, nor writes into the user's home."""
    home = tmp_path_factory.getbasetemp() / "home"
    home.mkdir(exist_ok=True)
    wanted = clean_environment(home)
    for name in set(os.environ) - set(wanted):
        if not name.startswith("PYTEST_"):
            monkeypatch.delenv(name)
    for name, value in wanted.items():
        if os.environ.get(name) != value:
            monkeypatch.setenv(name, value)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A project in a fresh git repository, with a directory beside it to be the remote."""
    from world import World  # here, because most tests need no command line

    return World(tmp_path)


@pytest.fixture
def without_collection() -> Iterator[None]:
    """No garbage of other tests is finalized in the depth of a recursion, where finalizers fail."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reasons: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reasons[reason.removeprefix("Skipped: ")] += 1
    if reasons:
        terminalreporter.section("skipped")
        for reason, count in sorted(reasons.items()):
            terminalreporter.write_line(f"{count:4} {reason}")
