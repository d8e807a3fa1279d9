"""Reading a registry: what it offers, and what `get` brings of it."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from datatool.errors import NoSpace
from datatool.formats.pack import object_path
from datatool.hashing import digest
from datatool.localfs.atomic import local_error
from needs import without_root_override
from servers.git_daemon import GitDaemon, git_daemon
from world import World, executables, tree

from .conftest import second_version

SONGS = {
    "empty": None,
    "link": "-> s0.txt",
    "run.sh": b"#!/bin/sh\n",
    "s0.txt": b"song 0\n",
    "s1.txt": b"song 1\n",
    "s2.txt": b"song 2\n",
}


def listed(world: World, *words: str | Path) -> dict[str, dict[str, object]]:
    return {entry["path"]: entry for entry in world.json("list", *words)["entries"]}


def test_the_nearest_path_is_looked_for_everywhere(registry: World, project: World) -> None:
    for typed, meant in {
        "musik/songs/s1.txt": "music/songs/s1.txt",
        "s2.txt": "music/songs/s2.txt",
        "train.py": "src/train.py",
        "musik": "music",
        "music/song/s1.txt": "music/songs/s1.txt",
    }.items():
        assert f"did you mean {meant}?" in project.fails(3, "get", registry.root, typed).err


def test_a_submodule_is_told_with_where_it_is(registry: World, project: World) -> None:
    registry.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(registry.root), "sub")
    registry.commit("a submodule")
    inner = registry.git("-C", "sub", "rev-parse", "HEAD")[:10]
    for path, inside in (("sub", "."), ("sub/model.bin", "model.bin")):
        for command in ("get", "import", "list"):
            ran = project.fails(3, command, registry.root, path)
            assert "a submodule: another repository" in ran.err
            assert f"datatool get {registry.root} {inside} --rev {inner}" in ran.err


def test_a_single_symlink_is_told_with_where_it_leads(registry: World, project: World) -> None:
    (registry.root / "link").symlink_to("src/train.py")
    (registry.root / "code").symlink_to("src")
    (registry.root / "out").symlink_to("/etc/passwd")
    registry.commit("links")
    for command in ("get", "import"):
        assert "name what it leads to: src/train.py" in project.fails(7, command, registry.root, "link").err
        assert "leads out of the repository" in project.fails(7, command, registry.root, "out").err
    for command in ("get", "import", "list"):
        ran = project.fails(3, command, registry.root, "code/train.py")
        assert "behind code, a symlink to src" in ran.err and "what it leads to is src/train.py" in ran.err
    assert [item["kind"] for item in project.json("list", registry.root, "link")["entries"]] == ["symlink"]


def test_a_list_shows_git_tracked_and_data_files_together(registry: World, project: World) -> None:
    top = listed(project, registry.root)
    assert {"model.bin", "model.bin.dt", "music", "src", ".gitignore", ".datatool"} <= top.keys()
    assert (top["model.bin"]["origin"], top["model.bin"]["size"], top["model.bin"]["kind"]) == ("datatool", 9, "file")
    assert top["music"]["kind"] == "directory"
    everything = listed(project, registry.root, "-R")
    songs = everything["music/songs/s1.txt"]
    assert (songs["origin"], songs["size"]) == ("datatool", 7)
    assert str(songs["oid"]).startswith("sha256:")
    assert everything["music/songs/run.sh"]["executable"]
    assert everything["music/songs/link"]["kind"] == "symlink"
    assert everything["music/songs/empty"]["kind"] == "directory"
    assert (everything["src/train.py"]["origin"], everything["src/train.py"]["size"]) == ("git", 15)
    assert everything["src/train.py"]["id"] == "git:" + registry.git("rev-parse", "HEAD:src/train.py")


def test_a_list_of_a_directory_is_one_level_deep(registry: World, project: World) -> None:
    assert listed(project, registry.root, "music").keys() == {
        "music/songs",
        "music/songs.dt",
        "music/notes.md",
        "music/.gitignore",
    }
    assert listed(project, registry.root, "music/songs").keys() == {f"music/songs/{name}" for name in SONGS}
    assert listed(project, registry.root, "--data-only").keys() == {"model.bin", "music"}


def test_one_word_is_a_repository_where_it_names_one_and_else_a_path(registry: World, project: World) -> None:
    project.write("data/x", b"1")
    project.ok("add", "data")
    assert listed(project, "data").keys() == {"data/x"}
    assert "model.bin" in listed(project, registry.root)
    project.ok("registry", "add", "songs", str(registry.root))
    assert "model.bin" in listed(project, "songs")


def test_a_mistyped_name_of_a_registry_is_told_where_a_path_could_stand_too(registry: World, project: World) -> None:
    project.ok("registry", "add", "songs", registry.root)
    for words in (["song"], ["-R", "sogns"], ["song", "music"], ["--rev", "HEAD", "song"]):
        error = project.fails(3, "list", *words, "--json").error
        assert error["hint"].startswith("did you mean") and "songs?" in error["hint"]
    project.write("sonks/a.txt", b"a")
    project.ok("add", "sonks")
    hint = project.fails(3, "list", "sonk", "--json").error["hint"]
    assert hint == "did you mean sonks? or the registry songs?"
    assert "registry" not in project.fails(3, "list", "elsewhere").err


def test_outside_a_project_a_repository_must_be_named(registry: World, tmp_path: Path) -> None:
    registry.fails(3, "list", cwd=tmp_path)
    assert "model.bin" in registry.ok("list", str(registry.root), cwd=tmp_path).out


@pytest.mark.parametrize("rev", ["v1", "main~1", "HEAD~1", "short", "full"])
def test_any_revision_can_be_listed_and_had(registry: World, project: World, rev: str) -> None:
    first = registry.git("rev-parse", "v1^{commit}")
    second_version(registry)
    named = {"short": first[:9], "full": first}.get(rev, rev)
    assert "music/songs/s2.txt" in listed(project, registry.root, "-R", "--rev", named)
    assert "music/songs/s2.txt" not in listed(project, registry.root, "-R")
    got = project.json("get", registry.root, "music/songs", "--rev", named)
    assert got["commit"] == first
    assert tree(project.root / "songs") == SONGS


def test_get_keeps_links_bits_and_empty_directories(registry: World, project: World) -> None:
    got = project.json("get", registry.root, "music/songs", "-o", "here")["artifacts"][0]
    assert (got["files"], got["written"], got["kind"]) == (5, 6, "directory")
    assert tree(project.root / "here") == SONGS
    assert executables(project.root / "here") == {"run.sh"}
    assert project.git("status", "--porcelain").splitlines()[-1].endswith("here/"), "it is no artifact of the project"


def test_get_follows_cp(registry: World, project: World) -> None:
    (project.root / "there").mkdir()
    project.ok("get", registry.root, "model.bin", "-o", "there")
    assert project.read("there/model.bin") == b"model one"
    project.ok("get", registry.root, "model.bin", "-o", "best.bin")
    assert project.read("best.bin") == b"model one"
    project.ok("get", registry.root, "model.bin", "src/train.py", "music/songs/s0.txt", "-o", "new/several")
    assert tree(project.root / "new/several").keys() == {"model.bin", "train.py", "s0.txt"}
    project.fails(2, "get", registry.root, "model.bin", "src", "-o", "best.bin")


def test_get_of_everything_leaves_out_what_only_serves_git_or_datatool(registry: World, project: World) -> None:
    got = project.json("get", registry.root, ".", "-o", "all")
    found = tree(project.root / "all")
    assert found.keys() == {"model.bin", "src/train.py", "music/notes.md", *(f"music/songs/{name}" for name in SONGS)}
    assert {".gitignore", "model.bin.dt", "music/songs.dt", ".datatool/config.yaml"} <= set(got["left_out"])


def test_get_of_a_directory_that_mixes_data_and_code(registry: World, project: World) -> None:
    project.ok("get", registry.root, "music")
    assert project.read("music/notes.md") == b"# notes\n"
    assert project.read("music/songs/s2.txt") == b"song 2\n"
    assert not project.exists("music/songs.dt")


def test_get_never_overwrites_what_differs(registry: World, project: World) -> None:
    project.ok("get", registry.root, "music/songs", "model.bin", "-o", "out")
    project.write("out/songs/s1.txt", b"my own")
    project.write("out/songs/mine.txt", b"mine")
    project.write("out/model.bin", b"my own")
    for path in ("music/songs", "model.bin"):
        ran = project.fails(7, "get", registry.root, path, "-o", "out")
        assert "nothing was overwritten" in ran.err
    assert project.read("out/songs/s1.txt") == project.read("out/model.bin") == b"my own"
    got = project.json("get", registry.root, "music/songs", "model.bin", "-o", "out", "--force")
    assert project.read("out/songs/s1.txt") == b"song 1\n"
    assert project.read("out/songs/mine.txt") == b"mine"
    kept = [Path(item["saved_to"]) for item in got["artifacts"]]
    assert (kept[0] / "songs/s1.txt").read_bytes() == (kept[1] / "model.bin").read_bytes() == b"my own"


def test_get_again_writes_nothing(registry: World, project: World) -> None:
    project.ok("get", registry.root, "music/songs", "-o", "out")
    (project.root / "out").rename(project.root / "songs")
    again = project.json("get", registry.root, "music/songs")
    assert again["artifacts"][0]["written"] == 0


def test_a_mistyped_path_names_the_nearest(registry: World, project: World) -> None:
    ran = project.fails(3, "get", registry.root, "music/sogns")
    assert "did you mean music/songs?" in ran.err
    assert not project.exists("sogns")
    assert "did you mean v1?" in project.fails(3, "list", registry.root, "--rev", "v11").err
    assert "no registry of that name" in project.fails(3, "list", "nosuch", "x").err
    project.fails(2, "get", registry.root, "../x")
    project.fails(3, "get", project.top / "nothing", "x")
    project.fails(2, "get", "s3://bucket/registry", "x")
    project.fails(7, "get", "ext::sh -c touch% x", "x")


def test_data_comes_from_the_registrys_own_cache_where_that_is_here(registry: World, project: World) -> None:
    shutil.rmtree(registry.remote)
    project.ok("get", registry.root, "music/songs")
    assert tree(project.root / "songs") == SONGS


def test_damage_in_the_registrys_cache_is_healed_from_its_remote(registry: World, project: World) -> None:
    for path in (registry.cache / "objects").rglob("*"):
        if path.is_file():
            path.chmod(0o644)
            path.write_bytes(b"x" * path.stat().st_size)
    project.ok("get", registry.root, "music/songs")
    assert tree(project.root / "songs") == SONGS


def test_damage_everywhere_costs_its_own_path(registry: World, project: World) -> None:
    shutil.rmtree(registry.cache)
    pack = next((registry.remote / "packs").rglob("*.pack"))
    for pack in (registry.remote / "packs").rglob("*.pack"):
        data = pack.read_bytes()
        if b"song 1" in data:
            pack.chmod(0o644)
            pack.write_bytes(data.replace(b"song 1", b"s0ng 1"))
    ran = project.fails(5, "get", registry.root, "music/songs")
    assert "music/songs/s1.txt" in ran.err
    assert tree(project.root / "songs") == {name: data for name, data in SONGS.items() if name != "s1.txt"}


def test_what_the_remote_does_not_let_read_costs_its_own_path_and_is_told(registry: World, project: World) -> None:
    locked = b"L" * (5 << 20)
    registry.write("music/songs/locked.bin", locked)
    registry.ok("add", "music/songs")
    registry.ok("push")
    registry.commit("locked")
    shutil.rmtree(registry.cache)
    path = registry.remote / object_path(digest(locked))
    path.chmod(0)
    ran = project.process("get", registry.root, "music/songs", before=without_root_override())
    assert ran.code == 4 and tree(project.root / "songs") == SONGS, ran
    assert all(word in ran.err for word in ("music/songs/locked.bin", digest(locked)[:12], str(path), "ermission"))


def test_a_bare_repository_is_a_registry(registry: World, project: World) -> None:
    bare = registry.top / "bare.git"
    registry.git("clone", "-q", "--bare", str(registry.root), str(bare))
    assert "model.bin" in listed(project, bare)
    project.ok("get", bare, "src")
    assert project.read("src/train.py") == b"print('train')\n"
    project.ok("get", f"file://{bare}", "model.bin")
    assert project.read("model.bin") == b"model one"


def test_plain_git_is_a_registry_too(project: World, tmp_path: Path) -> None:
    plain = World(tmp_path / "g", name="plain", init=False)
    plain.root.mkdir()
    plain.git("init", "-q")
    plain.write("a/b.txt", b"b")
    plain.write("big.bin", os.urandom(9 << 20))
    plain.write("tool", b"#!/bin/sh\n", executable=True)
    plain.commit()
    project.ok("get", plain.root, "a", "big.bin", "tool", "-o", "out")
    assert project.read("out/a/b.txt") == b"b"
    assert project.read("out/big.bin") == plain.read("big.bin")
    assert executables(project.root / "out") == {"tool"}


def test_a_project_in_a_directory_of_the_repository_is_found(project: World, tmp_path: Path) -> None:
    outer = World(tmp_path / "o", name="outer", init=False)
    (outer.root / "inner").mkdir(parents=True)
    outer.git("init", "-q")
    outer.write("inner/x.bin", b"inner data")
    outer.ok("init", cwd=outer.root)
    outer.ok("remote", "add", "-d", "shelf", "../shelf")
    outer.ok("add", "inner/x.bin")
    outer.ok("push")
    outer.commit()
    shutil.rmtree(outer.cache)
    project.ok("get", outer.root, "inner")
    assert project.read("inner/x.bin") == b"inner data"


# Over a network


def test_a_registry_by_url_is_one_partial_clone(registry: World, project: World, daemon: GitDaemon) -> None:
    registry.write("large.txt", os.urandom(3 << 20))
    registry.commit("large")
    url = daemon.url("registry")
    assert "model.bin" in listed(project, url)
    clones = [path for path in (project.home / ".cache/datatool/git").iterdir() if path.is_dir()]
    assert len(clones) == 1
    size = sum(path.stat().st_size for path in clones[0].rglob("*") if path.is_file())
    assert size < 1 << 20, "blobs that nobody asked for stay where they are"
    assert not (clones[0] / "index").exists(), "nothing is ever checked out"


def test_a_second_use_at_a_commit_or_tag_asks_nobody(registry: World, project: World, daemon: GitDaemon) -> None:
    url, commit = daemon.url("registry"), registry.git("rev-parse", "HEAD")
    for n, rev in enumerate([commit, "v1", commit[:8]]):
        project.ok("get", url, "src", "--rev", rev, "-o", f"a{n}")
        before = daemon.requests
        project.ok("get", url, "src", "--rev", rev, "-o", f"b{n}")
        assert daemon.requests == before
        project.ok("list", url, "--rev", rev)
        assert daemon.requests - before <= 1, "the pointers came in one request"


def test_a_branch_costs_one_question_and_news_come_incrementally(
    registry: World, project: World, daemon: GitDaemon
) -> None:
    url = daemon.url("registry")
    project.ok("list", url)
    before = daemon.requests
    project.ok("list", url)
    assert daemon.requests - before == 1
    commit = second_version(registry)
    before = daemon.requests
    got = project.json("get", url, "music/songs", "--remote", registry.remote)
    assert got["commit"] == commit
    assert daemon.requests - before == 3, "which commit, the commits since, the pointers"
    assert project.read("songs/s3.txt") == b"song 3\n"


def test_offline_the_last_state_is_read(registry: World, project: World, daemon: GitDaemon) -> None:
    url = daemon.url("registry")
    ran = project.fails(6, "list", url, "--offline")
    assert "never read before" in ran.err
    project.ok("get", url, "src", "-o", "a")
    before = daemon.requests
    project.ok("get", url, "src", "-o", "b", "--offline")
    ran = project.fails(6, "get", url, "music/notes.md", "--offline")
    assert "network is forbidden" in ran.err
    assert daemon.requests == before


def test_a_server_without_filters_serves_too(registry: World, project: World) -> None:
    with git_daemon(registry.top, filters=False) as daemon:
        project.ok("get", daemon.url("registry"), "src", "music/notes.md", "-o", "out")
    assert project.read("out/src/train.py") == b"print('train')\n"


def test_a_registry_by_url_may_not_name_a_directory(registry: World, project: World, daemon: GitDaemon) -> None:
    ran = project.fails(7, "get", daemon.url("registry"), "music/songs")
    assert f"--remote {registry.remote}" in ran.err
    assert not project.exists("songs")
    assert listed(project, daemon.url("registry"), "-R")["music/songs"]["problem"]
    project.ok("get", daemon.url("registry"), "music/songs", "--remote", str(registry.remote))
    assert tree(project.root / "songs") == SONGS


def test_a_registry_that_is_trusted_may(registry: World, project: World, daemon: GitDaemon) -> None:
    project.ok("registry", "add", "songs", daemon.url("registry"), "--trust")
    project.ok("get", "songs", "music/songs")
    assert tree(project.root / "songs") == SONGS
    assert "trust:" not in (project.root / ".datatool/config.yaml").read_text(), "nobody can commit trust"
    found = project.json("registry", "list")["registries"]
    assert found == [{"name": "songs", "url": daemon.url("registry"), "trust": True}]
    project.ok("registry", "remove", "songs")
    project.fails(3, "registry", "remove", "songs")


def test_a_server_that_is_not_there_is_told(project: World) -> None:
    ran = project.fails(6, "list", "git://127.0.0.1:1/x")
    assert "git://127.0.0.1:1/x" in ran.err
    with_secret = project.fails(6, "list", "https://me:hush@127.0.0.1:1/x")
    assert "hush" not in with_secret.err


def test_a_repository_that_is_not_there_is_told(registry: World, project: World, daemon: GitDaemon) -> None:
    assert project.fails(3, "list", daemon.url("nosuch")).code == 3


def test_the_users_insteadof_is_heard(registry: World, project: World, daemon: GitDaemon) -> None:
    project.git("config", "--global", f"url.{daemon.url('')}.insteadOf", "https://git.example.org/")
    assert "model.bin" in listed(project, "https://git.example.org/registry")
    project.git("config", "--global", f"url.file://{registry.top}/.insteadOf", "https://files.example.org/")
    assert "model.bin" in listed(project, "https://files.example.org/registry")


def test_hooks_and_settings_of_a_registry_run_nothing(registry: World, project: World) -> None:
    mark = project.top / "ran"
    for name in ("post-checkout", "reference-transaction", "post-index-change"):
        hook = registry.git_dir / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {mark}\n")
        hook.chmod(0o755)
    registry.git("config", "core.fsmonitor", f"touch {mark}")
    registry.git("config", "core.sshCommand", f"touch {mark}")
    registry.git("config", "core.pager", f"touch {mark}")
    project.ok("list", registry.root, "-R")
    project.ok("get", registry.root, ".", "-o", "all")
    assert not mark.exists()


def test_get_of_several_paths_goes_on_and_tells_of_each(registry: World, project: World) -> None:
    registry.write("lost.bin", b"lost everywhere")
    registry.ok("add", "lost.bin")
    registry.commit()
    oid = next(line for line in registry.read("lost.bin.dt").decode().splitlines() if line.startswith("oid"))[-64:]
    (registry.cache / "objects" / oid[:2] / oid[2:]).unlink()
    ran = project.fails(4, "get", registry.root, "lost.bin", "model.bin", "src", "-o", "out", "--json")
    found = {item["path"]: item for item in ran.json["artifacts"]}
    assert [found[path]["ok"] for path in ("lost.bin", "model.bin", "src")] == [False, True, True]
    assert tree(project.root / "out").keys() == {"model.bin", "src/train.py"}
    assert "lost.bin" in project.fails(4, "get", registry.root, "lost.bin", "src", "-o", "out").err


@pytest.mark.parametrize(
    ("name", "text", "code", "kind"),
    [
        ("bad.txt.dt", b"datatool: 1\nkind: file\noid: sha256:zzz\nsize: 3\n", 1, "format_error"),
        ("bad.txt.dt", b"datatool: 9\nkind: file\n", 1, "newer_format"),
        ("bad.txt.dvc", b"outs:\n- md5: zzz\n  path: bad.txt\n", 1, "format_error"),
        ("bad.txt.dvc", b"outs:\n- md5: %s\n  path: ../../bad.txt\n" % (b"0" * 32), 7, "unsafe_input"),
    ],
)
def test_get_of_an_invalid_pointer_fails_as_what_it_is_where_nothing_else_was_done(
    registry: World, project: World, name: str, text: bytes, code: int, kind: str
) -> None:
    registry.write(".dvc/config", b"")
    registry.write(name, text)
    registry.commit("a broken pointer")
    error = project.fails(code, "get", registry.root, "bad.txt", "--json").error
    assert error["code"] == kind and "bad.txt" in error["message"] and not project.exists("bad.txt")
    ran = project.fails(4, "get", registry.root, "bad.txt", "model.bin")
    assert "error: bad.txt" in ran.err and project.exists("model.bin")


def test_a_directory_whose_list_can_not_be_had_is_marked(registry: World, project: World) -> None:
    shutil.rmtree(registry.cache)
    shutil.rmtree(registry.remote)
    for words in (("music/songs",), ("music/songs", "-R"), ("music",), ()):
        entries = listed(project, registry.root, *words)
        if "music/songs" in entries and words:
            assert words[0] == "music" or entries["music/songs"]["problem"]
    assert listed(project, registry.root, "music/songs")["music/songs"]["problem"]


def test_paths_of_a_registry_are_told_from_its_top_wherever_the_user_is(registry: World, project: World) -> None:
    (project.root / "deep/er").mkdir(parents=True)
    ran = project.fails(3, "get", registry.root, "music/sogns", cwd=project.root / "deep/er")
    assert "did you mean music/songs?" in ran.err


def test_a_relative_remote_of_a_registry_elsewhere_is_not_looked_for_here(
    registry: World, project: World, daemon: GitDaemon
) -> None:
    registry.ok("remote", "set", "default", "url=../../remote")
    registry.commit()
    project.ok("registry", "add", "songs", daemon.url("registry"), "--trust")
    ran = project.fails(3, "get", "songs", "model.bin")
    assert "relative to where that repository lies" in ran.err and "--remote" in ran.err
    project.ok("get", "songs", "model.bin", "--remote", registry.remote)


def test_a_get_that_fails_leaves_no_directory_for_the_next_one_to_go_into(
    registry: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*words: object, **more: object) -> None:
        raise NoSpace("the disk is full")

    place = tmp_path / "place"
    place.mkdir()
    with monkeypatch.context() as patched:
        patched.setattr("datatool.localfs.batch.Batch.write_many", full)
        ran = registry.run("get", str(registry.root), "music/songs", "-o", "new/songs", cwd=place)
    assert ran.code == 1 and "songs" in ran.err and "→" not in ran.out
    assert list(place.iterdir()) == []
    registry.ok("get", str(registry.root), "music/songs", "-o", "new/songs", cwd=place)
    assert (place / "new/songs/s0.txt").read_bytes() == b"song 0\n"


def test_what_is_in_the_way_on_another_filesystem_gets_to_lost_and_found(
    registry: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(old: Path, new: Path) -> None:
        raise local_error(OSError(errno.EXDEV, os.strerror(errno.EXDEV)), new)

    place = tmp_path / "place"
    place.mkdir()
    (place / "s0.txt").write_bytes(b"mine")
    monkeypatch.setattr("datatool.localfs.moving.rename", refuse)
    registry.ok("get", str(registry.root), "music/songs/s0.txt", "--force", cwd=place)
    assert (place / "s0.txt").read_bytes() == b"song 0\n"
    (kept,) = (path for path in registry.home.rglob("s0.txt") if "lost+found" in path.parts)
    assert kept.read_bytes() == b"mine"
