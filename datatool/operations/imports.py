"""Imports: artifacts that remember which registry they came from, and how they move to another of its versions."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from datatool.cache.local import Cache
from datatool.errors import DatatoolError
from datatool.formats.pointer_file import write_pointer
from datatool.formats.tree_object import diff_trees, read_tree
from datatool.model.entry import Entry
from datatool.model.paths import named
from datatool.model.pointer import ArtifactKind, Pointer, Source
from datatool.operations.reach import Reach
from datatool.operations.registries import registry_place
from datatool.operations.result import Part, fields_of
from datatool.operations.space import room_for
from datatool.progress import Progress
from datatool.project.project import Project
from datatool.registry.catalog import Catalog, Selection
from datatool.registry.copying import Copied, copy_known, copy_selection, known
from datatool.registry.offer import Origin
from datatool.registry.open import Place
from datatool.workspace.early_copies import EarlyCopies
from datatool.workspace.pointers import Artifact


@dataclass(frozen=True, kw_only=True, slots=True)
class Imported(Part):
    """One import as it stands now. The counts are of files that came, changed or went with this; `available` is the
    commit that an update would go to, where one was only looked for."""

    path: str
    pointer: str
    source: Source
    changed: bool
    added: int = 0
    modified: int = 0
    deleted: int = 0
    available: str | None = None

    def to_dict(self) -> dict[str, object]:
        """As `--json` prints it."""
        return {
            "path": self.path,
            "pointer": self.pointer,
            "source": self.source.told(),
            **fields_of(self, "path", "pointer", "source"),
        }


def place_of(project: Project, artifact: bytes, source: Source, *, environ: Mapping[str, str], reach: Reach) -> Place:
    """Where an import came from: a relative repository is relative to the pointer's directory."""
    assert source.repo is not None
    base = Path(os.fsdecode(project.workspace.full(artifact))).parent
    return registry_place(source.repo, cwd=base, base=base, config=project.config, environ=environ, reach=reach)


def bring_version(
    project: Project, catalog: Catalog, path: bytes, *, to: bytes, early: EarlyCopies | None, progress: Progress
) -> tuple[Pointer, Selection]:
    """Bring what a registry has at a path into the project's cache; a pointer that says what it is. `to` is where it is
    to lie in the workspace, and `early` copies of large files are made there.

    Raises what costs all of it, and the first error where anything of it could not be had: an import is whole.
    """
    chosen = catalog.select(path)
    size = sum(offer.size or 0 for offer in chosen.offers)
    follower = early.of(size, lambda path: chosen.moved(path, to)) if early is not None else None
    with (
        progress.task("importing", bytes=size or None, files=len(chosen.offers)) as task,
        room_for(named(to), size, "the cache", project.cache.top),
        project.cache.followed_by(follower),
    ):
        copied = copy_selection(catalog, chosen, project.cache, task)
    if copied.failed:
        raise whole_failure([error for _, error in copied.failed])
    return pointer_to(copied), chosen


def look_at_version(catalog: Catalog, path: bytes, cache: Cache) -> tuple[Pointer, Selection]:
    """What a registry has at a path, as far as that can be told without its bytes."""
    chosen = catalog.select(path)
    whole = chosen.whole
    kind = ArtifactKind.DIRECTORY if chosen.directory else ArtifactKind.FILE
    pointer = Pointer(kind=kind, oid=None)
    if whole is not None and whole.origin is Origin.DATATOOL and whole.oid is not None and not whole.problem:
        pointer = Pointer(kind=kind, oid=whole.oid, size=whole.size, files=whole.files, executable=whole.executable)
    elif all(known(offer) for offer in chosen.offers):
        pointer = pointer_to(copy_known(catalog, chosen, cache))
    return pointer, chosen


def pointer_to(copied: Copied) -> Pointer:
    """A pointer that says what was brought, and nothing else."""
    return Pointer(
        kind=ArtifactKind.DIRECTORY if copied.directory else ArtifactKind.FILE,
        oid=copied.oid,
        size=copied.size,
        files=copied.files if copied.directory else None,
        executable=copied.executable,
    )


def whole_failure(errors: Iterable[DatatoolError]) -> DatatoolError:
    """The error of an import of which some could not be had: the first, and how many more there are."""
    found = list(errors)
    first = found[0]
    if len(found) > 1:
        first.message = f"{first.message} (and {len(found) - 1} more)"
    return first


def source_of(where: str, path: str, rev: str | None, catalog: Catalog, chosen: Selection) -> Source:
    """The note that a pointer keeps of where its content came from."""
    return Source(repo=where, path=path, rev=rev, commit=catalog.view.commit, origin=chosen.origin.value)


def with_source(pointer: Pointer, before: Pointer | None, source: Source) -> Pointer:
    """A pointer to what was brought, with what the user said of the artifact before."""
    if before is None:
        return replace(pointer, source=source)
    return replace(
        before,
        kind=pointer.kind,
        oid=pointer.oid,
        size=pointer.size,
        files=pointer.files,
        executable=pointer.executable,
        source=source,
    )


def text_of(pointer: Pointer, old: Artifact | None) -> bytes:
    """The text of a pointer file, keeping the old one's order and comments."""
    return write_pointer(pointer, old=old.text if old is not None else None)


def counts(cache: Cache, old: Pointer | None, new: Pointer) -> tuple[int, int, int]:
    """How many files were added, modified and deleted between two versions, as far as the cache can tell."""
    if old is None or old.oid is None:
        return (new.files if new.files is not None else 1), 0, 0
    if old.oid == new.oid:
        return 0, int(old.executable != new.executable), 0
    if old.kind is not ArtifactKind.DIRECTORY or new.kind is not ArtifactKind.DIRECTORY or new.oid is None:
        return 0, 1, 0
    added = modified = deleted = 0
    try:
        for _, gone, now in diff_trees(old.oid, new.oid, cache.load):
            if gone is None:
                added += _counts(now)
            elif now is None:
                deleted += _counts(gone)
            else:
                modified += _counts(now)
    except KeyError:  # the old list is not here: what is new is all that can be told
        return sum(_counts(entry) for entry in read_tree(new.oid, cache.load)), 0, 0
    return added, modified, deleted


def _counts(entry: Entry | None) -> int:
    return int(entry is not None and entry.kind != "d")
