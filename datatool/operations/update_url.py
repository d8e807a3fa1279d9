"""Bring an import from a URL up to date: ask what is there now, and bring what is not here yet."""

from __future__ import annotations

from dataclasses import replace

from datatool.formats.tree_object import read_tree
from datatool.model.entry import DIRECTORY, Entry
from datatool.model.paths import named
from datatool.model.pointer import ArtifactKind, Pointer, Source
from datatool.operations.importing import record
from datatool.operations.imports import Imported, counts, text_of, with_source
from datatool.operations.reach import Reach
from datatool.operations.storage import Spot
from datatool.operations.url_imports import bring_whole, spot_of
from datatool.progress import Progress
from datatool.project.project import Project
from datatool.remote.plain import Found, PlainFile
from datatool.workspace.pointers import Artifact

UNTOLD = "unknown"
"""What is available where a server tells neither an ETag nor a date: it has to be downloaded to be compared."""


def update_from_url(
    project: Project,
    artifact: Artifact,
    *,
    look: bool,
    dry: bool,
    force: bool,
    reach: Reach,
    progress: Progress,
) -> tuple[Imported, tuple[str, ...]]:
    """Move an import to what its URL has now; gives also what was staged in git.

    `look` only asks whether that is something else; `dry` also says what would change, by names and sizes. What is
    the same by its etag costs a look and nothing else.
    """
    source = artifact.pointer.source
    assert source is not None
    spot = spot_of(project, artifact.path, source, reach=reach)
    found = spot.look()
    here = artifact.pointer.oid is not None
    if here and found.etag is not None and found.etag == source.etag:
        return _as_it_is(artifact, source), ()
    if look:
        return _as_it_is(artifact, source, available=found.etag or UNTOLD), ()
    if dry:
        added, modified, deleted = _would_change(project, artifact.pointer, spot, found)
        told = _as_it_is(artifact, source, available=found.etag or UNTOLD)
        return replace(told, added=added, modified=modified, deleted=deleted), ()
    brought, found = bring_whole(project, spot, found, label=named(artifact.path), progress=progress)
    noted = replace(source, etag=found.etag)
    pointer = with_source(brought, artifact.pointer, noted)
    text = text_of(pointer, artifact)
    added, modified, deleted = counts(project.cache, artifact.pointer, pointer)
    staged: tuple[str, ...] = ()
    if text != artifact.text:
        moved = (pointer.oid, pointer.executable) != (artifact.pointer.oid, artifact.pointer.executable)
        staged = record(project, artifact.path, pointer, artifact, download=moved, force=force, progress=progress)
    result = Imported(
        path=artifact.name,
        pointer=artifact.name + ".dt",
        source=noted,
        changed=text != artifact.text,
        added=added,
        modified=modified,
        deleted=deleted,
    )
    return result, staged


def _as_it_is(artifact: Artifact, source: Source, *, available: str | None = None) -> Imported:
    return Imported(
        path=artifact.name, pointer=artifact.name + ".dt", source=source, changed=False, available=available
    )


def _would_change(project: Project, pointer: Pointer, spot: Spot, found: Found) -> tuple[int, int, int]:
    """How many files are new, would be read again, or are gone. Of the same size and with another date, a file may turn
    out to have the same content after all."""
    now = {file.path: file for file in found.files if file.kind != DIRECTORY}
    before = _entries(project, pointer)
    if before is None or (pointer.kind is ArtifactKind.DIRECTORY) is not found.directory:
        return (len(now), 0, 0) if before is None else (0, 1, 0)
    known = spot.memory.known(now.values(), project.cache)
    both = now.keys() & before.keys()
    modified = sum(_differs(now[path], before[path], known[path].oid if path in known else None) for path in both)
    return len(now) - len(both), modified, len(before) - len(both)


def _entries(project: Project, pointer: Pointer) -> dict[bytes, Entry] | None:
    """What an artifact's version holds; None where nothing is here that says so."""
    if pointer.oid is None:
        return None
    if pointer.kind is ArtifactKind.FILE:
        return {b"": Entry("x" if pointer.executable else "f", b"", pointer.oid, pointer.size or 0)}
    try:
        entries = read_tree(pointer.oid, project.cache.load)
        return {entry.path: entry for entry in entries if entry.kind != DIRECTORY}
    except KeyError:
        return None


def _differs(now: PlainFile, before: Entry, known: str | None) -> bool:
    if now.kind != before.kind or now.target != before.target:
        return True
    return now.target is None and (known is None or known != before.oid)
