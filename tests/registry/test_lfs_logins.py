"""Who gets the login for a server of Git LFS, and who is denied."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from datatool.errors import RemoteBusy, RemoteDenied
from registry.lfs_serving import SMALL, error_of, helper, keep_all, url
from registry.lfs_world import LfsWorld, oid_of
from servers.lfs import Asked, LfsServer, lfs_server


@pytest.fixture(autouse=True)
def _own_git_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test sets in the user's git configuration is its own."""
    mine = tmp_path / "gitconfig"
    mine.write_bytes(Path(os.environ["GIT_CONFIG_GLOBAL"]).read_bytes())
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(mine))


def test_a_login_comes_from_the_users_git_and_is_remembered_there(songs: LfsWorld, server: LfsServer) -> None:
    songs.make(SMALL)
    keep_all(server, songs)
    server.login = ("me", "right")
    log = helper(songs)
    assert songs.get(url(server)) == SMALL
    said = log.read_text()
    assert "get\nprotocol=http\nhost=127.0.0.1" in said
    assert "store\n" in said
    assert "erase" not in said
    assert [asked.headers.get("authorization", "")[:6] for asked in server.batches] == ["", "Basic "]


def test_a_wrong_login_is_forgotten_and_told(songs: LfsWorld, server: LfsServer) -> None:
    songs.make(SMALL)
    server.login = ("me", "right")
    log = helper(songs, password="wrong")
    error = error_of(songs.get(url(server))["a.bin"])
    assert isinstance(error, RemoteDenied)
    assert "as me" in error.message
    assert "who are you?" in error.message
    assert "wrong" not in error.message
    assert "erase\n" in log.read_text()


def test_without_a_login_the_error_names_the_server_and_git_credential(songs: LfsWorld, server: LfsServer) -> None:
    songs.make(SMALL)
    server.login = ("me", "right")
    error = error_of(songs.get(url(server))["a.bin"])
    assert isinstance(error, RemoteDenied)
    assert f"{url(server)}/info/lfs" in error.message
    assert "git credential" in (error.hint or "")


def test_a_password_in_the_url_that_was_typed_is_used_and_not_shown(songs: LfsWorld, server: LfsServer) -> None:
    songs.make(SMALL)
    keep_all(server, songs)
    server.login = ("me", "right")
    typed = url(server).replace("http://", "http://me:right@")
    assert songs.get(typed) == SMALL
    server.login = ("me", "other")
    songs.write("c.bin", SMALL["a.bin"] + b"!")
    fresh = LfsWorld(top=songs.top, contents=songs.contents)
    (songs.top / "cache").rename(songs.top / "old")
    error = error_of(fresh.get(typed)["a.bin"])
    assert "right" not in error.message + (error.hint or "")


def test_the_login_goes_to_the_server_and_nowhere_else(songs: LfsWorld, server: LfsServer) -> None:
    with lfs_server(songs.served) as storage:
        songs.make(SMALL)
        keep_all(storage, songs)
        keep_all(server, songs)
        server.login = ("me", "right")
        server.storage_url = storage.storage_url
        helper(songs)
        assert songs.get(url(server)) == SMALL
        assert len(storage.downloads) == 2
        assert all("authorization" not in asked.headers for asked in storage.asked)


def test_the_login_serves_for_objects_that_the_server_has_itself(songs: LfsWorld, server: LfsServer) -> None:
    songs.make({"a.bin": b"one"})
    keep_all(server, songs)
    server.login = ("me", "right")
    helper(songs)
    songs.get(url(server))
    assert server.downloads[0].headers["authorization"].startswith("Basic ")


def test_addresses_that_need_no_login_get_none(songs: LfsWorld, server: LfsServer) -> None:
    songs.make({"a.bin": b"one"})
    keep_all(server, songs)
    server.login = ("me", "right")
    server.authenticated = True
    helper(songs)
    assert songs.get(url(server)) == {"a.bin": b"one"}
    assert "authorization" not in server.downloads[0].headers


def test_headers_of_an_address_go_there_and_not_where_it_redirects(songs: LfsWorld, server: LfsServer) -> None:
    with lfs_server(songs.served) as other:
        songs.make(SMALL)
        keep_all(server, songs)
        keep_all(other, songs)
        server.storage_secret = "RemoteAuth secret"

        def plan(asked: Asked) -> tuple[int, dict[str, str], bytes] | None:
            if not asked.path.startswith("/storage/"):
                return None
            assert asked.headers["authorization"] == "RemoteAuth secret"
            return 302, {"Location": other.url + asked.path}, b""

        server.plan = plan
        assert songs.get(url(server)) == SMALL
        assert len(other.downloads) == 2
        assert all("authorization" not in asked.headers for asked in other.asked)


def test_a_question_that_is_redirected_is_asked_there_without_the_login(songs: LfsWorld, server: LfsServer) -> None:
    with lfs_server(songs.served) as other:
        songs.make(SMALL)
        keep_all(other, songs)
        server.plan = lambda asked: (
            (307, {"Location": other.url + asked.path}, b"") if asked.path.endswith("/objects/batch") else None
        )
        assert songs.get(url(server).replace("http://", "http://me:right@")) == SMALL
        assert all("authorization" not in asked.headers for asked in other.batches)


def test_redirects_come_to_an_end(songs: LfsWorld, server: LfsServer) -> None:
    songs.make({"a.bin": b"one"})
    keep_all(server, songs)
    server.plan = lambda asked: (
        (302, {"Location": asked.path + "x"}, b"") if asked.path.startswith("/storage/") else None
    )
    assert "redirects" in error_of(songs.get(url(server))["a.bin"]).message
    assert len(server.downloads) < 20


def test_an_address_that_came_to_its_end_is_asked_for_anew(songs: LfsWorld, server: LfsServer) -> None:
    songs.make(SMALL)
    keep_all(server, songs)
    denied = iter([True, True])
    server.plan = lambda asked: (
        (403, {}, b"expired") if asked.path.startswith("/storage/") and next(denied, False) else None
    )
    assert songs.get(url(server)) == SMALL
    assert len(server.batches) == 2


@pytest.mark.parametrize("size", [3, 9 << 20])
def test_a_denied_object_costs_its_own_path_only(songs: LfsWorld, server: LfsServer, size: int) -> None:
    songs.make({"denied.bin": b"d" * size, "given.bin": b"given"})
    keep_all(server, songs)
    oid = oid_of(b"d" * size)
    server.plan = lambda asked: (403, {}, b"no") if asked.path == f"/storage/{oid}" else None
    found = songs.get(url(server))
    assert found["given.bin"] == b"given"
    error = error_of(found["denied.bin"])
    assert isinstance(error, RemoteDenied)
    assert "denied.bin" in error.message
    assert oid[:12] in error.message


@pytest.mark.parametrize("size", [3, 9 << 20])
def test_one_object_that_the_server_fails_at_does_not_stop_the_others(
    songs: LfsWorld, server: LfsServer, size: int
) -> None:
    songs.make({"bad.bin": b"b" * size, "good.bin": b"g" * size})
    keep_all(server, songs)
    oid = oid_of(b"b" * size)
    server.plan = lambda asked: (500, {"Retry-After": "0"}, b"") if asked.path == f"/storage/{oid}" else None
    found = songs.get(url(server))
    assert found["good.bin"] == b"g" * size
    assert isinstance(error_of(found["bad.bin"]), RemoteBusy)


def test_a_server_that_fails_at_every_object_is_given_up(songs: LfsWorld, server: LfsServer) -> None:
    songs.make({f"{number}.bin": b"%d" % number for number in range(40)})
    keep_all(server, songs)
    server.plan = lambda asked: (500, {"Retry-After": "0"}, b"") if asked.path.startswith("/storage/") else None
    for outcome in songs.get(url(server)).values():
        assert isinstance(error_of(outcome), RemoteBusy)
    assert len(server.downloads) < 80
