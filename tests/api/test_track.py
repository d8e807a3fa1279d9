"""`track()`: one call for every state that a path can be in, and what it never does."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import datatool
from api.tracking import NEW, OLD, OWN, as_it_is, run_python, script
from datatool.api.current_run import process_run
from datatool.api.trackers import close_trackers
from datatool.model.pointer import ArtifactKind
from world import World

# ---- the table


def unknown(world: World) -> None:
    world.write("x.csv", NEW)


def equal(world: World) -> None:
    """Two versions, the second one here."""
    world.write("x.csv", OLD)
    world.ok("add", "x.csv")
    world.commit("old")
    world.write("x.csv", NEW)
    world.settle()
    world.ok("add", "x.csv")
    world.commit("new")
    world.ok("push")


def missing(world: World) -> None:
    equal(world)
    (world.root / "x.csv").unlink()


def missing_everywhere_but_on_the_remote(world: World) -> None:
    missing(world)
    world.cache.rename(world.top / "the cache that was")


def changed(world: World) -> None:
    equal(world)
    world.write("x.csv", OWN)


def older(world: World) -> None:
    """The user put the first version there."""
    equal(world)
    world.write("x.csv", OLD)


def outdated(world: World) -> None:
    """datatool put the first version there, and git brought the second one's pointer."""
    equal(world)
    world.ok("checkout", "x.csv", "--rev", "HEAD~1")
    world.git("checkout", "-q", "HEAD", "--", "x.csv.dt")


def unnamed(world: World) -> None:
    """The user's version was recorded and never committed, and git put the pointer back."""
    equal(world)
    world.write("x.csv", OWN)
    world.settle()
    world.ok("add", "x.csv")
    world.git("checkout", "-q", "HEAD", "--", "x.csv.dt")


def of_git(world: World) -> None:
    world.write("x.csv", NEW)
    world.commit("of git")


RECORDED, FETCHED, SAME, REFUSED = "recorded", "fetched", "same", "refused"

TABLE: dict[Callable[[World], None], dict[tuple[bool, str | None], str]] = {
    missing: dict.fromkeys(itertools.product((False, True), (None, "add", "error", "keep")), FETCHED),
    missing_everywhere_but_on_the_remote: dict.fromkeys(
        itertools.product((False, True), (None, "add", "error", "keep")), FETCHED
    ),
    equal: dict.fromkeys(itertools.product((False, True), (None, "add", "error", "keep")), SAME),
    unknown: {
        (False, None): RECORDED,
        (False, "add"): RECORDED,
        (False, "error"): RECORDED,
        (False, "keep"): RECORDED,
        (True, None): REFUSED,
        (True, "add"): RECORDED,
        (True, "error"): REFUSED,
        (True, "keep"): SAME,
    },
    of_git: dict.fromkeys(itertools.product((False, True), (None, "add", "error", "keep")), SAME),
    outdated: {
        (False, None): FETCHED,
        (False, "add"): FETCHED,
        (False, "error"): FETCHED,
        (False, "keep"): FETCHED,
        (True, None): REFUSED,
        (True, "add"): FETCHED,
        (True, "error"): REFUSED,
        (True, "keep"): FETCHED,
    },
}
TABLE[unnamed] = {
    (False, None): FETCHED,
    (False, "add"): FETCHED,
    (False, "error"): REFUSED,
    (False, "keep"): SAME,
    (True, None): REFUSED,
    (True, "add"): FETCHED,
    (True, "error"): REFUSED,
    (True, "keep"): SAME,
}
for state in (changed, older):
    TABLE[state] = {
        (False, None): RECORDED,
        (False, "add"): RECORDED,
        (False, "error"): REFUSED,
        (False, "keep"): SAME,
        (True, None): REFUSED,
        (True, "add"): RECORDED,
        (True, "error"): REFUSED,
        (True, "keep"): SAME,
    }
ROWS = [
    pytest.param(state, frozen, on_change, outcome, id=f"{state.__name__}-{'frozen' if frozen else 'free'}-{on_change}")
    for state, cases in TABLE.items()
    for (frozen, on_change), outcome in cases.items()
]


@pytest.mark.parametrize(("state", "frozen", "on_change", "outcome"), ROWS)
def test_each_state_has_its_outcome_and_the_users_content_is_never_replaced(
    state: Callable[[World], None],
    frozen: bool,
    on_change: str | None,
    outcome: str,
    desk: World,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    state(desk)
    before = desk.tree()
    monkeypatch.setenv("DATATOOL_FROZEN", "1" if frozen else "0")
    if outcome == REFUSED:
        with pytest.raises(datatool.Refused) as refused:
            datatool.track("x.csv", on_change=on_change)
        assert "x.csv" in refused.value.message
        assert "datatool " in (refused.value.hint or "")
        assert desk.tree() == before
        return
    assert datatool.track("x.csv", on_change=on_change) == desk.root / "x.csv"
    after = desk.tree()
    if outcome == RECORDED:
        assert after["x.csv"] == before["x.csv"], "the user's content is what counts"
        assert desk.json("status", "x.csv")["artifacts"][0]["state"] == "clean"
        assert after["x.csv.dt"] != before.get("x.csv.dt")
    elif outcome == FETCHED:
        assert after == before | {"x.csv": NEW}
    else:
        assert after == before


# ---- what is never done


def test_an_unchanged_call_writes_nothing(desk: World) -> None:
    equal(desk)
    desk.write("data/a.txt", b"a\n")
    desk.write("data/b.txt", b"b\n")
    desk.settle()
    desk.ok("add", "data")
    for path in ("x.csv", "data", "data/a.txt"):
        datatool.track(path)
    before = as_it_is(desk.root)
    for path in ("x.csv", "data", "data/a.txt"):
        datatool.track(path)
    assert as_it_is(desk.root) == before


def test_the_users_lines_in_a_gitignore_stay_where_they_are(desk: World) -> None:
    names = ["d.csv", "b.csv", "c.csv", "a.csv"]
    desk.write(".gitignore", b"*.tmp\n/c.csv.old\n# mine\n")
    for name in names:
        desk.write(name, name.encode())
        datatool.track(name)
    assert desk.git("status", "--porcelain", "--", *names) == ""
    close_trackers()
    assert desk.read(".gitignore") == b"*.tmp\n/a.csv\n/b.csv\n/c.csv\n/c.csv.old\n/d.csv\n# mine\n"


@pytest.mark.parametrize("tracked", ["a.csv", "b.csv"], ids=["which records nothing", "which records"])
def test_lines_that_a_killed_program_left_at_the_end_are_sorted_in_by_the_next_one(tracked: str, desk: World) -> None:
    for name in ("a.csv", "b.csv", "c.csv"):
        desk.write(name, name.encode())
    dies = "import datatool, os\nfor name in ('c.csv', 'a.csv'): datatool.track(name)\nos.kill(os.getpid(), 9)"
    assert script(desk, dies).code == -9
    assert desk.read(".gitignore") == b"/c.csv\n/a.csv\n"
    datatool.track(tracked)
    close_trackers()
    assert desk.read(".gitignore") == b"".join(b"/%s\n" % name.encode() for name in sorted({"a.csv", tracked, "c.csv"}))


def test_what_a_power_cut_left_at_the_end_of_a_gitignore_is_taken_away(desk: World) -> None:
    desk.write(".gitignore", b"/a.csv\n" + bytes(7))
    datatool.track(desk.write("x.csv", NEW))
    assert desk.read(".gitignore") == b"/a.csv\n/x.csv\n"


def test_nothing_is_staged_or_committed(desk: World) -> None:
    desk.write("x.csv", NEW)
    datatool.track("x.csv")
    assert desk.git("diff", "--cached", "--name-only") == ""
    assert desk.git("status", "--porcelain", "-uall").split("\n") == ["?? .gitignore", "?? x.csv.dt"]


def test_another_branch_is_noticed_between_two_calls(desk: World) -> None:
    equal(desk)
    datatool.track("x.csv")
    desk.git("checkout", "-q", "-b", "past", "HEAD~1")
    assert datatool.track("x.csv").read_bytes() == OLD
    desk.git("checkout", "-q", "main")
    assert datatool.track("x.csv").read_bytes() == NEW


def test_a_copy_of_an_old_file_is_recorded_and_stays(desk: World) -> None:
    older(desk)
    for _ in range(3):
        assert datatool.track("x.csv").read_bytes() == OLD
    desk.commit("back")
    assert desk.clone().ok("pull").code == 0
    assert (desk.top / "clone/x.csv").read_bytes() == OLD


def test_a_merge_conflict_in_the_pointer_is_an_error(desk: World) -> None:
    equal(desk)
    text = desk.read("x.csv.dt")
    desk.write("x.csv.dt", b"<<<<<<< ours\n" + text + b"=======\n" + text + b">>>>>>> theirs\n")
    with pytest.raises(datatool.MergeConflict):
        datatool.track("x.csv")


@pytest.mark.parametrize("variables", [{"CI": "true"}, {"DATATOOL_FROZEN": "yes"}, {"CI": "1", "DATATOOL_FROZEN": "1"}])
def test_on_a_build_server_nothing_is_recorded(
    variables: dict[str, str], desk: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown(desk)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(PermissionError, match="not tracked"):
        datatool.track("x.csv")


@pytest.mark.parametrize("variables", [{"CI": "false"}, {"CI": "true", "DATATOOL_FROZEN": "0"}, {"CI": ""}])
def test_elsewhere_it_is(variables: dict[str, str], desk: World, monkeypatch: pytest.MonkeyPatch) -> None:
    unknown(desk)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    datatool.track("x.csv")
    assert desk.exists("x.csv.dt")


# ---- directories, files in them, lists


def directory(world: World) -> None:
    world.write("data/a.txt", b"a\n")
    world.write("data/deep/b.txt", b"b\n")
    world.settle()
    world.ok("add", "data")
    world.commit("data")
    world.ok("push")


def test_a_directory_is_added_and_brought_back(desk: World) -> None:
    desk.write("data/a.txt", b"a\n")
    assert datatool.track("data") == desk.root / "data"
    desk.commit("data")
    (desk.root / "data/a.txt").unlink()
    (desk.root / "data").rmdir()
    datatool.track("data")
    assert desk.read("data/a.txt") == b"a\n"


def test_a_file_in_a_tracked_directory_is_brought_alone(desk: World) -> None:
    directory(desk)
    desk.ok("push")
    copy = desk.clone()
    assert datatool.track(copy.root / "data/deep/b.txt").read_bytes() == b"b\n"
    assert not copy.exists("data/a.txt")
    assert datatool.track(copy.root / "data/a.txt").read_bytes() == b"a\n"


def test_a_changed_file_in_a_tracked_directory_is_a_new_version_of_the_directory(desk: World) -> None:
    directory(desk)
    before = desk.read("data.dt")
    desk.write("data/a.txt", b"changed\n")
    datatool.track("data/a.txt")
    assert desk.read("data.dt") != before
    assert desk.json("status")["clean"]
    desk.write("data/new.txt", b"new\n")
    datatool.track("data/new.txt")
    assert desk.json("status")["clean"]
    assert b"files: 3" in desk.read("data.dt")


def test_a_file_that_a_tracked_directory_does_not_have_is_an_error(desk: World) -> None:
    directory(desk)
    with pytest.raises(FileNotFoundError, match="nothing tracks it") as missing:
        datatool.track("data/deep/c.txt")
    assert missing.value.hint == "did you mean data/deep/b.txt?"


def test_a_list_is_one_batch(desk: World) -> None:
    names = [f"parts/{i}.txt" for i in range(100)]
    for name in names:
        desk.write(name, name.encode())
    assert datatool.track(names) == [desk.root / name for name in names]
    assert all(desk.exists(f"{name}.dt") for name in names)
    assert datatool.track([Path("parts/1.txt"), Path("parts/1.txt")]) == [desk.root / "parts/1.txt"] * 2
    assert datatool.track([]) == []


def test_a_list_with_one_that_is_refused_changes_nothing(desk: World) -> None:
    changed(desk)
    desk.write("y.csv", b"y\n")
    before = desk.tree()
    with pytest.raises(datatool.Refused):
        datatool.track(["y.csv", "x.csv"], on_change="error")
    assert desk.tree() == before


def test_a_directory_that_git_tracks_is_refused_with_the_way_out(desk: World) -> None:
    desk.write("d/x.csv", NEW)
    desk.commit("in git")
    with pytest.raises(datatool.Refused, match="git tracks") as refused:
        datatool.track("d")
    assert "git rm" in (refused.value.hint or "")


def test_a_pointer_that_git_would_ignore_is_refused(desk: World) -> None:
    desk.write(".gitignore", b"data/\n")
    desk.write("data/x.csv", NEW)
    with pytest.raises(datatool.Refused, match="ignored by git"):
        datatool.track("data/x.csv")


# ---- outputs


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


# ---- files that a function makes


def test_a_function_makes_what_nobody_has_and_it_is_never_asked_again(desk: World) -> None:
    asked = []

    def download(path: Path) -> None:
        asked.append(path)
        path.write_bytes(NEW)

    assert datatool.track("raw/x.csv", source=download) == desk.root / "raw/x.csv"
    desk.commit()
    desk.ok("push")
    assert asked == [desk.root / "raw/x.csv"]
    datatool.track("raw/x.csv", source=download)
    (desk.root / "raw/x.csv").unlink()
    desk.cache.rename(desk.top / "the cache that was")
    assert datatool.track("raw/x.csv", source=download).read_bytes() == NEW
    assert len(asked) == 1, "the remote has it"


@pytest.mark.parametrize("made", ["text\n", b"text\n", bytearray(b"text\n"), memoryview(b"text\n")])
def test_a_function_may_return_the_content(made: object, desk: World) -> None:
    assert datatool.track("x.txt", source=lambda: made).read_bytes() == b"text\n"
    assert desk.exists("x.txt.dt")


def test_a_function_that_makes_nothing_is_an_error(desk: World) -> None:
    with pytest.raises(ValueError, match="neither wrote it nor returned"):
        datatool.track("x.txt", source=lambda path: 7)
    assert not desk.exists("x.txt.dt")


@pytest.mark.parametrize("source", ["abc", b"abc", 3, lambda path, more: b"x", lambda *, word: b"x"])
def test_a_source_that_can_not_be_called_is_refused_at_once(source: Any, desk: World) -> None:
    desk.write("here.txt", NEW)
    for path in ("x.txt", "here.txt", str(desk.top / "elsewhere.txt")):
        with pytest.raises(datatool.UsageError, match="source: "):
            datatool.track(path, source=source)


def test_what_a_failing_function_leaves_is_not_taken_for_the_file(desk: World) -> None:
    def breaks(path: Path) -> None:
        path.write_bytes(b"half")
        raise ConnectionError("broken off")

    with pytest.raises(ConnectionError, match="broken off"):
        datatool.track("x.txt", source=breaks)
    assert not desk.exists("x.txt")
    assert datatool.track("x.txt", source=lambda: b"whole").read_bytes() == b"whole"


def git_tracks(world: World) -> None:
    world.write("x/y.txt", b"git's")
    world.commit("of git")
    (world.root / "x/y.txt").unlink()


def pointer_ignored(world: World) -> None:
    world.write(".gitignore", b"*.dt\n")


@pytest.mark.parametrize("prepare", [git_tracks, pointer_ignored])
def test_a_function_is_not_called_for_what_could_not_be_recorded(prepare: Callable[[World], None], desk: World) -> None:
    prepare(desk)
    with pytest.raises(datatool.Refused, match=r"git tracks|ignored by git"):
        datatool.track("x/y.txt", source=lambda: pytest.fail("was called"))
    assert not desk.exists("x/y.txt")


def test_what_was_made_whole_stays_where_recording_it_fails(desk: World, caplog: pytest.LogCaptureFixture) -> None:
    def makes() -> bytes:
        pointer_ignored(desk)
        return b"whole"

    with pytest.raises(datatool.Refused, match="ignored by git"):
        datatool.track("x.txt", source=makes)
    assert desk.read("x.txt") == b"whole"
    assert "x.txt: was made and lies there whole, but is not recorded" in caplog.text
    desk.write(".gitignore", b"")
    assert datatool.track("x.txt", source=lambda: b"another").read_bytes() == b"whole"


@pytest.mark.parametrize("path", ["x.csv", "d", "d/x.csv"])
def test_a_version_that_no_commit_names_is_moved_aside_before_the_pinned_one_comes(
    path: str, desk: World, caplog: pytest.LogCaptureFixture
) -> None:
    file, artifact = (path, path) if path == "x.csv" else ("d/x.csv", "d")
    for content in (OLD, OWN):
        desk.write(file, content)
        desk.settle()
        desk.ok("add", artifact)
        if content == OLD:
            desk.commit("old")
    desk.git("checkout", "-q", "HEAD", "--", f"{artifact}.dt")
    datatool.track(path)
    assert desk.read(file) == OLD
    (place,) = (desk.local / "lost+found").rglob("x.csv")
    assert place.read_bytes() == OWN
    assert f"{path}: no commit names the version that was here; it lies in {desk.local}" in caplog.text


def test_a_version_that_a_stash_names_is_replaced(desk: World) -> None:
    equal(desk)
    desk.write("x.csv", OWN)
    desk.settle()
    desk.ok("add", "x.csv")
    desk.git("stash", "-q")
    assert datatool.track("x.csv").read_bytes() == NEW
    assert not (desk.local / "lost+found").exists()


DIES = """
import datatool, os
def dies(path):
    path.write_bytes(b"half")
    os.kill(os.getpid(), 9)
datatool.track("x.txt", source=dies)
"""


def test_what_a_killed_function_left_is_not_taken_for_the_file(desk: World) -> None:
    assert script(desk, DIES).code == -9
    assert desk.read("x.txt") == b"half"
    done = script(desk, 'import datatool\ndatatool.track("x.txt", source=lambda: b"whole")\n')
    assert desk.read("x.txt") == b"whole"
    (place,) = (desk.local / "lost+found").rglob("x.txt")
    assert place.read_bytes() == b"half"
    assert f"x.txt: was not finished when it was made, and lies in {place} now" in done.err


def test_nor_is_it_by_who_has_no_function(desk: World) -> None:
    assert script(desk, DIES).code == -9
    done = script(desk, 'import datatool\ndatatool.track("x.txt")\n')
    assert "PathNotFound" in done.err and "x.txt: was not finished when it was made" in done.err
    assert not desk.exists("x.txt") and not desk.exists("x.txt.dt")
    assert script(desk, DIES).code == -9
    assert datatool.track("x.txt", output=True) and not desk.exists("x.txt")


def test_a_function_may_track_the_file_that_it_has_made(desk: World) -> None:
    def makes(path: Path) -> None:
        path.write_bytes(NEW)
        datatool.track(path)

    assert datatool.track("x.csv", source=makes).read_bytes() == NEW


@pytest.mark.parametrize("first", ["pass", "path.write_bytes(b'x')"])
def test_a_function_that_would_wait_for_itself_is_an_error(first: str, desk: World) -> None:
    code = f"""
import datatool
def makes(path):
    {first}
    return datatool.track("x.csv", source=makes).read_bytes()
datatool.track("x.csv", source=makes)
"""
    done = script(desk, code)
    assert "UsageError: x.csv: the function that makes it tracks it with a source, too" in done.err
    assert not desk.exists("x.csv") and not desk.exists("x.csv.dt")


@pytest.mark.parametrize("source", [None, lambda: b"x"])
def test_nothing_lies_below_a_tracked_file(source: Callable[[], bytes] | None, desk: World) -> None:
    equal(desk)
    with pytest.raises(datatool.PathNotFound, match=r"x\.csv/y: no such file or directory"):
        datatool.track("x.csv/y", source=source)


def test_a_function_may_track_other_files(desk: World) -> None:
    desk.write("x.csv", NEW)
    made = datatool.track("y.csv", source=lambda: datatool.track("x.csv").read_bytes() * 2)
    assert made.read_bytes() == NEW * 2


def test_a_remote_that_does_not_answer_is_no_reason_to_make_it_anew(desk: World) -> None:
    missing_everywhere_but_on_the_remote(desk)
    desk.ok("remote", "set", "default", "url=http://127.0.0.1:1/nobody")
    with pytest.raises(datatool.RemoteError):
        datatool.track("x.csv", source=lambda: b"another")


def test_what_is_pinned_and_nobody_has_is_an_error_and_not_made_anew(desk: World) -> None:
    desk.write("x.csv", OLD)
    desk.ok("add", "x.csv")
    pointer = desk.read("x.csv.dt")
    (desk.root / "x.csv").unlink()
    desk.cache.rename(desk.top / "the cache that was")
    with pytest.raises(datatool.DatatoolError) as raised:
        datatool.track("x.csv", source=lambda: b"another")
    assert raised.value.hint
    assert desk.read("x.csv.dt") == pointer and not desk.exists("x.csv")


def test_frozen_nothing_is_made_that_is_not_pinned(desk: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(FileNotFoundError, match="nothing is made here, as CI or DATATOOL_FROZEN is set"):
        datatool.track("x.csv", source=lambda: b"x")
    assert not desk.exists("x.csv")


def test_frozen_what_another_version_is_is_not_called_older(desk: World, monkeypatch: pytest.MonkeyPatch) -> None:
    outdated(desk)
    monkeypatch.setenv("CI", "true")
    with pytest.raises(datatool.Refused, match=r"x\.csv: is another version than x\.csv\.dt names"):
        datatool.track("x.csv")


# ---- what the run hears


def test_each_call_tells_the_run_what_it_read(desk: World) -> None:
    equal(desk)
    directory(desk)
    desk.write("y.csv", OWN)
    for path in ("x.csv", "y.csv", "data", "data/deep/b.txt"):
        datatool.track(path)
    datatool.track("out.txt", output=True)
    (noted,) = process_run().take()
    assert noted.root == desk.root
    assert [(path, file.kind, file.size) for path, file in noted.inputs.items()] == [
        (b"x.csv", ArtifactKind.FILE, len(NEW)),
        (b"y.csv", ArtifactKind.FILE, len(OWN)),
        (b"data", ArtifactKind.DIRECTORY, 4),
        (b"data/deep/b.txt", ArtifactKind.FILE, 2),
    ]
    assert list(noted.outputs) == [b"out.txt"]


def test_a_wrong_word_is_a_usage_error(desk: World) -> None:
    with pytest.raises(ValueError, match="must be 'add', 'error' or 'keep'"):
        datatool.track("x.csv", on_change="replace")
    with pytest.raises(ValueError, match="no path"):
        datatool.track("")


@pytest.mark.parametrize("given", [None, 5, b"x.csv", [b"x.csv"], [None]])
def test_what_is_no_path_is_a_type_error_that_says_what_is_wanted(given: object, desk: World) -> None:
    with pytest.raises(TypeError, match=r"a path or a list of paths \(str or os.PathLike\), not (NoneType|int|bytes)"):
        datatool.track(given)  # type: ignore[call-overload]


def test_a_url_is_refused_with_the_command_for_it(desk: World) -> None:
    with pytest.raises(datatool.UsageError, match=r"https://me:…@example\.org/x\.csv: is a URL") as raised:
        datatool.track("https://me:secret@example.org/x.csv")
    assert "datatool import-url" in (raised.value.hint or "")


def test_the_whole_project_is_refused(desk: World) -> None:
    for path in (".", desk.root):
        with pytest.raises(datatool.UsageError, match="the whole project can't be one artifact"):
            datatool.track(path)


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
