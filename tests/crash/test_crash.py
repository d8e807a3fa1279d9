"""A command that is killed at any of its file-changing calls loses nothing, and running it again completes it."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from crashpoints import Call, build_tracer
from scenarios import SCENARIOS
from scenarios_of_files import AddAndLink

SHARDS = 2
"""How many tests share the points of a command that is killed at every call, so that several cores can."""
DRAWN = 12
"""How many points are drawn of any other command."""
TORN = 2
"""How many torn writes are drawn of each command."""
STOPPED = 12
"""How many points are drawn at which adding with hardlinks is stopped."""
BLOCK = 16
"""Calls that follow each other and are one test's: neighbours often leave the same world."""
_CHANGING = re.compile(r"[0-9a-f-]{8,}|(?<=/)[0-9a-f]{2}(?=/|$)|\d+")
"""What is called otherwise in every run, or for every object."""


@pytest.fixture
def tracer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tracer(tmp_path_factory.getbasetemp())


_SHARES = [
    (command, shard) for command, kind in SCENARIOS.items() for shard in range(SHARDS if kind.every_point else 1)
]


@pytest.mark.slow
@pytest.mark.parametrize(("command", "shard"), _SHARES)
def test_a_command_killed_at_any_call_loses_nothing_and_is_completed_by_running_it_again(
    command: str, shard: int, tracer: Path, tmp_path: Path
) -> None:
    """Add, checkout, push and pull are killed at every call; of the others chance draws some, in each run others, of as
    many kinds as there can be. Of calls of SQLite that follow each other only the first and the last count, because
    what lies between is SQLite's own atomic commit.
    Completed from every distinct world: a kill before fsync and one after it leave the same. The campaign of
    scripts/soak takes every point and completes every one.
    """
    chance = random.Random(random.getrandbits(32))
    scenario = SCENARIOS[command](tmp_path, tracer)
    calls = scenario.clean.calls
    assert len(calls) >= 10, "the tracer sees the command's writes"
    points = [n for n in range(1, len(calls) + 1) if not _is_inside_sqlite(calls, n)]
    if scenario.every_point:
        points = [n for n in points if n // BLOCK % SHARDS == shard]
    else:
        points = _some_of_each_kind(calls, points, DRAWN, chance)
    killed, completed = 0, set()
    for n in points:
        scenario.stage.restore()
        ran = scenario.run(n)
        if len(ran.calls) < n:
            continue  # it finished before its n-th change: threads make a few more or less
        killed += 1
        try:
            assert ran.code == 137
            scenario.check_killed()
            left = scenario.stage.state(), sum(call.is_sqlite for call in ran.calls[: n - 1])
            if left not in completed:
                completed.add(left)
                scenario.again()
                scenario.check_finished()
        except AssertionError as failure:
            raise AssertionError(f"datatool {command}, killed before {ran.at(n)}: {failure}") from failure
    assert killed >= len(points) // 2


def _some_of_each_kind(calls: Sequence[Call], points: Sequence[int], most: int, chance: random.Random) -> list[int]:
    """Points drawn of all, of a kind that was not drawn yet as long as there is one: calls that do the same to the same
    kind of file are alike."""
    alike: dict[tuple[str, str], list[int]] = {}
    for n in points:
        alike.setdefault((calls[n - 1].call, _CHANGING.sub("*", calls[n - 1].path)), []).append(n)
    kinds = list(alike.values())
    chance.shuffle(kinds)
    drawn = [chance.choice(kind) for kind in kinds[:most]]
    rest = sorted(set(points) - set(drawn))
    drawn += chance.sample(rest, min(len(rest), most - len(drawn)))
    return sorted(drawn)


def _is_inside_sqlite(calls: Sequence[Call], n: int) -> bool:
    return 1 < n < len(calls) and all(call.is_sqlite for call in calls[n - 2 : n + 1])


@pytest.mark.slow
@pytest.mark.parametrize("command", SCENARIOS)
def test_a_command_over_many_small_files_survives_a_torn_write(command: str, tracer: Path, tmp_path: Path) -> None:
    scenario = SCENARIOS[command](tmp_path, tracer, many=300)  # enough for the cache to pack them
    writes = [call.n for call in scenario.clean.calls if call.call in {"write", "pwrite64", "copy_file_range"}]
    for n in random.sample(writes, min(TORN, len(writes))):
        scenario.stage.restore()
        ran = scenario.run(n, "torn")
        try:
            scenario.check_killed()
            scenario.again()
            scenario.check_finished()
        except AssertionError as failure:
            raise AssertionError(f"datatool {command}, torn at {ran.at(n)}: {failure}") from failure


@pytest.mark.slow
def test_add_killed_inside_git_loses_nothing(tracer: Path, tmp_path: Path) -> None:
    scenario = SCENARIOS["add"](tmp_path, tracer)
    scenario.stage.restore()
    calls = scenario.run(0, git=True).calls
    lock = next(call.n for call in calls if call.path.endswith(".git/index.lock"))
    for n in (lock, lock + 1):
        scenario.stage.restore()
        scenario.run(n, git=True)
        scenario.check_killed()
        scenario.home.git_dir.joinpath("index.lock").unlink(missing_ok=True)  # as git itself tells
        scenario.again()
        scenario.check_finished()


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["int", "term", "EIO", "ENOSPC"])
def test_add_with_hardlinks_that_is_stopped_leaves_no_object_writable_and_no_file_read_only(
    fault: str, tracer: Path, tmp_path: Path
) -> None:
    """Points are drawn of the calls that adopt files: Python hears of a signal when the call returns."""
    scenario = SCENARIOS["add with hardlinks"](tmp_path, tracer)
    assert isinstance(scenario, AddAndLink)
    cache = str(scenario.world.cache)
    calls = [call for call in scenario.clean.calls if cache in call.path + call.to and not call.is_sqlite]
    calls += [call for call in scenario.clean.calls if call.call in {"fchmod", "chmod"}]
    for call in random.sample(calls, min(STOPPED, len(calls))):
        scenario.stage.restore()
        ran = scenario.run(call.n, fault)
        try:
            scenario.check_told(ran.err)
            scenario.check_killed()
            scenario.check_stopped()
            if ran.code != 0:  # else it has gone another way, such as by a copy
                scenario.again()
                scenario.check_finished()
        except AssertionError as failure:
            raise AssertionError(f"{fault} at {ran.at(call.n)}: {failure}") from failure
