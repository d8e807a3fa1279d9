"""Single files from a web server, and what one may do wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from servers.fixtures import WebServer
from urls.sources import Source, web_source
from world import World

DATA = os.urandom(20 << 20)


@pytest.fixture(params=[True, False], ids=["ranges", "without-ranges"])
def web(request: pytest.FixtureRequest, web_server: WebServer) -> Source:
    return web_source(web_server, ranges=request.param)


@pytest.mark.parametrize("name", ["model.bin", "é ü 漢.txt", "100% #1?.txt"])
def test_a_file_may_have_any_name(world: World, web: Source, name: str) -> None:
    web.write(name, b"some bytes")
    done = world.json("get-url", web.at(name), f"{world.top}/there/")
    assert done["artifacts"][0]["out"].endswith(name)
    assert (world.top / "there" / name).read_bytes() == b"some bytes"


def test_a_file_costs_two_requests_and_an_update_without_news_one(
    world: World, web: Source, web_server: WebServer
) -> None:
    web.write("model.bin", DATA)
    world.ok("import-url", web.at("model.bin"))
    assert web_server.proxy.counts() == {"GET": 1, "HEAD": 1}
    assert world.read("model.bin") == DATA
    before = world.read("model.bin.dt")
    web_server.reset()
    assert world.json("update")["artifacts"][0]["changed"] is False
    assert web_server.proxy.counts() == {"HEAD": 1}
    assert world.read("model.bin.dt") == before


def test_an_update_follows_the_file(world: World, web: Source) -> None:
    web.write("model.bin", b"one")
    world.ok("import-url", web.at("model.bin"), "models/base.bin")
    world.commit()
    web.write("model.bin", b"two, longer")
    assert world.json("update", "--check")["artifacts"][0]["available"]
    assert world.json("update", "--dry-run")["artifacts"][0]["modified"] == 1
    assert world.json("update")["artifacts"][0]["changed"] is True
    assert world.read("models/base.bin") == b"two, longer"


def test_the_etag_of_the_server_is_kept(world: World, web_server: WebServer) -> None:
    (web_server.directory / "x").write_bytes(b"1")
    for etag, kept in (('"abc"', "abc"), ('W/"abc"', None)):
        web_server.proxy.fault("headers", times=None, headers={"ETag": etag})
        found = world.json("import-url", f"{web_server.url}/x", "--force")["artifacts"][0]["source"]["etag"]
        assert found == (kept or f"1-{int((web_server.directory / 'x').stat().st_mtime)}")
        web_server.proxy.heal()


def test_without_etag_and_date_the_bytes_are_compared(world: World, web_server: WebServer) -> None:
    (web_server.directory / "x").write_bytes(b"1")
    web_server.proxy.fault("headers", times=None, headers={"ETag": None, "Last-Modified": None})
    world.ok("import-url", f"{web_server.url}/x")
    before = world.read("x.dt")
    assert world.json("update", "--check")["artifacts"][0]["available"] == "unknown"
    assert world.json("update")["artifacts"][0]["changed"] is False
    assert world.read("x.dt") == before
    (web_server.directory / "x").write_bytes(b"2")
    assert world.json("update")["artifacts"][0]["changed"] is True
    assert world.read("x") == b"2"


def test_a_new_date_for_the_same_bytes_changes_only_the_pointer(world: World, web_server: WebServer) -> None:
    path = web_server.directory / "x"
    path.write_bytes(b"1")
    world.ok("import-url", f"{web_server.url}/x")
    world.write("x", b"edited, and not saved")
    os.utime(path, (1_500_000_000, 1_500_000_000))
    done = world.json("update")["artifacts"][0]
    assert (done["changed"], done["added"], done["modified"]) == (True, 0, 0)
    assert world.read("x") == b"edited, and not saved"


def test_a_redirect_is_followed(world: World, web_server: WebServer) -> None:
    (web_server.directory / "here").write_bytes(b"found")
    web_server.proxy.fault(
        "answer", times=None, path="/old$", status=302, headers={"Location": f"{web_server.url}/here"}
    )
    world.ok("get-url", f"{web_server.url}/old", "out")
    assert world.read("out") == b"found"


def test_a_connection_that_breaks_is_gone_on_with(world: World, web: Source, web_server: WebServer) -> None:
    web.write("model.bin", DATA)
    fault = web_server.proxy.fault("cut", method="GET", at=11_000_000)
    world.ok("get-url", web.at("model.bin"))
    assert fault.happened and web_server.proxy.counts()["GET"] == 2
    assert world.read("model.bin") == DATA


def test_a_body_that_is_always_cut_off_is_an_error_and_leaves_nothing(world: World, web_server: WebServer) -> None:
    (web_server.directory / "x").write_bytes(DATA[: 1 << 20])
    web_server.proxy.fault("cut", method="GET", at=1000, times=None)
    ran = world.fails(6, "import-url", f"{web_server.url}/x", "--json")
    assert "broke" in ran.error["message"]
    assert not world.exists("x") and not world.exists("x.dt")


def test_a_body_of_another_length_than_told_is_an_error(world: World, web_server: WebServer) -> None:
    (web_server.directory / "x").write_bytes(b"12345")
    web_server.proxy.fault("headers", method="HEAD", times=None, headers={"Content-Length": "4"})
    world.ok("get-url", f"{web_server.url}/x")  # then it goes by what GET says
    assert world.read("x") == b"12345"
    (world.root / "x").unlink()
    web_server.proxy.fault("headers", times=None, headers={"Content-Length": "50"})
    world.fails(6, "get-url", f"{web_server.url}/x")
    assert not world.exists("x")


def test_a_file_that_changes_while_it_is_read_is_read_again(world: World, web_server: WebServer) -> None:
    path = web_server.directory / "x"
    path.write_bytes(b"1" * (10 << 20))
    fault = web_server.proxy.fault("cut", method="GET", at=9_000_000)
    fresh = web_server.directory / "fresh"
    fresh.write_bytes(b"2" * (10 << 20))
    os.utime(fresh, (1_700_000_000, 1_700_000_000))  # nginx tells versions by size and second
    original = web_server.proxy._arrive

    def arrive(request: object) -> object:
        found = original(request)  # type: ignore[arg-type]
        if fault.happened and fresh.exists():
            os.replace(fresh, path)
        return found

    web_server.proxy._arrive = arrive  # type: ignore[method-assign, assignment]
    world.ok("get-url", f"{web_server.url}/x")
    assert set(world.read("x")) == {ord("2")}


def test_a_server_without_head_is_asked_for_the_first_byte(world: World, web_server: WebServer) -> None:
    (web_server.directory / "x").write_bytes(b"12345")
    (web_server.directory / "empty").write_bytes(b"")
    web_server.proxy.fault("answer", method="HEAD", times=None, status=405)
    world.ok("get-url", f"{web_server.url}/x")
    world.ok("get-url", f"{web_server.url}/empty")
    assert (world.read("x"), world.read("empty")) == (b"12345", b"")


def test_an_answer_of_unknown_length_is_read_to_its_end(world: World, web_server: WebServer) -> None:
    (web_server.directory / "x").write_bytes(DATA[: 9 << 20])
    web_server.proxy.fault("headers", method="HEAD", times=None, headers={"Content-Length": None})
    world.ok("import-url", f"{web_server.url}/x")
    assert world.read("x") == DATA[: 9 << 20]
    assert world.json("status")["clean"]


def test_what_is_missing_or_forbidden_has_its_exit_code(world: World, web_server: WebServer) -> None:
    world.fails(3, "get-url", f"{web_server.url}/nothing")
    (web_server.directory / "x").write_bytes(b"1")
    url = f"{web_server.url_with_password}/x"
    ran = world.fails(6, "get-url", url, "--json")
    assert ran.error["code"] == "remote_denied" and "--set user=…" in ran.error["hint"]
    world.ok("get-url", url, "--set", f"user={web_server.user}", "--set", f"password={web_server.password}")
    assert world.read("x") == b"1"


def test_a_password_or_signature_is_never_written_down(world: World, web_server: WebServer) -> None:
    (web_server.directory / "x").write_bytes(b"1")
    with_password = web_server.url_with_password.replace("://", "://reader:open%20sesame@") + "/x"
    for url in (with_password, f"{web_server.url}/x?X-Amz-Signature=abc", f"{web_server.url}/x?sig=abc&sv=1"):
        ran = world.fails(2, "import-url", url, "--json")
        assert "sesame" not in ran.err and "abc" not in ran.err
        assert not world.exists("x.dt")
        ran = world.ok("get-url", url, "--json")
        assert "sesame" not in ran.out and "abc" not in ran.out
        (world.root / "x").unlink()
    world.ok("import-url", f"{web_server.url}/x?version=3")
    assert b"?version=3" in world.read("x.dt")


def test_a_directory_and_a_fragment_are_refused(world: World, web_server: WebServer) -> None:
    (web_server.directory / "d").mkdir()
    ran = world.fails(3, "get-url", f"{web_server.url}/d", "--json")
    assert "single files" in ran.error["message"]
    world.fails(2, "get-url", f"{web_server.url}/a#b")


def test_offline_nothing_is_asked(world: World, web_server: WebServer, tmp_path: Path) -> None:
    world.fails(6, "--offline", "get-url", f"{web_server.url}/x")
    assert not web_server.requests
    (tmp_path / "local").write_bytes(b"1")
    world.ok("--offline", "get-url", tmp_path / "local")
