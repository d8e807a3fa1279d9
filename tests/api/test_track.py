"""`track()`: one call for every state that a path can be in, and what it never does."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable

import pytest

import datatool
from api.track_states import (
    changed,
    directory,
    equal,
    missing,
    missing_everywhere_but_on_the_remote,
    of_git,
    older,
    outdated,
    unknown,
    unnamed,
)
from api.tracking import NEW, OLD, OWN, as_it_is, script
from datatool.api.current_run import process_run
from datatool.api.trackers import close_trackers
from datatool.model.pointer import ArtifactKind
from world import World

# ---- the table


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


def damaged(world: World) -> None:
    (pack,) = (world.remote / "packs").rglob("*.pack")
    pack.chmod(0o644)
    pack.write_bytes(bytes(len(pack.read_bytes())))


def emptied(world: World) -> None:
    for area in ("packs", "index"):
        shutil.rmtree(world.remote / area)


def elsewhere(world: World) -> None:
    world.ok("remote", "set", "default", "url=http://127.0.0.1:9/nobody", "--local")


@pytest.mark.parametrize(
    ("spoil", "kind", "code"),
    [(emptied, datatool.PartlyDone, 4), (damaged, datatool.DamageFound, 5), (elsewhere, datatool.RemoteUnreachable, 6)],
)
def test_one_path_that_can_not_be_fetched_raises_what_a_pull_of_it_does(
    spoil: Callable[[World], None], kind: type[datatool.DatatoolError], code: int, desk: World
) -> None:
    missing_everywhere_but_on_the_remote(desk)
    spoil(desk)
    told = []
    for call in (datatool.track, datatool.pull):
        with pytest.raises(kind) as caught:
            call("x.csv")
        told.append((type(caught.value), caught.value.message, caught.value.hint, caught.value.path))
    assert told[0] == told[1]
    assert desk.run("pull", "x.csv").code == code


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


def test_frozen_what_another_version_is_is_not_called_older(desk: World, monkeypatch: pytest.MonkeyPatch) -> None:
    outdated(desk)
    monkeypatch.setenv("CI", "true")
    with pytest.raises(datatool.Refused, match=r"x\.csv: is another version than x\.csv\.dt names"):
        datatool.track("x.csv")


# ---- what the run hears, and words


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
    for path in ("", "a\0b"):
        with pytest.raises(datatool.UsageError, match="no path"):
            datatool.track(path)
    with pytest.raises(datatool.UsageError, match="output takes True or False, not 'yes'"):
        datatool.track("x.csv", output="yes")  # type: ignore[call-overload]


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
