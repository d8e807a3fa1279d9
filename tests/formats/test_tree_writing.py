"""Trees as they are written, page by page, and read and compared in parts (formats §3)."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tree_objects import HELLO, Objects, ancestors, changed, closes, closing_paths, files, trees, write

from datatool.formats.tree_object import MAX_PAGE, TreeWriter, diff_trees, open_tree, page_ends, read_tree
from datatool.model.entry import Entry, sort_key
from datatool.model.oid import ObjectId
from datatool.model.paths import PathRefused
from patience import patient

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
