"""Objects of Git LFS from a server, over the batch API."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from datatool.errors import (
    DamageFound,
    DatatoolError,
    PartlyDone,
    RemoteBusy,
    RemoteDenied,
    RemoteError,
    RemoteUnreachable,
    UnsafeInput,
    UsageError,
)
from registry.lfs_world import LfsWorld, oid_of
from repositories import git
from servers.lfs import Asked, Json, LfsServer, lfs_server

SMALL = {"a.bin": b"one", "data/b.bin": b"two" * 1000}


@pytest.fixture
def songs(tmp_path: Path) -> LfsWorld:
    return LfsWorld(top=tmp_path)


@pytest.fixture
def server(songs: LfsWorld) -> Iterator[LfsServer]:
    with lfs_server(songs.served) as server:
        yield server


def url(server: LfsServer) -> str:
    return f"{server.url}/songs.git"


def keep_all(server: LfsServer, songs: LfsWorld) -> None:
    for data in songs.contents.values():
        server.keep(data)


def error_of(outcome: bytes | DatatoolError) -> DatatoolError:
    assert isinstance(outcome, DatatoolError), outcome
    return outcome


def helper(songs: LfsWorld, *, password: str = "right") -> Path:
    """A credential helper of the user's that notes what it is asked."""
    log = songs.top / "helper.log"
    script = songs.top / "helper"
    script.write_text(
        f"#!/bin/sh\n{{ echo \"$1\"; cat; echo; }} >> '{log}'\n"
        f'[ "$1" = get ] && printf "username=me\\npassword={password}\\n"\nexit 0\n'
    )
    script.chmod(0o755)
    git(songs.top, "config", "--global", "credential.helper", str(script))
    return log


@pytest.fixture(autouse=True)
def _own_git_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test sets in the user's git configuration is its own."""
    mine = tmp_path / "gitconfig"
    mine.write_bytes(Path(os.environ["GIT_CONFIG_GLOBAL"]).read_bytes())
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(mine))


def test_objects_come_from_the_server_of_the_repository(songs: LfsWorld, server: LfsServer) -> None:
    songs.make(SMALL)
    keep_all(server, songs)
    assert songs.get(url(server)) == SMALL
    assert len(server.batches) == 1
    assert len(server.downloads) == 2
    question = server.batches[0]
    assert question.path == "/songs.git/info/lfs/objects/batch"
    assert question.headers["accept"] == "application/vnd.git-lfs+json"
    assert question.body is not None
    assert question.body["transfers"] == ["basic"]


def test_what_is_in_the_cache_already_is_not_asked_for(songs: LfsWorld, server: LfsServer) -> None:
    songs.make(SMALL)
    keep_all(server, songs)
    songs.get(url(server))
    server.asked.clear()
    assert songs.get(url(server)) == SMALL
    assert server.batches == []
    assert server.downloads == []


def test_two_hundred_and_fifty_objects_take_three_questions(songs: LfsWorld, server: LfsServer) -> None:
    many = {f"{number:03}.bin": b"%d" % number for number in range(250)}
    songs.make(many)
    keep_all(server, songs)
    assert songs.get(url(server)) == many
    assert [len(asked.body["objects"]) for asked in server.batches if asked.body] == [100, 100, 50]
    assert len(server.downloads) == 250


def test_one_content_at_two_paths_is_downloaded_once(songs: LfsWorld, server: LfsServer) -> None:
    songs.make({"a.bin": b"same", "b.bin": b"same"})
    keep_all(server, songs)
    assert songs.get(url(server)) == {"a.bin": b"same", "b.bin": b"same"}
    assert len(server.downloads) == 1


def test_a_large_object_is_written_as_it_comes(songs: LfsWorld, server: LfsServer) -> None:
    large = {"large.bin": os.urandom(9 << 20)}
    songs.make(large)
    keep_all(server, songs)
    assert songs.get(url(server)) == large


def test_a_very_large_object_comes_in_parts(songs: LfsWorld, server: LfsServer) -> None:
    large = {"large.bin": os.urandom(1 << 20) * 40}
    songs.make(large)
    keep_all(server, songs)
    assert songs.get(url(server)) == large
    assert len(server.downloads) > 1


def test_a_missing_object_costs_its_own_path_only(songs: LfsWorld, server: LfsServer) -> None:
    songs.make(SMALL)
    server.keep(b"one")
    found = songs.get(url(server))
    assert found["a.bin"] == b"one"
    error = error_of(found["data/b.bin"])
    assert isinstance(error, PartlyDone)
    assert "data/b.bin" in error.message
    assert oid_of(SMALL["data/b.bin"])[:12] in error.message
    assert f"{url(server)}/info/lfs" in error.message
    assert "Object does not exist" in error.message


@pytest.mark.parametrize(("code", "kind"), [(403, RemoteDenied), (410, PartlyDone), (422, RemoteError)])
def test_what_the_server_refuses_by_name_costs_its_own_path_only(
    songs: LfsWorld, server: LfsServer, code: int, kind: type[DatatoolError]
) -> None:
    songs.make(SMALL)
    keep_all(server, songs)
    bad = oid_of(b"one")

    def action(oid: str, answer: Json) -> Json:
        return {"oid": oid, "size": 3, "error": {"code": code, "message": "no\x1b[2J"}} if oid == bad else answer

    server.action = action
    found = songs.get(url(server))
    assert found["data/b.bin"] == SMALL["data/b.bin"]
    error = error_of(found["a.bin"])
    assert isinstance(error, kind)
    assert "\x1b" not in error.message


def test_an_object_that_is_gone_from_the_storage_costs_its_own_path_only(songs: LfsWorld, server: LfsServer) -> None:
    songs.make(SMALL)
    keep_all(server, songs)
    bad = oid_of(b"one")
    server.plan = lambda asked: (404, {}, b"") if asked.path == f"/storage/{bad}" else None
    found = songs.get(url(server))
    assert found["data/b.bin"] == SMALL["data/b.bin"]
    assert isinstance(error_of(found["a.bin"]), PartlyDone)


@pytest.mark.parametrize("size", [100, 9 << 20])
def test_no_wrong_byte_passes(songs: LfsWorld, server: LfsServer, size: int) -> None:
    songs.make({"good.bin": b"good", "bad.bin": b"x" * size})
    keep_all(server, songs)
    oid = oid_of(b"x" * size)
    server.objects[oid] = b"x" * (size - 1) + b"y"
    found = songs.get(url(server))
    assert found["good.bin"] == b"good"
    assert isinstance(error_of(found["bad.bin"]), DamageFound)
    assert not songs.cache.has(oid)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [b"longer than it was", b""])
def test_bytes_of_another_number_are_refused(songs: LfsWorld, server: LfsServer, wrong: bytes) -> None:
    songs.make({"a.bin": b"eight by"})
    server.objects[oid_of(b"eight by")] = wrong
    found = songs.get(url(server))
    assert isinstance(error_of(found["a.bin"]), DamageFound)


def test_bytes_that_were_wrong_once_are_asked_for_again(songs: LfsWorld, server: LfsServer) -> None:
    songs.make({"a.bin": b"right"})
    keep_all(server, songs)
    answers = iter([(200, {}, b"wrong")])
    server.plan = lambda asked: next(answers, None) if asked.path.startswith("/storage/") else None
    assert songs.get(url(server)) == {"a.bin": b"right"}


def test_a_busy_server_is_asked_again(songs: LfsWorld, server: LfsServer) -> None:
    songs.make(SMALL)
    keep_all(server, songs)
    answers = iter([(503, {"Retry-After": "0"}, b""), (429, {"Retry-After": "0"}, b"")])
    server.plan = lambda asked: (
        None
        if asked.path.startswith("/songs.git/info/refs")
        else (next(answers, None) if "/storage/" in asked.path or "/info/lfs/" in asked.path else None)
    )
    assert songs.get(url(server)) == SMALL


def test_a_batch_that_is_too_large_is_halved(songs: LfsWorld, server: LfsServer) -> None:
    many = {f"{number:03}.bin": b"%d" % number for number in range(20)}
    songs.make(many)
    keep_all(server, songs)

    def plan(asked: Asked) -> tuple[int, dict[str, str], bytes] | None:
        return (413, {}, b"") if asked.body is not None and len(asked.body["objects"]) > 5 else None

    server.plan = plan
    assert songs.get(url(server)) == many


def test_no_server_there_is_told_for_every_path(songs: LfsWorld, server: LfsServer) -> None:
    songs.make(SMALL)
    server.plan = lambda asked: (404, {}, b"<html>") if "/info/lfs/" in asked.path else None
    found = songs.get(url(server))
    for outcome in found.values():
        assert "no Git LFS server answers there" in error_of(outcome).message


@pytest.mark.parametrize(
    "answer",
    [b"<html>log in</html>", b"[]", b'{"objects": 1}', b'{"transfer": "tus", "objects": []}', b'{"objects": [1]}',
     b'{"objects": [{"oid": "../../etc/passwd"}]}', b'{"objects": [{"oid": "' + b"a" * 64 + b'", "actions": 3}]}',
     b'{"objects": [{"oid": "' + b"a" * 64 + b'", "actions": {"download": {"header": {"a": "b\\r\\nc"}}}}]}',
     b"[" * 100_000],
)  # fmt: skip
@pytest.mark.usefixtures("without_collection")
def test_an_answer_that_is_none_is_an_error(songs: LfsWorld, server: LfsServer, answer: bytes) -> None:
    songs.make({"a.bin": b"one"})
    server.plan = lambda asked: (200, {}, answer) if "/info/lfs/" in asked.path else None
    error = error_of(songs.get(url(server))["a.bin"])
    assert isinstance(error, RemoteError)
    assert "no answer of a Git LFS server" in error.message


def test_an_answer_without_end_is_given_up(songs: LfsWorld, server: LfsServer) -> None:
    songs.make({"a.bin": b"one"})
    server.plan = lambda asked: (200, {}, b" " * (5 << 20)) if "/info/lfs/" in asked.path else None
    assert "bytes" in error_of(songs.get(url(server))["a.bin"]).message


def test_an_object_that_the_answer_leaves_out_is_missing(songs: LfsWorld, server: LfsServer) -> None:
    songs.make({"a.bin": b"one"})
    server.plan = lambda asked: (200, {}, b'{"objects": []}') if "/info/lfs/" in asked.path else None
    assert isinstance(error_of(songs.get(url(server))["a.bin"]), PartlyDone)


def test_a_server_that_is_gone_is_unreachable(songs: LfsWorld) -> None:
    with lfs_server(songs.served) as server:
        songs.make(SMALL)
        catalog = songs.open(url(server))
        assert len(catalog.roots()) == 2
    for outcome in songs.bring(catalog).values():
        assert isinstance(error_of(outcome), RemoteUnreachable)


def test_offline_nobody_is_asked(songs: LfsWorld, server: LfsServer) -> None:
    songs.make(SMALL)
    songs.open(url(server)).roots()
    server.asked.clear()
    for outcome in songs.get(url(server), offline=True).values():
        assert isinstance(error_of(outcome), RemoteUnreachable)
    assert server.asked == []


# Logins


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


# Where a registry may send us


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
