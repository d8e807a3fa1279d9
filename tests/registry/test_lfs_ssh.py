"""A Git LFS server that ssh leads to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from datatool.errors import DatatoolError, RemoteError
from datatool.git.lfs_ssh import SshPlace, parse_ssh
from registry.lfs_world import LfsWorld
from repositories import git
from servers.lfs import LfsServer

SMALL = {"a.bin": b"one", "data/b.bin": b"two" * 1000}


def fake_ssh(songs: LfsWorld, monkeypatch: pytest.MonkeyPatch, answer: str, *, code: int = 0) -> Path:
    """What stands in for ssh: git's own commands are run here, `git-lfs-authenticate` answers as the test says."""
    log = songs.top / "ssh.log"
    reply = songs.top / "reply"
    reply.write_text(answer)
    script = songs.top / "fake-ssh"
    script.write_text(
        "#!/bin/sh\n"
        f'for word in "$@"; do last=$word; echo "$word" >> \'{log}\'; done\n'
        f"case $last in git-lfs-authenticate*) cat '{reply}'; exit {code} ;; *) exec sh -c \"$last\" ;; esac\n"
    )
    script.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", f"'{script}'")
    monkeypatch.setenv("GIT_SSH_VARIANT", "ssh")
    return log


def test_the_host_says_where_its_server_is_and_gives_the_right_to_read(
    songs: LfsWorld, server: LfsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    songs.make(SMALL)
    for data in SMALL.values():
        server.keep(data)
    server.login = ("me", "right")
    answer = {"href": f"{server.url}/api/", "header": {"Authorization": "Basic bWU6cmlnaHQ="}, "expires_in": 600}
    log = fake_ssh(songs, monkeypatch, json.dumps(answer))
    url = f"ssh://git@127.0.0.1:2222{songs.served}/songs.git"
    found = songs.get(url, trusted=True)
    assert found == SMALL
    assert [asked.path for asked in server.batches] == ["/api/objects/batch"]
    words = log.read_text().splitlines()
    assert f"git-lfs-authenticate '{songs.served}/songs.git' download" in words
    assert words[words.index("-p") + 1] == "2222"
    assert "git@127.0.0.1" in words


def test_what_ssh_leads_to_may_not_be_inside_this_network_at_another_host(
    songs: LfsWorld, server: LfsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    songs.make(SMALL)
    fake_ssh(songs, monkeypatch, json.dumps({"href": server.url.replace("http:", "https:"), "header": {}}))
    for outcome in songs.get(f"ssh://git@songs.invalid{songs.served}/songs.git").values():
        assert isinstance(outcome, DatatoolError)
        assert "inside this network" in outcome.message
    assert server.asked == []


@pytest.mark.parametrize(("answer", "code"), [("git-lfs-authenticate: not found", 127), ("not json", 0)])
def test_without_it_the_server_is_looked_for_at_the_same_host_and_ssh_is_quoted(
    songs: LfsWorld, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    songs.make({"a.bin": b"one"})
    fake_ssh(songs, monkeypatch, answer, code=code)
    error = songs.get(f"git@songs.invalid:{songs.served}/songs.git")["a.bin"]
    assert isinstance(error, RemoteError)
    assert f"https://songs.invalid{songs.served}/songs.git/info/lfs" in error.message
    assert "ssh had failed" in error.message


def test_a_command_in_a_repositorys_configuration_is_not_run(songs: LfsWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    songs.make({"a.bin": b"one"})
    fake_ssh(songs, monkeypatch, "{}", code=1)
    pwned = songs.top / "pwned"
    git(songs.work, "config", "core.sshCommand", f"touch '{pwned}' #")
    git(songs.work, "remote", "add", "origin", "git@songs.invalid:team/songs.git")
    assert isinstance(songs.get(songs.work)["a.bin"], RemoteError)
    assert not pwned.exists()


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("git@h.example:team/x.git", SshPlace(user="git", host="h.example", port="", path="team/x.git")),
        ("h.example:/srv/x", SshPlace(user="", host="h.example", port="", path="/srv/x")),
        ("ssh://h:22/x", SshPlace(user="", host="h", port="22", path="/x")),
        ("git+ssh://me@[::1]/x", SshPlace(user="me", host="::1", port="", path="/x")),
        ("ssh://-oProxyCommand=id/x", None),
        ("-oProxyCommand=id:x", None),
        ("-oProxyCommand=id@h:x", None),
        ("ssh://`id`/x", None),
        ("ssh://h$(id)/x", None),
        ("ssh://h/x\ny", None),
        ("https://h/x", None),
        ("/srv/x", None),
    ],
)
def test_only_a_plain_host_becomes_part_of_a_command(url: str, place: SshPlace | None) -> None:
    assert parse_ssh(url) == place
