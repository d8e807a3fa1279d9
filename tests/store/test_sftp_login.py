"""Getting in at an SSH server: host keys, the user's keys, the agent, the user's ssh configuration."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from other_ssh_server import know, other_ssh_server
from sftp_world import SftpWorld, reconfigure, world_at

import needs
from datatool.errors import RemoteBusy, RemoteDenied, RemoteError, RemoteUnreachable, UsageError
from datatool.remote.stores.sftp_host_keys import known_hosts
from datatool.remote.stores.sftp_login import find_login, jump_login
from datatool.remote.stores.sftp_place import parse_place
from datatool.remote.url import parse_url
from servers.fixtures import OwnSshServer


def works(world: SftpWorld, **how: object) -> None:
    """Such a store can be written to and read from."""
    store = world.store(**how)  # type: ignore[arg-type]
    store.put("index/a", b"got in")
    assert store.get("index/a") == b"got in"


def refusal(world: SftpWorld, **how: object) -> RemoteError:
    """The error that such a store meets."""
    with pytest.raises(RemoteError) as caught:
        world.store(**how).get("a")  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return caught.value


def shell(world: SftpWorld, command: str) -> None:
    """Run a command that a hint told, as the user would."""
    subprocess.run(["sh", "-c", command], env={**os.environ, "HOME": str(world.home)}, check=True, capture_output=True)


# Host keys


def test_an_unknown_host_key_is_refused_and_the_hint_mends_that(world: SftpWorld) -> None:
    (world.ssh / "known_hosts").unlink()
    error = refusal(world)
    assert isinstance(error, RemoteDenied)
    assert "host key" in str(error) and "not known" in str(error) and "SHA256:" in str(error)
    assert error.hint is not None and "compare the fingerprint" in error.hint
    command = f"ssh-keyscan -p {world.server.port} {world.server.host} >> ~/.ssh/known_hosts"
    assert error.hint.endswith(f": {command}")
    needs.tool("ssh-keyscan")
    shell(world, command)
    works(world)


def test_the_fingerprint_that_is_told_is_the_servers(world: SftpWorld) -> None:
    (world.ssh / "known_hosts").write_text("")
    shown = subprocess.run(
        ["ssh-keygen", "-l", "-f", world.server.keys / "host.pub"], capture_output=True, text=True, check=True
    )
    assert shown.stdout.split()[1] in str(refusal(world))


def test_a_changed_host_key_is_refused_and_told_apart(
    own_sshd: OwnSshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with world_at(own_sshd, tmp_path) as world:
        monkeypatch.setenv("HOME", str(world.home))
        (world.ssh / "known_hosts").write_text(own_sshd.known_hosts.read_text().splitlines()[0] + "\n")
        works(world)
        own_sshd.change_host_key()
        error = refusal(world)
        assert isinstance(error, RemoteDenied)
        assert "host key" in str(error) and "CHANGED" in str(error)
        assert error.hint is not None and "fingerprint" in error.hint
        command = error.hint.partition(": ")[2]
        assert f"ssh-keygen -R '[{own_sshd.host}]:{own_sshd.port}'" in command
        # ssh-keygen looks for its file in the home that the system knows, not in $HOME
        shell(world, command.replace("ssh-keygen", "ssh-keygen -f ~/.ssh/known_hosts"))
        works(world)


def test_a_key_of_another_kind_than_the_known_one_is_refused(world: SftpWorld, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", tmp_path / "other"], check=True)
    kind, key, *_ = (tmp_path / "other.pub").read_text().split()
    (world.ssh / "known_hosts").write_text(f"[{world.server.host}]:{world.server.port} {kind} {key}\n")
    error = refusal(world)
    assert isinstance(error, RemoteDenied)
    assert "host key" in str(error) and "CHANGED" in str(error)


def test_a_revoked_key_is_refused(world: SftpWorld) -> None:
    kind, key, *_ = (world.server.keys / "host.pub").read_text().split()
    with (world.ssh / "known_hosts").open("a") as file:
        file.write(f"@revoked * {kind} {key}\n")
    error = refusal(world)
    assert isinstance(error, RemoteDenied)
    assert "revoked" in str(error)


def test_hashed_and_commented_and_broken_lines_are_read_as_ssh_does(world: SftpWorld) -> None:
    needs.tool("ssh-keygen")
    kind, key, *_ = (world.server.keys / "host.pub").read_text().split()
    file = world.ssh / "known_hosts"
    file.write_text(f"[{world.server.host}]:{world.server.port} {kind} {key} a comment\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", file], check=True, capture_output=True)
    assert world.server.host not in file.read_text()
    file.write_text(f"# a comment\n\nbroken\n@unknown marker x\n|1|bad|hash ssh-ed25519 AAAA\n{file.read_text()}")
    works(world)


def test_a_certificate_authority_may_vouch_for_a_server(
    own_sshd: OwnSshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs.tool("ssh-keygen")
    with world_at(own_sshd, tmp_path) as world:
        monkeypatch.setenv("HOME", str(world.home))
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "ca"], check=True)
        sign = ["ssh-keygen", "-q", "-s", tmp_path / "ca", "-I", "host", "-h", "-n", own_sshd.host]
        host = own_sshd.keys / "host.pub"
        subprocess.run([*sign, host], check=True)
        certificate = own_sshd.keys / "host-cert.pub"
        reconfigure(own_sshd, f"HostCertificate {certificate}\n")
        authority = (tmp_path / "ca.pub").read_text()
        (world.ssh / "known_hosts").write_text(f"@cert-authority * {authority}")
        works(world)
        (world.ssh / "known_hosts").write_text("")
        assert "host key" in str(refusal(world))


@pytest.mark.parametrize("files", ["none", "/dev/null"])
def test_no_configuration_turns_the_check_of_host_keys_off(world: SftpWorld, files: str) -> None:
    world.configure(
        f"Host *\n  StrictHostKeyChecking no\n  UserKnownHostsFile {files}\n  GlobalKnownHostsFile /dev/null\n"
    )
    (world.ssh / "known_hosts").write_text("")
    assert "host key" in str(refusal(world))


def test_known_hosts_of_the_configuration_are_used_and_named(world: SftpWorld) -> None:
    (world.ssh / "known_hosts").rename(world.ssh / "lab_hosts")
    world.configure("Host *\n  UserKnownHostsFile ~/.ssh/lab_hosts\n")
    works(world)
    (world.ssh / "lab_hosts").write_text("")
    error = refusal(world)
    assert error.hint is not None and ">> ~/.ssh/lab_hosts" in error.hint


def test_files_that_are_missing_know_nobody(tmp_path: Path) -> None:
    assert known_hosts([str(tmp_path / "nowhere")]).match("host", "", None)[0] == []


# The user's keys


def test_a_wrong_key_is_told_with_what_was_tried(world: SftpWorld) -> None:
    error = refusal(world, settings={**world.server.settings(), "keyfile": str(world.server.unknown_key)})
    assert isinstance(error, RemoteDenied)
    assert f"{world.server.user}@{world.server.host}:{world.server.port}" in str(error)
    assert str(world.server.unknown_key) in str(error)
    assert error.hint is not None
    assert f"ssh -p {world.server.port} {world.server.user}@{world.server.host}" in error.hint


def test_without_any_key_that_is_told(world: SftpWorld) -> None:
    error = refusal(world, settings={"port": str(world.server.port), "user": world.server.user})
    assert isinstance(error, RemoteDenied)
    assert "tried: nothing" in str(error)


def test_a_key_file_that_is_missing_is_told(world: SftpWorld) -> None:
    error = refusal(world, settings={**world.server.settings(), "keyfile": "~/.ssh/nothing"})
    assert isinstance(error, RemoteDenied)
    assert "~/.ssh/nothing" in str(error)


def test_the_usual_key_files_need_not_be_named(world: SftpWorld) -> None:
    shutil.copy(world.server.key, world.ssh / "id_ed25519")
    works(world, settings={"port": str(world.server.port), "user": world.server.user})


def test_a_key_with_a_passphrase_is_told_and_where_it_goes(world: SftpWorld) -> None:
    shutil.copy(world.server.key, world.ssh / "locked")
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "secret", "-f", world.ssh / "locked"], check=True)
    error = refusal(world, settings={**world.server.settings(), "keyfile": "~/.ssh/locked"})
    assert isinstance(error, RemoteDenied)
    assert "~/.ssh/locked needs a passphrase" in str(error)
    assert error.hint is not None and error.hint.startswith("ssh-add ~/.ssh/locked")


def test_a_password_lets_the_user_in_and_a_wrong_one_is_never_shown(world: SftpWorld, tmp_path: Path) -> None:
    with other_ssh_server() as server:
        know(server, world.home)
        url = f"ssh://{server.host}:{server.port}{tmp_path}/remote"
        works(world, url=url, settings=server.settings)
        error = refusal(world, url=url, settings={**server.settings, "password": "not that one"})
        assert isinstance(error, RemoteDenied)
        assert "tried: the password" in str(error)
        assert "not that one" not in f"{error} {error.hint} {error.__cause__}"
        world.close()


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A real ssh-agent without keys."""
    socket = tmp_path / "agent"
    process = subprocess.Popen([needs.tool("ssh-agent"), "-D", "-a", socket], stdout=subprocess.DEVNULL)
    try:
        for _ in range(500):
            if socket.exists():
                break
            process.poll() or subprocess.run(["sleep", "0.01"], check=True)
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        yield
    finally:
        process.terminate()
        process.wait()


@pytest.mark.usefixtures("agent")
def test_the_agent_lets_the_user_in(world: SftpWorld) -> None:
    needs.tool("ssh-add")
    settings = {"port": str(world.server.port), "user": world.server.user}
    subprocess.run(["ssh-add", "-q", world.server.unknown_key], check=True)
    error = refusal(world, settings=settings)
    assert "the agent's 1 key" in str(error)
    subprocess.run(["ssh-add", "-q", world.server.key], check=True)
    works(world, settings=settings)


@pytest.mark.usefixtures("agent")
def test_the_agent_unlocks_the_key_file_that_was_named(world: SftpWorld) -> None:
    needs.tool("ssh-add")
    shutil.copy(world.server.key, world.ssh / "locked")
    shutil.copy(f"{world.server.key}.pub", world.ssh / "locked.pub")
    subprocess.run(["ssh-add", "-q", world.server.key], check=True)
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "secret", "-f", world.ssh / "locked"], check=True)
    works(world, settings={**world.server.settings(), "keyfile": "~/.ssh/locked"})


@pytest.mark.usefixtures("agent")
def test_a_key_file_that_was_named_is_not_drowned_by_the_agents_keys(
    own_sshd: OwnSshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs.tool("ssh-add")
    reconfigure(own_sshd, "MaxAuthTries 3", instead_of="MaxAuthTries 20")
    for n in range(5):
        key = tmp_path / f"key{n}"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        subprocess.run(["ssh-add", "-q", key], check=True)
    with world_at(own_sshd, tmp_path) as world:
        monkeypatch.setenv("HOME", str(world.home))
        works(world)
        error = refusal(world, settings={"port": str(own_sshd.port), "user": own_sshd.user})
        assert isinstance(error, RemoteDenied)
        assert "the agent's 5 keys" in str(error)


# The user's ssh configuration


def test_an_alias_with_everything_in_it_is_honoured(world: SftpWorld) -> None:
    world.configure(
        f"Host LabData\n  HostName {world.server.host}\n  Port {world.server.port}\n  User {world.server.user}\n"
        f"  IdentityFile ~/.ssh/is-missing\n  IdentityFile {world.server.key}\n  IdentitiesOnly yes\n"
        "  Compression yes\n  RequestTTY force\n  RemoteCommand echo hello\n  SendEnv LANG\n  ForwardAgent yes\n"
    )
    directory = world.server.directory()
    works(world, url=f"ssh://LabData{directory}", settings={})
    with pytest.raises(RemoteError):
        world.store(url=f"ssh://labdata{directory}", settings={}, timeout=4).get("a")


def test_a_hint_uses_the_alias_whose_configuration_counts(world: SftpWorld) -> None:
    world.configure(
        f"Host lab\n  HostName {world.server.host}\n  Port {world.server.port}\n  User {world.server.user}\n"
        f"  IdentityFile {world.server.unknown_key}\n  IdentitiesOnly yes\n"
    )
    error = refusal(world, url=f"ssh://lab{world.server.directory()}", settings={})
    assert f"ssh -p {world.server.port} {world.server.user}@lab must work by itself" in (error.hint or "")


def test_the_key_of_an_alias_is_looked_for_under_that_name(world: SftpWorld) -> None:
    kind, key, *_ = (world.server.keys / "host.pub").read_text().split()
    world.configure(f"Host lab\n  HostName {world.server.host}\n  HostKeyAlias lab-key\n")
    (world.ssh / "known_hosts").write_text(f"lab-key {kind} {key}\n")
    directory = world.server.directory()
    works(world, url=f"ssh://lab{directory}")
    (world.ssh / "known_hosts").write_text("")
    error = refusal(world, url=f"ssh://lab{directory}")
    assert error.hint is not None and error.hint.endswith(": ssh lab exit")


def test_a_host_can_be_reached_through_another(world: SftpWorld) -> None:
    server = world.server
    world.configure(
        f"Host jump\n  HostName {server.host}\n  Port {server.port}\n  User {server.user}\n"
        f"  IdentityFile ~/.ssh/is-missing\n  IdentityFile {server.key}\n"
        f"Host inner\n  HostName {server.host}\n  ProxyJump jump,{server.user}@middle:{server.port}\n"
        f"Host middle\n  HostName {server.host}\n  IdentityFile {server.key}\n"
    )
    directory = server.directory()
    works(world, url=f"ssh://inner{directory}")
    world.close()
    (world.ssh / "known_hosts").write_text("")
    error = refusal(world, url=f"ssh://inner{directory}")
    assert "host key" in str(error)


def test_a_jump_that_leads_back_to_itself_ends(world: SftpWorld) -> None:
    world.configure("Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n")
    assert "circle" in str(refusal(world, url="ssh://a/x"))


def test_a_jump_names_user_and_port() -> None:
    for written, expected in {
        "host": (None, "host"),
        "me@host:2200": (2200, "host"),
        "me@[::1]:2200": (2200, "::1"),
        "ssh://me@host:2200": (2200, "host"),
    }.items():
        login = jump_login(written, shown="ssh://x/y")
        assert (login.name.host, login.name.port) == (expected[1], expected[0] or 22)
        assert "@" not in written or login.user == "me"


def test_a_command_may_make_the_connection(world: SftpWorld) -> None:
    connector = world.home / "connect.py"
    connector.write_text(
        "import os, socket, sys, threading\n"
        "s = socket.create_connection((sys.argv[1], int(sys.argv[2])))\n"
        "def up():\n"
        "    while data := os.read(0, 65536): s.sendall(data)\n"
        "threading.Thread(target=up, daemon=True).start()\n"
        "while data := s.recv(65536):\n"
        "    while data: data = data[os.write(1, data):]\n"
    )
    command = " ".join(map(shlex.quote, (sys.executable, str(connector))))
    world.configure(f"Host lab\n  HostName {world.server.host}\n  ProxyCommand {command} %h %p\n")
    works(world, url=f"ssh://lab{world.server.directory()}")


def test_a_command_that_cannot_be_run_is_told_as_the_one_of_the_configuration(world: SftpWorld) -> None:
    world.configure(f"Host lab\n  HostName {world.server.host}\n  ProxyCommand /no/such/program %h %p\n")
    error = refusal(world, url=f"ssh://lab{world.server.directory()}")
    assert "the ProxyCommand in ~/.ssh/config can't be run: No such file" in str(error)


def test_a_configuration_that_cannot_be_read_is_told_with_its_line(world: SftpWorld) -> None:
    world.configure("Host *\n  Port many\n")
    error = refusal(world, settings={})
    assert "config line 2" in str(error)


# Nobody there


def test_a_port_that_refuses_is_told(own_sshd: OwnSshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world_at(own_sshd, tmp_path) as world:
        monkeypatch.setenv("HOME", str(world.home))
        works(world)
        store = world.store()
        store.put("a", b"")
        own_sshd.stop()
        error = refusal(world)
        assert isinstance(error, RemoteUnreachable) and not isinstance(error, RemoteBusy)
        assert "refused" in str(error)
        for _ in range(2):
            with pytest.raises(RemoteBusy):  # it was there a moment ago
                store.get("a")


def test_a_host_that_has_no_address_is_told(world: SftpWorld) -> None:
    error = refusal(world, url="ssh://no-such-host.invalid/x", timeout=6)
    assert isinstance(error, RemoteUnreachable)


def test_a_name_that_takes_too_long_to_be_looked_up_is_told(world: SftpWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    look_up = socket.getaddrinfo
    over = threading.Event()

    def slowly(host: str, *rest: Any, **more: Any) -> Any:
        if host == "slow.invalid":
            over.wait(60)
        return look_up(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", slowly)
    error = refusal(world, url="ssh://slow.invalid/x", timeout=0.4)
    over.set()
    assert isinstance(error, RemoteUnreachable)
    assert "no answer" in str(error)


def test_a_port_where_nobody_speaks_is_told_in_time(world: SftpWorld) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        error = refusal(world, settings=world.server.settings(port=port), timeout=1)
    assert isinstance(error, RemoteUnreachable)
    assert "no answer" in str(error)


# What a URL may be


@pytest.mark.parametrize(
    ("url", "host", "port", "user", "path"),
    [
        ("ssh://host/srv/data", "host", None, None, b"/srv/data"),
        ("sftp://me@Host.example.org:2200/srv//data/./x/", "Host.example.org", 2200, "me", b"/srv/data/x"),
        ("ssh://host/~/data", "host", None, None, b"./data"),
        ("ssh://host/~", "host", None, None, b"."),
        ("ssh://host/", "host", None, None, b""),
        ("ssh://[2001:db8:0:0:1:0:0:1]:2200/x", "2001:db8::1:0:0:1", 2200, None, b"/x"),
        ("ssh://host/with%20space%2F%C3%A4", "host", None, None, b"/with space/\xc3\xa4"),
        ("ssh://dom%5Cme@host/x", "host", None, "dom\\me", b"/x"),
    ],
)
def test_a_url_names_a_place(url: str, host: str, port: int | None, user: str | None, path: bytes) -> None:
    place = parse_place(parse_url(url, root=Path("/")), {})
    assert (place.host, place.port, place.user, place.path) == (host, port, user, path)


def test_the_settings_win_over_the_url() -> None:
    place = parse_place(parse_url("ssh://me@host:1/x", root=Path("/")), {"user": "you", "port": "2"})
    assert (place.user, place.port) == ("you", 2)


@pytest.mark.parametrize(
    "url",
    [
        "ssh://-oProxyCommand=x/y",
        "ssh://-x@host/y",
        "ssh://me%20-o@host/y",
        "ssh://ho%20st/y",
        "ssh://host`id`/y",
        "ssh://host;id/y",
        "ssh://$(id)/y",
        "ssh://me;id@host/y",
        "ssh://me$x@host/y",
        "ssh://host",
        "ssh://host/~other/x",
        "ssh://host/a/../b",
        "ssh://host/a%00b",
        "ssh://host/a%0Ab",
        "ssh://host/a?b",
        "ssh://host/a#b",
        "ssh://host:99999/a",
        "ssh://[zz]/a",
        "ssh://.host/a",
    ],
)
def test_a_url_that_could_do_harm_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        parse_place(parse_url(url, root=Path("/")), {})


def test_a_password_in_a_url_is_refused_and_not_shown() -> None:
    with pytest.raises(UsageError) as caught:
        parse_place(parse_url("ssh://me:hushhush@host/x", root=Path("/")), {})
    assert "hush" not in str(caught.value) and "hush" not in (caught.value.hint or "")


def test_a_login_does_not_show_its_password(world: SftpWorld) -> None:
    place = parse_place(parse_url(f"ssh://{world.server.host}/x", root=Path("/")), world.server.settings())
    login = find_login(place, {**world.server.settings(), "password": "hushhush"})
    assert "the password" in login.tried
    assert "hushhush" not in repr(login)


def test_asyncssh_is_as_new_as_is_needed() -> None:
    assert tuple(int(part) for part in asyncssh.__version__.split(".")[:2]) >= (2, 18)
