"""`track(output=True)`: what a program is going to write."""

from __future__ import annotations

import pytest

import datatool
from api.track_states import equal, missing, outdated
from api.tracking import NEW, OLD, run_python, script
from world import World


def test_an_output_is_recorded_when_the_program_ends(desk: World) -> None:
    done = script(
        desk,
        """
import datatool
out = datatool.track("made/deep/out.txt", output=True)
assert not out.exists() and out.parent.is_dir()
out.write_text("made\\n")
""",
    )
    assert done.code == 0, done.err
    assert desk.exists("made/deep/out.txt.dt")
    assert done.err == "datatool: made/deep/out.txt: tracked from now on, 5 B\n"
    assert desk.json("status")["clean"]


def test_an_output_is_not_fetched_and_its_new_content_is_recorded(desk: World) -> None:
    missing(desk)
    done = script(
        desk,
        'import datatool\np = datatool.track("x.csv", output=True)\nassert not p.exists()\np.write_text("again")\n',
    )
    assert done.code == 0, done.err
    assert "x.csv: recorded a new version, 5 B (was 7 B); datatool checkout x.csv --rev HEAD goes back" in done.err
    desk.ok("checkout", "x.csv", "--rev", "HEAD")
    assert desk.read("x.csv") == NEW


APPENDS = """
import datatool
log = datatool.track("log.csv", source=lambda: "run\\n")
with open(datatool.track(log, output=True), "a") as file:
    file.write("again\\n")
"""


@pytest.mark.parametrize("link", ["copy", "hardlink"])
def test_a_program_that_adds_to_its_own_output_goes_on_where_a_clone_has_nothing_yet(desk: World, link: str) -> None:
    for _ in range(2):
        done = script(desk, APPENDS, name="appends.py")
        assert done.code == 0, done.err
    desk.git("add", "-A")
    desk.commit("two lines")
    desk.ok("push")
    copy = desk.clone()
    copy.env.pop("CI", None)
    copy.ok("config", "set", "--local", "cache.link", link)
    for lines in (3, 4):
        done = run_python(copy, "appends.py")
        assert done.code == 0, done.err
        assert copy.read("log.csv") == b"run\n" + b"again\n" * lines
        assert copy.json("status")["clean"]
    copy.ok("checkout", "log.csv", "--rev", "HEAD")
    assert copy.read("log.csv") == b"run\nagain\nagain\n"


def test_an_output_that_was_not_written_is_told(desk: World) -> None:
    done = script(desk, 'import datatool\ndatatool.track("x.csv", output=True)\n')
    assert done.code == 0
    assert "x.csv: was to be an output, and is not there" in done.err


def test_outputs_of_a_program_that_failed_are_not_recorded(desk: World) -> None:
    done = script(
        desk, 'import datatool\ndatatool.track("x.csv", output=True).write_text("half")\nraise SystemError("no")\n'
    )
    assert done.code == 1
    assert "1 output not recorded, as the program ended by SystemError" in done.err
    assert not desk.exists("x.csv.dt")


def test_frozen_outputs_are_written_and_not_recorded(desk: World) -> None:
    code = 'import datatool\ndatatool.track("x.csv", output=True).write_text("x")\n'
    assert script(desk, code, env={"CI": "true"}).code == 0
    assert desk.read("x.csv") == b"x"
    assert not desk.exists("x.csv.dt")


def test_an_output_that_is_what_an_older_version_was_is_recorded_where_it_was_written(desk: World) -> None:
    outdated(desk)
    code = 'import datatool\np = datatool.track("x.csv", output=True)\n'
    assert script(desk, code).code == 0
    assert desk.json("status", "x.csv")["artifacts"][0]["state"] == "outdated", "nobody wrote it"
    assert script(desk, code + f"p.write_bytes({OLD!r})\n").code == 0
    assert desk.json("status", "x.csv")["artifacts"][0]["state"] == "clean"
    assert desk.read("x.csv") == OLD


def test_an_output_that_is_linked_to_the_cache_can_be_written_to(desk: World) -> None:
    desk.ok("config", "set", "cache.link", "hardlink")
    desk.write("x.csv", OLD)
    desk.ok("add", "x.csv")
    desk.commit()
    datatool.track("x.csv", output=True).write_bytes(NEW)
    desk.ok("add", "x.csv")
    desk.ok("checkout", "x.csv", "--rev", "HEAD")
    assert desk.read("x.csv") == OLD, "the cache was not written to"


def test_words_that_mean_nothing_for_an_output_are_refused(desk: World) -> None:
    with pytest.raises(datatool.UsageError, match="source and output=True"):
        datatool.track("x.csv", output=True, source=lambda: b"x")
    with pytest.raises(datatool.UsageError, match="on_change='error' and output=True"):
        datatool.track("x.csv", output=True, on_change="error")


def test_an_output_that_is_kept_is_written_and_not_recorded(desk: World) -> None:
    equal(desk)
    pointer = desk.read("x.csv.dt")
    code = 'import datatool\ndatatool.track("x.csv", output=True, on_change="keep").write_bytes(b"kept")\n'
    assert script(desk, code).code == 0
    assert desk.read("x.csv") == b"kept" and desk.read("x.csv.dt") == pointer
