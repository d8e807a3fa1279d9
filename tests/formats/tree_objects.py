"""Trees for tests: golden ones, small ones, and any that there can be."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from pathlib import Path

from hypothesis import strategies as st

from datatool.formats.tree_object import TreeWriter
from datatool.model.entry import Entry, sort_key
from datatool.model.oid import ObjectId
from datatool.model.paths import PathRefused, check_escape, check_link
from datatool.model.tree import TreeSummary

GOLDEN = Path(__file__).parent / "golden" / "tree"
HELLO = ObjectId("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")
WORLD = ObjectId("a948904f2f0f479b8f8197694b30184b0d2ed1c1cd2a1ec0fb85d299a192a447")
COMMA = ObjectId("52186c933993da4082b3cdc7c40bb4bf735b391ff54a2ef78c037dda6c38a680")

PAGE = [
    Entry("f", b"README.txt", WORLD, 12),
    Entry("x", b"a b/100%.csv", HELLO, 5),
    Entry("f", b"empty-not", COMMA, 4),
    Entry("d", b"empty", None, 0),
    Entry("f", b"latin\xe9", HELLO, 5),
    Entry("l", b"link", None, 10, b"README.txt"),
    Entry("l", b"sub/up", None, 13, b"../README.txt"),
    Entry("f", b"\xc3\xbcber.txt", WORLD, 12),
]
FIRST = [Entry("d", b"a", None, 0), Entry("f", b"part-1.csv", HELLO, 5), Entry("f", b"part-832.csv", COMMA, 4)]
SECOND = [
    Entry("f", b"part-9.csv", WORLD, 12),
    Entry("l", b"q", None, 10, b"part-9.csv"),
    Entry("x", b"r\ns", HELLO, 5),
]
# sha256sum of the golden files
PAGE_ID = ObjectId("0957e3e39f6a9e3814fd94ec5b9233f08e64db3a95ff17790e6255ab0455bcae")
EMPTY_ID = ObjectId("ede43ec707d088e169cad0d0ae75c7316e294f204fd74dbe93d96121a4eced14")
FIRST_ID = ObjectId("a4548af392f29ac4514415dadfaa8d7522d65155c69ca69e4af910a0dee90d34")
SECOND_ID = ObjectId("c3e3acd4290f4a09900847b7d521f7851a23733da5f73c0e470378834d8239bb")
ROOT_ID = ObjectId("edc89f2f324efaf3a02bbd0ccabf301b7039ec912b0197a1058882f6e5c3b93d")

Objects = dict[ObjectId, bytes]


def write(entries: Iterable[Entry], objects: Objects | None = None) -> TreeSummary:
    kept = {} if objects is None else objects
    writer = TreeWriter(kept.__setitem__)
    for entry in entries:
        writer.add(entry)
    return writer.finish()


def golden(name: str) -> bytes:
    return (GOLDEN / name).read_bytes()


def page(*lines: str) -> bytes:
    return ("dt-tree 1 page\n" + "".join(line + "\n" for line in lines)).encode("utf-8", "surrogateescape")


def closes(path: bytes) -> bool:
    return zlib.crc32(path) % 1024 == 0


def closing_paths(prefix: bytes, count: int) -> list[bytes]:
    found = (b"%s%06d" % (prefix, number) for number in range(1_000_000))
    return [path for path, _ in zip(filter(closes, found), range(count), strict=False)]


def files(*paths: bytes) -> list[Entry]:
    return [Entry("f", path, HELLO, 5) for path in paths]


_CLOSERS = closing_paths(b"c", 6)  # so that small trees have several pages


def ancestors(path: bytes) -> list[bytes]:
    names = path.split(b"/")
    return [b"/".join(names[:count]) for count in range(1, len(names) + 1)]


def _allowed(entry: Entry) -> bool:
    try:
        check_escape(entry.path)
        if entry.target is not None:
            check_link(entry.path, entry.target)
    except PathRefused:
        return False
    return True


_names = st.one_of(
    st.sampled_from([b"a", b"a.txt", b"a-", b"b", b"%", b" ", b"\n", b"\xff", b"\xc3\xa9", b"%41", b"\xc3", b"\xa9"]),
    st.binary(min_size=1, max_size=6).filter(lambda name: b"/" not in name),
)
_paths = st.one_of(st.lists(_names, min_size=1, max_size=3).map(b"/".join), st.sampled_from(_CLOSERS))
_oids = st.sampled_from([HELLO, WORLD, COMMA])
_sizes = st.integers(0, 1 << 58)
_entries = st.one_of(
    st.builds(Entry, st.sampled_from("fx"), _paths, _oids, _sizes, st.none()),
    st.builds(lambda path, target: Entry("l", path, None, len(target), target), _paths, _names),
    st.builds(lambda path: Entry("d", path, None, 0), _paths),
).filter(_allowed)


def proper(entries: Iterable[Entry]) -> list[Entry]:
    """Those of some entries that can stand in one tree, in order."""
    chosen: dict[bytes, Entry] = {}
    parents: set[bytes] = set()
    for entry in entries:
        above = ancestors(entry.path)[:-1]
        if entry.path not in chosen and entry.path not in parents and not any(path in chosen for path in above):
            chosen[entry.path] = entry
            parents.update(above)
    return sorted(chosen.values(), key=sort_key)


@st.composite
def trees(draw: st.DrawFn) -> tuple[ObjectId, Objects, list[Entry]]:
    entries = proper(draw(st.lists(_entries, max_size=12)))
    objects: Objects = {}
    return write(entries, objects).oid, objects, entries


@st.composite
def changed(draw: st.DrawFn, entries: list[Entry]) -> tuple[ObjectId, Objects, list[Entry]]:
    kept = [entry for entry in entries if draw(st.booleans())]
    other = proper([*kept, *draw(st.lists(_entries, max_size=3))])
    objects: Objects = {}
    return write(other, objects).oid, objects, other
