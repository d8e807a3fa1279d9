"""Every server answers a raw client, what it was asked is written down, and nothing stays behind."""

from __future__ import annotations

import base64
import http.client
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from needs import ON_CI
from servers import programs
from servers.fixtures import OwnSshServer, S3Server, SshServer, WebServer
from servers.tcp_proxy import TcpProxy


@pytest.fixture(params=["s3_server", pytest.param("radosgw", marks=pytest.mark.slow)])
def any_s3(request: pytest.FixtureRequest) -> S3Server:
    server: S3Server = request.getfixturevalue(request.param)
    return server


def through_the_proxy(server: S3Server) -> Any:
    from servers.signing import RawS3

    return RawS3(
        port=server.proxy.port,
        access_key_id=server.access_key_id,
        secret_access_key=server.secret_access_key,
        region=server.region,
    )


def fetch(url: str, method: str = "GET", **headers: str) -> tuple[int, bytes]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    try:
        connection.request(method, parts.path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_s3_keeps_an_object_and_gives_a_part_of_it(any_s3: S3Server) -> None:
    bucket, client = any_s3.bucket(), through_the_proxy(any_s3)
    assert client.send("PUT", f"/{bucket}/a/name", b"0123456789").status == 200
    assert client.send("GET", f"/{bucket}/a/name").body == b"0123456789"
    part = client.send("GET", f"/{bucket}/a/name", headers={"Range": "bytes=2-4"})
    assert (part.status, part.body) == (206, b"234")
    assert client.send("HEAD", f"/{bucket}/a/name").headers["content-length"] == "10"
    assert client.send("GET", f"/{bucket}/other").status == 404
    assert b"<Key>a/name</Key>" in client.send("GET", f"/{bucket}?list-type=2").body


def test_s3_refuses_a_wrong_secret(any_s3: S3Server) -> None:
    bucket = any_s3.bucket()
    stranger = replace(through_the_proxy(any_s3), secret_access_key="guessed")
    assert stranger.send("PUT", f"/{bucket}/name", b"x").status == 403


def test_s3_requests_are_written_down(any_s3: S3Server) -> None:
    bucket, client = any_s3.bucket(), through_the_proxy(any_s3)
    assert any_s3.requests == []
    client.send("PUT", f"/{bucket}/name", b"12345")
    client.send("GET", f"/{bucket}/name?x-id=GetObject")
    put, get = any_s3.requests
    assert (put.method, put.target, put.status, put.bytes_up, put.bytes_down) == ("PUT", f"/{bucket}/name", 200, 5, 0)
    assert (get.method, get.query, get.status, get.bytes_up, get.bytes_down) == ("GET", "x-id=GetObject", 200, 0, 5)
    assert any_s3.proxy.counts() == {"GET": 1, "PUT": 1}
    assert any_s3.proxy.connections == 2
    any_s3.reset()
    assert any_s3.requests == []


def test_s3_can_be_made_to_fail(any_s3: S3Server) -> None:
    bucket, client = any_s3.bucket(), through_the_proxy(any_s3)
    fault = any_s3.proxy.fault("answer", status=503, headers={"Retry-After": "1"}, method="PUT")
    assert client.send("PUT", f"/{bucket}/name", b"x").status == 503
    assert client.send("GET", f"/{bucket}/name").status == 404
    assert client.send("PUT", f"/{bucket}/name", b"x").status == 200
    assert fault.happened == 1


def ssh(server: SshServer, *words: str, input: str | None = None) -> subprocess.CompletedProcess[str]:
    client = programs.require("ssh", "sftp")[words[0]]
    command = [client, "-F", str(server.ssh_config), *words[1:]]
    return subprocess.run(command, input=input, capture_output=True, text=True, timeout=60)


def test_ssh_lets_the_user_in(sshd: SshServer) -> None:
    done = ssh(sshd, "ssh", sshd.host, "echo", "hello")
    assert done.stdout == "hello\n", done.stderr


def test_sftp_writes_into_a_fresh_directory(sshd: SshServer, tmp_path: Path) -> None:
    (tmp_path / "source").write_text("content")
    directory = sshd.directory()
    done = ssh(sshd, "sftp", "-b", "-", sshd.host, input=f"put {tmp_path}/source {directory}/name\n")
    assert done.returncode == 0, done.stderr
    assert (directory / "name").read_text() == "content"


def test_ssh_lets_no_other_key_in(sshd: SshServer, tmp_path: Path) -> None:
    config = tmp_path / "ssh_config"
    config.write_text(sshd.ssh_config.read_text().replace(str(sshd.key), str(sshd.unknown_key)))
    done = ssh(replace(sshd, keys=config.parent), "ssh", sshd.host, "true")
    assert done.returncode == 255
    assert "Permission denied" in done.stderr


def test_ssh_works_through_a_proxy(sshd: SshServer) -> None:
    with TcpProxy(sshd.port) as proxy:
        assert ssh(sshd, "ssh", "-p", str(proxy.port), sshd.host, "true").returncode == 0
        fault = proxy.fault("cut", at=3000)
        assert ssh(sshd, "ssh", "-p", str(proxy.port), sshd.host, "true").returncode == 255
        assert fault.happened == 1
        assert proxy.connections[1].bytes_down == 3000


def test_a_changed_host_key_is_noticed(own_sshd: OwnSshServer) -> None:
    assert ssh(own_sshd, "ssh", own_sshd.host, "true").returncode == 0
    own_sshd.change_host_key()
    done = ssh(own_sshd, "ssh", own_sshd.host, "true")
    assert done.returncode == 255
    assert "Host key verification failed" in done.stderr


def test_connections_can_be_killed(own_sshd: OwnSshServer) -> None:
    client = programs.require("ssh")["ssh"]
    command = [client, "-F", str(own_sshd.ssh_config), own_sshd.host, "echo", "in;", "exec", "sleep", "600"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as session:
        assert session.stdout is not None
        assert session.stdout.readline() == "in\n"
        assert own_sshd.kill_connections() > 0
        assert session.wait(timeout=60) == 255
    assert ssh(own_sshd, "ssh", own_sshd.host, "true").returncode == 0


def test_a_stopped_sshd_refuses_connections(own_sshd: OwnSshServer) -> None:
    own_sshd.stop()
    assert ssh(own_sshd, "ssh", own_sshd.host, "true").returncode == 255


def test_the_web_server_serves_a_directory(web_server: WebServer) -> None:
    (web_server.directory / "name").write_bytes(b"0123456789")
    assert fetch(f"{web_server.url}/name") == (200, b"0123456789")
    assert fetch(f"{web_server.url}/other")[0] == 404
    assert fetch(f"{web_server.url}/name", Range="bytes=2-4") == (206, b"234")
    assert [(request.method, request.status, request.bytes_down) for request in web_server.requests][::2] == [
        ("GET", 200, 10),
        ("GET", 206, 3),
    ]


def test_the_web_server_can_do_without_ranges(web_server: WebServer) -> None:
    (web_server.directory / "name").write_bytes(b"0123456789")
    assert fetch(f"{web_server.url_without_ranges}/name", Range="bytes=2-4") == (200, b"0123456789")


def test_the_web_server_can_ask_for_a_password(web_server: WebServer) -> None:
    (web_server.directory / "name").write_bytes(b"0123456789")
    assert fetch(f"{web_server.url_with_password}/name")[0] == 401
    said = base64.b64encode(f"{web_server.user}:{web_server.password}".encode()).decode()
    assert fetch(f"{web_server.url_with_password}/name", Authorization=f"Basic {said}") == (200, b"0123456789")


def test_a_missing_server_skips_the_test_and_fails_it_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    programs.only_on_linux()
    monkeypatch.setenv(ON_CI, "true")
    with pytest.raises(pytest.fail.Exception, match="no-such-server"):
        programs.require("no-such-server")
    monkeypatch.delenv(ON_CI)
    with pytest.raises(pytest.skip.Exception, match="no-such-server"):
        programs.require("no-such-server")
