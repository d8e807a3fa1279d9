"""A single file back from the cache without the waiting that a checkout of many does once: for loops over files."""

from __future__ import annotations

import os
from pathlib import Path

from datatool.index.state import Base
from datatool.localfs.batch import Batch
from datatool.model.entry import EXECUTABLE, FILE, Entry
from datatool.model.pointer import ArtifactKind
from datatool.model.settings import LinkMethod
from datatool.operations.ignored import GITIGNORE
from datatool.operations.publish import locked
from datatool.operations.track.state import Found
from datatool.progress import NOBODY, Progress
from datatool.project.project import Project
from datatool.workspace.checkout_file import FileCheckout
from datatool.workspace.ignore_lines import has_line
from datatool.workspace.placing import Outcome
from datatool.workspace.pointers import find_artifact
from datatool.workspace.save import WORTH_WAITING


def restore_file(project: Project, item: Found, progress: Progress) -> Outcome:
    """Put a small file there as its pointer names it, if the cache has it; nothing is done of all that takes more care.

    It is synced before it gets its name: a power cut must not leave an empty file that passes for the user's. Its hash
    is not remembered yet, which would need a moment's wait.
    """
    artifact = item.artifact
    outcome = Outcome()
    if artifact is None or item.within or not _is_simple(project, item):
        return outcome
    pointer = artifact.pointer
    assert pointer.oid is not None
    with locked(project, [artifact.path], progress):
        now = find_artifact(project.root, artifact.path)
        if now is None or now.text != artifact.text:
            return outcome
        base = project.state.base(artifact.path)
        job = FileCheckout(
            workspace=project.workspace,
            cache=project.cache,
            path=artifact.path,
            target=Entry(EXECUTABLE if pointer.executable else FILE, artifact.path, pointer.oid, pointer.size or 0),
            here=base.here if base is not None else None,
            links=(),
            durability=project.config.durability,
        )
        right, unsaved = job.current()
        if right or unsaved or project.workspace.kind(artifact.path) not in (None, FILE):
            return outcome
        with Batch(project.root, durability=project.config.durability) as batch:
            job.put(batch, outcome, NOBODY)
        if outcome.written:
            project.state.set_base(
                artifact.path, Base(version=pointer.oid, here=pointer.oid, executable=pointer.executable)
            )
        return outcome


def _is_simple(project: Project, item: Found) -> bool:
    assert item.artifact is not None
    pointer = item.artifact.pointer
    links = project.config.link_methods[:1]
    return (
        pointer.kind is ArtifactKind.FILE
        and pointer.oid is not None
        and (pointer.size or 0) < WORTH_WAITING
        and links not in ((LinkMethod.HARDLINK,), (LinkMethod.SYMLINK,))
        and _is_ignored(project, item.path)
        and project.cache.has(pointer.oid)
    )


def _is_ignored(project: Project, path: bytes) -> bool:
    """Whether a line beside a file keeps it out of git; elsewhere git has to be asked."""
    if project.worktree is None:
        return True
    directory, name = os.path.split(project.workspace.full(path))
    try:
        return has_line(Path(os.fsdecode(os.path.join(directory, GITIGNORE))).read_bytes(), name)
    except OSError:
        return False
