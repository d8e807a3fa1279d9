"""The shards of a cache: written, and rewritten without what has gone."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from datatool.cache.packs import Packs
from datatool.cache.trust import Trust
from datatool.formats.pack import RAW, ZSTD
from datatool.formats.shard import ShardRecord, encode_shard, shard_path
from datatool.hashing import digest
from datatool.localfs.atomic import remove_file, write_all
from datatool.localfs.batch import Batch
from datatool.model.oid import ObjectId
from datatool.model.settings import Durability

_READ_ONLY = 0o444


class ShardWriter:
    """Writes the shards of the cache at `top`; without `trust` nobody may count on them after a power cut."""

    def __init__(self, top: Path, trust: Trust | None, durability: Durability) -> None:
        self._top = top
        self._trust = trust
        self._durability = durability

    def write(self, records: Collection[ShardRecord], packs: list[ObjectId]) -> str:
        """Publish one shard; its name."""
        data = encode_shard(records, packs=packs)
        name = shard_path(digest(data))
        with Batch(self._top, durability=self._durability, like=self._top, whole_names=True) as batch:
            fd, temp = batch.open_temp(b"tmp")
            try:
                write_all(fd, data)
            except BaseException:
                batch.discard(temp, fd=fd)
                raise
            batch.add(temp, name.encode(), fd=fd, mode=_READ_ONLY, size=len(data), replace=False)
        if self._trust is not None:
            self._trust.learn_many([(name, os.lstat(self._top / name))])
        return name

    def rewrite(self, packs: Packs, names: Collection[str]) -> None:
        """Put one shard in the place of several; what lies in packs that have gone is left out."""
        numbers: dict[ObjectId, int] = {}
        kept: dict[ObjectId, ShardRecord] = {}
        for name in names:
            shard = packs.shards[name]
            ordinals = [
                numbers.setdefault(pack, len(numbers)) if packs.path(pack).exists() else None
                for pack in shard.header.packs
            ]
            for record in shard.records():
                if record.kind not in (RAW, ZSTD):  # nothing else lies in a pack
                    continue
                ordinal = ordinals[record.ordinal]
                if ordinal is not None:
                    kept[record.oid] = record._replace(ordinal=ordinal)
        new = self.write(list(kept.values()), list(numbers)) if kept else None
        for name in names:
            if f"index/{name}" != new:
                remove_file(self._top / "index" / name)
        packs.refresh()
