"""Remotes in other filesystems of fsspec: in memory, and on a real WebDAV server; and what none of them may do."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from conformance import NAME, Conformance, opened
from fsspec.implementations.memory import MemoryFileSystem

import datatool.remote.stores.other_kinds as other_kinds
from datatool.errors import RemoteBusy, RemoteDenied, RemoteError, RemoteUnreachable, UsageError
from datatool.hashing import digest
from datatool.model.settings import Durability
from datatool.remote.connect import connect
from datatool.remote.stores.options import StoreOptions
from datatool.remote.stores.other import PART, OtherStore, open_store
from datatool.remote.stores.other_errors import date_of, translate
from datatool.remote.stores.other_kinds import KINDS, Opened, open_filesystem
from datatool.remote.url import parse_url
from datatool.store.protocol import NameMissing, Store, WrongBytes
from datatool.store.retry import Retries
from servers.webdav import webdav_server

BIG = os.urandom(2 * PART + 12345)


class OwnMemory(MemoryFileSystem):  # type: ignore[misc]
    """fsspec's filesystem in memory, for one test alone."""

    cachable = False

    def __init__(self) -> None:
        super().__init__(global_store=False)


def in_memory(filesystem: Any = None, *, tries: int = 3) -> OtherStore:
    held = Opened(filesystem=filesystem or OwnMemory(), top="/a/remote")
    return OtherStore(lambda: held, label="memory://a/remote", retries=Retries(tries=tries, base=0.0))


class TestInMemory(Conformance):
    @pytest.fixture
    def store(self) -> Store:
        return in_memory()


@pytest.fixture(scope="module")
def webdav(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A WebDAV server on this machine, which asks for a password: its URL and its directory."""
    directory = tmp_path_factory.mktemp("webdav")
    with webdav_server(directory) as url:
        yield url, directory


def over_webdav(url: str, tmp_path: Path, **settings: str) -> Store:
    return connect(
        {"url": url, "user": "me", "password": "pass word", **settings},
        root=tmp_path,
        offline=False,
        durability=Durability.NONE,
        scratch=tmp_path,
    )


class TestOverWebdav(Conformance):
    @pytest.fixture
    def store(self, webdav: tuple[str, Path], tmp_path: Path) -> Store:
        return over_webdav(f"{webdav[0]}/{tmp_path.name}/my remote", tmp_path)

    def test_readers_see_the_old_or_the_new_never_a_part(self, store: Store) -> None:
        """This server deletes what a file that is moved replaces, and then moves: there may be nothing in between."""
        versions = [bytes([n]) * (1 << 18) for n in range(8)]
        store.put("index.list", versions[0])
        seen: set[bytes] = set()
        over = threading.Event()

        def read() -> None:
            while not over.is_set():
                with suppress(NameMissing):
                    seen.add(store.get("index.list"))

        reader = threading.Thread(target=read)
        reader.start()
        for version in versions:
            store.put("index.list", version)
        over.set()
        reader.join()
        assert seen <= set(versions)


def test_a_remote_on_webdav_is_plain_files(webdav: tuple[str, Path], tmp_path: Path) -> None:
    url, directory = webdav
    store = over_webdav(f"{url}/{tmp_path.name}", tmp_path)
    store.put("index/a", b"abc")
    assert (directory / tmp_path.name / "index" / "a").read_bytes() == b"abc"
    assert store.label == f"{url}/{tmp_path.name}"


def test_an_upload_that_was_killed_can_be_found_and_removed(webdav: tuple[str, Path], tmp_path: Path) -> None:
    url, directory = webdav
    store = over_webdav(f"{url}/{tmp_path.name}", tmp_path)
    assert list(store.leftovers()) == []
    store.put("a", b"")
    (directory / tmp_path.name / "tmp" / "0123").write_bytes(b"half")
    assert [row.name for row in store.list("")] == ["a"]
    (found,) = store.leftovers()
    assert (found.size, found.id) == (4, "tmp/0123")
    store.discard(found)
    store.discard(found)
    assert list(store.leftovers()) == []


def test_webdav_without_the_password_is_denied(webdav: tuple[str, Path], tmp_path: Path) -> None:
    with pytest.raises(RemoteDenied, match="HTTP 401") as denied:
        over_webdav(webdav[0], tmp_path, password="wrong").get("a")
    assert "datatool remote set" in (denied.value.hint or "") and "wrong" not in str(denied.value)


def test_webdav_with_nobody_there_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(RemoteUnreachable):
        over_webdav("webdav://127.0.0.1:9", tmp_path).get("a")


def test_webdavs_is_encrypted(tmp_path: Path) -> None:
    place = open_filesystem(
        parse_url("webdavs://host:444/a%20b/c/", root=tmp_path), {"token": "t"}, StoreOptions(scratch=tmp_path)
    )
    assert str(place.filesystem.client.base_url) == "https://host:444/"
    assert place.filesystem.client.http.headers["authorization"] == "Bearer t"
    assert place.top == "a b/c"


def test_a_listing_is_whole_or_fails() -> None:
    class Patchy(OwnMemory):
        def ls(self, path: str, *args: Any, **options: Any) -> Any:
            if path.endswith("objects/bb"):
                raise OSError(5, "can't be read")
            return super().ls(path, *args, **options)

    held = Opened(filesystem=Patchy(), top="/remote", walks=True)
    store = OtherStore(lambda: held, label="memory://remote")
    for name in ("objects/aa/1", "objects/bb/2"):
        store.put(name, b"x")
    assert [row.name for row in store.list("objects/aa/")] == ["objects/aa/1"]
    with pytest.raises(RemoteError):
        list(store.list("objects/"))


# Which can be remotes


@pytest.mark.parametrize(
    "url", ["memory://x/y", "ftp://h/x", "github://o/r", "simplecache://x", "reference://x", "zip://x", "local://x/y"]
)
def test_what_could_show_half_a_file_is_no_remote(tmp_path: Path, url: str) -> None:
    with pytest.raises(RemoteError, match="can't be used as a remote") as refused:
        open_store(parse_url(url, root=tmp_path), {}, StoreOptions(scratch=tmp_path))
    assert "webdav://" in (refused.value.hint or "")


def test_what_nobody_knows_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nobody knows"):
        over_webdav("gopher://h/x", tmp_path)


@pytest.mark.parametrize(("protocol", "package"), [(name, kind.package) for name, kind in sorted(KINDS.items())])
def test_a_missing_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: str, package: str
) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(other_kinds, "get_filesystem_class", missing)
    store = open_store(parse_url(f"{protocol}://bucket/x", root=tmp_path), {}, StoreOptions(scratch=tmp_path))
    with pytest.raises(RemoteError, match=f"needs the package {package}") as told:
        store.get("a")
    assert f"pip install {package}" in (told.value.hint or "")


def test_settings_go_to_the_filesystem_under_its_own_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    class Recorded:
        def __init__(self, **options: Any) -> None:
            seen.update(options)

        @staticmethod
        def _get_kwargs_from_urls(url: str) -> dict[str, str]:
            return {"account_name": "of-the-url"}

        @staticmethod
        def _strip_protocol(url: str) -> str:
            return url.partition("://")[2]

    monkeypatch.setattr(other_kinds, "get_filesystem_class", lambda name: Recorded)
    settings = {"url": "az://box/x/", "password": "key", "region": "no use"}
    place = open_filesystem(parse_url("az://box/x/", root=tmp_path), settings, StoreOptions(scratch=tmp_path))
    assert seen == {
        "account_name": "of-the-url",
        "account_key": "key",
        "skip_instance_cache": True,
        "use_listings_cache": False,
    }
    assert place.top == "box/x"


# Large files


def test_a_large_file_is_sent_and_read_in_bounded_pieces(tmp_path: Path) -> None:
    store = in_memory()
    (tmp_path / "source").write_bytes(BIG)
    store.put_file(NAME, tmp_path / "source", digest(BIG))
    told: list[int] = []
    with opened(tmp_path / "target") as fd:
        store.get_file(NAME, fd, digest(BIG), len(BIG), advance=told.append)
    assert (tmp_path / "target").read_bytes() == BIG and sum(told) == len(BIG)


def test_a_large_file_that_changes_while_it_is_sent_is_taken_back(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(BIG)

    class Disturbed(OwnMemory):
        def put_file(self, *args: Any, **options: Any) -> None:
            source.write_bytes(BIG[:-1] + b"x" if BIG[-1:] != b"x" else BIG[:-1] + b"y")
            super().put_file(*args, **options)

    store = in_memory(Disturbed())
    with pytest.raises(WrongBytes):
        store.put_file(NAME, source, digest(BIG))
    with pytest.raises(NameMissing):
        store.get(NAME)


def test_a_part_that_fails_is_asked_for_again(tmp_path: Path) -> None:
    failures = iter([True, False, True])

    class Shaky(OwnMemory):
        def cat_file(self, *args: Any, **options: Any) -> bytes:
            if next(failures, False):
                raise ConnectionResetError(104, "reset")
            data: bytes = super().cat_file(*args, **options)
            return data

    store = in_memory(Shaky())
    store.put(NAME, BIG)
    with opened(tmp_path / "target") as fd:
        store.get_file(NAME, fd, digest(BIG), len(BIG))


# Faults


class Odd(Exception):
    """An exception that nobody has heard of, with a secret in its text."""


CALLS: list[Callable[[OtherStore], object]] = [
    lambda store: list(store.list("index/")),
    lambda store: store.get("a"),
    lambda store: list(store.get_many([])) or store.get("a", 1, 2),
    lambda store: store.put("a", b""),
    lambda store: store.put("a", b"", exclusive=True),
    lambda store: store.delete_many(["a"]),
    lambda store: store.server_time(),
]


@pytest.mark.parametrize("call", CALLS)
def test_no_foreign_exception_gets_out(call: Callable[[OtherStore], object]) -> None:
    class Broken(OwnMemory):
        def _broken(self, *args: Any, **options: Any) -> Any:
            raise Odd("secret")

        cat_file = pipe_file = find = info = rm_file = _broken

    with pytest.raises(RemoteError, match="Odd") as told:
        call(in_memory(Broken()))
    assert "secret" not in str(told.value)


class Status(Exception):
    def __init__(self, code: object) -> None:
        super().__init__("secret")
        self.code = code


class ClientAuthenticationError(Exception):
    pass


class ReadTimeout(Exception):
    pass


class ConnectError(Exception):
    pass


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (FileNotFoundError("a"), NameMissing),
        (IsADirectoryError("a"), NameMissing),
        (Status(404), NameMissing),
        (Status("403"), RemoteDenied),
        (Status(401), RemoteDenied),
        (Status(429), RemoteBusy),
        (Status(503), RemoteBusy),
        (Status(418), RemoteError),
        (PermissionError(13, "x"), RemoteDenied),
        (ClientAuthenticationError(), RemoteDenied),
        (ReadTimeout(), RemoteBusy),
        (TimeoutError(), RemoteBusy),
        (ConnectionResetError(104, "x"), RemoteBusy),
        (ConnectionRefusedError(111, "x"), RemoteUnreachable),
        (ConnectError(), RemoteUnreachable),
        (OSError(5, "x"), RemoteError),
        (ValueError("secret"), RemoteError),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value.__name__,
)
def test_exceptions_are_understood_by_class_status_or_name(error: Exception, kind: type[Exception]) -> None:
    found = translate(error, "gs://bucket")
    assert type(found) is kind
    assert "secret" not in str(found)


def test_a_filesystem_that_tells_no_dates_can_not_be_a_remote() -> None:
    class Timeless(OwnMemory):
        def find(self, *args: Any, **options: Any) -> Any:
            return {path: {"name": path, "size": 1} for path in super().find(*args, **options)}

    store = in_memory(Timeless())
    store.put("index/a", b"a")
    with pytest.raises(RemoteError, match="no dates"):
        list(store.list("index/"))


def test_dates_are_read_in_every_form() -> None:
    assert date_of({"mtime": 5}) == 5.0
    assert date_of({"last_modified": "1970-01-01T00:00:05+00:00", "created": 3}) == 5.0
    assert date_of({"modified": "yesterday"}) is None
    assert date_of({}) is None
