"""A batch that several threads fill while it is flushed: every file is synced before it has its name."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

import needs
from datatool.localfs import native, syncing
from datatool.localfs.batch import Batch
from datatool.localfs.syncing import FEW
from datatool.model.settings import Durability


def test_a_file_taken_while_another_thread_flushes_is_synced_before_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs.linux()
    if not native.can_sync_filesystem():
        needs.lacking("Linux 5.8")
    synced: set[int] = set()
    unsynced: list[str] = []
    real_fsync, real_replace = os.fsync, os.replace

    def fsync(fd: int) -> None:
        synced.add(os.fstat(fd).st_ino)
        real_fsync(fd)

    def sync_filesystem(fd: int) -> bool:
        synced.update(entry.inode() for entry in os.scandir(tmp_path))
        return True

    def replace(source: bytes, target: bytes, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        if os.stat(source, dir_fd=src_dir_fd).st_ino not in synced:
            unsynced.append(os.fsdecode(target))
        real_replace(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    monkeypatch.setattr(syncing, "sync_filesystem", sync_filesystem)
    with Batch(tmp_path, durability=Durability.BATCH, max_files=FEW + 20) as batch:

        def fill(thread: int) -> None:
            for n in range(3 * FEW):
                batch.write(b"t%d-%d" % (thread, n), b"", mode=0o666, replace=True)

        threads = [threading.Thread(target=fill, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert unsynced == []
    assert len(os.listdir(tmp_path)) == 12 * FEW
