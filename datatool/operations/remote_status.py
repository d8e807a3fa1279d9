"""What a remote really has of the work tree's versions: asked, never assumed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from datatool.errors import RemoteNotFound
from datatool.formats.shard import Root
from datatool.model.pointer import ArtifactKind
from datatool.operations.push import wanted_by
from datatool.operations.reach import Reach
from datatool.operations.remote_access import connect_to, named_in_hints
from datatool.operations.remote_names import remote_name
from datatool.operations.restore import can_be_restored
from datatool.operations.targets import select
from datatool.operations.update import update
from datatool.progress import Progress
from datatool.project.project import Project
from datatool.remote.check import present
from datatool.remote.check import status as recorded
from datatool.remote.known import remember_pushed
from datatool.remote.push import PushRoot
from datatool.store.objects import Wanted
from datatool.workspace.pointers import Artifact


def what_remotes_have(
    project: Project, targets: Sequence[str] = (), *, cwd: Path, remote_name: str | None = None, offline: bool = False
) -> dict[bytes, bool]:
    """Ask the remotes of the artifacts that targets name, for `status`. Raises PathNotFound, RemoteError."""
    selections, _ = select(project, targets, cwd)
    return on_remote(project, [item.artifact for item in selections], remote_name, offline=offline)


def what_sources_have(
    project: Project,
    targets: Sequence[str] = (),
    *,
    cwd: Path,
    environ: Mapping[str, str],
    offline: bool = False,
    progress: Progress,
) -> dict[bytes, str]:
    """The commits, or versions at URLs, that imports could be updated to, one question a source; a source that can't be
    asked is a warning.

    Raises PathNotFound.
    """
    selections, _ = select(project, targets, cwd)
    imports = [item.artifact.path for item in selections if can_be_restored(item.artifact.pointer)]
    if not imports:
        return {}
    found = update(
        project,
        [os.path.relpath(os.fsdecode(project.workspace.full(path)), cwd) for path in imports],
        cwd=cwd,
        check=True,
        environ=environ,
        reach=Reach(offline=offline),
        progress=progress,
    )
    for path, failure in found.failed:
        progress.warn(f"{path}: its source can't be asked: {failure.message}", hint=failure.hint)
    return {os.fsencode(item.path): item.available for item in found.artifacts if item.available is not None}


def on_remote(
    project: Project, artifacts: Sequence[Artifact], given: str | None, *, offline: bool
) -> dict[bytes, bool]:
    """For each artifact's path, whether all of its version is on its remote: listed in a push record, and every
    object's name really there with the right size. Raises RemoteNotFound, RemoteError."""
    groups: dict[str, list[Artifact]] = {}
    for artifact in artifacts:
        if artifact.pointer.oid is not None:
            try:
                groups.setdefault(remote_name(project, given, artifact.pointer), []).append(artifact)
            except RemoteNotFound:
                if given is not None or not can_be_restored(artifact.pointer):
                    raise
    if not groups and not any(can_be_restored(artifact.pointer) for artifact in artifacts):
        remote_name(project, given)
    found: dict[bytes, bool] = {}
    for name, group in groups.items():
        connection = connect_to(project, name, offline=offline)
        remote = connection.remote
        with named_in_hints(name):
            remote.open(afresh=True)
        roots = {artifact.path: _root(artifact) for artifact in group}
        live = recorded(remote, [item.root for item in roots.values()])
        objects: dict[bytes, list[Wanted]] = {}
        for path, root in roots.items():
            if root.root.oid in live:
                try:
                    objects[path] = list(wanted_by(project.cache, root))
                except KeyError:  # its list is not here: then the list itself is all that can be looked for
                    objects[path] = [Wanted(root.root.oid, 0, path, True)]
        everything = list({item.oid: item for items in objects.values() for item in items}.values())
        gone = present(remote, everything) if everything else frozenset()
        for path in roots:
            found[path] = path in objects and not any(item.oid in gone for item in objects[path])
        remember_pushed(
            project.remotes_memory,
            connection.label,
            project.config.project or "",
            [roots[path].root.oid for path in roots if found[path]],
            as_of=remote.now(),
            forget=[roots[path].root.oid for path in roots if not found[path]],
        )
    return found


def _root(artifact: Artifact) -> PushRoot:
    pointer = artifact.pointer
    assert pointer.oid is not None
    kind = "tree" if pointer.kind is ArtifactKind.DIRECTORY else "file"
    return PushRoot(root=Root(kind, pointer.oid, pointer.files or 1, pointer.size or 0), label=artifact.path)
