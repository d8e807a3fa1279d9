"""Saving objects into the cache, many at a time."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from datatool.cache import pack_thread, writer
from datatool.cache.local import Cache
from datatool.errors import LocalError, RemoteUnreachable
from datatool.formats.pack import PackBuilder
from datatool.hashing import digest
from datatool.index.state import State
from datatool.store.objects import Absent, Wanted


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache", State(None))


def save(cache: Cache, objects: list[bytes]) -> list[Wanted]:
    wanted = [Wanted(digest(data), len(data), b"") for data in objects]
    with cache.writer() as saving:
        for item, data in zip(wanted, objects, strict=True):
            saving.put(item, data)
    return wanted


def lacking(cache: Cache, wanted: list[Wanted]) -> list[Wanted]:
    return [item.wanted for item in cache.checked(wanted) if isinstance(item, Absent)]


def test_where_nothing_may_be_written_the_whole_path_is_named(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    save(cache, [b"one"])

    def denied(*_: object, **__: object) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(LocalError) as raised:
        save(cache, [b"two"])
    monkeypatch.undo()
    assert str(raised.value) == f"{cache.top / 'tmp'}: Permission denied"


def test_every_pack_is_named_by_a_shard_however_the_two_threads_take_turns(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "TARGET", 100_000)
    real = pack_thread.PackThread._write

    def while_others_take_what_is_done(self: pack_thread.PackThread, builder: PackBuilder) -> pack_thread.WrittenPack:
        taken = self.done()
        written = real(self, builder)
        self._done += taken
        return written

    monkeypatch.setattr(pack_thread.PackThread, "_write", while_others_take_what_is_done)
    wanted = save(cache, [os.urandom(1000) for _ in range(2000)])
    assert cache.missing([item.oid for item in wanted]) == set()
    assert lacking(cache, wanted) == []
    assert len(list((cache.top / "packs").rglob("*.pack"))) > 10


@pytest.mark.parametrize("small", [3, 300], ids=["loose", "packed"])
@pytest.mark.parametrize("error", [RemoteUnreachable("gone"), RuntimeError("wrong")], ids=["remote", "other"])
def test_what_was_taken_is_kept_when_the_remote_breaks_off_and_dropped_when_anything_else_goes_wrong(
    cache: Cache, small: int, error: Exception
) -> None:
    objects = [os.urandom(100) for _ in range(small)] + [os.urandom(100_000)]
    wanted = [Wanted(digest(data), len(data), b"") for data in objects]
    with pytest.raises(type(error)), cache.writer() as saving:
        for item, data in zip(wanted, objects, strict=True):
            saving.put(item, data)
        raise error
    assert len(lacking(cache, wanted)) == (0 if isinstance(error, RemoteUnreachable) else len(wanted))
    assert list((cache.top / "tmp").iterdir()) == []


def test_many_batches_leave_few_shards_and_every_object(cache: Cache) -> None:
    wanted: list[Wanted] = []
    for _ in range(40):
        wanted += save(cache, [os.urandom(20) for _ in range(256)])
    assert len(list((cache.top / "index").glob("*.dti"))) <= 33
    assert lacking(cache, wanted) == []
    again = Cache(cache.top, State(None))
    assert lacking(again, wanted) == []


def test_a_damaged_pack_costs_only_the_damaged_object(cache: Cache) -> None:
    objects = [b"%d" % number * 50 for number in range(300)]
    wanted = save(cache, objects)
    (pack,) = (cache.top / "packs").rglob("*.pack")
    data = pack.read_bytes()
    pack.chmod(0o644)
    pack.write_bytes(data.replace(objects[7], b"#" * len(objects[7]), 1))
    fresh = Cache(cache.top, State(None))
    assert lacking(fresh, wanted) == [wanted[7]]
    assert lacking(Cache(cache.top, State(None)), wanted) == [wanted[7]]
    assert len(list((cache.top / "corrupt").iterdir())) == 1


def test_a_batch_that_fails_publishes_nothing_more(cache: Cache) -> None:
    with pytest.raises(RuntimeError), cache.writer() as saving:
        saving.put(Wanted(digest(b"x"), 1, b""), b"x")
        raise RuntimeError
    assert cache.missing([digest(b"x")]) == {digest(b"x")}
    assert not list((cache.top / "tmp").glob("*"))


@pytest.mark.parametrize("number", [errno.EIO, errno.EFBIG, errno.EXDEV])
def test_whatever_the_disk_refuses_is_an_error_of_this_library_with_its_number(
    cache: Cache, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(writer, "write_all", refuse)
    for size in (100, 2_000_000):
        with pytest.raises(LocalError) as caught:
            save(cache, [os.urandom(size)])
        assert caught.value.errno == number
