"""The sending half of a push: until the remote lacks nothing of what is needed, then the commit.

Loaded where there is something to send: most pushes find that there is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Final

from datatool.errors import DatatoolError, RemoteError
from datatool.model.oid import EMPTY, ObjectId
from datatool.progress import Progress, Spared, Task
from datatool.remote.check import lost_names
from datatool.remote.commit import Check, Outcome, final_check, publish_roots, write_index_list
from datatool.remote.damage import condemn_damaged
from datatool.remote.push import PushResult, PushRoot, WantedBy, chunks, readable
from datatool.remote.session import Remote
from datatool.remote.sink import UploadSink
from datatool.remote.state import RemoteState, root_key
from datatool.store.objects import Absent, ObjectSource, PackSource, Wanted
from datatool.store.transfer import transfer

_ROUNDS: Final = 10


def send(
    remote: Remote,
    source: ObjectSource,
    packs: PackSource | None,
    roots: Sequence[PushRoot],
    todo: Sequence[PushRoot],
    wanted: WantedBy,
    *,
    commit: str | None,
    jobs: int,
    verify: bool,
    compress: bool,
    pack: bool,
    index_list: bool,
    progress: Progress,
) -> PushResult:
    """Send what the remote lacks of `todo`, those of `roots` that it does not list, and publish them (see `push`)."""
    sink = UploadSink(remote, jobs=jobs, compress=compress, pack=pack)
    try:
        sink.adopt()
        run = Sending(remote, source, packs, sink, todo, wanted, progress)
        if verify:
            run.look_for_lost()
        run.run(revision=commit, index_list=index_list)
    except BaseException:
        with suppress(DatatoolError, OSError):
            sink.rescue()
        raise
    finally:
        sink.close()
    return PushResult(
        pushed=frozenset(root.root.oid for root in roots if root.root.oid not in run.failed),
        failed=run.failed,
        objects=sink.objects,
        bytes=sink.bytes,
        skipped_objects=run.skipped,
    )


class Sending:
    """One push that has something to send, under way."""

    def __init__(
        self,
        remote: Remote,
        source: ObjectSource,
        packs: PackSource | None,
        sink: UploadSink,
        todo: Sequence[PushRoot],
        wanted: WantedBy,
        progress: Progress,
    ) -> None:
        self.failed: dict[ObjectId, tuple[Absent, ...]] = {}
        self.skipped = 0
        self._remote = remote
        self._source = source
        self._packs = packs
        self._sink = sink
        self._todo = todo
        self._wanted = wanted
        self._progress = progress
        self._absent: dict[ObjectId, Absent] = {}
        self._rejected: set[ObjectId] = set()
        self._bad_packs: frozenset[str] = frozenset()
        self._verify = False

    def look_for_lost(self) -> None:
        """Compare the index with what is really there: what is gone does not count, what is wrong is not used again.
        `index.list` is written again in any case: nothing tells whether it is right."""
        self._verify = True
        lost = lost_names(self._remote)
        self._sink.lost.update(lost.gone, lost.wrong)
        self._sink.avoid.update(lost.wrong)
        self._bad_packs = frozenset(name for name in lost.gone if name.startswith("packs/")) | lost.wrong

    def run(self, *, revision: str | None, index_list: bool) -> None:
        """Send, check, commit; repeated while the remote changes under it."""
        total = sum(root.root.bytes for root in self._todo)
        files = sum(root.root.files for root in self._todo)
        with self._progress.task("pushing", bytes=total, files=files) as task:
            judged = self._send(task)
            self._sink.finish()  # most bytes of large files travel only now
        for _ in range(_ROUNDS):
            self._sink.finish()
            while self._send_rejected_again():
                self._sink.finish()
            check = final_check(self._remote)
            if not self._remote.state.still_covers(judged):
                self._sink.forget(self._remote.state.condemned | self._remote.state.dropped)
                before = self._sink.objects
                judged = self._send(None)
                if self._sink.objects != before:
                    continue  # what was sent after the check was not checked
            judged = self._remote.state
            if self._publish(check, revision, index_list):
                if self._bad_packs:
                    condemn_damaged(self._remote, self._bad_packs)
                return
        raise RemoteError(
            f"{self._remote.label}: the push could not be committed; what was sent is kept",
            hint="try again; this machine or the server may be too slow, or was suspended",
        )

    def _publish(self, check: Check, revision: str | None, index_list: bool) -> bool:
        """Write the last shard; False if it is all to be checked again."""
        self._fail_incomplete()
        pushed = self._remote.state.pushed_roots(self._remote.project, now=self._remote.now())
        roots = [
            root.root for root in self._todo if root.root.oid not in self.failed and root_key(root.root) not in pushed
        ]
        if roots:
            done = publish_roots(self._remote, self._sink, check, roots, revision=revision, index_list=index_list)
            return done is Outcome.DONE
        if self._sink.pending:
            self._sink.publish()
        elif not self._verify:
            return True
        if index_list:
            write_index_list(self._remote)
        return True

    def _send(self, task: Task | None) -> RemoteState:
        """Send what the remote lacks; the state by which that was judged."""
        judged = self._remote.state
        sink = self._sink
        for chunk in chunks(self._items()):
            once = {item.oid: item for item in chunk}
            once.pop(EMPTY, None)
            usable = self._remote.state.usable(once.keys(), without=sink.lost)
            held = sink.holds(once.keys())
            there = usable | held | (self._absent.keys() & once.keys())
            missing = [item for oid, item in once.items() if oid not in there] if there else list(once.values())
            if task is not None:
                self.skipped += len(usable | (held & sink.adopted))
                asked = {id(item) for item in missing}
                rest = [item for item in chunk if id(item) not in asked]
                task.advance(bytes=Spared(sum(w.size for w in rest)), files=sum(not w.metadata for w in rest))
            if missing:
                moved = transfer(self._source, sink, self._send_packs(missing, task), progress_task=task)
                self._absent.update((found.wanted.oid, found) for found in moved.absent)
        return judged

    def _send_packs(self, missing: Sequence[Wanted], task: Task | None) -> Sequence[Wanted]:
        """Send packs of the source as they are; what is left to be sent."""
        if self._packs is None or not self._sink.takes_packs:
            return missing
        files = {item.oid: item for item in missing if not item.metadata}
        for pack in self._packs.whole_packs(files.keys(), sizes=self._sink.pack_sizes, below=self._sink.loose_min):
            if self._sink.may_send(pack):
                self._sink.put_pack(pack, [files.pop(record.oid) for record in pack.records], task)
        return [item for item in missing if item.metadata or item.oid in files]

    def _items(self) -> Iterator[Wanted]:
        """Everything that the roots need; a root whose own tree can't be read here fails."""
        for root in self._todo:
            if root.root.oid in self.failed:
                continue
            try:
                yield from self._wanted(root)
            except KeyError as missing:
                if root_key(root.root) in self._remote.state.live_roots():
                    continue  # never fetched here, and the remote has all of it by its own record
                oid = ObjectId(str(missing.args[0]))
                self.failed[root.root.oid] = (Absent(Wanted(oid, 0, root.label, True)),)

    def _send_rejected_again(self) -> bool:
        """Whether there were large objects that turned out wrong on their way: the source may have another copy. What
        was in packs that did is sent object by object."""
        sink = self._sink
        wrong, unreadable, unpacked = list(sink.wrong), list(sink.unreadable), list(sink.unpacked)
        sink.wrong.clear()
        sink.unreadable.clear()
        sink.unpacked.clear()
        self._absent.update((item.oid, Absent(item, refused=sink.withheld.get(item.oid))) for item in unreadable)
        for item in wrong:
            self._source.reject(item)
        self._absent.update((item.oid, Absent(item, damaged=True)) for item in wrong if item.oid in self._rejected)
        again = [item for item in wrong if item.oid not in self._rejected]
        self._rejected.update(item.oid for item in again)
        if again:
            moved = transfer(self._source, sink, again)
            self._absent.update((found.wanted.oid, Absent(found.wanted, damaged=True)) for found in moved.absent)
        if unpacked:
            moved = transfer(self._source, sink, unpacked)
            self._absent.update((found.wanted.oid, found) for found in moved.absent)
        return bool(again or unpacked)

    def _fail_incomplete(self) -> None:
        """Name every root that needs an object which could not be read."""
        if not self._absent:
            return
        for root in self._todo:
            if root.root.oid not in self.failed:
                needed = tuple(
                    self._absent[item.oid]._replace(wanted=item)
                    for item in readable(self._wanted, root)
                    if item.oid in self._absent
                )
                if needed:
                    self.failed[root.root.oid] = needed
