"""Changing settings."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from datatool.config.edit import choose_scope, find_key, scope_path, set_value, set_values, unset_value
from datatool.config.keys import Scope
from datatool.config.load import load_config
from datatool.errors import FormatError, Refused, UsageError


@pytest.fixture
def committed(tmp_path: Path) -> Path:
    return tmp_path / "project/.datatool/config.yaml"


@pytest.fixture
def local(tmp_path: Path) -> Path:
    (tmp_path / "project/.git").mkdir(parents=True)
    return tmp_path / "project/.git/datatool/config.yaml"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_setting_makes_the_file_and_reads_back(committed: Path) -> None:
    set_value(committed, "remotes.nas.url", "/mnt/my data: 1")
    set_value(committed, "git.stage", "No")
    set_value(committed, "jobs", "8")
    set_value(committed, "cache.link", "hardlink,copy")
    assert committed.read_text() == (
        "datatool: 1\n"
        'remotes:\n  nas:\n    url: "/mnt/my data: 1"\n'
        "git:\n  stage: false\n"
        "jobs: 8\n"
        "cache:\n  link: [hardlink, copy]\n"
    )
    config = load_config(root=committed.parent.parent, local_dir=None, flags={}, environ={}, user_dir=committed)
    assert config.remotes() == {"nas": {"url": "/mnt/my data: 1"}}
    assert config.flag("git.stage") is False and config.number("jobs") == 8


def test_unsetting_removes_what_was_set_and_tells_whether_it_was(committed: Path) -> None:
    assert unset_value(committed, "jobs") is False
    assert not committed.exists()
    set_value(committed, "remotes.nas.url", "/x")
    assert unset_value(committed, "remotes.other.url") is False
    assert unset_value(committed, "remotes.nas.url") is True
    assert committed.read_text() == "datatool: 1\n"


def test_setting_the_same_again_does_not_touch_the_file(committed: Path) -> None:
    set_value(committed, "jobs", "8")
    before = committed.stat()
    assert set_values(committed, {"jobs": "8"}) is False
    after = committed.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_local_files_are_private_and_committed_ones_are_not(committed: Path, local: Path) -> None:
    set_value(local, "remotes.s3.secret_access_key", "hush")
    assert mode(local) == 0o600
    set_value(committed, "jobs", "1")
    assert mode(committed) & 0o044 == 0o044
    local.chmod(0o644)
    set_value(local, "jobs", "1")
    assert mode(local) == 0o600
    committed.chmod(0o664)
    set_value(committed, "jobs", "2")
    assert mode(committed) == 0o664


@pytest.mark.parametrize(
    "name", ["keyfile", "profile", "user", "access_key_id", "secret_access_key", "password", "token"]
)
def test_what_belongs_to_one_person_never_goes_into_the_committed_file(committed: Path, name: str) -> None:
    key = f"remotes.nas.{name}"
    assert choose_scope(key) is Scope.LOCAL
    assert choose_scope(key, "user") is Scope.USER
    with pytest.raises(Refused) as caught:
        choose_scope(key, "project")
    assert caught.value.hint == f"datatool config set --local {key} VALUE"
    with pytest.raises(Refused) as caught:
        set_value(committed, key, "hush")
    assert "hush" not in f"{caught.value} {caught.value.hint}"
    assert not committed.exists()


@pytest.mark.parametrize(
    "url",
    [
        *("https://me:hush@host/x", "sftp://:hush@host", "ssh+x://a:b:hush@h/", "https://hush@host/x"),
        *("https://ghp_hush@host/x", "https://host/x?token=hush", "https://host/x?X-Amz-Signature=hush"),
        *("https://host/x?sv=2020&sig=hush", "HTTPS://host/x?id=1&access_token=hush"),
    ],
)
def test_a_url_with_a_secret_never_goes_into_the_committed_file(committed: Path, local: Path, url: str) -> None:
    with pytest.raises(Refused) as caught:
        set_value(committed, "remotes.nas.url", url)
    assert "hush" not in f"{caught.value} {caught.value.hint}" and "--local remotes.nas." in str(caught.value.hint)
    assert not committed.exists()
    set_value(local, "remotes.nas.url", url)


@pytest.mark.parametrize(
    "url",
    [
        *("ssh://me@host/x", "sftp://me@host:22/x@y", "sftp://host:22/x@y", "/a:b@c", "https://host/a:b@c"),
        *("https://host/x?id=3", "s3://bucket/x?sig=1", "git@host:x"),
    ],
)
def test_a_url_without_a_secret_goes_into_the_committed_file(committed: Path, url: str) -> None:
    set_value(committed, "remotes.nas.url", url)
    assert url in committed.read_text()


def test_a_registrys_url_may_name_a_user_and_no_token(committed: Path) -> None:
    set_value(committed, "registries.songs.url", "https://me@host/x")
    for user in ("ghp_abcdefghijklmnop", "glpat-1", "0123456789abcdef0123456789abcdef01234567"):
        with pytest.raises(Refused) as caught:
            set_value(committed, "registries.songs.url", f"https://{user}@host/x")
        assert user not in f"{caught.value} {caught.value.hint}"


def test_scopes_are_those_of_the_table() -> None:
    assert choose_scope("remote") is Scope.PROJECT
    assert choose_scope("cache.dir") is Scope.LOCAL
    assert choose_scope("cache.dir", "project") is Scope.PROJECT
    assert choose_scope("registries.r.trust") is Scope.USER
    for scope in ("project", "local"):
        with pytest.raises(Refused):
            choose_scope("registries.r.trust", scope)
    with pytest.raises(Refused):
        choose_scope("project", "user")


def test_scopes_have_paths(tmp_path: Path) -> None:
    root, local, user = tmp_path / "r", tmp_path / "l", tmp_path / "u"
    assert scope_path("project", root, local, user) == root / ".datatool/config.yaml"
    assert scope_path(Scope.LOCAL, root, local, user) == local / "config.yaml"
    assert scope_path("user", None, None, user) == user / "config.yaml"
    for scope in ("project", "local"):
        with pytest.raises(UsageError, match=f"no {scope} configuration outside a project"):
            scope_path(scope, None, None)


@pytest.mark.parametrize(
    ("key", "message", "hint"),
    [
        ("cache.lnk", "cache.lnk: no such setting", "did you mean cache.link?"),
        ("remotes.nas.ulr", "remotes.nas.ulr: no such setting", "did you mean remotes.nas.url?"),
        ("remotes.my nas.url", "a name has only", "such as my-nas"),
        ("zzz", "zzz: no such setting", "datatool config list shows the settings that are in force"),
    ],
)
def test_an_unknown_key_suggests_the_nearest(committed: Path, key: str, message: str, hint: str | None) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        find_key(key)
    assert caught.value.hint == hint
    with pytest.raises(UsageError):
        set_value(committed, key, "x")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("jobs", "0"),
        ("jobs", "1.5"),
        ("git.stage", "perhaps"),
        ("cache.link", "copy, magic"),
        ("cache.link", ""),
        ("durability", "some"),
        ("bandwidth", "quick"),
        ("remote", ""),
        ("remotes.a.port", "ssh"),
    ],
)
def test_a_value_that_can_not_be_is_refused_before_anything_is_written(committed: Path, key: str, value: str) -> None:
    with pytest.raises(UsageError, match=key):
        set_values(committed, {"durability": "full", key: value} if key != "durability" else {key: value})
    assert not committed.exists()


def test_several_settings_are_one_change(committed: Path) -> None:
    assert set_values(committed, {"remote": "nas", "remotes.nas.url": "/x", "remotes.nas.pack": "off"}) is True
    assert committed.read_text() == "datatool: 1\nremote: nas\nremotes:\n  nas:\n    url: /x\n    pack: false\n"
    assert [path.name for path in committed.parent.iterdir()] == ["config.yaml"]


def test_a_file_that_does_not_read_is_left_as_it_is(committed: Path) -> None:
    committed.parent.mkdir(parents=True)
    committed.write_text("jobs: [\n")
    with pytest.raises(FormatError):
        set_value(committed, "jobs", "2")
    assert committed.read_text() == "jobs: [\n"


def test_a_users_file_that_is_a_link_stays_one_and_a_committed_link_is_never_written_through(
    tmp_path: Path, committed: Path
) -> None:
    real = tmp_path / "dotfiles/datatool.yaml"
    real.parent.mkdir()
    real.write_text("# mine\n")
    user = tmp_path / "home/config.yaml"
    user.parent.mkdir()
    user.symlink_to(real)
    set_value(user, "jobs", "2")
    assert user.is_symlink() and real.read_text() == "# mine\njobs: 2\n"
    outside = tmp_path / "outside"
    outside.write_text("jobs: 1\n")
    committed.parent.mkdir(parents=True)
    committed.symlink_to(outside)
    set_value(committed, "jobs", "3")
    assert outside.read_text() == "jobs: 1\n"
    assert not committed.is_symlink() and committed.read_text() == "jobs: 3\n"
