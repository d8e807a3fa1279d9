"""Registries behind every kind of URL that git understands, reached through the user's own git."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
from pathlib import Path

import pytest

from servers.fixtures import SshServer
from servers.git_http import git_http, plain_http
from world import DATATOOL, World, tree

from .test_list_and_get import SONGS, listed


def by_ssh(project: World, sshd: SshServer) -> None:
    """Let the user's git find its way to the server, as an ssh configuration does."""
    options = {
        "UserKnownHostsFile": sshd.known_hosts,
        "IdentityFile": sshd.key,
        "IdentitiesOnly": "yes",
        "Port": sshd.port,
    }
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    project.env["GIT_SSH_COMMAND"] = shlex.join(["ssh", "-F", "none", *words])


def test_a_registry_over_ssh(registry: World, project: World, sshd: SshServer) -> None:
    by_ssh(project, sshd)
    for url in (f"ssh://{sshd.host}:{sshd.port}{registry.root}", f"{sshd.host}:{registry.root}"):
        assert "model.bin" in listed(project, url)
        project.ok("get", url, "src", "music/notes.md", "-o", f"out{len(url)}/")
        assert project.read(f"out{len(url)}/src/train.py") == b"print('train')\n"


def test_a_server_that_gives_no_single_blobs_gives_everything(registry: World, project: World, sshd: SshServer) -> None:
    by_ssh(project, sshd)  # without GIT_PROTOCOL in sshd's AcceptEnv, so git speaks version 0
    registry.git("config", "uploadpack.allowFilter", "true")
    url = f"ssh://{sshd.host}:{sshd.port}{registry.root}"
    assert "model.bin" in listed(project, url)
    registry.write("src/new.py", b"new")
    registry.commit()
    project.ok("get", url, "src")
    assert project.read("src/new.py") == b"new"
    (registry.root / ".git").rename(registry.top / "away")
    project.ok("get", url, "src/train.py", "-o", "offline.py", "--offline")


def test_a_registry_over_ssh_may_name_its_own_host(registry: World, project: World, sshd: SshServer) -> None:
    by_ssh(project, sshd)
    project.ok("registry", "add", "songs", f"ssh://{sshd.host}:{sshd.port}{registry.root}")
    ran = project.fails(7, "get", "songs", "model.bin")
    assert "a directory of this machine" in ran.err


def test_a_registry_over_http(registry: World, project: World) -> None:
    with git_http(registry.top) as server:
        url = server.url("registry/.git")
        assert "model.bin" in listed(project, url)
        project.ok("get", url, "music/songs", "--remote", registry.remote)
        assert tree(project.root / "songs") == SONGS
        project.ok("import", url, "src", "--rev", "v1")
        before = len(server.requests)
        project.ok("get", url, "src", "-o", "again", "--rev", "v1")
        assert len(server.requests) == before


def bounded(project: World, *words: str) -> str:
    """Run a command in a process group of its own, which is killed in the end with all that it started."""
    process = subprocess.Popen(
        [*DATATOOL, *words],
        cwd=project.root,
        env=project.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        out, _ = process.communicate(timeout=60)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert process.returncode == 0, out
    return out


def test_a_registry_on_a_plain_web_server_is_brought_whole(registry: World, project: World) -> None:
    served = registry.top / "served.git"
    registry.git("clone", "-q", "--bare", ".", str(served))
    registry.git("--git-dir", str(served), "update-server-info")
    with plain_http(registry.top, at_most=200) as server:
        url = server.url("served.git")
        assert "model.bin" in bounded(project, "list", url)
        before = len(server.requests)
        bounded(project, "get", url, "src", "music/notes.md", "-o", "out/", "--rev", "v1")
        assert project.read("out/src/train.py") == b"print('train')\n"
        assert len(server.requests) == before, "everything was here"
        registry.write("src/new.py", b"new")
        registry.commit()
        registry.git("push", "-q", str(served), "HEAD")
        registry.git("--git-dir", str(served), "update-server-info")
        bounded(project, "get", url, "src", "-o", "new")
        assert project.read("new/new.py") == b"new"


def test_a_clone_in_use_is_not_brought_whole_because_its_server_fails(registry: World, project: World) -> None:
    with git_http(registry.top) as server:
        url = server.url("registry/.git")
        project.ok("list", url)
        registry.write("src/new.py", b"new")
        registry.commit()
        name = registry.git("rev-parse", "HEAD^{tree}")
        tree_object = registry.git_dir / "objects" / name[:2] / name[2:]
        tree_object.rename(registry.top / "away")
        server.requests.clear()
        assert project.run("list", url).code in (1, 6)
        assert len([asked for asked in server.requests if asked.startswith("GET")]) == 2, "ls-remote, then one fetch"
        (registry.top / "away").rename(tree_object)
        project.ok("list", url)
        assert not list(project.home.rglob("datatool-whole"))


def test_the_users_credential_helper_is_asked_and_nothing_is_kept(registry: World, project: World) -> None:
    with git_http(registry.top, login=("ada", "hush-hush")) as server:
        url = server.url("registry/.git")
        ran = project.fails(6, "list", url)
        assert "git ls-remote" in ran.err
        helper = project.top / "helper"
        helper.write_text("#!/bin/sh\necho username=ada\necho password=hush-hush\n")
        helper.chmod(0o755)
        project.git("config", "--global", "credential.helper", str(helper))
        assert "model.bin" in listed(project, url)
        project.ok("import", url, "src")
        kept = [path for top in (project.root, project.home) for path in top.rglob("*") if path.is_file()]
        assert not [path for path in kept if b"hush-hush" in path.read_bytes()]


def test_a_password_in_a_url_is_not_written_down(registry: World, project: World) -> None:
    with git_http(registry.top, login=("ada", "hush-hush")) as server:
        url = server.url("registry/.git", user="ada:hush-hush")
        ran = project.fails(7, "import", url, "src")
        assert "password" in ran.err and "hush-hush" not in ran.err
        assert not project.exists("src.dt")
        project.ok("get", url, "src")
        project.fails(7, "registry", "add", "songs", url)
        kept = [path for top in (project.root, project.home) for path in top.rglob("*") if path.is_file()]
        assert not [path for path in kept if b"hush-hush" in path.read_bytes()]


@pytest.mark.parametrize("url", ["https://ghp_abcdefghijklmnop@host/x", "https://host/x?private_token=1&token=ghp_abc"])
def test_an_access_token_in_a_registrys_url_is_not_written_down_nor_shown(project: World, url: str) -> None:
    ran = project.fails(7, "registry", "add", "songs", url)
    assert "token" in ran.err and "ghp_abc" not in ran.err
    config = project.root / ".datatool/config.yaml"
    config.write_text(config.read_text() + f"registries:\n  songs:\n    url: {url}\n")
    for words in (
        ("config", "list"),
        ("registry", "list"),
        ("registry", "list", "--json"),
        ("registry", "remove", "songs"),
    ):
        assert "ghp_abc" not in project.ok(*words).out


def test_a_linked_worktree_and_a_submodule_are_registries(registry: World, project: World, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    registry.git("worktree", "add", "-q", str(linked))
    project.ok("get", linked, "music/songs", "-o", "a")
    assert tree(project.root / "a") == SONGS
    outer = World(tmp_path / "o", name="outer", init=False)
    outer.root.mkdir()
    outer.git("init", "-q")
    outer.git("submodule", "add", "-q", str(registry.root), "inner")
    outer.commit()
    assert listed(project, outer.root, "-R").keys() == {".gitmodules"}, "a submodule is another repository"
    project.ok("get", outer.root / "inner", "src", "-o", "b")
    assert project.read("b/train.py") == b"print('train')\n"


def test_a_repository_of_somebody_else_is_read_through_upload_pack(registry: World, project: World) -> None:
    if os.geteuid() != 0:
        project.env["GIT_TEST_ASSUME_DIFFERENT_OWNER"] = "1"
    else:
        for path in [registry.root, *registry.root.rglob("*")]:
            os.lchown(path, 4242, 4242)
    assert "model.bin" in listed(project, registry.root)
    project.ok("get", registry.root, "src")
    assert project.read("src/train.py") == b"print('train')\n"
