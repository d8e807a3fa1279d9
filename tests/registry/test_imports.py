"""Imports: artifacts that remember where they came from, and follow it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from servers.git_daemon import GitDaemon, git_daemon
from world import World, tree

from .conftest import second_version
from .test_list_and_get import SONGS


def source_of(world: World, pointer: str) -> dict[str, str]:
    text = world.read(pointer).decode()
    lines = text[text.index("source:") :].splitlines()[1:]
    return dict(line.strip().split(": ", 1) for line in lines)


def imported(world: World, *words: str | Path) -> dict[str, object]:
    found: dict[str, object] = world.json(*words)["artifacts"][0]
    return found


def test_an_import_is_an_artifact_that_knows_its_source(registry: World, project: World) -> None:
    found = imported(project, "import", registry.root, "music/songs", "-o", "data/songs")
    commit = registry.git("rev-parse", "HEAD")
    assert found["source"] == {
        "repo": str(registry.root),
        "path": "music/songs",
        "rev": None,
        "commit": commit,
        "origin": "datatool",
        "url": None,
        "etag": None,
    }
    assert (found["changed"], found["added"]) == (True, 5)
    assert tree(project.root / "data/songs") == SONGS
    assert project.json("status")["artifacts"][0]["state"] == "clean"
    assert set(project.git("diff", "--cached", "--name-only").splitlines()) >= {"data/songs.dt", "data/.gitignore"}
    assert source_of(project, "data/songs.dt") == {
        "repo": str(registry.root),
        "path": "music/songs",
        "commit": commit,
        "origin": "datatool",
    }
    registry_oid = next(line for line in registry.read("music/songs.dt").splitlines() if line.startswith(b"oid"))
    assert registry_oid in project.read("data/songs.dt"), "one directory has one id, wherever it lies"


def test_a_relative_repository_is_relative_to_the_pointer(registry: World, project: World) -> None:
    (project.root / "deep/down").mkdir(parents=True)
    project.ok("import", "../../../../r/registry", "model.bin", cwd=project.root / "deep/down")
    assert source_of(project, "deep/down/model.bin.dt")["repo"] == "../../../../r/registry"
    project.ok("import", "../../r/registry", "model.bin", "-o", "deep/other.bin")
    assert source_of(project, "deep/other.bin.dt")["repo"] == "../../../r/registry"
    registry.write("model.bin", b"model two")
    registry.ok("add", "model.bin")
    registry.commit()
    project.ok("update", cwd=project.root / "deep")
    assert project.read("deep/down/model.bin") == project.read("deep/other.bin") == b"model two"


@pytest.mark.parametrize(
    ("path", "origin"),
    [("src", "git"), ("src/train.py", "git"), ("music", "datatool"), ("music/songs/s1.txt", "datatool")],
)
def test_code_mixed_directories_and_parts_of_artifacts_can_be_imported(
    registry: World, project: World, path: str, origin: str
) -> None:
    found = imported(project, "import", registry.root, path, "-o", "here")
    assert found["source"]["origin"] == origin  # type: ignore[index]
    assert project.json("status")["clean"]
    if path == "music":
        assert tree(project.root / "here").keys() == {"notes.md", *(f"songs/{name}" for name in SONGS)}
    second_version(registry)
    project.ok("update")
    assert project.json("status")["clean"]
    if path.endswith("s1.txt"):
        assert project.read("here") == b"song 1, again\n"


def test_update_follows_and_says_what_changed(registry: World, project: World) -> None:
    project.ok("import", registry.root, "music/songs")
    commit = second_version(registry)
    looked = imported(project, "update", "--check")
    assert (looked["available"], looked["changed"]) == (commit, False)
    planned = imported(project, "update", "--dry-run")
    assert (planned["added"], planned["modified"], planned["deleted"], planned["changed"]) == (1, 1, 1, False)
    assert project.read("songs/s1.txt") == b"song 1\n"
    done = imported(project, "update")
    assert (done["added"], done["modified"], done["deleted"], done["changed"]) == (1, 1, 1, True)
    assert done["source"]["commit"] == commit  # type: ignore[index]
    assert project.read("songs/s1.txt") == b"song 1, again\n"
    assert not project.exists("songs/s2.txt")
    assert project.json("status")["clean"]


def test_an_update_without_news_leaves_the_pointer_as_it_is(registry: World, project: World) -> None:
    project.ok("import", registry.root, "music/songs")
    pointer = project.root / "songs.dt"
    pointer.write_bytes(b"# mine\n" + pointer.read_bytes())
    before = pointer.read_bytes(), pointer.stat().st_mtime_ns
    project.ok("update")
    registry.write("README.md", b"other\n")
    registry.commit("elsewhere")
    assert imported(project, "update", "--check")["available"] is None
    assert not imported(project, "update")["changed"]
    assert (pointer.read_bytes(), pointer.stat().st_mtime_ns) == before


def test_unsaved_edits_stop_their_import_alone(registry: World, project: World) -> None:
    project.ok("import", registry.root, "music/songs")
    project.ok("import", registry.root, "model.bin")
    second_version(registry)
    registry.write("model.bin", b"model two")
    registry.ok("add", "model.bin")
    registry.commit("three")
    project.write("songs/s0.txt", b"edited")
    before = project.read("songs.dt"), tree(project.root / "songs")
    ran = project.fails(4, "update", "--json")
    assert ran.json["failed"][0]["error"]["code"] == "unsaved"
    assert (project.read("songs.dt"), tree(project.root / "songs")) == before
    assert project.read("model.bin") == b"model two"
    project.fails(7, "update", "songs")
    project.ok("update", "songs", "--force")
    assert project.read("songs/s0.txt") == b"song 0\n"
    assert [path.read_bytes() for path in (project.local / "lost+found").rglob("s0.txt")] == [b"edited"]


def test_rev_pins_and_latest_lets_go(registry: World, project: World) -> None:
    project.ok("import", registry.root, "music/songs", "--rev", "v1")
    assert source_of(project, "songs.dt")["rev"] == "v1"
    commit = second_version(registry)
    assert not imported(project, "update")["changed"]
    assert imported(project, "update", "--rev", "main")["source"]["commit"] == commit  # type: ignore[index]
    assert source_of(project, "songs.dt")["rev"] == "main"
    project.ok("update", "--rev", "v1")
    assert project.read("songs/s1.txt") == b"song 1\n"
    project.ok("update", "--latest")
    assert "rev" not in source_of(project, "songs.dt")
    assert project.read("songs/s1.txt") == b"song 1, again\n"
    project.fails(3, "update", "--rev", "nosuch")
    project.fails(2, "update", "--rev", "v1", "--latest")


def test_a_failing_update_changes_nothing(registry: World, project: World) -> None:
    project.ok("import", registry.root, "music/songs")
    second_version(registry)
    shutil.rmtree(registry.cache)
    shutil.rmtree(registry.remote)
    before = project.read("songs.dt"), tree(project.root / "songs")
    assert project.run("update").code in (4, 6)
    assert (project.read("songs.dt"), tree(project.root / "songs")) == before
    shutil.rmtree(registry.root)
    assert "songs: " in project.fails(3, "update").err, "which import it was"
    assert (project.read("songs.dt"), tree(project.root / "songs")) == before


def test_a_path_that_is_gone_is_told_before_an_update(registry: World, project: World, daemon: GitDaemon) -> None:
    url = daemon.url("registry")
    for path in ("model.bin", "src/train.py", "music/notes.md"):
        project.ok("import", url, path, "--remote", registry.remote)
    registry.ok("move", "model.bin", "models.bin")
    registry.git("mv", "src/train.py", "src/training.py")
    registry.write("music/notes.md", b"# other notes\n")
    registry.commit("moved")
    ran = project.fails(4, "update", "--check", "--json")
    gone = {item["path"]: item["error"] for item in ran.json["failed"]}
    assert {error["code"] for error in gone.values()} == {"path_not_found"}
    assert "did you mean models.bin?" in gone["model.bin"]["hint"]
    assert "did you mean src/training.py?" in gone["train.py"]["hint"]
    assert [item["path"] for item in ran.json["artifacts"] if item["available"]] == ["notes.md"]
    project.fails(3, "update", "--check", "model.bin")


def test_a_source_that_is_gone_among_others_is_partly_done_each_time(registry: World, project: World) -> None:
    project.ok("import", registry.root, "src")
    shutil.copytree(registry.root, project.top / "other")
    project.ok("import", project.top / "other", "music/notes.md")
    project.write("own.bin", b"own")
    project.ok("add", "own.bin")
    project.ok("push", "own.bin")
    project.commit("imports")
    shutil.rmtree(project.top / "other")
    copy = project.clone()
    for words in (["pull"], ["pull"], ["fetch"], ["update"], ["update", "--check"]):
        assert copy.run(*words).code == 4, words
    assert copy.read("src/train.py") == b"print('train')\n" and copy.read("own.bin") == b"own"
    shutil.rmtree(registry.root)
    alone = project.clone("alone")
    for words in (["pull", "src", "notes.md"], ["fetch", "src", "notes.md"], ["update"], ["update", "--check"]):
        assert alone.run(*words).code == 3, words


def test_an_unreachable_source_is_told_as_such_each_time(registry: World, project: World) -> None:
    with git_daemon(registry.top) as daemon:
        project.ok("import", daemon.url("registry"), "src")
    project.write("own.bin", b"own")
    project.ok("add", "own.bin")
    project.ok("push", "own.bin")
    project.commit("imports")
    copy = project.clone()
    copy.env["XDG_CACHE_HOME"] = str(project.top / "no clones here")
    for words in (["pull"], ["pull"], ["fetch"]):
        assert copy.run(*words).code == 4, words
    for words in (["pull", "src"], ["pull", "src"], ["update"], ["update", "--check"]):
        assert copy.run(*words).code == 6, words


def test_a_clone_pulls_imports_from_their_source(registry: World, project: World) -> None:
    project.ok("import", registry.root, "music/songs")
    project.ok("import", registry.root, "src")
    project.commit()
    second_version(registry)
    clone = project.clone()
    clone.ok("pull")
    assert tree(clone.root / "songs") == SONGS, "at the commit that was imported"
    assert clone.json("status")["clean"]


def test_a_clone_pulls_imports_from_its_own_remote_when_they_are_there(registry: World, project: World) -> None:
    project.ok("import", registry.root, "music/songs")
    project.ok("push")
    project.commit()
    shutil.rmtree(registry.root)
    clone = project.clone()
    clone.ok("pull")
    assert tree(clone.root / "songs") == SONGS


def test_an_import_without_its_data_is_absent_until_it_is_pulled(registry: World, project: World) -> None:
    found = imported(project, "import", registry.root, "music/songs", "--no-download")
    assert found["changed"]
    assert not project.exists("songs")
    assert project.json("status")["artifacts"][0]["state"] == "absent"
    project.ok("pull")
    assert tree(project.root / "songs") == SONGS
    project.ok("import", registry.root, "src", "--no-download")
    assert "datatool update src" in project.run("pull", "src").err
    project.ok("update", "src")
    assert project.read("src/train.py") == b"print('train')\n"
    project.ok("import", registry.root, "model.bin", "--no-download")
    project.ok("update", "model.bin")
    assert project.read("model.bin") == b"model one", "an update brings what never came"


def test_an_import_never_overwrites_what_differs(registry: World, project: World) -> None:
    project.write("model.bin", b"my own")
    ran = project.fails(7, "import", registry.root, "model.bin")
    assert "unsaved changes" in ran.err
    assert project.read("model.bin") == b"my own"
    assert not project.exists("model.bin.dt")
    assert not project.exists(".gitignore") or b"/model.bin" not in project.read(".gitignore")
    project.ok("import", registry.root, "model.bin", "--force")
    assert project.read("model.bin") == b"model one"


def test_what_can_not_be_an_import_is_told(registry: World, project: World) -> None:
    project.ok("import", registry.root, "music/songs")
    assert "datatool update songs" in project.fails(7, "import", registry.root, "music/songs").err
    project.fails(7, "import", registry.root, "model.bin", "-o", "songs/inside")
    project.write("own.bin", b"own")
    project.ok("add", "own.bin")
    assert "was not imported" in project.fails(3, "update", "own.bin").err
    project.write("tracked.txt", b"1")
    project.commit()
    assert "git rm -r --cached" in project.fails(7, "import", registry.root, "model.bin", "-o", "tracked.txt").err
    project.fails(3, "import", registry.root, "nosuch")
    project.fails(2, "import", registry.root, "model.bin", "--rev", "")


def test_an_import_can_be_imported_again(registry: World, project: World, tmp_path: Path) -> None:
    project.ok("import", registry.root, "music/songs")
    project.commit()
    third = World(tmp_path / "t")
    third.ok("import", project.root, "songs", "-o", "again")
    assert tree(third.root / "again") == SONGS
    shutil.rmtree(project.cache)
    shutil.rmtree(third.cache)
    shutil.rmtree(third.root / "again")
    third.ok("pull")
    assert tree(third.root / "again") == SONGS, "by way of the project that it was imported from"


def test_checking_asks_each_source_once(registry: World, project: World, daemon: GitDaemon) -> None:
    url = daemon.url("registry")
    for path in ("src", "music/notes.md"):
        project.ok("import", url, path)
    project.ok("import", url, "src", "-o", "pinned", "--rev", "v1")
    before = daemon.requests
    found = project.json("update", "--check")["artifacts"]
    assert [item["available"] for item in found] == [None] * 3
    assert daemon.requests - before <= 2, "one question for each revision that is followed"
    registry.write("src/train.py", b"print('train again')\n")
    commit = registry.commit("two")
    news = {item["path"]: item["available"] for item in project.json("update", "--check")["artifacts"]}
    assert news == {"src": commit, "notes.md": None, "pinned": None}


def test_only_new_objects_travel(registry: World, project: World, daemon: GitDaemon) -> None:
    project.ok("registry", "add", "songs", daemon.url("registry"), "--trust")
    project.ok("import", "songs", "music/songs")
    assert source_of(project, "songs.dt")["repo"] == daemon.url("registry"), "a name is this user's own"
    for n in range(3):
        (registry.root / f"music/songs/s{n}.txt").write_bytes(b"song %d\n" % n)
    second_version(registry)
    have = {path for path in (project.cache / "objects").rglob("*") if path.is_file()}
    project.ok("update")
    new = {path for path in (project.cache / "objects").rglob("*") if path.is_file()} - have
    assert len(new) == 3, "two songs and the list"


def test_status_tells_of_news_only_when_asked(registry: World, project: World, daemon: GitDaemon) -> None:
    project.ok("registry", "add", "songs", daemon.url("registry"), "--trust")
    project.ok("import", "songs", "music/songs")
    project.ok("import", "songs", "src")
    commit = second_version(registry)
    before = daemon.requests
    assert project.json("status")["artifacts"][0]["available"] is None
    assert daemon.requests == before
    found = {item["path"]: item for item in project.json("status", "--remote")["artifacts"]}
    assert daemon.requests - before == 1
    assert found["songs"]["available"] == commit
    assert "datatool update songs has news" in project.ok("status", "--remote").out
    project.ok("update")
    assert all(item["available"] is None for item in project.json("status", "--remote")["artifacts"])


def test_status_asks_sources_also_where_no_remote_is(registry: World, tmp_path: Path) -> None:
    alone = World(tmp_path / "a", name="alone", init=False)
    alone.root.mkdir()
    alone.git("init", "-q")
    alone.ok("init")
    alone.ok("import", registry.root, "model.bin")
    found = alone.json("status", "--remote")["artifacts"][0]
    assert (found["remote"], found["available"]) == (None, None)
