"""`track()` while another process writes to the database of what was here last."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

import datatool
from api.tracking import NEW, OLD, OWN, script
from datatool.api.trackers import close_trackers, settle_trackers
from datatool.hashing import digest
from datatool.index.state import Base, State
from world import World


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("datatool.localfs.database", "datatool.index.state"):
        monkeypatch.setattr(f"{module}.BUSY_SECONDS", 0)


@contextmanager
def busy(world: World) -> Iterator[None]:
    """Another process is in the middle of a long transaction."""
    (place,) = world.local.rglob("state.db")
    with closing(sqlite3.connect(place, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def two_versions(desk: World) -> None:
    """The second version is recorded while the database is busy."""
    desk.write("x.csv", OLD)
    desk.write("y.csv", OLD)
    datatool.track(["x.csv", "y.csv"])
    desk.settle()
    with busy(desk):
        desk.write("x.csv", NEW)
        datatool.track("x.csv")


def is_left_alone(desk: World) -> None:
    """The first version, put back by the user, is recorded and not replaced by what is pinned."""
    desk.write("x.csv", OLD)
    ran = script(desk, "import datatool; datatool.track('x.csv')")
    assert "x.csv: recorded a new version" in ran.err, ran
    assert desk.read("x.csv") == OLD


def test_an_older_version_put_back_in_the_same_process_is_the_users(desk: World) -> None:
    two_versions(desk)
    desk.write("x.csv", OLD)
    datatool.track("x.csv")
    assert desk.read("x.csv") == OLD


def test_what_was_recorded_meanwhile_is_remembered_with_the_next_call(desk: World) -> None:
    two_versions(desk)
    datatool.track("y.csv")
    is_left_alone(desk)


def test_what_was_recorded_meanwhile_is_remembered_when_the_project_is_settled(desk: World) -> None:
    two_versions(desk)
    settle_trackers()
    is_left_alone(desk)


def test_what_was_recorded_meanwhile_is_remembered_when_the_program_ends(desk: World) -> None:
    two_versions(desk)
    close_trackers()
    is_left_alone(desk)


def test_a_database_that_is_busy_can_still_be_read(desk: World) -> None:
    two_versions(desk)
    with busy(desk):
        desk.write("x.csv", OWN)
        datatool.track("x.csv")
        assert datatool.track("y.csv").read_bytes() == OLD
    assert desk.json("status")["clean"]


def test_what_another_process_put_there_since_stays_remembered(desk: World) -> None:
    one, two, three = (Base(version=digest(text), here=digest(text)) for text in (OLD, NEW, OWN))
    datatool.track(desk.write("x.csv", OLD))
    close_trackers()
    (place,) = desk.local.rglob("state.db")
    with State(place) as mine, State(place) as theirs:
        mine.set_base(b"x.csv", one)
        mine.commit()
        with busy(desk):
            mine.set_base(b"x.csv", two)
        assert mine.base(b"x.csv") == two
        theirs.set_base(b"x.csv", three)
        theirs.commit()
        mine.commit()
        assert mine.base(b"x.csv") == three
