"""Going to another version: by git, and by a revision that checkout is told."""

from __future__ import annotations

import shlex

import pytest

from needs import linux, without_root_override
from world import World


def test_git_checkout_of_another_version_is_outdated_and_checkout_brings_its_data(versions: World) -> None:
    versions.git("checkout", "-q", "v1")
    assert [item["state"] for item in versions.json("status")["artifacts"]] == ["outdated", "outdated"]
    versions.ok("checkout")
    assert versions.read("data/a.txt") == b"a1" and versions.read("data/b.txt") == b"b1"
    assert not versions.exists("data/new.txt") and versions.read("one.bin") == b"first"
    assert versions.json("status")["clean"]


def test_checkout_with_a_revision_takes_the_old_pointer_staged_and_the_old_data(versions: World) -> None:
    done = versions.json("checkout", "--rev", "v1", "data")
    assert done["staged"] == ["data.dt"]
    assert versions.read("data/a.txt") == b"a1" and versions.read("one.bin") == b"second"
    assert versions.git("diff", "--cached", "--name-only") == "data.dt"
    assert versions.json("status", "data")["artifacts"][0]["pointer_state"] == "changed"


def test_a_refused_checkout_of_a_revision_leaves_pointer_and_index_alone(versions: World) -> None:
    versions.write("data/a.txt", b"MINE")
    done = versions.fails(4, "checkout", "--rev", "v1", "--json").json
    assert done["staged"] == ["one.bin.dt"]
    assert versions.git("status", "--porcelain") == "M  one.bin.dt"
    versions.fails(7, "checkout", "--rev", "v1", "data")
    assert versions.read("data/a.txt") == b"MINE"


def test_a_checkout_of_a_revision_that_cant_be_written_leaves_the_pointer_alone(versions: World) -> None:
    linux()
    (versions.root / "data").chmod(0o555)
    ran = versions.process("checkout", "--rev", "v1", "data", before=without_root_override())
    (versions.root / "data").chmod(0o755)
    assert ran.code == 1 and "data" in ran.err
    assert versions.git("status", "--porcelain") == ""
    versions.ok("checkout", "--rev", "v1", "data")
    assert versions.read("data/a.txt") == b"a1" and versions.git("status", "--porcelain") == "M  data.dt"


def test_a_checkout_of_a_revision_that_the_cache_lacks_takes_the_pointer_so_that_pull_completes_it(
    versions: World,
) -> None:
    copy = versions.clone()
    copy.ok("pull")
    copy.fails(4, "checkout", "--rev", "HEAD~1", "data")
    assert copy.git("status", "--porcelain") == "M  data.dt"
    copy.ok("pull", "data")
    assert copy.read("data/a.txt") == b"a1"


@pytest.mark.parametrize("rev", ["HEAD~1", "HEAD^{commit}~1"])
@pytest.mark.parametrize(("path", "content"), [("one.bin", b"first"), ("data", None), ("data/a.txt", b"a1")])
def test_a_version_that_the_cache_lacks_is_brought_by_the_command_that_the_hint_names(
    versions: World, path: str, content: bytes | None, rev: str
) -> None:
    copy = versions.clone()
    copy.ok("pull")
    hint = copy.fails(4, "checkout", path, "--rev", rev, "--json").error["hint"]
    command = shlex.split(hint.partition(" gets it ")[0])
    assert command == ["datatool", "pull", path, "--rev", rev]
    copy.git("reset", "-q", "--hard")  # the command alone has to do
    copy.ok(*command[1:])
    assert copy.read("data/a.txt" if content is None else path) == (content or b"a1")
    if path == "data/a.txt":
        assert copy.read("data/new.txt") == b"new" and copy.git("status", "--porcelain") == ""


def test_a_checkout_of_a_revision_takes_what_it_had_removed_since_included_and_leaves_all_else(versions: World) -> None:
    versions.ok("remove", "--data", "data")
    versions.write("later.bin", b"later")
    versions.ok("add", "later.bin")
    versions.commit("three")
    versions.write("later.bin", b"MINE")
    versions.ok("checkout", "--rev", "v1")
    assert versions.read("data/a.txt") == b"a1" and versions.read("one.bin") == b"first"
    assert versions.git("status", "--porcelain").splitlines() == ["A  data.dt", "M  one.bin.dt"]
    versions.ok("checkout", "--rev", "v2", "data/new.txt")
    assert versions.read("data/new.txt") == b"new" and versions.read("data/a.txt") == b"a1"
    versions.fails(3, "checkout", "--rev", "v1", "later.bin")
    versions.fails(3, "checkout", "--rev", "v1", "data/nothing")


def test_a_checkout_of_a_revision_warns_where_git_cant_stage_the_pointer(versions: World) -> None:
    linux()
    versions.git_dir.chmod(0o555)
    ran = versions.process("checkout", "--rev", "v1", "one.bin", before=without_root_override())
    versions.git_dir.chmod(0o755)
    assert ran.code == 0 and "git add -- one.bin.dt" in ran.err, ran
    assert versions.read("one.bin") == b"first" and versions.git("status", "--porcelain") == " M one.bin.dt"


def test_a_path_inside_a_directory_comes_from_a_revision_alone(versions: World) -> None:
    done = versions.json("checkout", "--rev", "v1", "data/a.txt")
    assert done["staged"] == [] and done["artifacts"][0]["written"] == 1
    assert (versions.read("data/a.txt"), versions.read("data/new.txt")) == (b"a1", b"new")
    assert versions.git("status", "--short") == ""
    assert versions.json("status", "data")["artifacts"][0]["changes"]["modified"] == ["data/a.txt"]


def test_a_path_that_a_revision_lacks_is_not_found_and_stays(versions: World) -> None:
    ran = versions.fails(3, "checkout", "--rev", "v1", "data/new.txt")
    assert "was not in data then" in ran.err
    assert versions.exists("data/new.txt")
