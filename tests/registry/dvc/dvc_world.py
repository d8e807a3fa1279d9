"""DVC projects for tests: those that real DVC made (see make_fixtures), unpacked side by side, and how to read them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from archives import unpack as unpack_archive
from datatool.cache.local import Cache
from datatool.errors import DatatoolError
from datatool.git.clones import find_repository
from datatool.git.repository import commit_of
from datatool.hashing import digest
from datatool.index.state import State
from datatool.model.entry import EXECUTABLE, FILE
from datatool.model.oid import ObjectId
from datatool.progress import SILENT, Task
from datatool.registry.access import Access
from datatool.registry.dvc.memory import Md5Memory
from datatool.registry.dvc.reader import DvcReader
from datatool.registry.dvc.roots import find_dvc_roots
from datatool.registry.offer import Brought, Offer, Origin
from datatool.registry.view import View

FIXTURES = Path(__file__).parent / "fixtures"
EXPECTED: dict[str, dict[str, Any]] = json.loads((FIXTURES / "expected.json").read_text())
ALL = [(name, rev) for name, revs in EXPECTED.items() for rev in revs]


def unpack(top: Path) -> Path:
    """All fixtures below `top`: a clone of every project, and the storage of all of them beside."""
    with tarfile.open(FIXTURES / "stores.tar.xz") as archive:
        unpack_archive(archive, top)
    for bundle in sorted(FIXTURES.glob("*.bundle")):
        git(top, "clone", "-q", "-b", "main", str(bundle), bundle.stem)
    return top


def git(where: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=where, capture_output=True, text=True)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout.strip()


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


@dataclass
class Project:
    """A git repository with `.dvc/`, made by hand: for what real DVC would never write."""

    top: Path
    store: Path

    @classmethod
    def make(cls, top: Path, *, name: str = "project", config: str | None = None) -> Project:
        made = cls(top / name, top / "store")
        made.top.mkdir(parents=True)
        git(made.top, "init", "-q", "-b", "main")
        made.write(".dvc/config", config or "[core]\n    remote = s\n['remote \"s\"']\n    url = ../../store\n")
        return made

    def write(self, path: str, data: bytes | str) -> None:
        file = self.top / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data.encode() if isinstance(data, str) else data)

    def keep(self, data: bytes, *, legacy: bool = False, suffix: str = "", name: str | None = None) -> str:
        """Put an object into the store; gives its md5."""
        found = name or md5(data)
        place = self.store / ("" if legacy else "files/md5") / found[:2] / (found[2:] + suffix)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        return found

    def track(self, path: str, data: bytes, **more: str) -> None:
        found = self.keep(data)
        lines = "".join(f"  {key}: {value}\n" for key, value in more.items())
        name = path.rpartition("/")[2]
        self.write(f"{path}.dvc", f"outs:\n- md5: {found}\n  hash: md5\n  path: {name}\n{lines}")

    def track_directory(self, path: str, listing: list[dict[str, str]]) -> None:
        found = self.keep(json.dumps(listing).encode(), suffix=".dir")
        name = path.rpartition("/")[2]
        self.write(f"{path}.dvc", f"outs:\n- md5: {found}.dir\n  hash: md5\n  path: {name}\n")

    def commit(self) -> str:
        git(self.top, "add", "-A", "-f")
        git(self.top, "commit", "-q", "-m", "work")
        return git(self.top, "rev-parse", "HEAD")


@dataclass
class Place:
    """A user's machine: a cache, a memory, and readers on them."""

    top: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    given: Mapping[str, str] | None = None
    trusted: bool = False
    opened: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.top.mkdir(parents=True, exist_ok=True)
        self.cache = Cache(self.top / "objects", State(None))
        self.memory = Md5Memory(self.top / "md5.db")
        self.environ = {"HOME": str(self.top), "DVC_SYSTEM_CONFIG_DIR": str(self.top / "system"), **self.environ}

    def everything(
        self, url: str, rev: str | None, *, base: Path | None = None, chain: tuple[str, ...] = ()
    ) -> Everything:
        self.opened.append(url)
        repository = find_repository(url, base=base or Path.cwd(), clones=self.top / "git", offline=False)
        commit = commit_of(repository, rev or "HEAD")
        assert commit is not None
        view = View(repository, commit)
        access = Access(
            repository=repository, scratch=self.top / "scratch", given=self.given, trusted=self.trusted, jobs=4
        )
        readers = [
            DvcReader(
                view,
                root,
                access,
                cache=self.cache,
                memory=self.memory,
                environ=self.environ,
                open_other=self.everything,
                chain=chain,
            )
            for root in find_dvc_roots(view)
        ]
        return Everything(view, readers)

    def bring(self, there: Everything, path: str = "") -> dict[str, bytes | DatatoolError]:
        """Have everything of DVC's at or below a path here: its bytes, or why not."""
        found: dict[str, bytes | DatatoolError] = {}
        for offer in there.dvc_offers(os.fsencode(path)):
            if offer.problem is not None:
                found[os.fsdecode(offer.path)] = DatatoolError(offer.problem)
        for offer, result in there.bring(
            [offer for offer in there.dvc_offers(os.fsencode(path)) if offer.problem is None], self.cache, SILENT_TASK
        ):
            name = os.fsdecode(offer.path)
            assert name not in found, f"{name} was given twice"
            found[name] = result if isinstance(result, DatatoolError) else self.bytes_of(result)
        return found

    def bytes_of(self, oid: ObjectId) -> bytes:
        assert self.cache.has(oid)
        data = self.cache.load(oid)
        assert digest(data) == oid
        return data


@dataclass(eq=False)
class Everything:
    """A repository at a commit: git's files and those of its DVC projects, as datatool puts them together."""

    view: View
    readers: list[DvcReader]

    def dvc_offers(self, path: bytes = b"") -> list[Offer]:
        return [offer for reader in self.readers for offer in reader.offers(path) if offer.kind in "fxd"]

    def offers(self, path: bytes) -> Iterable[Offer]:
        found = self.dvc_offers(path)
        for file in self.view.files(path):
            if not file.path.endswith(b".dvc") and b".dvc/" not in file.path:
                kind = EXECUTABLE if file.mode == 0o100755 else FILE
                found.append(Offer(path=file.path, kind=kind, origin=Origin.GIT, handle=file))
        return sorted(found, key=lambda offer: offer.path)

    def bring(self, offers: Sequence[Offer], cache: Cache, task: Task) -> Iterator[Brought]:
        ours = {offer for offer in offers if offer.origin is Origin.GIT}
        for offer in ours:
            data = self.view.read([offer.handle])[offer.path]  # type: ignore[list-item]
            cache.keep([(digest(data), data)])
            yield offer, digest(data)
        for reader in self.readers:
            yield from reader.bring([offer for offer in offers if reader.owns(offer)], cache, task)


with SILENT.task("") as SILENT_TASK:
    pass
