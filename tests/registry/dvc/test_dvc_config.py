"""DVC's configuration files: their dialect, and what the levels come to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datatool.errors import FormatError
from datatool.formats.dvc_config import parse_dvc_config

REAL = b"""\
[core]
    remote = S3
    autostage = true
# a comment
['remote "s3"']
    url = s3://plain/pre/fix   # where
    endpointurl = "http://127.0.0.1:5055"
[remote "Other"]
\turl='../a # b, c'
    type = reflink, copy
"""


def test_a_real_configuration() -> None:
    found = parse_dvc_config(REAL, name="config")
    assert found.setting("core", "remote") == "S3"
    assert found.remotes["s3"] == {"url": "s3://plain/pre/fix", "endpointurl": "http://127.0.0.1:5055"}
    assert found.remotes["other"] == {"url": "../a # b, c", "type": "reflink,copy"}


def test_names_are_read_in_any_case_and_twice_the_same_section_is_one() -> None:
    found = parse_dvc_config(b"[Core]\nREMOTE = a\n[core]\nx = 1\n", name="config")
    assert found.sections == {"core": {"remote": "a", "x": "1"}}


def test_an_empty_value_counts_as_none() -> None:
    assert parse_dvc_config(b"[core]\nremote =\n", name="config").setting("core", "remote") is None


@pytest.mark.parametrize(
    "data",
    [b"[core\n", b"[]\n", b"nothing\n", b"[core]\nremote 's'\n", b"[core]\nurl = 'a' b\n", b"\xff\n", b"#" * (2 << 20)],
    ids=lambda data: repr(data[:10]),
)
def test_what_is_no_configuration_is_refused_with_the_line(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse_dvc_config(data, name="config")


@given(
    st.dictionaries(
        st.text(alphabet="abc_", min_size=1, max_size=5),
        st.text(alphabet="abc:/ .,#~$", max_size=8),
        max_size=4,
    )
)
def test_quoted_values_come_through(settings: dict[str, str]) -> None:
    text = "['remote \"r\"']\n" + "".join(f'{key} = "{value}"\n' for key, value in settings.items())
    assert parse_dvc_config(text.encode(), name="config").remotes["r"] == settings
