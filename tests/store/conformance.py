"""What every store promises: one suite, run for each of them by a subclass that says how to make one."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from datatool.errors import RemoteBusy
from datatool.hashing import digest
from datatool.store.protocol import ByteRange, NameMissing, NameTaken, Store, WrongBytes

NAME = "packs/ab/" + "c" * 62 + ".pack"
BIG = os.urandom(9 << 20)


@contextmanager
def opened(path: Path) -> Iterator[int]:
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield fd
    finally:
        os.close(fd)


class Conformance:
    """Subclass it with a `store` fixture; a store that can't write is filled by its own fixture."""

    clock_resolution = 0.001
    """Seconds to which `server_time` is right: a server may tell its time to the second only."""
    exclusive_is_atomic = True
    """Off where the server ignores the condition of a write, and the store says so in its capabilities."""

    # put and get

    def test_what_was_put_is_got_back(self, store: Store) -> None:
        store.put(NAME, b"some bytes")
        assert store.get(NAME) == b"some bytes"

    def test_nothing_is_something(self, store: Store) -> None:
        store.put("index/empty", b"")
        assert store.get("index/empty") == b""
        assert [(row.name, row.size) for row in store.list("index/")] == [("index/empty", 0)]

    def test_a_name_at_the_top_is_a_name(self, store: Store) -> None:
        store.put("datatool-remote.json", b"{}")
        assert store.get("datatool-remote.json") == b"{}"
        assert [row.name for row in store.list("datatool-remote.json")] == ["datatool-remote.json"]

    def test_a_missing_name_is_told_apart(self, store: Store) -> None:
        store.put("index/a", b"a")
        for name in ("index/b", "index/a/b", "nowhere/a", "index"):
            with pytest.raises(NameMissing):
                store.get(name)

    def test_putting_again_replaces_the_whole(self, store: Store) -> None:
        store.put("index.list", b"a longer first version")
        store.put("index.list", b"second")
        assert store.get("index.list") == b"second"

    def test_putting_the_same_again_changes_nothing(self, store: Store) -> None:
        store.put(NAME, b"same")
        store.put(NAME, b"same")
        assert store.get(NAME) == b"same"
        assert [row.name for row in store.list("packs/")] == [NAME]

    @pytest.mark.parametrize("name", ["", "/a", "a/", "a//b", "../a", "a/../b", ".", "a/.", "a\\b", "a b", "ä", "a\n"])
    def test_a_name_that_leads_elsewhere_is_refused(self, store: Store, name: str) -> None:
        with pytest.raises(ValueError, match="not a name"):
            store.put(name, b"")
        with pytest.raises(ValueError, match="not a name"):
            store.get(name)
        with pytest.raises(ValueError, match="not a name"):
            store.delete_many([name])

    # exclusive

    def test_an_exclusive_put_of_a_taken_name_is_refused(self, store: Store) -> None:
        store.put(NAME, b"first", exclusive=True)
        with pytest.raises(NameTaken):
            store.put(NAME, b"second", exclusive=True)
        assert store.get(NAME) == b"first"

    def test_of_many_exclusive_puts_one_wins(self, store: Store) -> None:
        if not self.exclusive_is_atomic:
            assert not store.capabilities.conditional
            return
        won: list[bytes] = []
        start = threading.Barrier(8)

        def put(data: bytes) -> None:
            start.wait()
            try:
                store.put("datatool-remote.json", data, exclusive=True)
                won.append(data)
            except NameTaken:
                pass

        threads = [threading.Thread(target=put, args=(b"%d" % n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1
        assert store.get("datatool-remote.json") == won[0]

    # ranges

    @pytest.mark.parametrize(
        ("start", "length", "expected"),
        [
            (0, None, b"0123456789"),
            (3, None, b"3456789"),
            (3, 4, b"3456"),
            (0, 0, b""),
            (8, 10, b"89"),
            (10, 5, b""),
            (12, 5, b""),
            (12, None, b""),
        ],
    )
    def test_a_range_is_cut_where_the_name_ends(
        self, store: Store, start: int, length: int | None, expected: bytes
    ) -> None:
        store.put(NAME, b"0123456789")
        assert store.get(NAME, start, length) == expected

    def test_many_ranges_come_in_the_order_asked(self, store: Store) -> None:
        store.put("packs/a", b"0123456789")
        store.put("packs/b", b"abcdefghij")
        ranges = [
            ByteRange("packs/b", 2, 3),
            ByteRange("packs/a", 0, 1),
            ByteRange("packs/a", 9, 5),
            ByteRange("packs/b", 0, 2),
        ]
        assert list(store.get_many(ranges)) == [b"cde", b"0", b"9", b"ab"]
        assert list(store.get_many([])) == []

    def test_a_missing_name_among_many_is_told(self, store: Store) -> None:
        store.put("packs/a", b"0123456789")
        pieces = store.get_many([ByteRange("packs/a", 0, 2), ByteRange("packs/b", 0, 2)])
        assert next(pieces) == b"01"
        with pytest.raises(NameMissing):
            next(pieces)

    # list

    def test_a_listing_is_sorted_by_name(self, store: Store) -> None:
        names = ["a/b/c", "a/b.x", "a/b/a", "a-b", "a/0", "a.b", "b", "a/c"]
        for name in names:
            store.put(name, name.encode())
        assert [row.name for row in store.list("")] == sorted(names)
        assert [row.name for row in store.list("a/")] == sorted(name for name in names if name.startswith("a/"))

    def test_a_prefix_need_not_be_a_directory(self, store: Store) -> None:
        for name in ("packs/ab/1", "packs/ac/2", "packs/b/3", "packsaddle"):
            store.put(name, b"")
        assert [row.name for row in store.list("packs/a")] == ["packs/ab/1", "packs/ac/2"]
        assert [row.name for row in store.list("packs/ab")] == ["packs/ab/1"]
        assert [row.name for row in store.list("packs")] == ["packs/ab/1", "packs/ac/2", "packs/b/3", "packsaddle"]

    def test_a_listing_of_nothing_is_empty(self, store: Store) -> None:
        assert list(store.list("index/")) == []
        store.put("gc/x", b"")
        assert list(store.list("index/")) == []
        assert list(store.list("gc/x/")) == []

    def test_a_listing_tells_sizes_and_dates(self, store: Store) -> None:
        before = store.server_time()
        store.put("index/a", b"12345")
        after = store.server_time()
        (row,) = store.list("index/")
        assert row.size == 5
        assert before - self.clock_resolution <= row.time <= after + self.clock_resolution

    # files

    @pytest.mark.parametrize("data", [b"", b"short", BIG], ids=["empty", "short", "9 MiB"])
    def test_a_file_goes_there_and_back(self, store: Store, tmp_path: Path, data: bytes) -> None:
        source = tmp_path / "source"
        source.write_bytes(data)
        store.put_file(NAME, source, digest(data))
        assert store.get(NAME) == data
        with opened(tmp_path / "target") as fd:
            store.get_file(NAME, fd, digest(data), len(data))
        assert (tmp_path / "target").read_bytes() == data

    @pytest.mark.parametrize("data", [b"short", BIG], ids=["short", "9 MiB"])
    def test_a_file_with_other_bytes_is_not_published(self, store: Store, tmp_path: Path, data: bytes) -> None:
        source = tmp_path / "source"
        source.write_bytes(data)
        with pytest.raises(WrongBytes):
            store.put_file(NAME, source, digest(b"other"))
        assert list(store.list("")) == []
        with pytest.raises(NameMissing):
            store.get(NAME)

    def test_a_refused_file_leaves_what_was_there(self, store: Store, tmp_path: Path) -> None:
        store.put(NAME, b"good")
        (tmp_path / "source").write_bytes(b"bad")
        with pytest.raises(WrongBytes):
            store.put_file(NAME, tmp_path / "source", digest(b"good"))
        assert store.get(NAME) == b"good"

    @pytest.mark.parametrize("data", [b"damaged", BIG], ids=["short", "9 MiB"])
    def test_wrong_bytes_are_noticed_when_fetched(self, store: Store, tmp_path: Path, data: bytes) -> None:
        store.put(NAME, data)
        with opened(tmp_path / "target") as fd:
            with pytest.raises(WrongBytes):
                store.get_file(NAME, fd, digest(b"x" * len(data)), len(data))
            with pytest.raises(WrongBytes):
                store.get_file(NAME, fd, digest(data), len(data) + 1)
            with pytest.raises(WrongBytes):
                store.get_file(NAME, fd, digest(data[:-1]), len(data) - 1)

    def test_a_second_attempt_may_use_the_same_descriptor(self, store: Store, tmp_path: Path) -> None:
        store.put("packs/bad", b"a long and wrong answer")
        store.put("packs/good", b"right")
        with opened(tmp_path / "target") as fd:
            with pytest.raises(WrongBytes):
                store.get_file("packs/bad", fd, digest(b"right"), len(b"a long and wrong answer"))
            store.get_file("packs/good", fd, digest(b"right"), 5)
        assert (tmp_path / "target").read_bytes() == b"right"

    def test_a_missing_file_is_told(self, store: Store, tmp_path: Path) -> None:
        with opened(tmp_path / "target") as fd, pytest.raises(NameMissing):
            store.get_file(NAME, fd, digest(b""), 0)

    # delete, time, description

    def test_what_was_deleted_is_gone(self, store: Store) -> None:
        for name in ("a/1", "a/2", "a/3"):
            store.put(name, b"")
        store.delete_many(["a/1", "a/missing", "nowhere/at/all", "a/3"])
        assert [row.name for row in store.list("")] == ["a/2"]
        store.delete_many([])

    def test_a_deleted_name_can_be_put_again(self, store: Store) -> None:
        store.put("a/1", b"old")
        store.delete_many(["a/1"])
        store.put("a/1", b"new", exclusive=True)
        assert store.get("a/1") == b"new"

    def test_time_does_not_run_backwards(self, store: Store) -> None:
        store.put("a", b"")
        first, second = store.server_time(), store.server_time()
        assert first <= second

    def test_it_says_what_it_is(self, store: Store) -> None:
        assert store.label
        assert store.capabilities.write
        assert store.capabilities.list

    def test_readers_see_the_old_or_the_new_never_a_part(self, store: Store) -> None:
        versions = [bytes([n]) * (1 << 18) for n in range(8)]
        store.put("index.list", versions[0])
        seen: set[bytes] = set()
        over = threading.Event()

        def read() -> None:
            while not over.is_set():
                try:
                    seen.add(store.get("index.list"))
                except RemoteBusy:
                    continue  # some servers break off when a name is replaced while it is read

        reader = threading.Thread(target=read)
        reader.start()
        for version in versions:
            store.put("index.list", version)
        over.set()
        reader.join()
        assert seen <= set(versions)

    # going on

    @pytest.mark.parametrize("have", [1, 1 << 20, len(BIG) - 1, len(BIG)])
    def test_a_broken_off_download_is_gone_on_with(self, store: Store, tmp_path: Path, have: int) -> None:
        store.put(NAME, BIG)
        (tmp_path / "target").write_bytes(BIG[:have])
        heard: list[int] = []
        with opened(tmp_path / "target") as fd:
            store.get_file(NAME, fd, digest(BIG), len(BIG), have=have, advance=heard.append)
        assert (tmp_path / "target").read_bytes() == BIG
        assert sum(heard) in (len(BIG) - have, len(BIG))

    def test_wrong_bytes_of_an_earlier_attempt_are_noticed(self, store: Store, tmp_path: Path) -> None:
        store.put(NAME, BIG)
        (tmp_path / "target").write_bytes(b"x" + BIG[1 : 1 << 20])
        with opened(tmp_path / "target") as fd:
            try:
                store.get_file(NAME, fd, digest(BIG), len(BIG), have=1 << 20)
            except WrongBytes:
                store.get_file(NAME, fd, digest(BIG), len(BIG))
        assert (tmp_path / "target").read_bytes() == BIG
