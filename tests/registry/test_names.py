"""Names of registries: where they are kept, what they stand for, and what is trusted."""

from __future__ import annotations

from pathlib import Path

import pytest

from servers.git_daemon import GitDaemon
from world import World

from .test_list_and_get import listed


def test_a_registrys_name_is_committed_with_the_project_and_a_relative_path_is_from_its_root(
    registry: World, project: World
) -> None:
    (project.root / "deep").mkdir()
    ran = project.ok("registry", "add", "songs", "../../../r/registry", cwd=project.root / "deep")
    assert ".datatool/config.yaml (project)" in ran.out and "--user" in ran.err
    assert "url: ../../r/registry" in (project.root / ".datatool/config.yaml").read_text()
    assert "model.bin" in listed(project, "songs")
    assert project.json("list", "songs", cwd=project.root / "deep")["entries"]
    project.ok("import", "songs", "model.bin", "-o", "deep/model.bin")
    assert "repo: ../../../r/registry" in project.read("deep/model.bin.dt").decode()
    project.ok("registry", "add", "songs", "../../r/registry")
    assert "registry remove songs" in project.fails(2, "registry", "add", "songs", "https://example.org/x").err
    project.fails(3, "registry", "add", "other", "../nowhere")
    project.ok("registry", "add", "away", registry.root)
    assert project.json("registry", "list")["registries"][0]["url"] == str(registry.root)


def test_a_registrys_name_of_the_user_binds_no_project(registry: World, project: World) -> None:
    ran = project.json("registry", "add", "songs", "../../r/registry", "--user")
    assert (ran["scope"], ran["url"]) == ("user", str(registry.root))
    assert "songs" not in (project.root / ".datatool/config.yaml").read_text()
    assert "model.bin" in listed(project, "songs")
    project.fails(2, "registry", "add", "songs", "https://example.org/x", "--user")
    project.ok("registry", "add", "songs", "https://example.org/x")
    assert project.json("registry", "list")["registries"][0]["url"] == "https://example.org/x"
    project.ok("registry", "remove", "songs")
    assert project.json("registry", "list")["registries"][0]["url"] == str(registry.root)
    project.ok("registry", "remove", "songs")
    assert not project.json("registry", "list")["registries"]


def test_trust_in_a_name_of_the_user_is_none_in_what_a_project_calls_so(project: World) -> None:
    project.ok("registry", "add", "songs", "https://example.org/mine", "--user", "--trust")
    project.ok("registry", "add", "songs", "https://example.org/theirs")
    (found,) = project.json("registry", "list")["registries"]
    assert found == {"name": "songs", "url": "https://example.org/theirs", "trust": False}
    project.fails(2, "registry", "add", "songs", "https://example.org/theirs", "--trust")
    project.ok("registry", "remove", "songs")
    assert project.json("registry", "list")["registries"][0]["trust"]


@pytest.mark.parametrize("is_path", [False, True])
def test_trust_is_in_the_url_and_not_in_whatever_a_project_gives_the_name_to(project: World, is_path: bool) -> None:
    (project.top / "reg").mkdir()
    place = "../reg" if is_path else "https://example.org/mine"
    project.ok("registry", "add", "songs", place, "--trust")
    (found,) = project.json("registry", "list")["registries"]
    assert found == {"name": "songs", "url": place, "trust": True}
    config = project.root / ".datatool/config.yaml"
    config.write_text(config.read_text().replace(place, "https://example.org/theirs"))
    (found,) = project.json("registry", "list")["registries"]
    assert found == {"name": "songs", "url": "https://example.org/theirs", "trust": False}
    config.write_text(config.read_text().replace("https://example.org/theirs", place))
    project.ok("registry", "remove", "songs")
    assert not project.json("registry", "list")["registries"]


def test_trust_in_a_name_alone_is_none(project: World, daemon: GitDaemon) -> None:
    project.ok("registry", "add", "songs", daemon.url("registry"))
    error = project.fails(2, "config", "set", "registries.songs.trust", "true", "--json").error
    assert error["hint"] == "datatool registry add --trust songs URL"
    user = Path(project.env["XDG_CONFIG_HOME"]) / "datatool/config.yaml"
    user.parent.mkdir(parents=True, exist_ok=True)
    user.write_text("registries:\n  songs:\n    trust: true\n")
    (found,) = project.json("registry", "list")["registries"]
    assert not found["trust"]
    project.fails(7, "get", "songs", "model.bin")
