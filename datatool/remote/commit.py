"""The end of a push: one shard with the push record, written within ten minutes of the final check.

The window is judged twice. Before the write, by a clock that runs while the machine sleeps: a laptop that was shut
between check and commit must check again. After it, by the server's own dates, which is what every reader goes by:
a record that came too late is void, for everybody (formats §5).
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from enum import Enum
from typing import Final

from msgspec import Struct

from datatool.formats.index_list import IndexList
from datatool.formats.shard import PushRecord, Root, shard_path
from datatool.remote.compaction import current_ids, superseded_long_ago, to_supersede
from datatool.remote.session import Remote
from datatool.remote.sink import UploadSink
from datatool.remote.state import WINDOW
from datatool.store.protocol import Listed

_LIST_ROUNDS: Final = 3


class Outcome(Enum):
    """How an attempt to commit ended."""

    DONE = "done"
    """The record counts."""
    LATE = "late"
    """More than ten minutes passed since the final check: check again."""
    LOST = "lost"
    """The shard is not there: another process deleted it, or the store lied. Check again."""


class Check(Struct, frozen=True, kw_only=True):
    """When the final check began: by the server's clock, and by this machine's clock that runs during sleep."""

    server: float
    machine: float


def final_check(remote: Remote) -> Check:
    """Note the time, then read the remote once more: what is uploaded after this must be checked again."""
    remote.settle()
    check = Check(server=remote.store.server_time(), machine=remote.boottime())
    remote.refresh()
    return check


def publish_roots(
    remote: Remote, sink: UploadSink, check: Check, roots: Sequence[Root], *, revision: str | None, index_list: bool
) -> Outcome:
    """Publish the shard that makes these roots pushed, if the time allows."""
    passed = remote.boottime() - check.machine
    if not 0 <= passed <= WINDOW:
        return Outcome.LATE
    record = PushRecord(
        id=uuid.uuid4().hex,
        time=check.server + passed,
        checked=check.server,
        project=remote.project,
        commit=revision,
        roots=tuple(roots),
    )
    name = sink.publish(pushes=(record,), supersedes=to_supersede(remote.state))
    found = write_index_list(remote) if index_list and remote.store.capabilities.list else remote.list_index()
    if name not in found:
        return Outcome.LOST
    if found[name].time - check.server > WINDOW:
        return Outcome.LATE
    _delete_superseded(remote, found, now=max(check.server, found[name].time))
    return Outcome.DONE


def _put_index_list(remote: Remote) -> None:
    remote.publish_list(
        IndexList(shards=current_ids(remote.state.current), dropped=tuple(sorted(remote.state.dropped)))
    )


def write_index_list(remote: Remote) -> dict[str, Listed]:
    """Rewrite the advisory list of shards, for transports that can't list; the listing of `index/` seen last.

    Two pushes that end at the same time overwrite each other's list. The one that writes last sees both shards.
    """
    for _ in range(_LIST_ROUNDS):
        _put_index_list(remote)
        found = remote.list_index()
        if all(name in remote.listed for name in found):
            break
        remote.refresh()
    return found


def _delete_superseded(remote: Remote, found: dict[str, Listed], *, now: float) -> None:
    if not remote.store.capabilities.delete:
        return
    old = [name for name in map(shard_path, superseded_long_ago(remote.state, now=now)) if name in found]
    if old:
        remote.store.delete_many(old)
