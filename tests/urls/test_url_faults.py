"""What may go wrong with files at a URL, and what must not come from there."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
from contextlib import ExitStack, chdir
from pathlib import Path

import pytest

import needs
from datatool.errors import UsageError
from datatool.model.urls import secret_in
from datatool.remote.plain_url import lies_below, parse_plain_url
from datatool.remote.url import parse_url
from patience import LONG, started
from servers.fixtures import S3Server, SshServer
from servers.ports import free_port
from servers.tcp_proxy import TcpProxy
from urls.sources import NAMES, Source, directory_source, s3_source, ssh_source, web_source
from world import DATATOOL, World, executables, tree


@pytest.fixture
def here(world: World) -> Source:
    found = directory_source(world.top / "raw")
    found.fill()
    return found


@pytest.fixture(params=["directory", "sftp"])
def posix(request: pytest.FixtureRequest, world: World, tmp_path: Path) -> tuple[Source, Path]:
    """A place that has links and modes, and where it lies on this machine."""
    if request.param == "directory":
        return directory_source(tmp_path / "raw"), tmp_path / "raw"
    server: SshServer = request.getfixturevalue("sshd")
    source = ssh_source(server)
    source.greet(world)
    return source, Path(source.url.partition(server.host)[2])


def test_links_executables_and_empty_directories_come_along(world: World, posix: tuple[Source, Path]) -> None:
    source, directory = posix
    source.write("sub/run.sh", b"#!/bin/sh\n")
    (directory / "sub/run.sh").chmod(0o755)
    (directory / "link").symlink_to("sub/run.sh")
    (directory / "dirlink").symlink_to("sub")
    (directory / "nothing").mkdir()
    os.mkfifo(directory / "pipe")
    ran = world.ok("import-url", source.url, "data", *source.options)
    assert "pipe" in ran.err
    assert tree(world.root / "data") == {
        "sub/run.sh": b"#!/bin/sh\n",
        "link": "-> sub/run.sh",
        "dirlink": "-> sub",
        "nothing": None,
    }
    assert executables(world.root / "data") == {"sub/run.sh", "link"}


def test_the_url_itself_may_lead_through_a_link(world: World, posix: tuple[Source, Path]) -> None:
    source, directory = posix
    source.fill()
    for name, target in (("entry", directory), ("file", directory / "a.csv")):
        (directory.parent / name).symlink_to(target)
    around = source.url.rpartition("/")[0]
    world.ok("get-url", f"{around}/entry", world.top / "out", *source.options)
    assert tree(world.top / "out") == NAMES
    world.ok("get-url", f"{around}/file", world.top / "one", *source.options)
    assert (world.top / "one").read_bytes() == NAMES["a.csv"] and not (world.top / "one").is_symlink()


def test_a_link_that_leads_out_is_refused(world: World, here: Source) -> None:
    (Path(here.url) / "out").symlink_to("../../secret")
    ran = world.fails(7, "import-url", here.url, "data", "--json")
    assert ran.error["code"] == "unsafe_input"
    assert not world.exists("data") and not world.exists("data.dt")
    world.fails(7, "get-url", here.url, world.top / "out")


@pytest.mark.parametrize("key", ["a//b", "x/../../y", ".git/config", "deep/.datatool/config.yaml", "./x", "/x"])
def test_keys_that_could_be_written_elsewhere_are_refused(world: World, s3_server: S3Server, key: str) -> None:
    source = s3_source(s3_server)
    source.write("good", b"1")
    body = (
        "<?xml version='1.0' encoding='UTF-8'?><ListBucketResult><Name>b</Name><IsTruncated>false</IsTruncated>"
        f"<Contents><Key>raw/{key}</Key><Size>1</Size><ETag>&quot;a&quot;</ETag>"
        "<LastModified>2024-01-01T00:00:00.000Z</LastModified></Contents></ListBucketResult>"
    )
    s3_server.proxy.fault("answer", path="list-type=2", times=None, status=200, body=body.encode())
    before = world.tree()
    ran = world.fails(7, "import-url", f"{source.url}/", "data", *source.options, "--json")
    assert ran.error["code"] == "unsafe_input"
    world.fails(7, "get-url", f"{source.url}/", world.top / "out", *source.options)
    assert world.tree() == before and not (world.top / "out").exists()


def test_a_key_that_is_also_a_directory_is_refused(world: World, s3_server: S3Server) -> None:
    source = s3_source(s3_server)
    body = (
        "<?xml version='1.0' encoding='UTF-8'?><ListBucketResult><Name>b</Name><IsTruncated>false</IsTruncated>"
        + "".join(
            f"<Contents><Key>raw/{key}</Key><Size>0</Size><ETag>&quot;a&quot;</ETag>"
            "<LastModified>2024-01-01T00:00:00.000Z</LastModified></Contents>"
            for key in ("a", "a/b", "folder/")
        )
        + "</ListBucketResult>"
    )
    s3_server.proxy.fault("answer", path="list-type=2", times=None, status=200, body=body.encode())
    world.fails(1, "get-url", f"{source.url}/", world.top / "out", *source.options)


def test_an_update_reads_only_what_changed(world: World, s3_server: S3Server) -> None:
    source = s3_source(s3_server)
    source.fill()
    for n in range(20):
        source.write(f"many/{n:02}", b"%d" % n)
    world.ok("import-url", source.url, "raw", *source.options)
    world.commit()
    s3_server.reset()
    world.ok("update", *source.options)
    assert s3_server.proxy.counts() == {"GET": 1, "HEAD": 1}, "one look, one list"
    source.write("many/07", b"seven")
    s3_server.reset()
    world.ok("update", *source.options)
    assert s3_server.proxy.counts() == {"GET": 2, "HEAD": 1}, "and the one file that changed"
    assert world.read("raw/many/07") == b"seven"


def test_a_lost_or_damaged_memory_costs_only_time(world: World, here: Source) -> None:
    world.ok("import-url", here.url, "data")
    (memory,) = (world.cache / "remotes/urls").iterdir()
    for text in (b"", b"nonsense\n", memory.read_bytes()[:-20], b'{"datatool": "url-memory", "version": 2}\n'):
        memory.write_bytes(text)
        here.write("a.csv", os.urandom(50))
        world.ok("update")
        assert world.json("status")["clean"]
        assert tree(world.root / "data") == tree(Path(here.url))


def test_what_the_memory_names_but_the_cache_lost_is_read_again(world: World, here: Source) -> None:
    here.write("big", os.urandom(100_000))
    world.ok("import-url", here.url, "data")
    world.commit()
    for path in (world.cache / "objects").rglob("*"):
        if path.is_file():
            path.chmod(stat.S_IWUSR)
            path.unlink()
    world.ok("fetch", "data")
    (world.root / "data/big").unlink()
    world.ok("checkout", "data")
    assert tree(world.root / "data") == tree(Path(here.url))


def test_who_may_not_look_is_told_so_with_what_to_type(world: World, s3_server: S3Server) -> None:
    source = s3_source(s3_server)
    source.fill()
    settings = {**source.settings, "secret_access_key": "wrong"}
    options = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    ran = world.fails(6, "get-url", source.url, world.top / "out", *options, "--json")
    assert "wrong" not in ran.err and "NAME" not in ran.error["hint"] and "--set" in ran.error["hint"]


def test_one_file_that_is_denied_costs_only_itself_in_a_download_and_all_of_an_import(
    world: World, s3_server: S3Server
) -> None:
    source = s3_source(s3_server)
    source.fill()
    body = b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"
    s3_server.proxy.fault("answer", method="GET", path="/a.csv", times=None, status=403, body=body)
    ran = world.fails(4, "get-url", source.url, world.top / "out", *source.options, "--json")
    (got,) = ran.json["artifacts"]
    assert [item["path"] for item in got["failed"]] and not got["ok"]
    assert tree(world.top / "out") == {name: data for name, data in NAMES.items() if name != "a.csv"}
    world.fails(6, "import-url", source.url, "data", *source.options)
    assert not world.exists("data") and not world.exists("data.dt")


def test_a_broken_connection_is_made_again(world: World, sshd: SshServer, s3_server: S3Server) -> None:
    big = os.urandom(12 << 20)
    source = s3_source(s3_server)
    source.write("big", big)
    fault = s3_server.proxy.fault("cut", method="GET", path="/big", at=3_000_000)
    world.ok("get-url", source.at("big"), "from-s3", *source.options)
    assert fault.happened and world.read("from-s3") == big
    with TcpProxy(sshd.port) as proxy:
        remote = ssh_source(sshd, proxy=proxy)
        remote.greet(world)
        remote.write("big", big)
        cut = proxy.fault("cut", at=5_000_000)
        world.ok("get-url", remote.at("big"), "from-ssh", *remote.options)
        assert cut.happened and world.read("from-ssh") == big


def test_an_import_that_broke_off_goes_on_with_what_is_here(world: World, s3_server: S3Server) -> None:
    source = s3_source(s3_server)
    for n in range(30):
        source.write(f"f{n:02}", os.urandom(1000))
    s3_server.proxy.fault("cut", method="GET", path="/raw/f25", times=None)
    world.fails(6, "import-url", source.url, "data", *source.options, "-j", "1")
    s3_server.proxy.heal()
    s3_server.reset()
    world.ok("import-url", source.url, "data", *source.options, "-j", "1")
    assert s3_server.proxy.counts()["GET"] <= 7


@pytest.mark.parametrize("kind", ["s3", "http", "sftp"])
def test_ctrl_c_is_heard_at_once_though_nothing_moves(request: pytest.FixtureRequest, world: World, kind: str) -> None:
    big = os.urandom(1 << 20)
    with ExitStack() as stack:
        if kind == "sftp":
            sshd: SshServer = request.getfixturevalue("sshd")
            wire = stack.enter_context(TcpProxy(sshd.port))
            source, fault = ssh_source(sshd, proxy=wire), wire.fault("stall", at=100_000)
        else:
            server = request.getfixturevalue("s3_server" if kind == "s3" else "web_server")
            source = s3_source(server) if kind == "s3" else web_source(server)
            fault = server.proxy.fault("stall", method="GET", path="big", at=1000, times=None)
        source.greet(world)
        source.write("big", big)
        command = [*DATATOOL, "get-url", source.at("big"), "out", *source.options, "--set", "timeout=3600"]
        with started(command, cwd=world.root, env=world.env, stderr=subprocess.PIPE) as process:
            fault.happening.wait()
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=LONG)
            assert process.returncode == 130
    assert not world.exists("out")


def test_an_unknown_host_key_is_refused(world: World, sshd: SshServer) -> None:
    source = ssh_source(sshd)
    source.fill()
    ran = world.fails(6, "get-url", source.url, "out", *source.options, "--json")
    assert "known" in ran.error["message"]
    assert not world.exists("out")


def test_nobody_there_is_told_at_once(world: World) -> None:
    port = free_port()
    for url, options in (
        (f"http://127.0.0.1:{port}/x", []),
        (f"ssh://127.0.0.1:{port}/x", []),
        ("s3://bucket/x", ["--set", f"endpoint_url=http://127.0.0.1:{port}", "--set", "anonymous=true"]),
    ):
        world.fails(6, "get-url", url, "out", *options)


def test_a_file_that_may_not_be_read_is_named(world: World, here: Source) -> None:
    (Path(here.url) / "a.csv").chmod(0)
    ran = world.process("get-url", here.url, world.top / "out", before=needs.without_root_override())
    assert ran.code == 4, ran
    assert "a.csv" in ran.err


def test_a_socket_is_neither_a_file_nor_a_directory(world: World, tmp_path: Path) -> None:
    with chdir(tmp_path), socket.socket(socket.AF_UNIX) as server:  # the name of a socket is short
        server.bind("s")
    world.fails(1, "get-url", tmp_path / "s", "out")


def test_data_is_not_imported_from_where_it_is(world: World) -> None:
    world.write("data/x", b"1")
    for url, out in (("data", "data"), ("data", "data/inner"), ("data/x", "data/x"), (".", "data")):
        world.fails(7, "import-url", url, out)


def test_a_relative_path_is_relative_to_the_pointer(world: World, here: Source) -> None:
    (world.root / "deep/down").mkdir(parents=True)
    world.ok("import-url", "../../../raw/a.csv", cwd=world.root / "deep/down")
    assert b"url: ../../../raw/a.csv" in world.read("deep/down/a.csv.dt")
    world.ok("import-url", "../raw", "deep/raw")
    assert b"url: ../../raw\n" in world.read("deep/raw.dt")
    here.write("a.csv", b"news")
    world.ok("update", cwd=world.root / "deep")
    assert world.read("deep/down/a.csv") == world.read("deep/raw/a.csv") == b"news"


def test_the_nearest_remote_around_a_url_lends_its_settings(world: World, s3_server: S3Server) -> None:
    source = s3_source(s3_server)
    source.fill()
    bucket = source.url.rpartition("/")[0]
    wrong = ["--set", "endpoint_url=http://127.0.0.1:9", "--set", "anonymous=true"]
    world.ok("remote", "add", "far", bucket, *wrong)
    world.ok("remote", "add", "aside", f"{source.url}-other", *wrong)
    world.ok("remote", "add", "near", source.url, *source.options)
    world.ok("import-url", source.at("a.csv"))
    assert world.read("a.csv") == NAMES["a.csv"]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("s3://bucket/a::b?c#d%20", "s3://bucket/a::b?c#d%20"),
        ("file:///a%20b", "/a b"),
        ("/a/../b", "/b"),
        ("here", "/top/here"),
        ("../there", "/there"),
    ],
)
def test_urls_and_paths_are_understood(text: str, path: str) -> None:
    assert parse_plain_url(text, cwd=Path("/top")).path == path


@pytest.mark.parametrize("text", ["", " ", "zip://x::file:///y", "host:/path", "https://", "a\0b"])
def test_what_is_no_url_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError):
        parse_plain_url(text, cwd=Path("/top"))


@pytest.mark.parametrize(
    ("url", "top", "depth"),
    [
        ("s3://b/x/y", "s3://b", 0),
        ("s3://b/x/y", "s3a://b/x/", 1),
        ("s3://b/xy", "s3://b/x", None),
        ("s3://b2/x", "s3://b", None),
        ("sftp://h/a/b", "ssh://h/a", 1),
        ("ssh://h:2/a/b", "ssh://h/a", None),
        ("https://H/a/b?q=1", "https://h/a?token=1", 1),
        ("https://h/a/b", "http://h/a", None),
        ("/a/b", "/a", None),
    ],
)
def test_a_remote_lies_around_a_url_or_does_not(url: str, top: str, depth: int | None) -> None:
    root = Path("/top")
    assert lies_below(parse_plain_url(url, cwd=root), parse_url(top, root=root)) == depth


@pytest.mark.parametrize(
    ("url", "secret"),
    [
        ("https://me@h/x", None),
        ("https://me:pw@h/x", "a password"),
        ("https://h/x?id=3&page=2", None),
        ("https://h/x?X-Goog-Signature=a", "X-Goog-Signature"),
        ("https://h/x?sv=1&sig=a", "sig"),
        ("https://h/x?access_token=a", "access_token"),
        ("s3://b/x?sig=a", None),
        ("https://ghp_abcdefghijklmnop@h/x", "an access token"),
        ("https://first.last%40example.org@h/x", None),
        ("ssh://0123456789abcdefghij@h/x", None),
    ],
)
def test_secrets_in_urls_are_known(url: str, secret: str | None) -> None:
    assert secret_in(url) == secret
