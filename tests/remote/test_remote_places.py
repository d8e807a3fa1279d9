"""Where a remote is, and what is remembered of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from datatool.errors import RemoteError, RemoteUnreachable, UsageError
from datatool.hashing import digest
from datatool.model.settings import Durability
from datatool.remote.connect import connect
from datatool.remote.known import forget_pushed, known_pushed, remember_pushed
from datatool.remote.url import parse_url

ROOT = Path("/home/me/project")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("../store", "/home/me/store"),
        ("store", "/home/me/project/store"),
        ("/mnt/./data/", "/mnt/data"),
        ("file:///mnt/my%20data", "/mnt/my data"),
        ("file://localhost/mnt", "/mnt"),
        ("a:b/c", "/home/me/project/a:b/c"),
    ],
)
def test_a_directory_is_relative_to_the_projects_root(text: str, path: str) -> None:
    found = parse_url(text, root=ROOT)
    assert (found.protocol, found.path, found.shown) == ("file", path, path)


@pytest.mark.parametrize(
    ("text", "protocol", "shown"),
    [
        ("s3://bucket/data/", "s3", "s3://bucket/data"),
        ("SFTP://me:secret@host:2222/srv", "sftp", "sftp://me@host:2222/srv"),
        ("https://host/x?token=secret#part", "https", "https://host/x"),
    ],
)
def test_a_url_is_shown_without_secrets(text: str, protocol: str, shown: str) -> None:
    found = parse_url(text, root=ROOT)
    assert (found.protocol, found.shown) == (protocol, shown)


@pytest.mark.parametrize(
    "text",
    ["", " ", "a\nb", "zip://*::file:///etc", "me@host:data", "file://host/x", "s3://", "sftp://me@host:port/x"],
)
def test_what_is_no_place_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_url(text, root=ROOT)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("me@lab:data", "ssh://me@lab/~/data"),
        ("lab:~/data", "ssh://lab/~/data"),
        ("lab:/srv/data", "ssh://lab/srv/data"),
        ("s3:/bucket/data", "s3://bucket/data"),
        ("https:host/data", "https://host/data"),
    ],
)
def test_what_was_probably_meant_is_told(text: str, hint: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_url(text, root=ROOT)
    assert hint in str(refused.value.hint).replace("?", " ").split()


def test_a_directory_connects_before_it_exists_but_not_after_it_was_seen(tmp_path: Path) -> None:
    settings = {"url": "remote"}
    store = connect(settings, root=tmp_path, offline=True, durability=Durability.NONE, scratch=tmp_path)
    assert store.label == str(tmp_path / "remote") and not (tmp_path / "remote").exists()
    with pytest.raises(RemoteUnreachable, match="mounted"):
        connect(settings, root=tmp_path, offline=False, durability=Durability.NONE, scratch=tmp_path, seen=True)


@pytest.mark.parametrize(
    ("url", "error", "word"),
    [
        ("github://x/y", RemoteError, "can't be used"),
        ("s3n://x", UsageError, "nobody knows"),
    ],
)
def test_other_protocols_are_told_apart(tmp_path: Path, url: str, error: type[Exception], word: str) -> None:
    with pytest.raises(error, match=word):
        connect({"url": url}, root=tmp_path, offline=False, durability=Durability.NONE, scratch=tmp_path)


def test_offline_contacts_no_network(tmp_path: Path) -> None:
    with pytest.raises(RemoteUnreachable, match="offline"):
        connect({"url": "s3://bucket"}, root=tmp_path, offline=True, durability=Durability.NONE, scratch=tmp_path)


def test_what_was_pushed_is_remembered_per_remote_and_project(tmp_path: Path) -> None:
    one, two = digest(b"1"), digest(b"2")
    remember_pushed(tmp_path, "/remote", "p", [one], as_of=1.0)
    remember_pushed(tmp_path, "/remote", "p", [two], as_of=2.0)
    assert known_pushed(tmp_path, "/remote", "p") == {one: 1.0, two: 2.0}
    assert known_pushed(tmp_path, "/remote", "q") == {}
    remember_pushed(tmp_path, "/remote", "p", [], as_of=3.0, forget=[one])
    assert known_pushed(tmp_path, "/remote", "p") == {two: 2.0}
    forget_pushed(tmp_path, "/remote", "p")
    assert known_pushed(tmp_path, "/remote", "p") == {}


def test_a_damaged_memory_is_no_memory(tmp_path: Path) -> None:
    remember_pushed(tmp_path, "/remote", "p", [digest(b"1")], as_of=1.0)
    (file,) = (tmp_path / "pushed").iterdir()
    file.write_bytes(b"[]")
    assert known_pushed(tmp_path, "/remote", "p") == {}


@pytest.mark.parametrize("url", ["s3://bucket/x", "ssh://host/x", "sftp://host/x", "https://host/x"])
def test_nothing_is_contacted_by_connecting(tmp_path: Path, url: str) -> None:
    store = connect({"url": url}, root=tmp_path, offline=False, durability=Durability.NONE, scratch=tmp_path)
    assert url.partition("://")[2].partition("/")[0] in store.label


def test_a_numeric_address_is_no_chain_of_urls() -> None:
    assert parse_url("ssh://me@[::1]:22/x", root=Path("/")).protocol == "ssh"
    for chain in ("simplecache::http://h/x", "zip://*::file:///etc/passwd", "s3://[::1]::file:///x"):
        with pytest.raises(UsageError, match="chained"):
            parse_url(chain, root=Path("/"))
