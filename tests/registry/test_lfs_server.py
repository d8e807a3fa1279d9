"""Objects of Git LFS from a server, over the batch API."""

from __future__ import annotations

import os

import pytest

from datatool.errors import DamageFound, DatatoolError, PartlyDone, RemoteDenied, RemoteError, RemoteUnreachable
from registry.lfs_serving import SMALL, error_of, keep_all, url
from registry.lfs_world import LfsWorld, oid_of
from servers.lfs import Asked, Json, LfsServer, lfs_server


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
