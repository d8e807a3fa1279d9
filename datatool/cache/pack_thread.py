"""Building and writing packs of small objects beside the thread that reads files."""

from __future__ import annotations

import os
import queue
import threading
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from datatool.formats.pack import BuiltPack, PackBuilder, pack_path
from datatool.localfs.atomic import local_error, write_all
from datatool.localfs.batch import Batch
from datatool.model.settings import Durability
from datatool.threads import started

_READ_ONLY: Final = 0o444
_TEMPORARY: Final = b"tmp"


class WrittenPack(NamedTuple):
    """A pack that is on disk, and its lstat."""

    built: BuiltPack
    stat: os.stat_result


class PackThread:
    """Builds, hashes and writes packs behind the thread that reads files; at most two wait in memory."""

    def __init__(self, top: Path, durability: Durability) -> None:
        self._top = top
        self._durability = durability
        self._todo: queue.Queue[PackBuilder | None] = queue.Queue(maxsize=1)
        self._done: list[WrittenPack] = []
        self._error: BaseException | None = None
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="packs", daemon=True)
        self._beside = started(self._thread)

    def write(self, builder: PackBuilder) -> None:
        """Hand a pack over; waits while another one waits."""
        self._raise()
        if self._beside:
            self._todo.put(builder)
        else:
            self._done.append(self._write(builder))

    def done(self) -> list[WrittenPack]:
        """The packs that are on disk, each once."""
        self._raise()
        done, self._done = self._done, []
        return done

    def finish(self) -> list[WrittenPack]:
        """Wait for the last pack; all that are on disk and not yet given by `done`."""
        self._end()
        return self.done()

    def stop(self) -> None:
        """Give up what waits; a pack being written is finished, and belongs to no shard."""
        self._stopped = True
        self._end()

    def _end(self) -> None:
        if self._beside:
            self._todo.put(None)
            self._thread.join()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while (builder := self._todo.get()) is not None:
            if self._error is not None or self._stopped:
                continue
            try:
                written = self._write(builder)
                self._done.append(written)  # looked up only now: `done` may have taken the list meanwhile
            except BaseException as error:  # noqa: BLE001 - handed to the thread that waits for the packs
                self._error = error

    def _write(self, builder: PackBuilder) -> WrittenPack:
        with Batch(self._top, durability=self._durability, like=self._top, whole_names=True) as batch:
            fd, temp = batch.open_temp(_TEMPORARY)
            try:
                built = builder.build(partial(write_all, fd))
            except BaseException as error:
                batch.discard(temp, fd=fd)
                raise (local_error(error, self._top, builder.size) if isinstance(error, OSError) else error) from error
            target = pack_path(built.id)
            batch.add(temp, target.encode(), fd=fd, mode=_READ_ONLY, size=built.size, replace=False)
        return WrittenPack(built, os.lstat(self._top / target))
