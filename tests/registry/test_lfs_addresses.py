"""Where a registry with Git LFS may send us."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from datatool.errors import RemoteDenied, RemoteError, RemoteUnreachable, UnsafeInput, UsageError
from registry.lfs_serving import SMALL, error_of, keep_all, url
from registry.lfs_world import LfsWorld
from repositories import git
from servers.lfs import LfsServer, lfs_server


@pytest.fixture(autouse=True)
def _own_git_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test sets in the user's git configuration is its own."""
    mine = tmp_path / "gitconfig"
    mine.write_bytes(Path(os.environ["GIT_CONFIG_GLOBAL"]).read_bytes())
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(mine))


def configured(songs: LfsWorld, lfs_url: str) -> None:
    songs.write(".lfsconfig", f"[lfs]\n\turl = {lfs_url}\n".encode())
    songs.publish()


def test_lfsconfig_may_name_another_place_at_the_same_host(songs: LfsWorld, server: LfsServer) -> None:
    songs.make(SMALL)
    keep_all(server, songs)
    configured(songs, f"{server.url}/elsewhere")
    assert songs.get(url(server)) == SMALL
    assert server.batches[0].path == "/elsewhere/objects/batch"


@pytest.mark.parametrize(
    "place",
    ["https://localhost:{port}/lfs", "https://10.1.2.3/lfs", "https://[::1]:{port}/lfs", "https://2130706433:{port}/",
     "http://192.0.2.1/lfs", "file:///etc", "/etc", "../other", "ssh://localhost/x", "git@localhost:x", "ftp://h/x",
     "https://[::ffff:127.0.0.1]:{port}/x", "http://localhost:{port}/lfs", "https://h%0d%0a/x", "ext::sh -c id",
     "https://169.254.169.254/latest"],
)  # fmt: skip
def test_lfsconfig_of_another_may_not_name_what_is_inside_this_network(
    songs: LfsWorld, server: LfsServer, place: str
) -> None:
    songs.make({"a.bin": b"one"})
    keep_all(server, songs)
    configured(songs, place.format(port=server.server_address[1]))
    error = error_of(songs.get(url(server))["a.bin"])
    assert isinstance(error, (UnsafeInput, UsageError, RemoteError)), error
    assert not isinstance(error, RemoteUnreachable), error
    assert server.batches == []


def test_an_address_of_an_object_may_not_be_inside_this_network(songs: LfsWorld, server: LfsServer) -> None:
    with lfs_server(songs.served) as canary:
        songs.make({"a.bin": b"one"})
        keep_all(server, songs)
        keep_all(canary, songs)
        server.storage_url = canary.storage_url.replace("127.0.0.1", "localhost")
        assert isinstance(error_of(songs.get(url(server))["a.bin"]), UnsafeInput)
        assert canary.asked == []


def test_a_redirect_may_not_lead_inside_this_network(songs: LfsWorld, server: LfsServer) -> None:
    with lfs_server(songs.served) as canary:
        songs.make({"a.bin": b"one"})
        keep_all(server, songs)
        inside = canary.url.replace("http://127.0.0.1", "https://localhost")
        server.plan = lambda asked: (
            (302, {"Location": inside + asked.path}, b"") if asked.path.startswith("/storage/") else None
        )
        assert isinstance(error_of(songs.get(url(server))["a.bin"]), UnsafeInput)
        assert canary.asked == []


def test_a_trusted_registry_may_name_any_server(songs: LfsWorld, server: LfsServer) -> None:
    with lfs_server(songs.served) as other:
        songs.make(SMALL)
        keep_all(other, songs)
        configured(songs, other.url.replace("127.0.0.1", "localhost") + "/lfs")
        assert songs.get(url(server), trusted=True) == SMALL
        assert len(other.downloads) == 2


def test_a_server_that_the_user_typed_is_asked_instead(songs: LfsWorld, server: LfsServer) -> None:
    with lfs_server(songs.served) as other:
        songs.make(SMALL)
        keep_all(other, songs)
        typed = {"url": other.url.replace("127.0.0.1", "localhost") + "/lfs", "user": "me", "password": "right"}
        other.login = ("me", "right")
        assert songs.get(url(server), given=typed) == SMALL
        assert server.batches == []


def test_credentials_in_lfsconfig_are_not_used(songs: LfsWorld, server: LfsServer) -> None:
    songs.make(SMALL)
    keep_all(server, songs)
    server.login = ("me", "right")
    configured(songs, server.url.replace("http://", "http://me:right@") + "/lfs")
    assert isinstance(error_of(songs.get(url(server))["a.bin"]), RemoteDenied)


def test_the_users_own_configuration_comes_before_lfsconfig(songs: LfsWorld, server: LfsServer) -> None:
    songs.make(SMALL)
    keep_all(server, songs)
    configured(songs, "https://10.1.2.3/lfs")
    git(songs.top, "config", "--global", "lfs.url", f"{server.url}/mine")
    assert songs.get(url(server)) == SMALL
    assert server.batches[0].path == "/mine/objects/batch"
