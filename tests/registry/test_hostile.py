"""What a stranger's repository may try, and that it comes to nothing: no code runs, nothing is written elsewhere."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from servers.git_daemon import GitDaemon
from world import World, tree

REPOSITORIES = {
    "upload-pack": "--upload-pack=touch pwned",
    "short option": "-utouch pwned",
    "config option": "-ccore.sshCommand=touch pwned",
    "ext": "ext::sh -c touch% pwned",
    "fd": "fd::17",
    "helper": "anything::x",
    "ssh host": "ssh://-oProxyCommand=touch pwned/x",
    "scp host": "-oProxyCommand=touch:x",
    "ssh user": "ssh://-oProxyCommand=x@host/x",
    "backtick": "ssh://`touch pwned`foo/bar",
    "newline": "https://evil.example%0ahost=github.com/x",
    "return": "https://evil.example%0d/x",
    "escape": "https://evil.example/\x1b[2Jx",
    "chain": "simplecache::http://h/x",
    "zip": "zip://*::file:///etc/passwd",
    "reference": "reference::file:///x.json",
    "memory": "memory://x",
    "smb": "smb://host/share",
    "empty": "",
}
REVISIONS = [
    "--output=pwned",
    "-h",
    "a..b",
    "HEAD:secret",
    "",
    "a\x1b[0m",
    "HEAD --all",
    "-",
    "@{upstream}",
    ":/x",
    "^main",
]
PATHS = [
    b"../evil",
    b"a/../../evil",
    b"/tmp/evil",
    b"..\\evil",
    b"C:\\evil",
    b"C:evil",
    b"\\\\host\\share\\evil",
    b".git/hooks/post-checkout",
    b".GIT/config",
    b"git~1/config",
    b".git::$INDEX_ALLOCATION/config",
    ".g\u200cit/config".encode(),
    b".git./config",
    b".datatool/config.yaml",
    b".DataTool/config.yaml",
    b"a//b",
    b"a/./b",
    b"..",
    b".datatool-tmp-0123456789abcdef",
]


@pytest.fixture(autouse=True)
def _nothing_elsewhere(project: World, registry: World) -> Iterator[None]:
    """Whatever a test does, all that is outside the project, the user's cache and the registry stays as it is."""
    outside = project.top / "victim"
    outside.mkdir()
    (outside / "secret").write_text("a secret")
    project.env["GIT_SSH_COMMAND"] = "false"
    yield
    assert tree(outside) == {"secret": b"a secret"}
    found = {path.name for top in (project.top, registry.top) for path in top.rglob("*") if "pwned" in path.name}
    assert not found
    evil = [path for path in project.top.rglob("*evil*") if "gitconfig" not in path.name]
    assert not evil


@pytest.mark.parametrize("where", REPOSITORIES.values(), ids=REPOSITORIES)
def test_no_name_of_a_repository_runs_anything(project: World, where: str) -> None:
    for words in (("get", "--", where, "x"), ("list", "--", where, "x"), ("import", "--", where, "x")):
        ran = project.run(*words)
        assert ran.code in (2, 3, 6, 7), ran
        assert "Traceback" not in ran.err and "\x1b" not in ran.err


@pytest.mark.parametrize("rev", REVISIONS)
def test_no_revision_is_an_option_or_a_path(registry: World, project: World, daemon: GitDaemon, rev: str) -> None:
    registry.write("secret", b"x")
    registry.commit()
    for where in (str(registry.root), daemon.url("registry")):
        ran = project.run("get", where, "src", f"--rev={rev}")
        assert ran.code in (2, 3), ran


def hostile_list(registry: World, line: bytes) -> str:
    """A directory's list with this line, in the registry's cache, and the pointer to it; nobody else would make it."""
    page = b"dt-tree 1 page\n" + line + b"\n"
    oid = hashlib.sha256(page).hexdigest()
    place = registry.cache / "objects" / oid[:2] / oid[2:]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(page)
    registry.write("bad.dt", f"datatool: 1\nkind: directory\noid: sha256:{oid}\nsize: 4\nfiles: 1\n".encode())
    data = hashlib.sha256(b"evil").hexdigest()
    (registry.cache / "objects" / data[:2]).mkdir(exist_ok=True)
    (registry.cache / "objects" / data[:2] / data[2:]).write_bytes(b"evil")
    registry.commit("bad")
    return data


@pytest.mark.parametrize("path", PATHS)
def test_a_list_can_not_lead_out_of_its_directory(registry: World, project: World, path: bytes) -> None:
    data = hashlib.sha256(b"evil").hexdigest()
    escaped = "".join(chr(b) if 0x20 < b < 0x7F and b != 0x25 else f"%{b:02X}" for b in path)
    hostile_list(registry, f"f {data} 4 - {escaped}".encode())
    before = tree(project.root)
    for words in (("get", str(registry.root), "bad"), ("import", str(registry.root), "bad")):
        ran = project.run(*words)
        assert ran.code in (1, 4, 5, 7), ran
        assert tree(project.root) == before
    assert project.run("list", str(registry.root), "-R").code == 0, "the rest is listed all the same"


@pytest.mark.parametrize("target", [b"../../victim", b"/etc/passwd", b"a/../../..", b"../x/../../victim"])
def test_a_link_can_not_lead_out_of_its_directory(registry: World, project: World, target: bytes) -> None:
    hostile_list(registry, b"l - %d - link %s" % (len(target), target))
    before = tree(project.root)
    assert project.run("get", registry.root, "bad").code in (1, 4, 7)
    assert tree(project.root) == before


def test_a_git_tracked_link_that_leads_out_is_not_made(registry: World, project: World) -> None:
    (registry.root / "src/out").symlink_to("../../victim")
    registry.commit()
    ran = project.fails(7, "get", registry.root, "src")
    assert "src/out" in ran.err
    assert not project.exists("src")


def test_a_link_on_the_way_is_not_followed(registry: World, project: World) -> None:
    (project.root / "songs").symlink_to(project.top / "victim")
    ran = project.run("get", registry.root, "music/songs")
    assert ran.code in (1, 7), ran
    project.git("init", "-q", "sub")
    (project.root / "here").symlink_to(project.top / "victim")
    assert project.run("import", registry.root, "model.bin", "-o", "here/model.bin").code != 0


@pytest.mark.parametrize(
    "oid",
    [
        "../../../../etc/passwd",
        "A" * 64,
        "ab",
        "a" * 65,
        "g" * 64,
        "",
        "12345",
        "[a]",
        "\uff11" * 64,
        "md5:" + "a" * 32,
    ],
)
def test_an_object_id_is_never_a_path(registry: World, project: World, oid: str) -> None:
    registry.write("bad.dt", f"datatool: 1\nkind: file\noid: sha256:{oid}\nsize: 4\n".encode())
    registry.commit()
    assert project.run("get", registry.root, "bad").code in (1, 3, 4, 7)
    entry = next(e for e in project.json("list", registry.root)["entries"] if e["path"] == "bad")
    assert entry["problem"]


@pytest.mark.parametrize("size", ["-1", str(2**63), "1.5", "true", "1", str(10**15)])
def test_a_size_that_lies_is_found_out(registry: World, project: World, size: str) -> None:
    data = b"more than one byte"
    oid = hashlib.sha256(data).hexdigest()
    place = registry.cache / "objects" / oid[:2] / oid[2:]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    registry.write("bad.dt", f"datatool: 1\nkind: file\noid: sha256:{oid}\nsize: {size}\n".encode())
    registry.commit()
    ran = project.run("get", registry.root, "bad")
    assert not project.exists("bad") or project.read("bad") == data, ran


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ("url: /home/victim", "directory"),
        ("url: file:///", "directory"),
        ("url: ../../..", "directory"),
        ("url: ~/.ssh", "directory"),
        ("url: s3://bucket/x\n    endpoint_url: https://evil.example", "endpoint"),
        ("url: https://127.0.0.2:9/x", "network"),
        ("url: https://2130706433/", "network"),
        ("url: https://[::ffff:127.0.0.1]/", "network"),
        ("url: https://169.254.169.254/latest", "network"),
        ("url: http://example.org/x", "protocol"),
        ("url: memory://x", "protocol"),
        ("url: 'zip://*::file:///etc/passwd'", "chained"),
    ],
)
def test_configuration_of_another_leads_nowhere(
    registry: World, project: World, daemon: GitDaemon, setting: str, why: str
) -> None:
    registry.write(".datatool/config.yaml", f"datatool: 1\nremote: r\nremotes:\n  r:\n    {setting}\n".encode())
    registry.commit()
    ran = project.run("get", daemon.url("registry"), "model.bin")
    assert ran.code in (2, 7), ran
    assert why in ran.err
    assert not project.exists("model.bin")


def test_credentials_and_commands_of_another_are_not_used(
    registry: World, project: World, daemon: GitDaemon, tmp_path: Path
) -> None:
    named = (
        "keyfile: ~/.ssh/id_ed25519",
        "profile: prod",
        "user: root",
        "password: hush",
        "proxy_command: touch pwned",
    )
    settings = "\n    ".join(named)
    text = f"datatool: 1\nremote: r\nremotes:\n  r:\n    url: {registry.remote}\n    {settings}\n"
    registry.write(".datatool/config.yaml", text.encode())
    registry.commit()
    project.ok("registry", "add", "known", daemon.url("registry"), "--trust")
    project.ok("get", "known", "model.bin")
    assert project.read("model.bin") == b"model one"


def test_a_registry_asks_nothing_of_another_server(registry: World, project: World, daemon: GitDaemon) -> None:
    with socket.create_server(("127.0.0.2", 0)) as canary:
        asked: list[str] = []
        canary.settimeout(0.2)

        def listen() -> None:
            while canary.fileno() >= 0:
                try:
                    connection, address = canary.accept()
                    connection.close()
                    asked.append(str(address))
                except OSError:
                    if canary.fileno() < 0:
                        return

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        port = canary.getsockname()[1]
        text = f"datatool: 1\nremote: r\nremotes:\n  r:\n    url: https://127.0.0.2:{port}/x\n"
        registry.write(".datatool/config.yaml", text.encode())
        registry.write("sub/.lfsconfig", f"[lfs]\n  url = https://127.0.0.2:{port}/lfs\n".encode())
        subprocess.run(
            ["git", "submodule", "add", "--force", f"https://127.0.0.2:{port}/y", "module"],
            cwd=registry.root,
            env=registry.env | {"GIT_TERMINAL_PROMPT": "0"},
            capture_output=True,
        )
        asked.clear()
        registry.commit()
        project.run("get", daemon.url("registry"), ".", "-o", "all")
        project.run("import", daemon.url("registry"), "model.bin")
        project.run("list", daemon.url("registry"), "-R")
        assert not asked
    thread.join()


def test_pointers_among_imported_files_are_not_obeyed(registry: World, project: World) -> None:
    plain = World(registry.top / "g", name="plain", init=False)
    plain.root.mkdir()
    plain.git("init", "-q")
    plain.write("dir/data.txt", b"1")
    plain.write("dir/evil.dt", b"no pointer, a drawing\n")
    plain.write("dir/.gitignore", b"*\n")
    plain.git("add", "-f", "-A")
    plain.git("commit", "-q", "-m", "x")
    (project.top / "victim").exists()
    project.ok("import", plain.root, "dir")
    assert [item["path"] for item in project.json("status")["artifacts"]] == ["dir"]
    shown = project.ok("get", plain.root, "dir", "-o", "copy")
    assert not project.exists("copy/.gitignore"), shown
    os.unlink(project.root / "dir/evil.dt") if project.exists("dir/evil.dt") else None
    os.unlink(project.root / "copy/evil.dt") if project.exists("copy/evil.dt") else None


def test_terminal_codes_in_names_are_shown_harmless(registry: World, project: World) -> None:
    registry.write(b"src/a\x1b]0;owned\x07b", b"1")
    registry.write("src/invoice\u202ecsv.exe".encode(), b"1")
    registry.commit()
    ran = project.ok("list", registry.root, "-R")
    assert "\x1b" not in ran.out and "\u202e" not in ran.out
    project.ok("get", registry.root, "src")
    assert (project.root / "src/invoice\u202ecsv.exe").exists()


def test_a_deep_path_is_refused_before_anything_is_written(registry: World, project: World) -> None:
    registry.write("deep/" + "d/" * 100 + "f", b"1")
    registry.commit()
    ran = project.fails(7, "get", registry.root, "deep")
    assert "deeper" in ran.err
    assert not project.exists("deep")
