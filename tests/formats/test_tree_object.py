"""Tree pages and roots: golden bytes, order, escapes, paging (formats §3)."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datatool.errors import FormatError, NewerFormat
from datatool.formats.tree_object import (
    MAX_PAGE,
    TreeWriter,
    diff_trees,
    encode_root,
    is_root,
    open_tree,
    page_ends,
    parse_page,
    parse_root,
    part_ids,
    read_tree,
)
from datatool.model.entry import Entry, sort_key
from datatool.model.oid import ObjectId
from datatool.model.paths import PathRefused, check_escape, check_link
from datatool.model.tree import PageRef, TreeSummary
from patience import patient

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


# Golden


def test_the_golden_page_is_read_and_written_byte_for_byte() -> None:
    assert parse_page(golden("page")) == PAGE
    objects: Objects = {}
    summary = write(PAGE, objects)
    assert objects == {PAGE_ID: golden("page")}
    assert summary == TreeSummary(oid=PAGE_ID, size=12 + 5 + 4 + 5 + 12, files=7, parts=(PAGE_ID,))


def test_the_golden_empty_tree_is_one_page_without_entries() -> None:
    assert parse_page(golden("empty")) == []
    objects: Objects = {}
    assert write([], objects) == TreeSummary(oid=EMPTY_ID, size=0, files=0, parts=(EMPTY_ID,))
    assert objects == {EMPTY_ID: golden("empty")}


def test_the_golden_root_is_read_and_written_byte_for_byte() -> None:
    pages = [PageRef(FIRST_ID, 3, 9, b"a"), PageRef(SECOND_ID, 3, 17, b"part-9.csv")]
    assert parse_root(golden("root")) == pages
    assert encode_root(pages) == golden("root")
    objects: Objects = {}
    summary = write(FIRST + SECOND, objects)
    assert objects == {FIRST_ID: golden("first"), SECOND_ID: golden("second"), ROOT_ID: golden("root")}
    assert summary == TreeSummary(oid=ROOT_ID, size=26, files=5, parts=(ROOT_ID, FIRST_ID, SECOND_ID))
    assert list(read_tree(ROOT_ID, objects.__getitem__)) == FIRST + SECOND
    assert open_tree(ROOT_ID, objects.__getitem__) == (ROOT_ID, tuple(pages), False)
    assert part_ids(ROOT_ID, objects.__getitem__) == summary.parts
    assert open_tree(FIRST_ID, objects.__getitem__) == (FIRST_ID, (pages[0],), True)


# What is refused


@pytest.mark.parametrize(
    "lines",
    [
        (f"f {HELLO} 5 - b", f"f {HELLO} 5 - a"),
        (f"f {HELLO} 5 - a", f"f {HELLO} 5 - a"),
        ("d - 0 - a", f"f {HELLO} 5 - a-b"),
        (f"f {HELLO} 5 - a", "d - 0 - a"),
        (f"f {HELLO} 5 - a", f"f {HELLO} 5 - a/b"),
        (f"f {HELLO} 5 - a", f"f {HELLO} 5 - a.txt", f"f {HELLO} 5 - a/b"),
        (f"f {HELLO} 5 - a", f"f {HELLO} 5 - a-b", f"f {HELLO} 5 - a.txt", f"x {HELLO} 5 - a/b/c"),
        ("l - 1 - a b", f"f {HELLO} 5 - a/b"),
        ("d - 0 - a", f"f {HELLO} 5 - a/b"),
        ("d - 0 - a", "d - 0 - a/b"),
        (f"f {HELLO} 5 - part-832.csv", f"f {HELLO} 5 - part-833.csv"),
        (f"f {HELLO} 9223372036854775807 - a", f"f {HELLO} 1 - b"),
    ],
)
def test_a_page_with_entries_out_of_order_or_below_a_file_is_refused(lines: tuple[str, ...]) -> None:
    with pytest.raises(FormatError):
        parse_page(page(*lines))


@pytest.mark.parametrize(
    "line",
    [
        f"y {HELLO} 5 - a",
        f"f {HELLO} 5 a",
        f"f {HELLO} 5 - a b",
        f"f {HELLO}  5 - a",
        f"f {HELLO} 5 - ",
        f"f {HELLO} 5 + a",
        f"f {HELLO[:-1]} 5 - a",
        f"f {HELLO.upper()} 5 - a",
        "f - 5 - a",
        f"f {HELLO} 05 - a",
        f"f {HELLO} -5 - a",
        f"f {HELLO} +5 - a",
        f"f {HELLO} 5_0 - a",
        f"f {HELLO} ٣ - a",
        f"f {HELLO} 9223372036854775808 - a",
        f"f {HELLO}  - a",
        f"f {HELLO} 5 - a%2",
        f"f {HELLO} 5 - a%2f",
        f"f {HELLO} 5 - a%61",
        f"f {HELLO} 5 - a%C3%A9",
        f"f {HELLO} 5 - a\x7f",
        f"f {HELLO} 5 - a\tb",
        f"f {HELLO} 5 - a\r",
        f"f {HELLO} 5 - a\udce9",
        f"f {HELLO} 5 - %00",
        f"f {HELLO} 5 - ../a",
        f"f {HELLO} 5 - .git/config",
        f"l {HELLO} 1 - a b",
        "l - 1 - a",
        "l - 2 - a b",
        "l - 01 - a b",
        "l - 0 - a ",
        "l - 4 - a ../b",
        "d - 1 - a",
        f"d {HELLO} 0 - a",
        "d - 0 - a/",
        "",
    ],
)
def test_a_line_that_is_not_spelled_exactly_so_is_refused(line: str) -> None:
    with pytest.raises(FormatError):
        parse_page(page(line))
    with pytest.raises(FormatError):
        parse_page(page("d - 0 - 0", line))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"dt-tree",
        b"dt-tree 1 page",
        b"dt-tree 1 page\nd - 0 - a",
        b"dt-tree 1 leaf\n",
        b"dt-tree 01 page\n",
        b"DT-TREE 1 page\n",
    ],
)
def test_something_that_is_no_page_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse_page(data)


@pytest.mark.parametrize("parse", [is_root, parse_page, parse_root])
def test_a_later_version_is_told_apart_from_damage(parse: Callable[[bytes], object]) -> None:
    with pytest.raises(NewerFormat):
        parse(b"dt-tree 2 page\n")
    with pytest.raises(NewerFormat):
        parse(b"dt-tree 10 root\nanything")


@pytest.mark.parametrize(
    "lines",
    [
        (),
        (f"p {HELLO} 3 9 a",),
        (f"p {HELLO} 3 9 b", f"p {WORLD} 3 9 a"),
        (f"p {HELLO} 3 9 a", f"p {WORLD} 3 9 a", f"p {COMMA} 3 9 a"),
        (f"p {HELLO} 0 9 a", f"p {WORLD} 3 9 b"),
        (f"p {HELLO} 8193 9 a", f"p {WORLD} 3 9 b"),
        (f"p {HELLO} 3 9 a", f"p {WORLD} 3 9 ../b"),
        (f"p {HELLO} 3 9 a", f"p {WORLD} 3 9 %62"),
        (f"p {HELLO} 3 9 a", f"p {WORLD[1:]} 3 9 b"),
        (f"p {HELLO} 3 9 a", f"p {WORLD} 3 b"),
        (f"p {HELLO} 3 9 a", f"q {WORLD} 3 9 b"),
    ],
)
def test_a_root_that_is_not_exactly_so_is_refused(lines: tuple[str, ...]) -> None:
    with pytest.raises(FormatError):
        parse_root(("dt-tree 1 root\n" + "".join(line + "\n" for line in lines)).encode())


def test_the_pages_of_a_tree_must_be_what_its_root_says() -> None:
    objects: Objects = {FIRST_ID: golden("first"), SECOND_ID: golden("second")}
    good = parse_root(golden("root"))
    for number, change in [
        (0, {"entries": 2}),
        (0, {"size": 8}),
        (1, {"first": b"part-91.csv"}),
        (1, {"oid": FIRST_ID}),
    ]:
        wrong = list(good)
        wrong[number] = wrong[number]._replace(**change)
        objects[ROOT_ID] = encode_root(wrong)
        with pytest.raises(FormatError):
            list(read_tree(ROOT_ID, objects.__getitem__))


def tree_of(*pages: list[Entry]) -> tuple[ObjectId, Objects]:
    """A tree with pages cut anywhere, each right by itself."""
    objects: Objects = {}
    refs = []
    for entries in pages:
        part: Objects = {}
        summary = write(entries, part)
        objects.update(part)
        refs.append(PageRef(summary.oid, len(entries), summary.size, entries[0].path))
    root = encode_root(refs)
    oid = ObjectId(sha256(root).hexdigest())
    objects[oid] = root
    return oid, objects


def test_a_page_that_closes_too_early_is_refused() -> None:
    oid, objects = tree_of(files(b"a", b"b"), files(b"c"))
    with pytest.raises(FormatError, match="should go on"):
        list(read_tree(oid, objects.__getitem__))


def test_a_file_above_an_entry_of_a_later_page_is_refused() -> None:
    (last,) = closing_paths(b"a.", 1)
    oid, objects = tree_of(files(b"a", last), files(b"a/b"))
    with pytest.raises(FormatError, match="no directory"):
        list(read_tree(oid, objects.__getitem__))
    with pytest.raises(ValueError, match="no directory"):
        write(files(b"a", last, b"a/b"))


def test_pages_that_overlap_are_refused() -> None:
    first, second = closing_paths(b"k", 2)
    oid, objects = tree_of(files(b"b", second), files(first, b"z"))
    with pytest.raises(FormatError):
        list(read_tree(oid, objects.__getitem__))


# Writing


@pytest.mark.parametrize(
    "entries",
    [
        files(b"b", b"a"),
        files(b"a", b"a"),
        files(b"a", b"a.txt", b"a/b"),
        [Entry("d", b"a", None, 0), *files(b"a-b")],
        [Entry("f", b"a", None, 5)],
        [Entry("f", b"a", HELLO, -1)],
        [Entry("f", b"a", HELLO, 1 << 63)],
        [Entry("f", b"a", HELLO, (1 << 63) - 1), Entry("f", b"b", HELLO, 1)],
        [Entry("f", b"a", HELLO, 3, b"b")],
        [Entry("l", b"a", None, 3, b"b")],
        [Entry("d", b"a", None, 3)],
        [Entry("q", b"a", HELLO, 3)],
    ],
)
def test_the_writer_refuses_what_a_reader_would(entries: list[Entry]) -> None:
    with pytest.raises(ValueError):
        write(entries)


def test_the_writer_refuses_paths_and_links_that_leave_the_tree() -> None:
    for entry in (Entry("f", b"a/../b", HELLO, 5), Entry("l", b"a", None, 4, b"../b")):
        with pytest.raises(PathRefused):
            write([entry])


def test_a_tree_that_will_not_be_stored_may_have_any_name() -> None:
    writer = TreeWriter(lambda oid, data: None, check=False)
    writer.add(Entry("f", b"C:/x", HELLO, 5))
    assert writer.finish().files == 1


def test_a_page_closes_after_a_closing_path_or_8192_entries() -> None:
    (closing,) = closing_paths(b"m", 1)
    plain = [path for number in range(9000) if not closes(path := b"p%06d" % number)]
    paths = [b"a", closing, *plain[:MAX_PAGE], b"zz"]
    objects: Objects = {}
    summary = write(files(*paths), objects)
    pages = open_tree(summary.oid, objects.__getitem__).pages
    assert [ref.entries for ref in pages] == [2, MAX_PAGE, 1]
    assert [entry.path for entry in read_tree(summary.oid, objects.__getitem__)] == paths


def test_there_is_no_empty_page_behind_a_closed_one() -> None:
    first, second = closing_paths(b"m", 2)
    objects: Objects = {}
    assert len(write(files(b"a", first), objects).parts) == 1
    assert len(write(files(b"a", first, second), objects).parts) == 3


def test_where_pages_close_does_not_depend_on_how_entries_arrive() -> None:
    paths = [b"p%06d" % number for number in range(40_000)]
    whole = page_ends(paths)
    start, ends = 0, []
    for cut in (1, 100, 8191, 8192, 8193, 20_000, 40_000):
        opened = start - (ends[-1] if ends else 0)
        ends += [start + end for end in page_ends(paths[start:cut], opened)]
        start = cut
    assert ends == whole
    assert all(0 < end - before <= MAX_PAGE for before, end in pairwise([0, *whole]))


def test_one_changed_file_changes_one_page_and_the_root() -> None:
    paths = [b"d/%06d" % number for number in range(20_000)]
    entries = files(*paths)
    before = write(entries)
    entries[12_345] = entries[12_345]._replace(size=6)
    after = write(entries)
    assert len(before.parts) == len(after.parts) > 10
    assert sum(a != b for a, b in zip(before.parts, after.parts, strict=True)) == 2


# Reading parts


class Loads:
    """Objects, and which of them were asked for."""

    def __init__(self, objects: Objects) -> None:
        self.objects = objects
        self.asked: list[ObjectId] = []

    def __call__(self, oid: ObjectId) -> bytes:
        self.asked.append(oid)
        return self.objects[oid]


def test_only_the_pages_that_can_hold_a_directory_are_loaded() -> None:
    entries = files(*(b"%03d/%03d" % (outer, inner) for outer in range(100) for inner in range(200)))
    loads = Loads({})
    summary = write(entries, loads.objects)
    found = list(read_tree(summary.oid, loads, within=b"050"))
    assert [entry.path for entry in found] == [b"050/%03d" % inner for inner in range(200)]
    assert 2 <= len(loads.asked) <= 4 < len(summary.parts)
    assert [entry.path for entry in read_tree(summary.oid, loads, within=b"050/007")] == [b"050/007"]
    assert list(read_tree(summary.oid, loads, within=b"05")) == []


@patient
@given(st.data())
def test_a_part_of_a_tree_is_what_reading_all_of_it_would_give(data: st.DataObject) -> None:
    oid, objects, entries = data.draw(trees())
    paths = [entry.path for entry in entries] or [b"a"]
    within = data.draw(st.sampled_from(paths).flatmap(lambda path: st.sampled_from(ancestors(path))))
    expected = [entry for entry in entries if (entry.path + b"/").startswith(within + b"/")]
    assert list(read_tree(oid, objects.__getitem__, within=within)) == expected


def test_what_the_loader_raises_passes_through() -> None:
    with pytest.raises(KeyError):
        list(read_tree(HELLO, {}.__getitem__))
    with pytest.raises(KeyError):
        list(diff_trees(None, HELLO, {}.__getitem__))


def test_a_diff_loads_only_pages_that_differ() -> None:
    entries = files(*(b"d/%06d" % number for number in range(20_000)))
    loads = Loads({})
    before = write(entries, loads.objects)
    changed = [*entries[:777], entries[777]._replace(size=6), *entries[778:19_000], *entries[19_001:]]
    after = write(changed, loads.objects)
    found = list(diff_trees(before.oid, after.oid, loads))
    assert found == [
        (entries[777].path, entries[777], changed[777]),
        (entries[19_000].path, entries[19_000], None),
    ]
    assert len(loads.asked) <= 8
    assert list(diff_trees(before.oid, before.oid, loads)) == []


@patient
@given(st.data())
def test_a_diff_is_what_comparing_all_entries_would_give(data: st.DataObject) -> None:
    left_oid, left_objects, left = data.draw(trees())
    right_oid, right_objects, right = data.draw(st.one_of(trees(), changed(left)))
    objects = {**left_objects, **right_objects}
    olds, news = ({sort_key(entry): entry for entry in side} for side in (left, right))
    expected = [
        ((news.get(key) or olds[key]).path, olds.get(key), news.get(key))
        for key in sorted(olds | news)
        if olds.get(key) != news.get(key)
    ]
    assert list(diff_trees(left_oid, right_oid, objects.__getitem__)) == expected
    assert [new for _, _, new in diff_trees(None, right_oid, objects.__getitem__)] == right
    assert [old for _, old, _ in diff_trees(left_oid, None, objects.__getitem__)] == left


# Properties

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


@patient
@given(trees())
def test_every_tree_reads_as_it_was_written(tree: tuple[ObjectId, Objects, list[Entry]]) -> None:
    oid, objects, entries = tree
    assert list(read_tree(oid, objects.__getitem__)) == entries
    assert part_ids(oid, objects.__getitem__) == write(entries).parts
    assert all(sha256(data).hexdigest() == name for name, data in objects.items())


def accepts(data: bytes) -> bool:
    """Whether bytes are read; anything but FormatError fails the test. What is read is written the same."""
    try:
        if is_root(data):
            assert encode_root(parse_root(data)) == data
        else:
            objects: Objects = {}
            write(parse_page(data), objects)
            assert list(objects.values()) == [data]
    except FormatError:
        return False
    return True


@patient
@given(st.data())
def test_mutated_trees_are_refused_or_another_right_tree(data: st.DataObject) -> None:
    source = data.draw(st.sampled_from(["page", "root", "first", "second"]))
    mutated = bytearray(golden(source))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(mutated)))
        mutated[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    accepts(bytes(mutated))


@patient
@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_and_nothing_else(data: bytes) -> None:
    accepts(data)
    accepts(b"dt-tree 1 page\n" + data)
    accepts(b"dt-tree 1 root\n" + data)
