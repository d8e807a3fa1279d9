"""Pointer files (formats §2)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from datatool.errors import DatatoolError, FormatError, MergeConflict, NewerFormat
from datatool.formats.plain_yaml import read_plain
from datatool.formats.pointer_file import LIMIT, TYPED, is_pointer, parse_pointer, write_pointer
from datatool.formats.yaml_text import read_any
from datatool.model.oid import ObjectId
from datatool.model.pointer import ArtifactKind, Pointer, Role, Source
from patience import patient

GOLDEN = Path(__file__).parent / "golden" / "pointers"
OID = ObjectId("9d53a2b1c7e84f60d1a5b3c2e4f60718293a4b5c6d7e8f90a1b2c3d4e5f60718")
OTHER = ObjectId("1f" * 32)

# What each golden file, written by hand, says.
MEANINGS = {
    "file": Pointer(kind=ArtifactKind.FILE, oid=OID, size=12),
    "directory": Pointer(kind=ArtifactKind.DIRECTORY, oid=OID, size=1_843_200_000, files=10_000),
    "full": Pointer(
        kind=ArtifactKind.FILE,
        oid=OID,
        size=9_007_199_254_740_993,
        executable=True,
        description="Million Song subset",
        labels=("audio", "train"),
        role=Role.SOURCE,
        remote="archive",
        push=False,
        meta=(("licence", "CC-BY-4.0"),),
        source=Source(
            repo="https://github.com/example/registry",
            path="music/songs",
            rev="1.10",
            commit="0123456789abcdef0123456789abcdef01234567",
            origin="datatool",
        ),
    ),
    "storage": Pointer(
        kind=ArtifactKind.FILE,
        oid=OID,
        size=0,
        source=Source(url="s3://bucket/key", etag="5d41402abc4b2a76b9719d911017c592-3"),
    ),
    "import_only": Pointer(
        kind=ArtifactKind.DIRECTORY,
        oid=None,
        source=Source(repo="../registry", path="data", commit="1234567890" * 4),
    ),
    "query": Pointer(
        kind=ArtifactKind.FILE,
        oid=OID,
        size=77,
        source=Source(query="select a, b from t where c = 'x: y' # all", connection="warehouse", run=OID),
    ),
    "odd_text": Pointer(
        kind=ArtifactKind.FILE,
        oid=OID,
        size=3,
        description='tab\there, "quoted", back\\slash, line\nbreak',
        labels=("no", "2024-01-31", "a, b", "weiß"),
        meta=(("a key", "x: y"), ("1", "~")),
    ),
}
PLAIN = ("file", "directory", "full", "storage", "import_only", "query")


def golden(name: str) -> bytes:
    return (GOLDEN / f"{name}.dt").read_bytes()


def parse(text: str | bytes) -> Pointer:
    return parse_pointer(text.encode() if isinstance(text, str) else text, name="x.dt")


def file_text(**more: str) -> str:
    return f"datatool: 1\nkind: file\noid: sha256:{OID}\nsize: 12\n" + "".join(f"{k}: {v}\n" for k, v in more.items())


@pytest.mark.parametrize("name", MEANINGS)
def test_a_golden_pointer_reads_as_what_it_says(name: str) -> None:
    assert is_pointer(golden(name))
    assert parse(golden(name)) == MEANINGS[name]


@pytest.mark.parametrize("name", MEANINGS)
def test_a_golden_pointer_is_what_we_write_byte_for_byte(name: str) -> None:
    assert write_pointer(MEANINGS[name], old=None) == golden(name)
    assert write_pointer(MEANINGS[name], old=golden(name)) == golden(name)


def test_every_golden_file_has_a_meaning() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == set(MEANINGS)


@pytest.mark.parametrize("name", PLAIN)
def test_what_we_usually_write_needs_no_yaml_library(name: str) -> None:
    text = golden(name).decode()
    assert read_plain(text, typed=TYPED) == read_any(text, name="x", typed=TYPED)


def test_reading_and_rewriting_usual_pointers_never_loads_ruamel() -> None:
    program = (
        "import sys, pathlib\n"
        "from msgspec import structs\n"
        "from datatool.formats.pointer_file import parse_pointer, write_pointer\n"
        "for name in sys.argv[1:]:\n"
        "    data = pathlib.Path(name).read_bytes()\n"
        "    pointer = parse_pointer(data, name=name)\n"
        "    changed = structs.replace(pointer, oid='0' * 64, size=1, files=2, description='new', source=None)\n"
        "    assert parse_pointer(write_pointer(changed, old=data), name=name) == changed\n"
        "print([name for name in sys.modules if name.partition('.')[0] in ('ruamel', 'yaml', 'importlib.metadata')])\n"
    )
    files = [str(GOLDEN / f"{name}.dt") for name in PLAIN]
    done = subprocess.run([sys.executable, "-c", program, *files], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_change_keeps_order_comments_and_unknown_keys() -> None:
    old = (
        "# the songs\n"
        "datatool: 1\n"
        "\n"
        "description: 'all of them'   # as of today\n"
        "kind: directory            # file | directory\n"
        f"oid: sha256:{OID}  # aligned\n"
        "size: 100                  # bytes\n"
        "files: 9\n"
        "colour: {deep: [blue, green]}\n"
        "# about the source\n"
        "source:   # a registry\n"
        "  path: songs\n"
        "  # which\n"
        "  repo: ../r\n"
        "  commit: 0123456789abcdef0123456789abcdef01234567\n"
        "# the end\n"
    )
    pointer = structs.replace(
        parse(old),
        oid=OTHER,
        size=12345,
        files=10,
        labels=("a", "b"),
        source=Source(path="songs", repo="../r", rev="main", commit="fedcba9876543210fedcba9876543210fedcba98"),
    )
    assert write_pointer(pointer, old=old.encode()).decode() == (
        "# the songs\n"
        "datatool: 1\n"
        "\n"
        "description: 'all of them'   # as of today\n"
        "labels: [a, b]\n"
        "kind: directory            # file | directory\n"
        f"oid: sha256:{OTHER}  # aligned\n"
        "size: 12345                # bytes\n"
        "files: 10\n"
        "colour: {deep: [blue, green]}\n"
        "# about the source\n"
        "source:   # a registry\n"
        "  path: songs\n"
        "  rev: main\n"
        "  # which\n"
        "  repo: ../r\n"
        "  commit: fedcba9876543210fedcba9876543210fedcba98\n"
        "# the end\n"
    )


def test_a_change_in_a_pointer_that_only_a_yaml_library_reads_keeps_the_rest() -> None:
    old = (
        "datatool: 1  # v\n"
        "kind: file\n"
        "description: |\n  two\n  lines\n\n"
        "# labels, one by one\n"
        "labels:\n- a   # first\n- 'b'\n"
        f"oid: sha256:{OID}\n"
        "size: 5 # bytes\n"
        "meta:\n  'who': \"me \\u263a\"\n"
    )
    pointer = parse(old)
    assert (pointer.description, pointer.labels, pointer.meta) == ("two\nlines\n", ("a", "b"), (("who", "me ☺"),))
    changed = structs.replace(pointer, oid=OTHER, size=6, meta=(("who", "you"),), executable=True)
    assert write_pointer(changed, old=old.encode()).decode() == (
        "datatool: 1  # v\n"
        "kind: file\n"
        "description: |\n  two\n  lines\n\n"
        "# labels, one by one\n"
        "labels:\n- a   # first\n- 'b'\n"
        f"oid: sha256:{OTHER}\n"
        "size: 6 # bytes\n"
        "executable: true\n"
        "meta:\n  'who': you\n"
    )
    plainer = structs.replace(pointer, description="one", labels=())
    assert write_pointer(plainer, old=old.encode()).decode() == (
        "datatool: 1  # v\n"
        "kind: file\n"
        "description: one\n\n"
        "# labels, one by one\n"
        f"oid: sha256:{OID}\n"
        "size: 5 # bytes\n"
        "meta:\n  'who': \"me \\u263a\"\n"
    )


def test_what_is_no_longer_so_is_removed_with_the_mapping_around_it() -> None:
    assert write_pointer(MEANINGS["file"], old=golden("full")) == golden("file")
    assert write_pointer(MEANINGS["full"], old=golden("file")) == golden("full")


def test_windows_line_ends_and_a_byte_order_mark_are_read_and_left_alone_without_change() -> None:
    old = b"\xef\xbb\xbf" + golden("full").replace(b"\n", b"\r\n")
    assert is_pointer(old)
    assert parse(old) == MEANINGS["full"]
    assert write_pointer(MEANINGS["full"], old=old) == old
    changed = structs.replace(MEANINGS["full"], size=1)
    assert write_pointer(changed, old=old) == golden("full").replace(b"9007199254740993", b"1")


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (b"datatool: 1\n", True),
        (b"datatool: 1", True),
        (b"# songs\n\n  # more\ndatatool: 77 # newer\n", True),
        (b"<<<<<<< HEAD\ndatatool: 1\n", True),
        (b"", False),
        (b"datatool: one\n", False),
        (b"datatool:1\n", False),
        (b" datatool: 1\n", False),
        (b"datatool: 1x\n", False),
        (b"kind: file\ndatatool: 1\n", False),
        (b"---\ndatatool: 1\n", False),
        (b"\x00\x01\x02\xff", False),
        (b"#\n" * 30000 + b"no\n", False),
    ],
)
def test_a_pointer_is_known_by_its_first_line(data: bytes, answer: bool) -> None:
    assert is_pointer(data) is answer


def test_conflict_markers_name_both_sides() -> None:
    text = (
        "datatool: 1\nkind: file\n"
        f"<<<<<<< HEAD\noid: sha256:{OID}\nsize: 1\n"
        f"||||||| 1234567\noid: sha256:{OID}\nsize: 3\n"
        f"=======\noid: sha256:{OTHER}\nsize: 2\n>>>>>>> feature/new songs\n"
    )
    with pytest.raises(MergeConflict) as caught:
        parse_pointer(text.encode(), name="music/songs.dt")
    assert "music/songs.dt" in str(caught.value)
    assert "'HEAD'" in str(caught.value) and "'feature/new songs'" in str(caught.value)
    assert caught.value.hint is not None and "music/songs.dt" in caught.value.hint
    assert caught.value.path == "music/songs.dt"


def test_a_conflict_about_the_very_first_line_is_still_a_conflict() -> None:
    text = f"<<<<<<< ours\n# mine\n=======\n# theirs\n>>>>>>> theirs\n{file_text()}"
    assert not is_pointer(text.encode())  # what comes first is no longer ours to say
    text = f"<<<<<<< HEAD\n{file_text()}=======\n{file_text().replace('12', '13')}>>>>>>> other\n"
    assert is_pointer(text.encode())
    with pytest.raises(MergeConflict):
        parse(text)


@pytest.mark.parametrize("rest", ["kind: file\n", "kind: [galaxy\n", "shape: {a: *b}\n"])
def test_a_newer_version_says_so_whatever_it_looks_like(rest: str) -> None:
    with pytest.raises(NewerFormat, match=r"x\.dt: written by a newer datatool \(format 2, this one reads 1\)"):
        parse("datatool: 2\n" + rest)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("datatool: 0\nkind: file\n", "datatool must be 1"),
        ("datatool: 01\nkind: file\n", "datatool must be 1"),
        ("kind: file\n", "not a pointer"),
        ("datatool: 1\n", "kind is missing"),
        ("datatool: 1\nkind: folder\n", "kind must be file or directory, not 'folder'"),
        ("datatool: 1\nkind: file\n", "oid is missing"),
        ("datatool: 1\nkind: file\nsource:\n", "oid is missing"),
        (f"datatool: 1\nkind: file\noid: {OID}\nsize: 1\n", "oid must be sha256:"),
        (f"datatool: 1\nkind: file\noid: sha256:{OID.upper()}\nsize: 1\n", "oid must be sha256:"),
        (f"datatool: 1\nkind: file\noid: sha256:{OID}\n", "size is missing"),
        (f"datatool: 1\nkind: directory\noid: sha256:{OID}\nsize: 1\n", "files is missing"),
        (file_text().replace("12", "-12"), "size must be a whole number, not '-12'"),
        (file_text().replace("12", '"12"'), "size must be a whole number, not '12'"),
        (file_text().replace("12", "0x12"), "size must be a whole number"),
        (file_text().replace("12", "9223372036854775808"), "size must be a whole number"),
        (file_text(executable="yes"), "executable must be true or false, not 'yes'"),
        (file_text(push='"false"'), "push must be true or false, not 'false'"),
        (file_text(labels="audio"), "labels must be a list of words, not 'audio'"),
        (file_text(labels="[[a]]"), "labels must be a list of words, not a list"),
        (file_text(role="sauce"), "role must be source or intermediate or result or code, not 'sauce'"),
        (file_text(meta="[a]"), "meta must be keys with values, not a list"),
        (file_text(meta="{a: [b]}"), r"meta\.a must be text, not a list"),
        (file_text(description="{a: b}"), "description must be text, not keys with values"),
        (file_text(source="\n  commit: main"), r"source\.commit must be 40 or 64 lower-case hex digits, not 'main'"),
        (file_text(source="\n  run: abc"), r"source\.run must be 64 lower-case hex digits"),
        (file_text(size="13"), "line 5: 'size' a second time"),
        (file_text(source="\n  repo: a\n  repo: b"), "line 7: 'repo' a second time"),
        (file_text(meta="{a: b, a: c}"), "line 5: 'a' a second time"),
        (file_text(meta="&x {a: b}"), "line 5: anchors and aliases"),
        (file_text(meta="*x"), "line 5: anchors and aliases"),
        (file_text(description="!!python/object:os.system x"), "line 5: tags"),
        (file_text(meta="{<<: {a: b}}"), "line 5: merge keys"),
        (file_text(meta="[" * 30), "line 5: too deep"),
        (file_text(meta="{a: " * 30), "line 5: too deep"),
        (file_text(meta="[" * 50_000), "line 5: too deep"),
        (file_text(meta="{[a]: b}"), "line 5: a key has to be one word"),
        (file_text() + "---\nmore: 1\n", "line 5: a second document"),
        (file_text(description='"open'), "line .: not YAML"),
        (file_text(description='"\\U99999999"'), "not YAML"),
        (file_text(description="a: b: c"), "line 5: not YAML"),
        (file_text(description="\x07"), "not YAML"),
        (file_text() + "just words\n", "not YAML"),
    ],
)
def test_what_is_wrong_is_told_with_file_key_and_line(text: str, message: str) -> None:
    with pytest.raises(FormatError, match=message) as caught:
        parse(text)
    assert str(caught.value).startswith("x.dt: ")
    assert caught.value.path == "x.dt"


def test_bytes_that_are_no_utf8_and_files_too_large_are_refused() -> None:
    with pytest.raises(FormatError, match="not UTF-8"):
        parse(b"datatool: 1\nkind: \xff\n")
    big = file_text() + "#" * (LIMIT - len(file_text()))
    assert parse(big).size == 12
    with pytest.raises(FormatError, match="too large"):
        parse(big + "#")


def test_every_scalar_but_the_five_is_a_string_in_both_readers() -> None:
    text = file_text(description="1.10", remote="no", labels="[1, 2024-01-31, null]", meta="{a: 0x10, b: 'x'}")
    for spelled in (text, text.replace("'x'", '"\\x78"')):  # the second is for the library
        pointer = parse(spelled)
        assert pointer.description == "1.10"
        assert pointer.remote == "no"
        assert pointer.labels == ("1", "2024-01-31", "null")
        assert pointer.meta == (("a", "0x10"), ("b", "x"))


def test_unknown_keys_of_this_version_are_ignored() -> None:
    assert parse(file_text(future="{a: [b, {c: d}]}", size2="3")) == MEANINGS["file"]


def test_an_old_pointer_that_does_not_read_is_not_overwritten_silently() -> None:
    with pytest.raises(FormatError):
        write_pointer(MEANINGS["file"], old=b"datatool: 1\nkind: [\n")
    with pytest.raises(NewerFormat):
        write_pointer(MEANINGS["file"], old=b"datatool: 2\n")


def test_names_with_control_characters_are_escaped_in_errors() -> None:
    with pytest.raises(FormatError) as caught:
        parse_pointer(b"x", name="a\x1b[31m.dt")
    assert "\x1b" not in str(caught.value)


texts = st.text(st.characters(codec=None, exclude_categories=()), max_size=12) | st.sampled_from(
    [
        "",
        " ",
        "~",
        "no",
        "1e3",
        "0o17",
        "2024-01-31",
        "a: b",
        "a #b",
        "- a",
        "[",
        "{}",
        "*a",
        "&a",
        "!x",
        "%",
        "@",
        "`",
        "'",
        '"',
        "\\",
        "a\nb",
        "a\r\nb",
        "\x85",
        "\u2028",
        "\ufeff",
        "12:30",
        "=",
        "<<",
        "null",
        "\udcff",
        "😀",
        ":",
        "a:",
    ]
)
texts_or_none = st.none() | texts
hex40 = st.text("0123456789abcdef", min_size=40, max_size=40)
numbers = st.integers(0, (1 << 63) - 1)
sources = st.builds(
    Source,
    repo=texts_or_none,
    path=texts_or_none,
    rev=texts_or_none,
    commit=st.none() | hex40,
    origin=st.none() | st.just("dvc"),
    url=texts_or_none,
    etag=texts_or_none,
    query=texts_or_none,
    connection=texts_or_none,
    run=st.none() | st.just(str(OID)),
).filter(lambda source: source != Source())
pointers = st.builds(
    Pointer,
    kind=st.sampled_from(ArtifactKind),
    oid=st.sampled_from([OID, OTHER]),
    size=numbers,
    files=numbers,
    executable=st.booleans(),
    description=texts_or_none,
    labels=st.lists(texts, max_size=3).map(tuple),
    role=st.none() | st.sampled_from(Role),
    remote=texts_or_none,
    push=st.booleans(),
    meta=st.dictionaries(texts, texts, max_size=3).map(lambda found: tuple(found.items())),
    source=st.none() | sources,
)


@patient
@given(pointers)
def test_any_pointer_reads_back_as_it_was_written(pointer: Pointer) -> None:
    data = write_pointer(pointer, old=None)
    assert is_pointer(data)
    assert parse(data) == pointer
    assert data == data.decode().encode()


@settings(patient, max_examples=30)
@given(pointers, pointers)
def test_any_pointer_can_replace_any_other(old: Pointer, new: Pointer) -> None:
    before = b"# kept\n" + write_pointer(old, old=None) + b"later: {a: b}   # kept too\n"
    data = write_pointer(new, old=before)
    found = parse(data)
    assert dict(found.meta) == dict(new.meta)
    assert structs.replace(found, meta=()) == structs.replace(new, meta=())
    assert data.startswith(b"# kept\n") and b"\nlater: {a: b}   # kept too\n" in data
    assert write_pointer(new, old=data) == data


@patient
@given(
    st.binary(max_size=60)
    | st.text(st.sampled_from("ab:-?[]{},#&*!|>'\"%@`<=~ \n\t\r\\0"), max_size=60).map(str.encode)
)
def test_any_bytes_give_a_pointer_or_an_error_of_ours(data: bytes) -> None:
    try:
        parse(b"datatool: 1\n" + data)
    except DatatoolError as error:
        assert str(error)
