"""A repository whose files Git LFS keeps, with pointers written from the format's own description."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from datatool.cache.local import Cache
from datatool.errors import DatatoolError
from datatool.index.state import State
from datatool.model.oid import ObjectId
from datatool.progress import NOBODY
from datatool.registry.catalog import Catalog
from datatool.registry.lfs import LfsReader
from datatool.registry.open import Place, open_registry
from repositories import commit, git, repository, write


def oid_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def pointer(data: bytes, *, size: int | None = None) -> bytes:
    length = len(data) if size is None else size
    return b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n" % (oid_of(data).encode(), length)


@dataclass(kw_only=True)
class LfsWorld:
    """A repository at `top`/songs, bare at `top`/served/songs.git, and somebody's cache."""

    top: Path
    contents: dict[str, bytes] = field(default_factory=dict)

    @property
    def work(self) -> Path:
        return self.top / "songs"

    @property
    def served(self) -> Path:
        return self.top / "served"

    def make(
        self, contents: Mapping[str, bytes], *, attributes: str = "*.bin filter=lfs diff=lfs merge=lfs -text\n"
    ) -> None:
        """Commit a pointer for each content, and serve it."""
        repository(self.work)
        write(self.work, ".gitattributes", attributes.encode())
        for path, data in contents.items():
            self.contents[path] = data
            write(self.work, path, pointer(data))
        self.publish()

    def write(self, path: str, data: bytes) -> None:
        write(self.work, path, data)

    def publish(self) -> None:
        """Commit what is there, and have it in the served repository."""
        commit(self.work)
        bare = self.served / "songs.git"
        if not bare.exists():
            repository(bare, "--bare")
        git(self.work, "push", "-q", "-f", str(bare), "HEAD:refs/heads/main")

    def keep(self, path: str, *, where: Path | None = None, data: bytes | None = None) -> Path:
        """Put an object where git-lfs keeps it; gives its file."""
        content = self.contents[path]
        oid = oid_of(content)
        file = (where or self.work / ".git" / "lfs") / "objects" / oid[:2] / oid[2:4] / oid
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if data is None else data)
        return file

    @property
    def cache(self) -> Cache:
        return Cache(self.top / "cache", State(None))

    def open(
        self, where: str | Path, *, given: Mapping[str, str] | None = None, trusted: bool = False, offline: bool = False
    ) -> Catalog:
        place = Place(
            where=str(where), base=self.top, home=self.top / "user", given=given, trusted=trusted, offline=offline
        )
        return open_registry(place, None, self.cache)

    def bring(self, catalog: Catalog) -> dict[str, bytes | DatatoolError]:
        """What every LFS file's bytes are, or why they are not to be had."""
        cache = self.cache
        offers = [offer for reader, offer in catalog.offers() if isinstance(reader, LfsReader)]
        outcomes: dict[str, bytes | DatatoolError] = {}
        for offer, outcome in catalog.bring(offers, cache, NOBODY):
            path = offer.path.decode()
            assert path not in outcomes
            outcomes[path] = outcome if isinstance(outcome, DatatoolError) else cache.load(ObjectId(outcome))
        return outcomes

    def get(self, where: str | Path, **how: object) -> dict[str, bytes | DatatoolError]:
        return self.bring(self.open(where, **how))  # type: ignore[arg-type]
