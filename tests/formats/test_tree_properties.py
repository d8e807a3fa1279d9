"""What holds for every tree, and for bytes that are none."""

from __future__ import annotations

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st
from tree_objects import Objects, golden, trees, write

from datatool.errors import FormatError
from datatool.formats.tree_object import encode_root, is_root, parse_page, parse_root, part_ids, read_tree
from datatool.model.entry import Entry
from datatool.model.oid import ObjectId
from patience import patient


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
