"""The plain shape of YAML, and that it means the same to the library."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from datatool.formats.plain_yaml import OneLine, Slot, plain_slots, read_plain, render, scalar
from datatool.formats.yaml_edit import edit
from datatool.formats.yaml_text import any_slots, read_any
from patience import patient

TYPED = frozenset({"n"})

VALUES = [
    "", " ", " x", " 3", " true", " x y  # c", " 'q'", ' "q" # c', " [a, 'b', \"c\"]", " {a: b, c: 'd'}", " #c", " a #",
    " a#b", " 'it''s'", " [a", " {}", " []", " [a,b]", " {a: b, a: c}", " x: y", " x:", " -", " - x", " -x", " ?x",
    " :x", " ...", " ---", " |", " &a x", " *a", " !t", " %x", " @", " [a: b]", " a, b", " 1.5", " ~", " <<", ' "\\n"',
    " x\tb", "x", "  two", " [a b, c d]", " [ a ]", " {a: -1}", " [-]", " [a -b]", " 'a' 'b'", " [-a]",
]  # fmt: skip
NOT_PLAIN = [
    "a: |\n  b\n", "a: &x b\n", "a: *x\n", "a: !t b\n", "a: b\n  c\n", "a: b\na: c\n", "a: 'it''s'\n", 'a: "\\n"\n',
    "- a\n", "a\n", "a: {b: [c]}\n", "a: [b\n", "a:\tb\n", "a: b\r\n", "<<: a\n", "a: b: c\n", "a: \x85\n",
    "\ufeffa: b\n",
]  # fmt: skip

lines = st.builds(
    lambda indent, key, value: f"{' ' * indent}{key}:{value}",
    st.sampled_from([0, 0, 2, 4]),
    st.sampled_from(["a", "b", "n", "c.d", "e-f", "1", "no"]),
    st.sampled_from(VALUES),
)
others = st.sampled_from(
    ["", "# c", "  # c", "---", "...", "- a", "  - a", "word", "  ", "? a", "'a': b", '"a": b', "\t"]
)
documents = st.lists(lines | others, max_size=8).map("\n".join)


@patient
@given(documents | st.text(st.sampled_from("ab:,#'\"[]{} \n-0."), max_size=30))
@example("a: b\n  c: d\n")
@example("a:\nb:\n")
@example("a:\n    b: 1\n  c: 2\n")
@example("a: [b, c]\n  #\n")
@example("")
def test_what_the_plain_reader_accepts_the_library_reads_alike(text: str) -> None:
    plain = read_plain(text, typed=TYPED)
    if plain is not None:
        assert read_any(text, name="x", typed=TYPED) == plain


@patient
@given(documents)
@example("a:\n  b: 1\n")
def test_both_readers_find_the_same_places(text: str) -> None:
    if read_plain(text) is not None:
        assert told(plain_slots(text)) == told(any_slots(text, name="x"))


def told(slots: dict[tuple[str, ...], Slot]) -> dict[tuple[str, ...], Slot]:
    """Slots, without the characters of values of several lines, which are replaced line by line."""
    return {key: slot if slot.first == slot.last else slot._replace(start=0, end=0) for key, slot in slots.items()}


@pytest.mark.parametrize("text", NOT_PLAIN)
def test_what_is_not_plain_is_left_to_the_library(text: str) -> None:
    assert read_plain(text) is None


def test_comments_alone_are_an_empty_mapping_to_both_readers() -> None:
    for text in ("", "\n", "# nothing\n\n"):
        assert read_plain(text) == {} == read_any(text, name="x")


any_text = st.text(st.characters(codec=None, exclude_categories=()), max_size=15)


@patient
@given(any_text)
@example("0123456789e1")
@example("12:30:45")
@example("2001-12-14 21:59:43")
@example("+.inf")
@example("y")
@example("...")
@example("\U0001f600")
@example("a\x7f\x9fb")
def test_a_spelled_string_is_that_string_to_any_yaml_reader(text: str) -> None:
    for version in ("1.1", "1.2"):
        library: Any = YAML(typ="safe", pure=True)
        library.version = version
        assert library.load(f"k: {scalar(text)}\n") == {"k": text}
        assert library.load(f"k: [{scalar(text, simple=True)}]\n") == {"k": [text]}
        assert library.load(f"{scalar(text, simple=True)}: v\n") == {text: "v"}


flat: Any = st.dictionaries(any_text, any_text, min_size=1, max_size=3)
leaves: Any = any_text | st.lists(any_text, max_size=3) | flat.map(OneLine)
values: Any = leaves | flat | st.dictionaries(any_text, leaves | flat, min_size=1, max_size=3)
trees: Any = st.dictionaries(any_text, values, max_size=4)


@patient
@given(trees)
def test_a_rendered_mapping_reads_back(tree: Any) -> None:
    assert read_any(render(tree), name="x") == tree


@patient
@given(trees, st.lists(st.tuples(any_text, any_text), max_size=2), st.none() | values)
def test_an_edit_changes_what_it_says_and_nothing_else(tree: Any, where: Any, value: Any) -> None:
    keys = [*tree][:1] or ["k"]
    path = (keys[0], *(key for pair in where for key in pair))
    wanted = edit(render(tree), {path: value})
    after = read_any(wanted, name="x")
    assert {key: after.get(key) for key in tree if key != keys[0]} == {key: tree[key] for key in tree if key != keys[0]}
    found: Any = after
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    assert found == value


@pytest.mark.parametrize(
    ("text", "path", "value", "wanted"),
    [
        ("", ("a",), "b", "a: b\n"),
        ("# c", ("a",), "b", "# c\na: b\n"),
        ("a: b", ("c",), "d", "a: b\nc: d\n"),
        ("a:\n", ("a",), "b", "a: b\n"),
        ("a:  # c\n", ("a",), "b", "a: b # c\n"),
        ("a:   # c\nb: d\n", ("a", "x"), "z", "a:\n  x: z\nb: d\n"),
        ("a:\n    b: c\nd: e\n", ("a", "f"), "g", "a:\n    b: c\n    f: g\nd: e\n"),
        ("a:\n  b: c # x\n\n# y\nd: e\n", ("a", "b"), None, "\n# y\nd: e\n"),
        ("a: {b: c} # x\n", ("a", "d"), "e", "a: {b: c, d: e} # x\n"),
        ("a: {b: c} # x\n", ("a", "b"), None, ""),
        ("a: [b, c]   # x\n", ("a",), ["b"], "a: [b]      # x\n"),
        ("a: b\n", ("a", "c"), "d", "a:\n  c: d\n"),
        ("a:\n  b:\n    c: d\n", ("a", "b", "c"), None, ""),
        ("a: b\n", ("c",), None, "a: b\n"),
        ("a:\n- b\n- c\nd: e\n", ("a",), ["x"], "a: [x]\nd: e\n"),
        ("a:\n- b: c\nd: e\n", ("d",), "f", "a:\n- b: c\nd: f\n"),
        ("---\na: >\n  b\n\n# c\nd: 'it''s' # e\n", ("d",), "f", "---\na: >\n  b\n\n# c\nd: f # e\n"),
        ("{a: b}\n", ("c",), "d", "a: b\nc: d\n"),
        ("? a\n: b\n", ("a",), "c", "  a: c\n"),
        ("? a\n: b\n", ("c",), "d", "a: b\nc: d\n"),
    ],
)
def test_an_edit_leaves_the_rest_of_the_text(text: str, path: tuple[str, ...], value: Any, wanted: str) -> None:
    assert edit(text, {path: value}) == wanted
