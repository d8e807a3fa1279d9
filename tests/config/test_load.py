"""Which setting holds, and where it comes from."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from datatool.config.keys import KEYS, Scope, lookup, rate
from datatool.config.load import Config, load_config
from datatool.config.places import user_cache_dir, user_config_dir
from datatool.errors import FormatError, UsageError
from datatool.model.settings import Durability, LinkMethod
from needs import without_root_override


class Places:
    """A project, its local directory and a user's, each with or without a configuration file."""

    def __init__(self, top: Path) -> None:
        self.root, self.local, self.user = top / "project", top / "project/.git/datatool", top / "user"

    def write(self, scope: str, text: str) -> None:
        directory = {"project": self.root / ".datatool", "local": self.local, "user": self.user}[scope]
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "config.yaml").write_text(text)

    def load(self, flags: dict[str, str] | None = None, **environ: str) -> Config:
        return load_config(root=self.root, local_dir=self.local, flags=flags or {}, environ=environ, user_dir=self.user)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


def test_without_any_file_the_defaults_hold(places: Places) -> None:
    config = places.load()
    assert config.link_methods == (LinkMethod.REFLINK, LinkMethod.COPY)
    assert config.durability is Durability.BATCH
    assert config.flag("git.stage") is True
    assert config.number("jobs") is None
    assert config.project is None and config.default_remote is None
    assert config.remotes() == {} and config.registries() == {}
    assert {origin for _, _, origin in config.items()} == {"default"}
    assert ("cache.link", "reflink, copy", "default") in config.items()


def test_flag_before_environment_before_local_before_project_before_user_before_default(places: Places) -> None:
    seen = []
    for scope, number in (("user", 1), ("project", 2), ("local", 3)):
        places.write(scope, f"jobs: {number}\n")
        seen.append((places.load().number("jobs"), places.load().origin("jobs")))
    config = places.load(DATATOOL_JOBS="4")
    seen.append((config.number("jobs"), config.origin("jobs")))
    config = places.load({"jobs": "5"}, DATATOOL_JOBS="4")
    seen.append((config.number("jobs"), config.origin("jobs")))
    assert seen == [(1, "user"), (2, "project"), (3, "local"), (4, "environment"), (5, "flag")]
    assert places.load().origin("durability") == "default"


def test_the_settings_of_a_remote_come_together_from_all_files(places: Places) -> None:
    places.write("project", "remote: nas\nremotes:\n  nas:\n    url: /mnt/a\n    pack: no\n  s3:\n    url: s3://b\n")
    places.write("local", "remotes:\n  nas:\n    url: /mnt/b\n  s3:\n    access_key_id: AK\n    token: T\n")
    config = places.load()
    assert config.default_remote == "nas"
    assert config.remotes() == {
        "nas": {"url": "/mnt/b", "pack": "no"},
        "s3": {"url": "s3://b", "access_key_id": "AK", "token": "T"},
    }
    assert config.flag("remotes.nas.pack") is False
    assert config.flag("remotes.s3.pack") is True
    assert config.get("remotes.s3.token") == "T"


def test_a_listing_never_shows_a_secret(places: Places) -> None:
    places.write("local", "remotes:\n  s3:\n    secret_access_key: hush\n    access_key_id: AK\n    region: eu\n")
    items = places.load(DATATOOL_REMOTES_S3_PASSWORD="hush").items()
    assert "hush" not in str(items) and "AK" not in str(items)
    assert ("remotes.s3.secret_access_key", "(hidden)", "local") in items
    assert ("remotes.s3.region", "eu", "local") in items


def test_secrets_in_the_committed_file_are_not_used_and_named(places: Places) -> None:
    places.write("project", "remotes:\n  a:\n    url: s3://b\n    password: hush\n    keyfile: /etc/key\n")
    config = places.load()
    assert config.remotes() == {"a": {"url": "s3://b"}}
    assert len(config.ignored) == 2
    assert all(".datatool/config.yaml" in line and "hush" not in line for line in config.ignored)
    assert "remotes.a.password" in config.ignored[0]


def test_only_the_user_can_trust_a_registry_and_only_the_project_has_an_id(places: Places) -> None:
    for scope in ("project", "local", "user"):
        places.write(scope, f"project: {scope}\nregistries:\n  r:\n    url: here\n    trust: true\n")
    config = places.load()
    assert config.project == "project"
    assert config.registries() == {"r": {"url": "here", "trust": "true"}}
    assert config.origin("registries.r.trust") == "user"
    assert not places.load(DATATOOL_REGISTRIES_OTHER_URL="x").flag("registries.other.trust")


def test_variables_name_keys_in_upper_case(places: Places) -> None:
    places.write("project", "remotes:\n  my-nas.1:\n    url: /mnt\n")
    config = places.load(
        DATATOOL_CACHE_LINK="hardlink copy",
        DATATOOL_REMOTE="other",
        DATATOOL_OFFLINE="1",
        DATATOOL_REMOTES_MY_NAS_1_SECRET_ACCESS_KEY="S",
        DATATOOL_REMOTES_NEW_URL="/new",
        DATATOOL_JOBS="",
        DATATOOL_SOMETHING="else",
        DATATOOL_REMOTES_URL="x",
        OTHER="x",
    )
    assert config.link_methods == (LinkMethod.HARDLINK, LinkMethod.COPY)
    assert config.default_remote == "other"
    assert config.flag("offline") is True
    assert config.remotes() == {"my-nas.1": {"url": "/mnt", "secret_access_key": "S"}, "new": {"url": "/new"}}
    assert config.number("jobs") is None


@pytest.mark.parametrize(
    ("key", "value", "read"),
    [
        ("jobs", "many", lambda config: config.number("jobs")),
        ("jobs", "0", lambda config: config.number("jobs")),
        ("git.stage", "maybe", lambda config: config.flag("git.stage")),
        ("cache.link", "teleport", lambda config: config.link_methods),
        ("durability", "high", lambda config: config.durability),
        ("bandwidth", "fast", lambda config: config.number("bandwidth")),
    ],
)
def test_a_wrong_value_stops_only_who_needs_it_and_names_its_place(
    places: Places, key: str, value: str, read: object
) -> None:
    assert callable(read)
    first, _, last = key.rpartition(".")
    places.write("project", f"{first}:\n  {last}: {value}\n" if first else f"{key}: {value}\n")
    config = places.load()
    assert config.get(key) == value
    with pytest.raises(FormatError, match=r"^\.datatool/config\.yaml: .* must be .*, not '" + value) as caught:
        read(config)
    assert caught.value.hint == f"datatool config set --project {key} VALUE"
    with pytest.raises(UsageError, match=r"^DATATOOL_"):
        read(places.load(**{"DATATOOL_" + key.upper().replace(".", "_"): value}))


def test_rates_are_read_with_decimal_and_binary_units() -> None:
    assert [rate(text) for text in ("1000", "10k", "1.5M", "2 MiB/s", "3GB", "0", "", "k", "1e3", "-1")] == [
        1000,
        10_000,
        1_500_000,
        2 << 20,
        3_000_000_000,
        None,
        None,
        None,
        None,
        None,
    ]


def test_unknown_keys_in_files_are_left_to_later_versions_but_asking_for_one_is_an_error(places: Places) -> None:
    places.write("project", "future: x\nremotes:\n  'a b':\n    url: x\n  ok:\n    later: y\n")
    config = places.load()
    assert config.remotes() == {}
    with pytest.raises(UsageError, match="future: no such setting"):
        config.get("future")


def test_a_file_that_does_not_read_is_named(places: Places) -> None:
    places.write("local", "jobs: [\n")
    with pytest.raises(FormatError, match=r"datatool/config\.yaml: line"):
        places.load()
    (places.local / "config.yaml").unlink()
    (places.local / "config.yaml").mkdir()
    with pytest.raises(FormatError, match="not a file"):
        places.load()


def test_another_users_private_file_is_passed_over_and_named(places: Places) -> None:
    places.write("local", "jobs: 3\n")
    places.write("project", "jobs: 2\n")
    (places.local / "config.yaml").chmod(0)
    program = (
        "import sys, pathlib\n"
        "from datatool.config.load import load_config\n"
        "root, local = map(pathlib.Path, sys.argv[1:])\n"
        "config = load_config(root=root, local_dir=local, flags={}, environ={}, user_dir=root / 'none')\n"
        "print(config.number('jobs'), config.ignored)\n"
    )
    command = [*without_root_override(), sys.executable, "-c", program, str(places.root), str(places.local)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("2 (")
    assert "no permission" in done.stdout


def test_outside_a_project_the_users_file_counts(places: Places) -> None:
    places.write("user", "jobs: 7\n")
    config = load_config(root=None, local_dir=None, flags={}, environ={}, user_dir=places.user)
    assert config.number("jobs") == 7


def test_the_users_file_is_found_through_the_environment(places: Places, tmp_path: Path) -> None:
    directory = user_config_dir({"XDG_CONFIG_HOME": str(tmp_path / "xdg"), "HOME": str(tmp_path)})
    directory.mkdir(parents=True)
    (directory / "config.yaml").write_text("jobs: 9\n")
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "xdg"), "HOME": str(tmp_path)}
    assert load_config(root=None, local_dir=None, flags={}, environ=environ).number("jobs") == 9


def test_the_users_places_are_those_of_platformdirs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import os

    import platformdirs

    for variables in ({}, {"XDG_CONFIG_HOME": str(tmp_path / "c"), "XDG_CACHE_HOME": str(tmp_path / "k")}):
        for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        assert user_config_dir(os.environ) == Path(platformdirs.user_config_dir("datatool", appauthor=False))
        assert user_cache_dir(os.environ) == Path(platformdirs.user_cache_dir("datatool", appauthor=False))


def test_loading_needs_neither_a_yaml_library_nor_platformdirs(places: Places) -> None:
    places.write("project", "project: x\nremotes:\n  a:\n    url: s3://b\ncache:\n  link: [copy]\n")
    program = (
        "import sys, os, pathlib\n"
        "from datatool.config.load import load_config\n"
        "load_config(root=pathlib.Path(sys.argv[1]), local_dir=None, flags={}, environ=os.environ)\n"
        "print([n for n in ('ruamel', 'ruamel.yaml', 'platformdirs', 'difflib', 'importlib.metadata')"
        " if n in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(places.root)], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_every_row_of_the_table_is_found_by_a_key_of_its_shape() -> None:
    for row in KEYS:
        assert lookup(row.pattern.replace("NAME", "some-name")) is row
        assert row.scope in row.scopes
        assert not row.secret or Scope.PROJECT not in row.scopes
    for key in ("", "remotes", "remotes.a", "remotes.url", "remotes..url", "remotes.a b.url", "cache", "cache.link.x"):
        assert lookup(key) is None


def test_every_key_is_in_the_reference() -> None:
    text = (Path(__file__).parents[2] / "docs/reference/configuration.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([A-Za-z_.]+)`", text))
    for row in KEYS:
        last = "." + row.pattern.rpartition(".")[2]
        assert row.pattern in named or (".NAME." in row.pattern and last in named), row.pattern
