"""init, clone, config, remote, cache and doctor."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from world import World


def bare(tmp_path: Path) -> World:
    world = World(tmp_path, init=False)
    world.root.mkdir()
    return world


def test_init_makes_a_git_repository_where_there_is_none_and_says_so(tmp_path: Path) -> None:
    world = bare(tmp_path)
    ran = world.ok("init")
    assert "git" in ran.out + ran.err
    for name in (".datatool/config.yaml", ".datatool/.gitignore", ".datatool/README.md", ".datatoolignore"):
        assert (world.root / name).is_file()
    assert len(world.read(".datatool/README.md").splitlines()) == 5
    assert world.read(".gitattributes").splitlines() == [b"*.dt text eol=lf", b".gitignore merge=union"]
    assert b"project: " in world.read(".datatool/config.yaml")


def test_init_is_idempotent_and_keeps_what_users_wrote(tmp_path: Path) -> None:
    world = bare(tmp_path)
    world.write(".gitattributes", b"*.png binary")
    world.ok("init", "--remote", "../store")
    first = world.tree()
    again = world.json("init")
    assert not again["created"] and again["written"] == []
    assert world.tree() == first
    assert world.read(".gitattributes").startswith(b"*.png binary\n")


def test_init_in_a_subdirectory_makes_the_repository_around_it_a_project(tmp_path: Path) -> None:
    world = bare(tmp_path)
    world.git("init", "-q")
    (world.root / "deep/er").mkdir(parents=True)
    world.ok("init", cwd=world.root / "deep/er")
    assert world.exists(".datatool/config.yaml") and not world.exists("deep/er/.datatool")
    other = World(tmp_path / "other", init=False)
    other.root.mkdir()
    other.ok("init", str(other.root), cwd=tmp_path)
    assert other.exists(".datatool/config.yaml")
    fresh = tmp_path / "made/anew"
    world.ok("init", str(fresh), cwd=tmp_path)
    assert (fresh / ".datatool/config.yaml").exists()


def sparse(world: World, *options: str) -> World:
    """A clone with nothing but `models` checked out."""
    world.write("models/m.bin", b"m")
    world.write("other/readme", b"r")
    world.ok("add", "models/m.bin")
    world.ok("push")
    world.commit()
    copy = World(world.top, name="sparse", init=False)
    world.git("clone", "-q", "--no-checkout", str(world.root), str(copy.root))
    copy.git("sparse-checkout", "set", *options, "models")
    copy.git("checkout", "-q", "main")
    return copy


@pytest.mark.parametrize("options", [("--cone",), ("--no-cone",)], ids=lambda options: options[0])
def test_a_project_that_a_sparse_checkout_leaves_out_is_told_of_and_never_made_anew(
    world: World, options: tuple[str, ...]
) -> None:
    copy = sparse(world, *options)
    for code, words in ((3, ("status",)), (3, ("list",)), (7, ("init",)), (7, ("init", "--remote", "../else"))):
        error = copy.fails(code, *words, "--json").error
        assert ".datatool/config.yaml is left out by the sparse checkout" in error["message"]
        assert error["hint"] == "git sparse-checkout add .datatool"
    below = copy.fails(3, "status", "--json", cwd=copy.root / "models").error["hint"]
    assert below == f"git -C {copy.root} sparse-checkout add .datatool"
    assert copy.git("status", "--porcelain") == ""
    subprocess.run(below.split(), cwd=copy.root / "models", env=copy.env, check=True)
    copy.ok("pull")
    assert copy.read("models/m.bin") == b"m"
    copy.ok("init")
    assert copy.git("status", "--porcelain") == "", "what is left out of the others is not made either"


def test_a_project_whose_configuration_is_deleted_or_not_checked_out_is_not_made_anew(world: World) -> None:
    (world.root / ".datatool/config.yaml").unlink()
    for code, words in ((3, ("status",)), (7, ("init",))):
        assert world.fails(code, *words, "--json").error["hint"] == "git restore .datatool/config.yaml"
    empty = World(world.top, name="empty", init=False)
    world.git("clone", "-q", "--no-checkout", str(world.root), str(empty.root))
    for code, words in ((3, ("status",)), (7, ("init",))):
        assert empty.fails(code, *words, "--json").error["hint"] == "git checkout"
    assert not empty.exists(".datatool")
    world.git("rm", "-qr", ".datatool")
    world.ok("init")


def test_a_bare_repository_is_no_place_for_a_project(tmp_path: Path) -> None:
    world = bare(tmp_path)
    world.git("init", "-q", "--bare", "b.git")
    for code, words in ((7, ("init", "b.git")), (3, ("-C", "b.git", "status"))):
        error = world.fails(code, *words, "--json").error
        assert "a bare git repository, which has no work tree" in error["message"]
        assert error["hint"] == f"git clone {world.root / 'b.git'}, and work in the clone"
    assert not world.exists("b.git/.git")
    world.git("init", "-q", "r")
    for code, words in ((7, ("init",)), (3, ("status",))):
        assert world.fails(code, *words, "--json", cwd=world.root / "r/.git").error["hint"] == f"cd {world.root / 'r'}"
    assert not world.exists("r/.git/.git")


def test_init_takes_a_relative_remote_from_where_it_was_typed(tmp_path: Path) -> None:
    world = World(tmp_path, init=False)
    (world.root / "sub").mkdir(parents=True)
    world.git("init", "-q")
    world.ok("init", "--remote", "../../shelf", cwd=world.root / "sub")
    assert world.json("config", "get", "remotes.default.url")["value"] == "../shelf"
    world.ok("init", "--remote", "../other")
    assert world.json("config", "get", "remotes.default2.url")["value"] == "../other"
    assert world.json("config", "get", "remote")["value"] == "default", "what is there stays"


def test_init_with_roles_makes_a_folder_for_each(tmp_path: Path) -> None:
    world = bare(tmp_path)
    world.ok("init", "--roles")
    assert {path.name for path in (world.root / "data").iterdir()} == {"source", "intermediate", "result"}


def test_config_precedence_flag_environment_local_project_user_default(world: World) -> None:
    def link(**env: str) -> str:
        value: str = world.json("config", "get", "cache.link", env=env)["value"]
        return value

    assert link() == "reflink, copy"
    world.ok("config", "set", "--user", "cache.link", "copy")
    assert link() == "copy"
    world.ok("config", "set", "cache.link", "hardlink")
    assert link() == "hardlink"
    world.ok("config", "set", "--local", "cache.link", "symlink")
    assert link() == "symlink"
    assert link(DATATOOL_CACHE_LINK="reflink") == "reflink"
    origins = {item["key"]: item["origin"] for item in world.json("config", "list", "--show-origin")["items"]}
    assert origins["cache.link"] == "local"
    world.ok("config", "unset", "--local", "cache.link")
    assert link() == "hardlink"


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("cache.lnk", "did you mean cache.link?"),
        ("remotes.storage.ulr", "did you mean remotes.storage.url?"),
        ("remotes.storage", "did you mean remotes.storage.url?"),
        ("remots.storage.url", "did you mean remotes.storage.url?"),
        ("xyzzy", "datatool config list shows the settings that are in force"),
    ],
)
def test_an_unknown_key_is_told_with_the_nearest_and_is_not_found_or_can_not_be_set(
    world: World, key: str, nearest: str
) -> None:
    before = world.tree()
    for code, words in ((2, ("set", key, "copy")), (3, ("unset", key)), (3, ("get", key))):
        error = world.fails(code, "config", *words, "--json").error
        assert error["message"] == f"{key}: no such setting" and error["hint"] == nearest
    assert world.tree() == before


def test_config_refuses_what_is_wrong_and_suggests(world: World) -> None:
    assert "did you mean cache.link?" in world.fails(3, "config", "get", "cache.lnk").err
    world.fails(2, "config", "set", "cache.link", "teleport")
    world.fails(2, "config", "set", "durability", "perhaps")


def test_secrets_never_go_into_the_committed_file(world: World) -> None:
    world.ok("remote", "add", "cloud", "s3://bucket/x")
    ran = world.fails(7, "config", "set", "--project", "remotes.cloud.secret_access_key", "hunter2")
    assert "hunter2" not in ran.err
    assert "hunter2" not in world.ok("config", "set", "remotes.cloud.secret_access_key", "hunter2", "--json").out
    assert b"hunter2" not in world.read(".datatool/config.yaml")
    local = world.local / "config.yaml"
    assert b"hunter2" in local.read_bytes()
    if os.name != "nt":
        assert stat.S_IMODE(local.stat().st_mode) == 0o600
    for command in (("config", "list"), ("remote", "list"), ("doctor", "--offline")):
        ran = world.run(*command)
        assert "hunter2" not in ran.out + ran.err
    for url in ("https://ada:hunter2@host/x", "https://hunter2@host/x", "https://host/x?token=hunter2"):
        ran = world.fails(7, "remote", "add", "other", url)
        assert "hunter2" not in ran.err
        world.fails(7, "remote", "set", "default", f"url={url}")
    assert b"hunter2" not in world.read(".datatool/config.yaml")


def test_remotes_are_only_configuration_until_they_are_used(world: World) -> None:
    world.ok("remote", "add", "second", "../second", "--set", "pack=false")
    assert not (world.top / "second").exists()
    remotes = {item["name"]: item for item in world.json("remote", "list")["remotes"]}
    assert remotes["default"]["default"] and not remotes["second"]["default"]
    assert remotes["second"]["url"] == "../second" and remotes["second"]["settings"]["pack"] == "false"
    world.ok("remote", "default", "second")
    world.ok("remote", "rename", "second", "main")
    assert world.json("config", "get", "remote")["value"] == "main"
    world.write("a.bin", b"1")
    world.ok("add", "a.bin")
    world.ok("push")
    assert [path for path in (world.top / "second/objects").rglob("*") if path.is_file()]
    world.ok("remote", "set", "main", "url=../third")
    world.fails(2, "remote", "add", "main", "../x")
    world.fails(2, "remote", "add", "bad name", "../x")
    world.fails(7, "remote", "add", "self", ".")
    world.write("data/x", b"1")
    world.ok("add", "data")
    world.fails(7, "remote", "add", "inner", "data/remote")
    world.fails(2, "remote", "set", "main", "nonsense=1")
    assert "main" in world.fails(3, "remote", "remove", "mian").err
    gone = world.ok("remote", "remove", "main")
    assert "no default remote" in gone.err and "datatool remote default default" in gone.err
    assert [item["name"] for item in world.json("remote", "list")["remotes"]] == ["default"]


def test_a_relative_remote_is_relative_to_the_current_directory_and_stored_relative_to_the_root(world: World) -> None:
    world.write("deep/x", b"")
    world.ok("remote", "add", "near", "../store", cwd=world.root / "deep")
    assert world.json("config", "get", "remotes.near.url")["value"] == "store"


@pytest.mark.parametrize(
    ("url", "setting", "word"),
    [
        ("s3://bucket/data", "endpoint_url=lab", "not the URL of a service"),
        ("s3://bucket/data", "endpoint_url=http://lab:99999", "not the URL of a service"),
        ("s3://b", "region=eu", "not a bucket's name"),
        ("s3://bucket:9000/data", "region=eu", "no user, password or port"),
        ("ssh://lab", "port=22", "names no directory"),
        ("ssh://lab/data", "port=70000", "is no port"),
    ],
)
def test_settings_that_no_remote_can_have_are_refused_at_once(world: World, url: str, setting: str, word: str) -> None:
    before = world.read(".datatool/config.yaml")
    assert word in world.fails(2, "remote", "add", "lab", url, "--set", setting).err
    assert world.read(".datatool/config.yaml") == before
    world.ok("remote", "add", "lab", "s3://bucket" if url.startswith("s3") else "ssh://lab/data")
    before = world.read(".datatool/config.yaml")
    assert word in world.fails(2, "remote", "set", "lab", f"url={url}", setting).err
    assert world.read(".datatool/config.yaml") == before


def test_remote_check_proves_what_a_remote_can_do(world: World) -> None:
    done = world.json("remote", "check")
    assert done["ok"] and [step["name"] for step in done["steps"]] == [
        "write",
        "read",
        "range",
        "atomic publish",
        "list",
        "delete",
    ]
    world.fails(3, "remote", "check", "nope")


def test_remotes_that_need_a_later_version_say_so(world: World) -> None:
    world.ok("remote", "add", "cloud", "s3://bucket/x")
    assert "s3" in world.fails(6, "remote", "check", "cloud").err
    world.fails(2, "remote", "add", "odd", "nonsense://x")


def test_clone_brings_repository_and_data(world: World) -> None:
    world.write("data/a", b"1")
    world.ok("add", "data")
    world.commit()
    world.ok("push")
    world.clone("unused")
    done = world.json("clone", str(world.origin), str(world.top / "fresh"), cwd=world.top)
    assert (world.top / "fresh/data/a").read_bytes() == b"1"
    assert done["root"]
    world.ok("clone", str(world.origin), "bare-of-data", "--no-pull", cwd=world.top)
    assert not (world.top / "bare-of-data/data").exists()
    assert world.run("clone", str(world.top / "nowhere"), cwd=world.top).code in (1, 3, 6)


def test_cache_info_dir_and_clean(world: World) -> None:
    world.write("data/a", b"x" * 100)
    world.ok("add", "data")
    world.ok("push")
    info = world.json("cache", "info")
    assert info["objects"] == 2 and info["packs"] == 0
    assert world.ok("cache", "dir").out.strip() == str(world.cache)
    objects = sorted((world.cache / "objects").rglob("*"))
    world.ok("cache", "clean")
    assert sorted((world.cache / "objects").rglob("*")) == objects
    assert world.json("push")["objects"] == 0


def test_a_cache_elsewhere_may_be_shared(world: World) -> None:
    shared = world.top / "shared"
    world.ok("config", "set", "cache.dir", str(shared))
    world.write("a.bin", b"one")
    world.ok("add", "a.bin")
    world.commit()
    assert (shared / "FORMAT").exists() and list((shared / "users").glob("*.json"))
    assert not list(shared.rglob("*.db"))
    copy = world.clone()
    copy.ok("config", "set", "cache.dir", str(shared))
    copy.ok("checkout")
    assert copy.read("a.bin") == b"one"
    assert len(list((shared / "users").glob("*.json"))) == 2


@pytest.mark.parametrize("setting", ["password", "secret_access_key", "token"])
def test_a_secret_is_printed_only_when_it_is_asked_for(world: World, setting: str) -> None:
    key = f"remotes.default.{setting}"
    world.ok("config", "set", key, "hunter2")
    ran = world.ok("config", "get", key)
    assert ran.out == "…\n" and "--show-secrets" in ran.err
    found = world.json("config", "get", key)
    assert (found["value"], found["hidden"]) == ("…", True)
    assert f"{key}=…" in world.ok("config", "list").out
    assert world.ok("config", "get", key, "--show-secrets").out == "hunter2\n"
    assert world.json("config", "get", key, "--show-secrets")["value"] == "hunter2"
    assert world.json("config", "get", "cache.link")["hidden"] is False


def test_doctor_reports_and_holds_no_secrets(world: World) -> None:
    done = world.json("doctor")
    assert done["ok"] and {"git", "project", "cache", "links"} <= {check["name"] for check in done["checks"]}
    assert done["versions"]["datatool"]
    world.remote.write_text("not a directory")
    world.fails(1, "doctor")


def test_commands_work_from_subdirectories_with_dash_c_and_quietly(world: World) -> None:
    world.write("deep/data/a", b"1")
    world.ok("add", "data", cwd=world.root / "deep")
    assert world.run("-C", str(world.root / "deep"), "status", "--json", cwd=world.top).json["clean"]
    assert world.run("status", "-C", str(world.root), "--json", cwd=world.top).json["clean"]
    assert world.ok("add", "-q", "deep/data").out == ""


def test_the_datatool_process_leaves_nothing_behind_on_a_broken_pipe(world: World) -> None:
    for number in range(50):
        world.write(f"data/{number}", b"%d" % number)
    world.ok("add", "data")
    from world import DATATOOL

    reader = subprocess.Popen(["true"], stdin=subprocess.PIPE)
    assert reader.stdin is not None
    done = subprocess.run(
        [*DATATOOL, "list", "-R"], cwd=world.root, env=world.env, stdout=reader.stdin, stderr=subprocess.PIPE
    )
    reader.communicate()
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["status", "fetch", "checkout", "push", "pull", "list", "diff"])
def test_an_empty_project_is_no_error(world: World, command: str) -> None:
    world.ok(command)


@pytest.mark.parametrize("command", ["push", "fetch", "pull"])
def test_with_nothing_tracked_there_is_nothing_to_do_and_no_remote_is_needed(world: World, command: str) -> None:
    world.ok("remote", "remove", "default")
    world.ok(command)
    assert "default" in world.fails(3, command, "-r", "default").err
    world.write("a", b"1")
    world.ok("add", "a")
    shutil.rmtree(world.cache / "objects")
    assert "no remote is configured" in world.fails(3, command, "--force").err


def test_a_password_or_signature_in_a_url_is_never_shown(world: World) -> None:
    url = "https://me:hidden-word@data.example/x?sig=hidden-word"
    world.ok("remote", "add", "web", url, "--local")
    shown = [
        *(world.ok("remote", "list"), world.ok("remote", "list", "--json"), world.ok("config", "list")),
        *(world.ok("remote", "set", "web", "--local", "user=you"), world.fails(2, "remote", "add", "web", url)),
        world.ok("remote", "default", "web"),
    ]
    for ran in shown:
        assert "hidden-word" not in ran.out + ran.err
    assert "https://me:…@data.example/x?…" in shown[0].out


def test_an_init_with_a_secret_in_its_remote_makes_nothing(tmp_path: Path) -> None:
    world = World(tmp_path, init=False)
    world.fails(7, "init", "new", "--remote", "https://host/x?token=abc", cwd=tmp_path)
    assert not (tmp_path / "new").exists()
