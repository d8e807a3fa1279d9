"""The conformance suite for each store of this machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from conformance import NAME, Conformance

from datatool.model.settings import Durability
from datatool.store.counting import CountingStore
from datatool.store.directory import DirectoryStore
from datatool.store.memory import MemoryStore
from datatool.store.protocol import ByteRange, NameMissing, Store


class TestMemoryStore(Conformance):
    @pytest.fixture
    def store(self) -> Store:
        return MemoryStore()


class TestDirectoryStore(Conformance):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return DirectoryStore(tmp_path / "remote")


class TestDirectoryStoreWithoutSyncs(Conformance):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return DirectoryStore(tmp_path / "remote", durability=Durability.NONE)


class TestCountingStore(Conformance):
    @pytest.fixture
    def store(self) -> Store:
        return CountingStore(MemoryStore())


def test_requests_and_bytes_are_counted(tmp_path: Path) -> None:
    store = CountingStore(MemoryStore())
    store.put(NAME, b"12345")
    store.get(NAME, 1, 2)
    list(store.get_many([ByteRange(NAME, 0, 1), ByteRange(NAME, 0, 3)]))
    list(store.list(""))
    store.delete_many([NAME])
    with pytest.raises(NameMissing):
        store.get(NAME)
    assert store.by_kind == {"put": 1, "get": 4, "list": 1, "delete": 1}
    assert store.requests == 7
    assert (store.bytes_out, store.bytes_in) == (5, 6)


def test_the_memory_store_dates_by_the_clock_it_was_given() -> None:
    store = MemoryStore(clock=lambda: 123.0)
    store.put("a", b"")
    assert [row.time for row in store.list("")] == [123.0]
    assert store.server_time() == 123.0
