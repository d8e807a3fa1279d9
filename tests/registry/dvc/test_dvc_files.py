"""DVC's pointers and pipelines as text: what is read, what is left out, what is refused."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datatool.errors import FormatError, MergeConflict
from datatool.formats.block_yaml import read_blocks
from datatool.formats.dvc_file import Md5, parse_dvc_file
from datatool.formats.dvc_pipeline import locked_outs, parse_lock, parse_pipeline
from datatool.formats.yaml_text import read_any

MD5 = "d41d8cd98f00b204e9800998ecf8427e"


def parse(text: str) -> Any:
    return parse_dvc_file(text.encode(), name="x.dvc")


def test_a_directory_of_dvc_3() -> None:
    (out,) = parse(f"outs:\n- md5: {MD5}.dir\n  size: 60\n  nfiles: 6\n  hash: md5\n  path: songs\n").outs
    assert (out.md5, out.size, out.files, out.path) == (Md5(digits=MD5, directory=True), 60, 6, "songs")
    assert out.md5.name == f"files/md5/d4/{MD5[2:]}.dir"


def test_a_file_of_dvc_2_lies_elsewhere() -> None:
    (out,) = parse(f"outs:\n- md5: {MD5}\n  size: 12\n  path: dos.txt\n").outs
    assert out.md5.legacy
    assert out.md5.name == f"d4/{MD5[2:]}"


def test_keys_may_come_in_any_order_and_unknown_ones_are_ignored() -> None:
    text = f"""\
frozen: true  # by hand
deps:
- path: music/songs/a.txt
  repo:
    url: ../registry
    rev_lock: 97d256a8de60b6c68898bf86b40ff111c1c1e413
    colour: red
outs:
- hash: md5
  path: noexec.txt
  md5: {MD5.upper()}
  isexec: true
  whatever: [1, 2]
md5: 8be4a87cfe44586d376683a1e2169c0a
meta: {{a: {{b: c}}}}
"""
    found = parse(text)
    assert found.outs[0].md5 == Md5(digits=MD5)
    assert found.outs[0].executable
    assert (found.source.url, found.source.path, found.source.rev) == ("../registry", "music/songs/a.txt", None)


def test_a_hash_of_digits_alone_stays_text() -> None:
    digits = "0" * 30 + "12"
    assert parse(f"outs:\n- md5: {digits}\n  hash: md5\n  path: a\n").outs[0].md5.digits == digits


@pytest.mark.parametrize("path", ["/etc/passwd", "s3://bucket/x", "C:\\x", "C:/x", "\\\\host\\share", "remote://r/x"])
def test_outputs_outside_of_the_project_are_left_out(path: str) -> None:
    assert parse(f"outs:\n- md5: {MD5}\n  path: '{path}'\n").outs == ()


def test_an_output_that_git_keeps_is_told() -> None:
    assert not parse(f"outs:\n- md5: {MD5}\n  path: m.json\n  cache: false\n").outs[0].cached


def test_a_list_in_the_pointer_with_versions() -> None:
    text = f"""\
outs:
- hash: md5
  path: d
  files:
  - relpath: '1'
    md5: {MD5}
    size: 2
    cloud:
      V:
        etag: {MD5}
        version_id: b6b3bd45-ba77
"""
    (file,) = parse(text).outs[0].listed
    assert (file.path, file.version.remote, file.version.id) == ("1", "v", "b6b3bd45-ba77")


@pytest.mark.parametrize(
    "value",
    [
        "../../../etc/passwd",
        "ab",
        "a" * 33,
        "g" * 32,
        MD5 + "\\n",
        "１" * 32,
        "[a]",
        "{a: b}",
        f"md5:{MD5}",
        MD5 + ".exe",
    ],
)
def test_what_is_no_hash_is_refused(value: str) -> None:
    with pytest.raises(FormatError):
        parse(
            f'outs:\n- md5: "{value}"\n  hash: md5\n  path: a\n'
            if "\\" in value
            else f"outs:\n- md5: {value}\n  path: a\n"
        )


@pytest.mark.parametrize("value", ["-1", "1.5", "yes", str(2**63), "１"])
def test_what_is_no_size_is_refused(value: str) -> None:
    with pytest.raises(FormatError):
        parse(f"outs:\n- md5: {MD5}\n  size: {value}\n  path: a\n")


BOMB = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 9)) for c in range(98, 108)
)


@pytest.mark.parametrize(
    "data",
    [
        BOMB,
        b'!!python/object/apply:os.system ["touch pwned"]\n',
        b"[" * 100_000,
        b"- " * 20_000,
        b"\xff\xfe{\0}\0",
        b"outs: \xff\n",
        b"\0" * 4096,
        b"42\n",
        b"[]",
        b"outs: 1\n",
        b"outs:\n- 1\n",
        b"outs:\n- md5: x\n",
        b"outs: []\nouts: []\n",
        b"a: 1\n<<: {b: 1}\n",
        b"<!DOCTYPE html><html>login",
        b"outs:\n" + b"  " * 3000 + b"- a: b\n",
        b"a: [" + b"x, " * 400_000 + b"x]\n",
        b"x: y\n" * 5_000_000,
    ],
    ids=lambda data: repr(data[:12]),
)
def test_hostile_documents_are_refused_soon(data: bytes) -> None:
    began = time.process_time()
    with pytest.raises(FormatError):
        parse_dvc_file(data, name="x.dvc")
    assert time.process_time() - began < 20


def test_conflict_markers_are_told() -> None:
    text = b"outs:\n<<<<<<< HEAD\n- md5: aa\n=======\n- md5: bb\n>>>>>>> theirs\n"
    with pytest.raises(MergeConflict, match="HEAD"):
        parse_dvc_file(text, name="x.dvc")


def test_windows_line_ends_and_a_mark_are_read() -> None:
    text = f"\ufeffouts:\r\n- md5: {MD5}\r\n  path: a\r\n"
    assert parse(text).outs[0].path == "a"


# Pipelines


def outs_of(pipeline: str | None, lock: str, parameters: dict[str, str] | None = None) -> list[tuple[str, str | None]]:
    read = None if pipeline is None else parse_pipeline(pipeline.encode(), name="dvc.yaml")
    found = locked_outs(parse_lock(lock.encode(), name="dvc.lock"), read, parameters or {})
    return sorted((item.out.path, item.unknown) for item in found)


LOCK = f"""\
schema: '2.0'
stages:
  train:
    cmd: a very long command that
      goes on
    outs:
    - path: kept.json
      md5: {MD5}
    - path: model
      hash: md5
      md5: {MD5}.dir
"""


def test_outputs_that_git_keeps_are_subtracted() -> None:
    pipeline = (
        "stages:\n  train:\n    cmd: x\n    outs: [model]\n    metrics:\n    - kept.json:\n        cache: false\n"
    )
    assert outs_of(pipeline, LOCK) == [("model", None)]


def test_a_stage_that_is_gone_tracks_nothing() -> None:
    assert outs_of("stages:\n  other:\n    cmd: x\n", LOCK) == []


def test_without_a_pipeline_that_reads_the_lock_alone_has_to_do() -> None:
    assert outs_of(None, LOCK) == [("kept.json", None), ("model", None)]


def test_a_lock_of_version_1_has_its_stages_at_the_top() -> None:
    lock = f"train:\n  cmd: x\n  outs:\n  - path: model\n    md5: {MD5}\n"
    assert outs_of("stages:\n  train:\n    cmd: x\n    outs:\n    - model\n", lock) == [("model", None)]


def test_stages_of_many_are_found_by_their_template() -> None:
    pipeline = """\
stages:
  split:
    foreach: [a, b]
    do:
      cmd: x
      wdir: ${item}
      outs:
      - part-${item}.txt
      - note-${ item }.txt:
          cache: false
"""
    lock = "schema: '2.0'\nstages:\n" + "".join(
        f"  split@{x}:\n    outs:\n"
        + "".join(f"    - path: {stem}-{x}.txt\n      md5: {MD5}\n" for stem in ("part", "note"))
        for x in "ab"
    )
    assert outs_of(pipeline, lock) == [("a/part-a.txt", None), ("b/part-b.txt", None)]


def test_a_directory_from_parameters_and_one_that_nobody_knows() -> None:
    pipeline = "stages:\n  train:\n    cmd: x\n    wdir: ${where.to}\n    outs: [model, kept.json]\n"
    assert outs_of(pipeline, LOCK, {"where.to": "out"}) == [("out/kept.json", None), ("out/model", None)]
    assert {unknown for _, unknown in outs_of(pipeline, LOCK)} == {"${where.to}"}


# The fast reader and the YAML library agree

_words = st.text(alphabet="ab: -#'\"[]{}&*!|>%@`,?0~=\\<.é", max_size=6)
_lines = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["", "- ", "k: ", "k:", "j: ", "- k: ", "# "]), _words), max_size=8
)


@settings(deadline=None)
@given(_lines)
def test_the_fast_reader_agrees_with_the_yaml_library(lines: list[tuple[int, str, str]]) -> None:
    text = "".join(f"{' ' * indent}{start}{word}\n" for indent, start, word in lines)
    found = read_blocks(text)
    if found is not None:
        assert found == read_any(text, name="x", depth=16)


_scalars = st.from_regex(r"[abX019._/é][abX019._/é-]{0,3}(?: [abX019._/é-]{1,3})?", fullmatch=True)
_values = st.recursive(
    _scalars,
    lambda inner: (
        st.lists(st.dictionaries(_scalars, inner, min_size=1, max_size=3), max_size=3)
        | st.dictionaries(_scalars, inner, max_size=3)
    ),
    max_leaves=8,
)


def spelled(value: Any, indent: int) -> str:
    pad = " " * indent
    if isinstance(value, dict):
        if not value:
            return " {}\n"
        return "\n" + "".join(f"{pad}{key}:{spelled(inner, indent + 2)}" for key, inner in value.items())
    if isinstance(value, list):
        if not value:
            return " []\n"
        rows = []
        for item in value:
            body = spelled(item, indent + 2)[1:]
            rows.append(f"{pad}- {body[indent + 2 :]}")
        return "\n" + "".join(rows)
    return f" {value}\n"


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(_scalars, _values, min_size=1, max_size=4))
def test_what_is_plain_is_read_by_the_fast_reader(values: dict[str, Any]) -> None:
    text = spelled(values, 0)[1:]
    assert read_blocks(text) == values == read_any(text, name="x", depth=16)
