"""What is copied file to file, and not held in memory, is gone on with after a kill."""

from __future__ import annotations

from datatool.cache.writer import RESUMED_FROM
from datatool.remote.source import LARGE


def test_every_object_that_streams_from_a_remote_is_gone_on_with() -> None:
    assert RESUMED_FROM <= LARGE
