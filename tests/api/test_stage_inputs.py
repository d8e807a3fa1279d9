"""What may be an argument of a stage: files however they are named, and values that count by what is in them."""

from __future__ import annotations

import os
import shutil
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import datatool
from api.conftest import enter
from api.staging import Code, coding
from datatool.api.trackers import close_trackers
from datatool.errors import PathNotFound, UsageError
from datatool.stages.arguments import SAME, argument_digest, rebuilt
from world import World

READS = """
    import counted
    import datatool
    from pathlib import Path

    @datatool.stage
    def read(*args, **given):
        counted.ran("read")
        found = []
        def look(value):
            if isinstance(value, (str, Path)):
                found.append(Path(value).read_text() if Path(value).is_file() else str(value))
            elif isinstance(value, dict):
                [look(inner) for inner in value.values()]
            else:
                [look(inner) for inner in sorted(value, key=str)]
        look([*args, given])
        return found
    """


@pytest.fixture
def code(desk: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Code]:
    with coding(desk, monkeypatch) as made:
        made.write("pipe.py", READS)
        yield made


@pytest.fixture
def plain_clone(desk: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[World, Code]]:
    """A clone in which nothing was fetched, of a project with the tracked directory `data`."""
    desk.write("data/x.csv", b"1,2\n")
    desk.write("data/deep/y.csv", b"3\n")
    (desk.root / "data/link.csv").symlink_to("deep/y.csv")
    desk.settle()
    desk.ok("add", "data")
    desk.commit("data")
    desk.ok("push")
    copy = desk.clone()
    enter(copy, monkeypatch)
    with coding(copy, monkeypatch) as made:
        made.write("pipe.py", READS)
        yield copy, made
        close_trackers()


# In a clone


@pytest.mark.parametrize("kind", [datatool.File, str, Path])
def test_a_file_in_a_tracked_directory_is_fetched_in_a_clone_however_it_is_named(
    plain_clone: tuple[World, Code], kind: Callable[[str], Any]
) -> None:
    copy, code = plain_clone
    read = code.load().read
    assert not read.why(kind("data/x.csv")).cached
    assert not (copy.root / "data").exists(), "to know what is pinned takes no data"
    with code.running("read"):
        assert read(kind("data/x.csv")) == read(kind("data/x.csv")) == ["1,2\n"]
    assert not (copy.root / "data/deep/y.csv").exists()


@pytest.mark.parametrize("kind", [datatool.File, str, Path])
def test_a_link_in_a_tracked_directory_counts_by_what_it_leads_to(
    plain_clone: tuple[World, Code], kind: Callable[[str], Any]
) -> None:
    copy, code = plain_clone
    read = code.load().read
    with code.running("read"):
        assert read(kind("data/link.csv")) == ["3\n"]
        copy.ok("pull")
        assert (copy.root / "data/link.csv").is_symlink()
        assert read(kind("data/link.csv")) == ["3\n"]
    (copy.root / "data/round").symlink_to("round")
    copy.settle()
    copy.ok("add", "data")
    assert not read.why(kind("data/round")).cached, "and does not hang"
    copy.write("data/deep/y.csv", b"4\n")
    assert read(kind("data/link.csv")) == ["4\n"]


def test_a_text_that_names_nothing_in_a_tracked_directory_is_a_text(plain_clone: tuple[World, Code]) -> None:
    _, code = plain_clone
    assert code.load().read("data/none.csv") == ["data/none.csv"]


@pytest.mark.parametrize("kind", [datatool.File, str])
def test_where_nobody_has_the_list_of_a_directory_the_error_says_so(
    plain_clone: tuple[World, Code], kind: Callable[[str], Any]
) -> None:
    copy, code = plain_clone
    shutil.rmtree(copy.remote)
    read = code.load().read
    for ask in (read, read.why):
        with pytest.raises(PathNotFound, match=r"^data: what it holds is not known here: ") as raised:
            ask(kind("data/x.csv"))
        assert raised.value.hint


def test_the_command_why_knows_a_file_in_a_directory_that_was_not_fetched(plain_clone: tuple[World, Code]) -> None:
    copy, code = plain_clone
    code.write("job.py", READS.replace("@datatool.stage", '@datatool.stage(x=datatool.File("data/x.csv"))'))
    assert "would run" in copy.ok("why", "job.py:read").out
    shutil.rmtree(copy.cache)
    shutil.rmtree(copy.remote)
    assert "data: what it holds is not known here" in copy.run("why", "job.py:read").err


# Where they stand


@pytest.mark.parametrize(
    "wrap",
    [
        lambda path: (path,),
        lambda path: {path},
        lambda path: frozenset([path]),
        lambda path: [("1", ("a", path))],
        lambda path: {"k": (path,)},
        lambda path: deque([path]),
        lambda path: OrderedDict(k=path),
    ],
)
def test_a_text_that_names_a_file_counts_by_content_wherever_it_stands(
    code: Code, desk: World, wrap: Callable[[str], Any]
) -> None:
    read = code.load().read
    for data in (b"one", b"two"):
        desk.write("x.txt", data)
        with code.running("read"):
            assert data.decode() in repr(read(wrap("./x.txt"), 7 * ("",)))


def test_texts_given_one_by_one_count_by_content(code: Code, desk: World) -> None:
    desk.write("x.txt", b"one")
    read = code.load().read
    assert read("x.txt", "y") == ["one", "y"]
    desk.write("x.txt", b"two")
    assert read("x.txt", "y") == ["two", "y"]


def test_two_long_keys_that_begin_alike_stand_in_two_places(code: Code, desk: World) -> None:
    read = code.load().read
    for data in ("one", "two", "three"):
        desk.write("a.txt", data.encode())
        desk.write("b.txt", b"last")
        assert read({"k" * 60 + "1": "a.txt", "k" * 60 + "2": "b.txt"}) == [data, "last"]


# Directories


@pytest.mark.parametrize("name", ["./raw", "raw/", "{root}/raw", "../project/raw", "sub/../raw"])
def test_a_text_that_names_a_directory_of_the_project_counts_by_content(code: Code, desk: World, name: str) -> None:
    name = name.format(root=desk.root).replace("project", desk.root.name)
    (desk.root / "sub").mkdir()
    read = code.load().read
    for data in (b"one", b"two"):
        desk.write("raw/a.txt", data)
        with code.running("read"):
            assert read(name) == [name] == read(name)


@pytest.mark.parametrize("name", [".", "..", "./", "/", "../", "sub/..", "{root}", "raw"])
def test_a_text_that_names_the_project_or_what_is_around_it_is_a_text(code: Code, desk: World, name: str) -> None:
    name = name.format(root=desk.root)
    (desk.root / "sub").mkdir()
    desk.write("raw/a.txt", b"one")
    read = code.load().read
    with code.running("read"):
        read(name)
        desk.write("raw/a.txt", b"two")
        read(name)


# Links, and what is no file


@pytest.mark.parametrize("kind", [datatool.File, str, Path])
@pytest.mark.parametrize("inside", [True, False])
def test_a_link_counts_by_what_it_leads_to(code: Code, desk: World, kind: Callable[[str], Any], inside: bool) -> None:
    target = (desk.root if inside else desk.top) / "target.txt"
    (desk.root / "link.txt").symlink_to(target)
    read = code.load().read
    for data in ("one", "two"):
        target.write_text(data)
        with code.running("read"):
            assert read(kind("./link.txt")) == read(kind("./link.txt")) == [data]


def test_a_link_to_a_tracked_file_that_is_not_here_has_it_fetched(code: Code, desk: World) -> None:
    desk.write("target.txt", b"one")
    desk.settle()
    desk.ok("add", "target.txt")
    (desk.root / "target.txt").unlink()
    (desk.root / "link.txt").symlink_to("target.txt")
    assert code.load().read(datatool.File("link.txt")) == ["one"]


def test_a_link_to_a_directory_counts_by_what_is_there(code: Code, desk: World) -> None:
    (desk.root / "link").symlink_to("raw")
    read = code.load().read
    for data in (b"one", b"two"):
        desk.write("raw/a.txt", data)
        with code.running("read"):
            read(datatool.File("link"))


def test_what_has_no_content_is_named_as_what_it_is(code: Code, desk: World) -> None:
    os.mkfifo(desk.root / "pipe")
    (desk.root / "round").symlink_to("round")
    (desk.root / "astray").symlink_to("nowhere")
    read = code.load().read
    for name, what in (("pipe", "a FIFO"), ("round", "a link that leads nowhere"), ("astray", "a link")):
        with pytest.raises(UsageError, match=rf"^File\('{name}'\): is {what}"):
            read(datatool.File(name))
    with pytest.raises(UsageError, match="is a device"):
        read(datatool.File("/dev/null"))


# Values


def digest(value: object) -> str:
    return argument_digest(value, "x", lambda inner, place: b"leaf" if isinstance(inner, type) else None)


def test_what_is_in_itself_is_refused(code: Code) -> None:
    round_list: list[Any] = [1]
    round_list += [round_list, round_list]
    round_dict: dict[str, Any] = {}
    round_dict["self"] = {"more": round_dict}
    read = code.load().read
    for value in (round_list, round_dict, (round_list,)):
        for ask in (read, read.why, read.uncached):
            with pytest.raises(UsageError, match="lies too deep, or in itself"):
                ask(value)


class Pair(NamedTuple):
    left: object
    right: object


def test_collections_count_by_type_and_by_what_is_in_them() -> None:
    values = [
        {"a": 1},
        OrderedDict(a=1),
        Counter(a=1),
        defaultdict(list, a=1),
        defaultdict(None, a=1),
        defaultdict(list, a=2),
        [1, 2],
        (1, 2),
        deque([1, 2]),
        deque([1, 2], 2),
        deque([2, 1]),
        Pair(1, 2),
        Pair(2, 1),
        bytearray(b"a"),
        bytearray(b"b"),
        b"a",
    ]
    assert len({digest(value) for value in values}) == len(values)
    assert digest(Pair(1, [2])) == digest(Pair(1, [2]))


def test_what_stands_in_a_collection_is_replaced_in_one_of_the_same_kind() -> None:
    def upper(value: object) -> object:
        return value.upper() if isinstance(value, str) else SAME

    for old, new in (
        (Pair("a", ["b"]), Pair("A", ["B"])),
        (OrderedDict(k="a"), OrderedDict(k="A")),
        (defaultdict(list, k="a"), defaultdict(list, k="A")),
        (deque(["a"], 3), deque(["A"], 3)),
    ):
        made: Any = rebuilt(old, upper)
        assert made == new and type(made) is type(new)
        assert getattr(made, "maxlen", None) == getattr(new, "maxlen", None)
        assert getattr(made, "default_factory", None) is getattr(new, "default_factory", None)
    same = Counter(a=1)
    assert rebuilt(same, upper) is same


@dataclass
class Shape:
    side: int

    @cached_property
    def area(self) -> int:
        return self.side**2


def test_what_somebody_added_to_a_dataclass_counts_and_what_it_remembers_does_not() -> None:
    plain, used, more, other = Shape(2), Shape(2), Shape(2), Shape(2)
    assert used.area == 4
    more.color = "red"  # type: ignore[attr-defined]
    other.color = "blue"  # type: ignore[attr-defined]
    assert digest(plain) == digest(used)
    assert len({digest(value) for value in (plain, more, other)}) == 3


def test_numbers_texts_and_times_of_libraries_count_by_type_and_value(code: Code) -> None:
    numpy, pandas = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    code.write("pipe.py", "import datatool\n\n@datatool.stage\ndef f(x):\n    return [type(x).__name__, str(x)]\n")
    f = code.load().f
    values = [
        numpy.array(3),
        numpy.int64(3),
        3,
        numpy.str_("3"),
        "3",
        pandas.Timestamp("2026-01-01"),
        pandas.Timestamp("2026-01-01", tz="UTC"),
        pandas.Timestamp("2026-01-01").as_unit("s"),
        pandas.Timedelta(1),
        pandas.NaT,
    ]
    runs = [f.why(value).stages[0] for value in values]
    assert [f(value)[0] for value in values] == [type(value).__name__ for value in values]
    assert all(f.why(value).cached for value in values) and not any(run.run for run in runs)


def test_a_table_that_can_not_be_counted_says_why(code: Code) -> None:
    pandas = pytest.importorskip("pandas")
    code.write("pipe.py", "import datatool\n\n@datatool.stage\ndef f(x):\n    return 1\n")
    f = code.load().f
    with pytest.raises(UsageError, match=r"^argument x\[0\]: pandas.DataFrame can't be counted: .*column"):
        f([pandas.DataFrame([[1, 2]], columns=["a", "a"])])
    with pytest.raises(UsageError, match=r"^argument x: pandas.DataFrame can't be counted: "):
        f(pandas.DataFrame({"a": [object()]}))
