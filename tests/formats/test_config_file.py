"""Configuration files as flat keys."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datatool.errors import DatatoolError, FormatError, MergeConflict, NewerFormat
from datatool.formats.config_file import LIMIT, edit_config, parse_config, split_key
from patience import patient

TEXT = """\
datatool: 1
# who we are
project: 3f1c0a52-6e3e-4f5a-9a53-0a9be8a3a111   # never change
remote: nas
remotes:
  nas:
    url: /mnt/nas/data
    pack: false
  my.other:
    url: "s3://bucket/prefix"
cache:
  link: [hardlink, copy]   # fast here
"""


def parse(text: str) -> dict[str, str]:
    return parse_config(text.encode(), name="config.yaml")


def test_a_file_reads_as_flat_keys_and_every_value_is_text() -> None:
    assert parse(TEXT) == {
        "project": "3f1c0a52-6e3e-4f5a-9a53-0a9be8a3a111",
        "remote": "nas",
        "remotes.nas.url": "/mnt/nas/data",
        "remotes.nas.pack": "false",
        "remotes.my.other.url": "s3://bucket/prefix",
        "cache.link": "hardlink, copy",
    }


def test_what_only_a_yaml_library_reads_means_the_same() -> None:
    text = "remotes: {nas: {url: /mnt/nas, pack: no}}\njobs: 010\ncache:\n  link:\n  - copy\n"
    assert parse(text) == {
        "remotes.nas.url": "/mnt/nas",
        "remotes.nas.pack": "no",
        "jobs": "010",
        "cache.link": "copy",
    }


def test_a_key_may_be_written_flat_and_is_changed_where_it_stands() -> None:
    text = b"cache.link: copy\n"
    assert parse_config(text, name="c") == {"cache.link": "copy"}
    assert edit_config(text, {"cache.link": ["reflink"]}, name="c") == b"cache.link: [reflink]\n"
    with pytest.raises(FormatError, match=r"c: cache\.link a second time"):
        parse_config(text + b"cache:\n  link: copy\n", name="c")


def test_an_edit_keeps_comments_and_order() -> None:
    edited = edit_config(
        TEXT.encode(),
        {"remotes.nas.url": "/mnt/new", "remotes.my.other.url": None, "git.stage": False, "jobs": 8, "remote": "new"},
        name="config.yaml",
    ).decode()
    assert edited == (
        TEXT.replace("/mnt/nas/data", "/mnt/new")
        .replace('  my.other:\n    url: "s3://bucket/prefix"\n', "")
        .replace("remote: nas", "remote: new")
        + "git:\n  stage: false\njobs: 8\n"
    )


def test_a_new_file_carries_the_version() -> None:
    text = edit_config(None, {"remotes.nas.url": "/x", "project": "p"}, name="c")
    assert text == b"datatool: 1\nproject: p\nremotes:\n  nas:\n    url: /x\n"


def test_removing_what_is_not_there_changes_nothing() -> None:
    assert edit_config(TEXT.encode(), {"jobs": None, "remotes.none.url": None}, name="c") == TEXT.encode()


def test_conflicts_newer_versions_and_wrong_shapes_are_told_apart() -> None:
    with pytest.raises(MergeConflict, match="'HEAD' and 'topic'"):
        parse(f"{TEXT}<<<<<<< HEAD\njobs: 1\n=======\njobs: 2\n>>>>>>> topic\n")
    with pytest.raises(NewerFormat, match="written by a newer datatool"):
        parse("datatool: 2\nwhat: ever\n")
    with pytest.raises(FormatError, match="datatool must be 1"):
        parse("datatool: old\n")
    with pytest.raises(FormatError, match="must be a word or a list of words"):
        parse("cache:\n  link: [[copy]]\n")
    with pytest.raises(FormatError, match="not keys with values"):
        parse("- a\n")
    with pytest.raises(FormatError, match="line 2: anchors and aliases"):
        parse("a: b\nc: &x d\n")
    with pytest.raises(FormatError, match="not UTF-8"):
        parse_config(b"a: \xff\n", name="c")
    with pytest.raises(FormatError, match="too large"):
        parse_config(b"#" * (LIMIT + 1), name="c")


def test_a_plain_file_is_read_and_changed_without_a_yaml_library() -> None:
    program = (
        "import sys\n"
        "from datatool.formats.config_file import edit_config, parse_config\n"
        "text = sys.stdin.buffer.read()\n"
        "new = edit_config(text, {'jobs': 3, 'remotes.nas.url': None, 'remotes.b.url': 's3://b'}, name='c')\n"
        "edit_config(None, parse_config(new, name='c'), name='c')\n"
        "parse_config(b'# nothing\\n', name='c'), parse_config(b'', name='c')\n"
        "print([name for name in sys.modules if name.startswith('ruamel')])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], input=TEXT.encode(), capture_output=True, check=True)
    assert done.stdout.split() == [b"[]"]


def test_the_name_of_a_remote_may_hold_dots() -> None:
    assert split_key("remotes.a.b.url") == ("remotes", "a.b", "url")
    assert split_key("registries.x.url") == ("registries", "x", "url")
    assert split_key("remote") == ("remote",)
    assert split_key("cache.link") == ("cache", "link")


keys = st.sampled_from(
    ["remote", "jobs", "cache.link", "cache.dir", "git.stage", "remotes.a.url", "remotes.a.b.url", "remotes.c.token"]
)
values = st.text(max_size=10).filter(bool) | st.lists(st.text("abc /", min_size=1, max_size=4), min_size=1, max_size=2)


@patient
@given(st.dictionaries(keys, values), st.dictionaries(keys, st.none() | values))
def test_what_was_set_reads_back_whatever_was_there(before: dict[str, object], changes: dict[str, object]) -> None:
    def flat(value: object) -> str:
        return ", ".join(value) if isinstance(value, list) else str(value)

    first = edit_config(None, before, name="c")  # type: ignore[arg-type]
    second = edit_config(first, changes, name="c")  # type: ignore[arg-type]
    wanted = {key: flat(value) for key, value in {**before, **changes}.items() if value is not None}
    assert parse_config(second, name="c") == wanted


@patient
@given(st.binary(max_size=60) | st.text(st.sampled_from("ab:-[]{},#&*!|>'\"%@ \n\t\r"), max_size=50).map(str.encode))
def test_any_bytes_give_settings_or_an_error_of_ours(data: bytes) -> None:
    try:
        parse_config(data, name="c")
    except DatatoolError as error:
        assert str(error).startswith("c: ")
