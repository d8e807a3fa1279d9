"""What of a DVC project can become ours, decided from its pointers alone; nothing is written here."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from datatool.errors import DatatoolError
from datatool.formats.dvc_file import DvcFile, parse_dvc_file
from datatool.git.clones import is_repository_url
from datatool.model.oid import ObjectId
from datatool.model.paths import named
from datatool.model.pointer import ArtifactKind, Pointer, Source
from datatool.registry.dvc.pointers import SUFFIX, Pointers, Tracked
from datatool.registry.dvc.roots import LOCK, ancestors, is_within, nested_roots
from datatool.registry.view import View

ORIGIN: Final = "dvc"


class Planned(Struct, frozen=True, kw_only=True):
    """One artifact that can be ours: what DVC tracks, and what its whole pointer file says."""

    tracked: Tracked
    file: DvcFile

    @property
    def path(self) -> bytes:
        """Where the data lies, from the repository's top."""
        return self.tracked.path

    def pointer(self, *, kind: ArtifactKind, oid: ObjectId, size: int, files: int | None, executable: bool) -> Pointer:
        """Our pointer for its content, with what DVC's said of it."""
        out = self.tracked.out
        assert out is not None
        return Pointer(
            kind=kind,
            oid=oid,
            size=size,
            files=files,
            executable=executable,
            description=out.description or self.file.description,
            labels=out.labels,
            remote=out.remote,
            push=out.push,
            source=self._source(),
        )

    def _source(self) -> Source | None:
        source = self.tracked.source
        if source is not None:
            repo = source.url
            if not is_repository_url(repo) and not os.path.isabs(repo) and not repo.startswith("~"):
                # DVC's is relative to where the user stood, mostly the top; ours to the pointer's directory.
                repo = posixpath.relpath(repo, os.fsdecode(posixpath.dirname(self.path)) or ".")
            path = posixpath.normpath(source.path)
            return Source(repo=repo, path=path, rev=source.rev, commit=source.commit, origin=ORIGIN)
        return None if self.file.url is None else Source(url=self.file.url, etag=self.file.etag)


class Plan(Struct, frozen=True, kw_only=True):
    """What can be ours of one DVC project; the outputs of its `pipelines`, which stay DVC's; and the pointers that are
    `kept` as they are, with the reason. `serving` are the files of git that only serve this DVC project."""

    root: bytes
    artifacts: tuple[Planned, ...]
    pipelines: tuple[bytes, ...]
    kept: tuple[tuple[bytes, str], ...]
    serving: tuple[bytes, ...]
    unseen: tuple[bytes, ...] = ()
    """Pointers that `.dvcignore` hides from DVC, so that they are nobody's."""

    @property
    def whole(self) -> bool:
        """Whether nothing of the project stays DVC's."""
        return not self.pipelines and not self.kept


def plan_migration(view: View, root: bytes) -> Plan:
    """Look at all pointers of the DVC project at `root` of a commit or tree."""
    pointers = Pointers(view, root)
    by_file: dict[bytes, list[Tracked]] = {path: [] for path in sorted(pointers.files())}
    for item in pointers.all():
        by_file.setdefault(item.pointer, []).append(item)
    artifacts: list[Planned] = []
    pipelines: list[bytes] = []
    kept: list[tuple[bytes, str]] = []
    for path, tracked in by_file.items():
        if path.rpartition(b"/")[2] == LOCK:
            pipelines += [item.path for item in tracked]
            continue
        try:
            file = parse_dvc_file(view.text(path) or b"", name=os.fsdecode(path))
        except DatatoolError as error:
            kept.append((path, error.message))
            continue
        reason = _reason(file, tracked)
        if file.stage:
            pipelines += [item.path for item in tracked]
        elif reason is not None:
            kept.append((path, reason))
        else:
            artifacts += [Planned(tracked=item, file=file) for item in tracked]
    definitions = _named(view, root, b"dvc.yaml")
    return Plan(
        root=root,
        artifacts=tuple(sorted(artifacts, key=lambda item: item.path)),
        pipelines=tuple(sorted({*pipelines, *definitions})),
        kept=tuple(kept),
        serving=tuple(_serving(view, root)),
        unseen=tuple(_unseen(view, root, pointers.files())),
    )


def _reason(file: DvcFile, tracked: list[Tracked]) -> str | None:
    """Why a pointer has to stay DVC's; None when all of it can be ours."""
    problem = next((item.problem for item in tracked if item.problem is not None), None)
    if problem is not None:
        return problem
    if len(tracked) < len(file.outs):
        return "git keeps what it tracks, not DVC's cache"
    if not tracked:
        return "it tracks nothing inside the project"
    if any(item.out is None or (item.out.md5 is None and item.out.listed is None) for item in tracked):
        return "an import whose content was never downloaded"
    return None


def _serving(view: View, root: bytes) -> Iterator[bytes]:
    folder = root + b"/.dvc/" if root else b".dvc/"
    for file in view.files(root):
        if file.path.startswith(folder):
            yield file.path
    yield from _named(view, root, b".dvcignore")


def _unseen(view: View, root: bytes, seen: frozenset[bytes]) -> Iterator[bytes]:
    others = nested_roots(view, root)
    for file in view.files(root):
        name = file.path.rpartition(b"/")[2]
        if not name.endswith(SUFFIX) or name == SUFFIX or file.path in seen or b"/.dvc/" in b"/" + file.path:
            continue
        if not any(place in others for place in ancestors(file.path)):
            yield file.path


def _named(view: View, root: bytes, name: bytes) -> Iterator[bytes]:
    return (
        file.path for file in view.files(root) if file.path.rpartition(b"/")[2] == name and is_within(file.path, root)
    )


def what_stays(plan: Plan) -> list[tuple[str, str]]:
    """Everything that stays DVC's, with the reason, for people."""
    found = [(named(path), reason) for path, reason in plan.kept]
    found += [(named(path), "DVC does not see it: .dvcignore hides it") for path in plan.unseen]
    return [*((named(path), "an output or definition of a pipeline") for path in plan.pipelines), *found]
