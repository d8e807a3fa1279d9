"""What a push sends, in how many requests, and what it leaves on the remote."""

from __future__ import annotations

import json
import struct
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

import pytest
from remotes import DAY, FaultyStore, Machine, a_machine, holds_all, some_files

from datatool.errors import NewerFormat, NotARemote, RemoteDenied
from datatool.formats.remote_format import RemoteFormat, encode_remote_format
from datatool.formats.shard import Shard
from datatool.hashing import digest
from datatool.model.oid import ObjectId
from datatool.model.settings import Durability
from datatool.remote.compaction import MANY_SMALL
from datatool.remote.sink import Stopped
from datatool.store.directory import DirectoryStore
from datatool.store.memory import MemoryStore
from datatool.store.objects import Absent, Large, Small, Wanted
from datatool.store.protocol import Advance, Capabilities

BIG = 5 << 20


def names(machine: Machine, prefix: str) -> list[str]:
    return [item.name for item in machine.store.list(prefix)]


def with_header(data: bytes, **changes: object) -> bytes:
    """A shard's bytes with its header changed."""
    (length,) = struct.unpack_from("<I", data, 8)
    header = {**json.loads(data[12 : 12 + length]), **changes}
    text = json.dumps(header).encode()
    start = (12 + len(text) + 7) & ~7
    return (b"DTIDX001" + struct.pack("<I", len(text)) + text).ljust(start, b"\0") + data[(12 + length + 7) & ~7 :]


def test_a_push_with_nothing_to_do_makes_two_requests_and_asks_for_no_object(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    root = machine.root(*some_files(50))
    machine.push(root)
    machine.objects.given.clear()
    faulty = FaultyStore(machine.store)
    result = machine.push(root, store=faulty)
    assert faulty.requests == [("list", "index/"), ("list", "gc/")]
    assert result.pushed == {root[0].root.oid} and result.objects == 0
    assert machine.objects.given == []


def test_twenty_thousand_small_files_take_sixteen_writes_and_one_change_of_them_four(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    machine.store = DirectoryStore(tmp_path / "remote", durability=Durability.NONE)
    files = some_files(20_000, 12 << 10)
    first = machine.root(*files)
    faulty = FaultyStore(machine.store)
    result = machine.push(first, store=faulty)
    assert result.objects == 20_001 and len(faulty.puts()) <= 16
    changed = machine.root(*files[1:], b"changed")
    faulty = FaultyStore(machine.store)
    assert machine.push(changed, store=faulty).objects == 2
    assert len(faulty.puts()) <= 4
    assert len([1 for method, _ in faulty.requests if method == "list"]) <= 5


def test_large_objects_lie_as_they_are_under_their_own_name(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    small, big, large = b"small", *some_files(1, BIG), *some_files(1, 9 << 20, seed=1)
    machine.push(machine.root(small, big, large))
    assert sorted(names(machine, "objects/")) == sorted(
        f"objects/{digest(d)[:2]}/{digest(d)[2:]}" for d in (big, large)
    )
    assert machine.store.get(f"objects/{digest(big)[:2]}/{digest(big)[2:]}") == big


def test_tree_pages_lie_in_packs_of_their_own(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    root = machine.root(*some_files(5))
    machine.push(root)
    (shard,) = (Shard(machine.store.get(name)) for name in names(machine, "index/"))
    (page,) = shard.find(root[0].root.oid)
    (file,) = shard.find(root[1][1].oid)
    assert page.ordinal != file.ordinal
    flags = [machine.store.get(name)[-12] for name in names(machine, "packs/")]
    assert sorted(flags) == [0, 1]


def test_without_packs_every_object_has_its_own_name(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    root = machine.root(*some_files(5))
    machine.push(root, pack=False)
    assert len(names(machine, "objects/")) == 6 and not names(machine, "packs/")
    assert holds_all(machine, root)


def test_the_empty_object_is_neither_stored_nor_fetched(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    root = machine.root(b"", b"x")
    assert machine.push(root).objects == 2
    assert holds_all(machine, root)


def test_compressed_packs_are_smaller_and_read_the_same(tmp_path: Path) -> None:
    pytest.importorskip("zstandard")
    machine = a_machine(tmp_path)
    root = machine.root(*(b"abc %d " % n * 1000 for n in range(20)))
    machine.push(root, compress=True)
    assert sum(item.size for item in machine.store.list("packs/")) < 20_000
    assert holds_all(machine, root)


def test_a_hundred_pushes_leave_few_shards_and_lose_nothing(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    roots = []
    for number in range(100):
        roots.append(machine.root(*some_files(3, seed=number)))
        machine.push(roots[-1])
        machine.clock.pass_(DAY / 4)
    assert len(names(machine, "index/")) <= 2 * MANY_SMALL + 6
    assert holds_all(machine, *roots)
    remote = machine.other().remote()
    remote.open()
    assert len(remote.state.live) == 100
    assert {record.time for record in remote.state.live.values()} == {1e9 + DAY / 4 * n for n in range(100)}
    listed = json.loads(machine.store.get("index.list"))["shards"]
    assert len(listed) <= MANY_SMALL + 2


def test_superseded_shards_stay_for_a_day(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    for number in range(MANY_SMALL + 4):
        machine.push(machine.root(b"%d" % number))
    assert len(names(machine, "index/")) == MANY_SMALL + 4
    remote = machine.remote()
    remote.open()
    assert len(remote.state.current) < 6
    machine.clock.pass_(DAY - 60)
    machine.push(machine.root(b"just before"))
    assert len(names(machine, "index/")) == MANY_SMALL + 5
    machine.clock.pass_(120)
    machine.push(machine.root(b"just after"))
    assert len(names(machine, "index/")) < 10


def test_a_merged_shard_keeps_a_record_valid_by_its_own_dates_and_a_void_one_void(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    late = FaultyStore(machine.store)
    late.on("put", "index/", lambda: machine.clock.pass_(3600))
    machine.push(machine.root(b"late"), store=late)  # leaves a void record and a good one
    for number in range(MANY_SMALL + 3):
        machine.clock.pass_(3600)
        machine.push(machine.root(b"%d" % number))
    remote = machine.other().remote()
    remote.open()
    assert any(known.shard.header.supersedes for known in remote.state.current)
    assert len(remote.state.live) == MANY_SMALL + 4


def test_a_merged_shard_names_what_its_parts_superseded_while_it_exists(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    for number in range(3 * MANY_SMALL):
        machine.push(machine.root(b"%d" % number))
    # A reader that asks for no superseded shard, and one after them are deleted, see only the merged one.
    remote = machine.other().remote()
    remote.open()
    assert len(remote.state.current) <= MANY_SMALL + 1
    (newest,) = [known for known in remote.state.current if known.shard.header.supersedes]
    assert len(newest.shard.header.supersedes) > 2 * MANY_SMALL


def test_a_shard_with_something_unknown_in_it_is_never_merged(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    root = machine.root(b"known")
    machine.push(root)
    (name,) = names(machine, "index/")
    data = with_header(machine.store.get(name), invented={"later": 1})
    machine.store.delete_many([name])
    machine.store.put(f"index/{digest(data)}.dti", data)
    for number in range(MANY_SMALL + 4):
        machine.clock.pass_(DAY)
        machine.push(machine.root(b"%d" % number))
    assert machine.store.get(f"index/{digest(data)}.dti") == data
    assert holds_all(machine, root)


def test_index_list_names_the_current_shards_unless_turned_off(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    machine.push(machine.root(b"one"), index_list=False)
    assert not names(machine, "index.list")
    machine.push(machine.root(b"two"))
    listed = json.loads(machine.store.get("index.list"))["shards"]
    assert sorted(f"index/{shard}.dti" for shard in listed) == names(machine, "index/")


def test_a_reader_that_can_not_list_reads_by_index_list(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    root = machine.root(*some_files(5))
    machine.push(root)

    class Http(FaultyStore):
        capabilities = Capabilities(write=False, list=False, delete=False)  # type: ignore[assignment]

    http = Http(machine.store)
    received, result = machine.other().fetch(root, store=http)
    assert not result.absent and len(received.data) == 6
    assert all(method == "get" for method, _ in http.requests)


def test_a_dry_run_counts_and_writes_nothing(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    root = machine.root(*some_files(5))
    result = machine.push(root, dry_run=True)
    assert result.objects == 6 and list(machine.store.list("")) == []
    machine.push(machine.root(*some_files(5)[:3]))
    assert machine.push(root, dry_run=True).objects == 3


def test_two_first_pushes_agree_on_one_format_file(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    other = machine.other()
    one, two = machine.root(b"one"), other.root(b"two")
    faulty = FaultyStore(machine.store)
    faulty.on("put", "datatool-remote.json", lambda: other.push(two))
    machine.push(one, store=faulty)
    assert holds_all(machine, one) and holds_all(other, two)
    assert machine.push(one).objects == 0


def test_two_first_pushes_agree_where_nothing_is_conditional(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    other = machine.other()
    two = other.root(b"two")

    class Plain(MemoryStore):
        capabilities = Capabilities()  # type: ignore[assignment]

    machine.store = other.store = Plain(clock=machine.clock)
    one = machine.root(b"one")
    faulty = FaultyStore(machine.store)
    theirs = encode_remote_format(RemoteFormat(id=str(uuid.uuid4())))
    # The other writes its format file while this one waits before it reads its own back, and overwrites it.
    faulty.on("get", "datatool-remote.json", lambda: None)
    faulty.on("get", "datatool-remote.json", lambda: machine.store.put("datatool-remote.json", theirs))
    machine.push(one, store=faulty)
    other.push(two)
    assert holds_all(machine, one) and holds_all(other, two)


@pytest.mark.parametrize("content", [b"<html>log in</html>", b"{}", b""])
def test_something_else_at_the_place_is_no_remote(tmp_path: Path, content: bytes) -> None:
    machine = a_machine(tmp_path)
    machine.store.put("datatool-remote.json", content)
    with pytest.raises(NotARemote, match="no datatool remote"):
        machine.push(machine.root(b"x"))


def test_unknown_features_stop_reading_or_writing(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    root = machine.root(b"x")
    machine.push(root)
    found = json.loads(machine.store.get("datatool-remote.json"))
    found["features"]["write"] = ["invented"]
    machine.store.put("datatool-remote.json", json.dumps(found).encode())
    with pytest.raises(RemoteDenied, match="invented"):
        machine.other().push(machine.root(b"y"))
    assert holds_all(machine, root)
    found["features"]["read"] = ["invented"]
    machine.store.put("datatool-remote.json", json.dumps(found).encode())
    with pytest.raises(NewerFormat, match="invented"):
        machine.other().fetch(root)


def test_a_local_copy_of_a_shard_that_went_wrong_is_read_again(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    root = machine.root(*some_files(3))
    machine.push(root)
    (kept,) = machine.memory.glob("remotes/*/index/*.dti")
    kept.chmod(0o644)
    kept.write_bytes(b"nonsense")
    faulty = FaultyStore(machine.store)
    assert machine.push(root, store=faulty).objects == 0
    assert [method for method, name in faulty.requests if name.startswith("index/")] == ["list", "get"]


def test_an_object_in_two_roots_is_sent_once(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    files = some_files(10)
    one, two = machine.root(*files), machine.root(*files[:5])
    assert machine.push(one, two).objects == 12
    assert holds_all(machine, one, two)


def test_a_push_over_a_directory_holds_no_more_than_its_share_of_memory_in_flight(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    lock, held, most = Lock(), [0], [0]

    class Slow(FaultyStore):
        def put(self, name: str, data: bytes, *, exclusive: bool = False) -> None:
            with lock:
                held[0] += len(data)
                most[0] = max(most[0], held[0])
            super().put(name, data, exclusive=exclusive)
            with lock:
                held[0] -= len(data)

    files = [bytes([n]) * (7 << 20) for n in range(30)]
    machine.push(machine.root(*files), store=Slow(machine.store))
    assert 7 << 20 <= most[0] <= 64 << 20


def test_two_first_pushes_without_conditional_writes_end_with_one_format(tmp_path: Path) -> None:
    class Plain(MemoryStore):
        @property
        def capabilities(self) -> Capabilities:
            return Capabilities(conditional=False)

    one = a_machine(tmp_path)
    one.store = shared = Plain(clock=one.clock)
    other = one.other()
    faulty = FaultyStore(shared)
    others_format: list[bytes] = []

    def the_other_pushes() -> None:
        shared.delete_many(["datatool-remote.json"])  # as if it had looked before the first one wrote
        other.push(other.root(*some_files(3)))
        others_format.append(shared.get("datatool-remote.json"))

    faulty.on("put", "packs/", the_other_pushes)
    root = one.root(*some_files(5))
    one.push(root, store=faulty)
    assert shared.get("datatool-remote.json") == others_format[0]
    again = FaultyStore(shared)
    assert one.push(root, store=again).objects == 0 and len(again.requests) == 2
    assert holds_all(one, root)


def test_progress_goes_on_until_the_last_byte_has_arrived(tmp_path: Path) -> None:
    heard = {"bytes": 0, "files": 0, "too early": 0, "too late": 0}

    class Heard:
        @contextmanager
        def task(self, title: str, *, bytes: int | None = None, files: int | None = None) -> Iterator[Heard]:
            self.total = bytes
            self.over = False
            yield self
            self.over = True

        def advance(self, *, bytes: int = 0, files: int = 0) -> None:
            heard["bytes"] += bytes
            heard["files"] += files
            heard["too late"] += bytes * self.over
            heard["too early"] += heard["bytes"] < sum([5, 5000, 9 << 20][: heard["files"]])

        def warn(self, message: str, *, hint: str | None = None) -> None: ...

        def hint(self, message: str) -> None: ...

        def running(self, message: str) -> None: ...

    machine = a_machine(tmp_path)
    root = machine.root(b"small", b"s" * 5000, b"l" * (9 << 20))
    progress = Heard()
    machine.push(root, progress=progress)
    files = sum(item.size for item in root[1] if not item.metadata)
    lists = sum(len(machine.objects.data[item.oid]) for item in root[1] if item.metadata)
    assert heard == {"bytes": files + lists, "files": 3, "too early": 0, "too late": 0}
    assert progress.total == files


def test_an_interrupted_push_does_not_wait_for_a_large_file_under_way(tmp_path: Path) -> None:
    broken_off: list[type[BaseException]] = []

    class Slow(MemoryStore):
        def put_file(self, name: str, source: Path, sha256: ObjectId, *, advance: Advance | None = None) -> None:
            assert advance is not None
            try:
                while True:
                    advance(1)
            except BaseException as error:
                broken_off.append(type(error))
                raise

    machine = a_machine(tmp_path)
    machine.store = Slow(clock=machine.clock)
    root = machine.root(b"l" * (9 << 20), b"small")
    whole = machine.objects.read

    def interrupted(wanted: Sequence[Wanted]) -> Iterator[Small | Large | Absent]:
        yield from whole(wanted)
        raise KeyboardInterrupt

    machine.objects.read = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        machine.push(root)
    assert broken_off == [Stopped]
    assert not names(machine, "objects/")
