"""Tree pages and roots: golden bytes, order, escapes, paging (formats §3)."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

import pytest
from tree_objects import (
    COMMA,
    EMPTY_ID,
    FIRST,
    FIRST_ID,
    HELLO,
    PAGE,
    PAGE_ID,
    ROOT_ID,
    SECOND,
    SECOND_ID,
    WORLD,
    Objects,
    closing_paths,
    files,
    golden,
    page,
    write,
)

from datatool.errors import FormatError, NewerFormat
from datatool.formats.tree_object import encode_root, is_root, open_tree, parse_page, parse_root, part_ids, read_tree
from datatool.model.entry import Entry
from datatool.model.oid import ObjectId
from datatool.model.tree import PageRef, TreeSummary

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
