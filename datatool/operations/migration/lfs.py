"""Turn the files that Git LFS keeps into artifacts of ours, in one pass over all of them.

Each file is whole or left as it was: its object is in our cache (or its pointer says where it can be had) before its
pointer is written, and only then git forgets the file. A run that broke off is simply repeated: what git still has as
an LFS pointer is done again, and does not cost much where it was done before.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from datatool.errors import DamageFound, DatatoolError, FormatError, LocalError, PartlyDone, Refused
from datatool.formats.git_attributes import ATTRIBUTES, Attributes
from datatool.formats.git_attributes_edit import lfs_macros, names_lfs, with_overrides, without_lfs
from datatool.formats.pointer_file import write_pointer
from datatool.git.ignore import ignored_many
from datatool.git.staging import forget
from datatool.git.worktree import Worktree
from datatool.hashing import digest
from datatool.index.state import Base
from datatool.localfs.atomic import make_dirs, remove_file, write_file
from datatool.localfs.batch import Batch
from datatool.localfs.safe_paths import check_parents
from datatool.model.entry import EXECUTABLE, FILE, Entry
from datatool.model.oid import ObjectId, prefixed
from datatool.model.paths import PathRefused, check_escape, named, show
from datatool.model.pointer import ArtifactKind, Pointer
from datatool.operations.ignored import GITIGNORE
from datatool.operations.migration.lfs_plan import LfsOrigin, LfsPlan
from datatool.operations.migration.migrated import Done, Migrated
from datatool.operations.publish import locked, publish, stage_paths
from datatool.operations.record import Target
from datatool.operations.space import room_for
from datatool.operations.trackable import refuse_untrackable
from datatool.progress import Progress, Task
from datatool.project.project import Project
from datatool.registry.lfs_files import LfsFile
from datatool.registry.lfs_source import LfsDirectory
from datatool.registry.offer import Origin
from datatool.store.objects import Absent, Wanted
from datatool.store.transfer import transfer
from datatool.workspace.checkout_file import FileCheckout
from datatool.workspace.placing import Outcome
from datatool.workspace.pointers import SUFFIX, Artifact, owner
from datatool.workspace.save import save_file

_CHUNK: Final = 16_384
"""Objects that are saved together."""


def foresee_lfs(plan: LfsPlan, worktree: Worktree) -> Done:
    """What a run would come to, as far as that can be told without one."""
    done = Done()
    origin: LfsOrigin | None = None
    for file in plan.files:
        problem = _never(file)
        if problem is None and file.path not in plan.present and not plan.in_store(file):
            origin = origin or LfsOrigin(worktree, plan.view)
            problem = _nowhere(file) if origin.source(file) is None else None
        if problem is None:
            done.artifacts.append(_migrated(file))
            done.removed.append(file.path)
        else:
            done.failed.append((os.fsdecode(file.path), problem))
    return done


def migrate_lfs(project: Project, plan: LfsPlan, progress: Progress) -> Done:
    """Make what is planned ours, and stage it. Raises NoSpace, GitError."""
    done = Done()
    assert project.worktree is not None
    if not project.config.flag("git.stage"):
        error = Refused(
            "git.stage is off, and files of Git LFS have to leave git's index",
            hint="datatool config set git.stage true",
        )
        done.failed = [(os.fsdecode(file.path), error) for file in plan.files]
        return done
    with locked(project, [b""], progress):  # against another of these; git tracks the files, so nobody adds them
        ready = _ready(project, plan, done, progress)
        _record(project, plan, ready, done, progress)
        _clean_attributes(project, plan, [file.path for file, _, _ in ready], done, progress)
    if ready and not done.failed:
        progress.hint("Git LFS's hooks and settings stay in this clone; git lfs uninstall --local removes them")
    return done


_Ready = tuple[LfsFile, Pointer, Artifact | None]
"""A file, its pointer, and the one that an earlier run wrote."""


def _ready(project: Project, plan: LfsPlan, done: Done, progress: Progress) -> list[_Ready]:
    """What can be ours: trackable, and with its data in the cache or to be had."""
    assert project.worktree is not None
    problems, before = _look(project, project.worktree, plan.files)
    wanted = [file for file in plan.files if file.path not in problems]
    damaged = _bring(project, plan, wanted, progress)
    oids = [file.pointer.oid for file in wanted]
    missing, sizes = project.cache.missing(oids), project.cache.sizes(oids)
    origin = LfsOrigin(project.worktree, plan.view) if missing else None
    ready: list[_Ready] = []
    for file in wanted:
        oid, size, old = file.pointer.oid, file.pointer.size, before.get(file.path)
        pointer = Pointer(kind=ArtifactKind.FILE, oid=oid) if old is None else old.pointer
        pointer = replace(pointer, size=size, executable=file.executable)
        if oid in damaged:
            problems[file.path] = _damaged(file)
        elif oid not in missing and sizes.get(oid, size) != size:
            problems[file.path] = _wrong_size(file, sizes[oid])
        elif oid in missing and pointer.source is None:
            assert origin is not None
            source = origin.source(file)
            if source is None:
                problems[file.path] = _nowhere(file)
            else:
                ready.append((file, replace(pointer, source=source), old))
        else:
            ready.append((file, pointer, old))
    done.failed += [(os.fsdecode(path), error) for path, error in sorted(problems.items())]
    return ready


# What can't be


def _look(
    project: Project, worktree: Worktree, files: Sequence[LfsFile]
) -> tuple[dict[bytes, DatatoolError], dict[bytes, Artifact]]:
    """Why some files can't be tracked, and the pointers that are there already; git is asked once for all."""
    problems: dict[bytes, DatatoolError] = {}
    before: dict[bytes, Artifact] = {}
    doubtful: set[bytes] = set()
    ignored = ignored_many(worktree, [file.path + SUFFIX for file in files])
    for file in files:
        path = file.path
        problem = _never(file)
        if problem is not None:
            problems[path] = problem
            continue
        try:
            check_parents(os.fsencode(project.root), path)
            around = owner(project.root, path)
            if around is not None:
                _require_same(file, around)
                before[path] = around
            elif path + SUFFIX in ignored or os.path.lexists(project.workspace.full(path + SUFFIX)):
                doubtful.add(path)
        except DatatoolError as error:
            problems[path] = error
    for path in sorted(doubtful):
        try:
            refuse_untrackable(project, [Target(path=path, artifact=None, withins=())], force=False, new=True)
        except DatatoolError as error:
            problems[path] = error
    return problems, before


def _never(file: LfsFile) -> DatatoolError | None:
    name, path = named(file.path), os.fsdecode(file.path)
    if file.pointer.extensions:
        programs = ", ".join(show(program) for program in file.pointer.extensions)
        return Refused(
            f"{name}: Git LFS keeps it changed by a program ({programs}), which is not run here; it is left as it was",
            hint="track it without lfs.extension, or save what git lfs smudge gives with datatool add",
            path=path,
        )
    if file.path.lower().endswith(SUFFIX):
        return Refused(
            f"{name}: a name that ends in .dt can't be tracked: it would be taken for a pointer; it is left as it was",
            hint="git mv it to another name, then run this again",
            path=path,
        )
    try:
        check_escape(file.path)
    except PathRefused as error:
        return Refused(f"{name}: {error.reason}; it is left as it was", hint="git mv it first", path=path)
    return None


def _require_same(file: LfsFile, around: Artifact) -> None:
    name, path = named(file.path), os.fsdecode(file.path)
    if around.path != file.path:
        raise Refused(
            f"{name}: lies in {named(around.path)}, which datatool tracks already; it is left as it was",
            hint=f"git rm --cached {name}  leaves it to datatool",
            path=path,
        )
    if around.pointer.oid != file.pointer.oid or around.pointer.kind is not ArtifactKind.FILE:
        raise Refused(
            f"{name}: datatool tracks other content there already",
            hint=f"git rm --cached {name}  keeps datatool's, datatool remove {name} Git LFS's",
            path=path,
        )


def _damaged(file: LfsFile) -> DatatoolError:
    return DamageFound(
        f"{named(file.path)}: object {file.pointer.oid[:12]}… is damaged in Git LFS's store here; it is left as it was",
        hint="git lfs fsck, git lfs fetch, then run this again",
        path=os.fsdecode(file.path),
    )


def _wrong_size(file: LfsFile, size: int) -> DatatoolError:
    return FormatError(
        f"{named(file.path)}: its Git LFS pointer says {file.pointer.size} bytes, but its object has {size}",
        path=os.fsdecode(file.path),
    )


def _nowhere(file: LfsFile) -> DatatoolError:
    return PartlyDone(
        f"{named(file.path)}: its data is not in Git LFS's store on this machine; it is left as it was",
        hint="git lfs fetch, then run this again",
        path=os.fsdecode(file.path),
    )


# Data


def _bring(project: Project, plan: LfsPlan, files: Sequence[LfsFile], progress: Progress) -> set[ObjectId]:
    """Have objects in our cache, from Git LFS's store here or from the workspace; those that are damaged there."""
    by_oid: dict[ObjectId, Wanted] = {}
    for file in files:
        by_oid.setdefault(file.pointer.oid, Wanted(file.pointer.oid, file.pointer.size, file.path))
    missing = project.cache.missing(list(by_oid))
    left = [want for oid, want in by_oid.items() if oid in missing]
    size = sum(want.size for want in left)
    damaged: set[ObjectId] = set()
    with (
        room_for("Git LFS's objects", size, "the cache", project.cache.top),
        progress.task("taking over", bytes=size, files=len(left)) as task,
    ):
        for top in plan.stores:
            absent: list[Absent] = []
            for start in range(0, len(left), _CHUNK):
                some = left[start : start + _CHUNK]
                with project.cache.writer() as writer:
                    absent += transfer(LfsDirectory(top), writer, some, progress_task=task).absent
            damaged |= {found.wanted.oid for found in absent if found.damaged}
            left = [found.wanted for found in absent]
        return damaged - _from_workspace(project, plan, {want.oid for want in left}, files, task)


def _from_workspace(
    project: Project, plan: LfsPlan, wanted: set[ObjectId], files: Sequence[LfsFile], task: Task
) -> set[ObjectId]:
    """Save what only the workspace has; gives what is there now."""
    found: set[ObjectId] = set()
    if not wanted:
        return found
    with project.cache.writer() as writer:
        for file in files:
            oid = file.pointer.oid
            if oid in wanted - found and file.path in plan.present:
                entry = save_file(project.workspace, project.cache, writer, file.path, before=False, task=task)
                if entry.oid == oid:
                    found.add(oid)
    return found


# Pointers and git


def _record(project: Project, plan: LfsPlan, ready: Sequence[_Ready], done: Done, progress: Progress) -> None:
    """Write our pointers, then let git forget the files."""
    if not ready:
        return
    assert project.worktree is not None
    for parent in {os.path.dirname(file.path) for file, _, _ in ready}:
        make_dirs(Path(os.fsdecode(project.workspace.full(parent))))
    texts = [
        (file.path, write_pointer(pointer, old=old.text if old is not None else None), old.text if old else None)
        for file, pointer, old in ready
    ]
    staged = publish(project, texts, progress)
    if not staged:
        raise LocalError("git's index is in use: its files stay Git LFS's for now", hint="then run this again")
    done.staged |= set(staged)
    for file, pointer, _ in ready:
        assert pointer.oid is not None
        if file.path in plan.present:
            base = Base(version=pointer.oid, here=pointer.oid, executable=pointer.executable)
            project.state.set_base(file.path, base)
        elif file.path in plan.texts:  # which the checkout may then replace
            text = digest(plan.texts[file.path])
            project.state.set_base(file.path, Base(version=text, here=text, executable=pointer.executable))
    project.state.commit()
    _replace_texts(project, plan, [file for file, _, _ in ready if file.path in plan.texts], progress)
    forget(project.worktree, [file.path for file, _, _ in ready])
    done.removed += [file.path for file, _, _ in ready]
    done.artifacts += [_migrated(file) for file, _, _ in ready]


def _replace_texts(project: Project, plan: LfsPlan, files: Sequence[LfsFile], progress: Progress) -> None:
    """Where a pointer of LFS's lies in place of its data: the data, or nothing where that is not here."""
    missing = project.cache.missing([file.pointer.oid for file in files])
    todo = [file for file in files if file.pointer.oid not in missing]
    size = sum(file.pointer.size for file in todo)
    outcome = Outcome()
    written: list[LfsFile] = []
    with (
        room_for("Git LFS's files", size, "the workspace", project.root),
        progress.task("checking out", bytes=size, files=len(todo)) as task,
        Batch(
            project.root, durability=project.config.durability, on_published=project.workspace.remember_published
        ) as batch,
    ):
        for file in files:
            full = Path(os.fsdecode(project.workspace.full(file.path)))
            if full.is_symlink() or full.read_bytes() != plan.texts[file.path]:
                continue  # somebody changed it meanwhile
            if file.pointer.oid in missing:
                remove_file(full)
            else:
                _checkout(project, file).put(batch, outcome, task)
                written.append(file)
    bad = {*outcome.missing, *outcome.damaged}
    for file in written:
        if file.path not in bad:
            oid = file.pointer.oid
            project.state.set_base(file.path, Base(version=oid, here=oid, executable=file.executable))
    project.state.commit()


def _checkout(project: Project, file: LfsFile) -> FileCheckout:
    kind = EXECUTABLE if file.executable else FILE
    return FileCheckout(
        workspace=project.workspace,
        cache=project.cache,
        path=file.path,
        target=Entry(kind, file.path, file.pointer.oid, file.pointer.size),
        here=None,
        links=project.config.link_methods,
        durability=project.config.durability,
    )


def _clean_attributes(project: Project, plan: LfsPlan, taken: Sequence[bytes], done: Done, progress: Progress) -> None:
    """Take out of `.gitattributes` what no file of LFS's needs any more."""
    gone = set(taken)
    left = [file.path for file in plan.files if file.path not in gone]
    kept = {file.path for file in plan.files}
    plain = [file.path for file in plan.view.files() if file.path not in kept and file.size != 0]
    old = {path: _text(project, path) for path in plan.attributes}
    macros = lfs_macros(old.get(ATTRIBUTES, b""))
    new: dict[bytes, bytes] = {}
    for path, text in old.items():
        top = path[: -len(ATTRIBUTES)]
        new[path] = without_lfs(text, left=_below(top, left), plain=_below(top, plain), macros=macros)
    attributes = Attributes(b"filter", {path[: -len(ATTRIBUTES)].rstrip(b"/"): text for path, text in new.items()})
    ours = [path for one in taken for path in (one + SUFFIX, os.path.join(os.path.dirname(one), GITIGNORE))]
    if left and any(attributes.value(path) == b"lfs" for path in ours):
        new = {path: with_overrides(text) if names_lfs(text) else text for path, text in new.items()}
    changed = [path for path in new if new[path] != old[path]]
    for path in changed:
        full = Path(os.fsdecode(project.workspace.full(path)))
        if new[path].strip():
            write_file(full, new[path], durability=project.config.durability)
        else:
            remove_file(full)
            done.removed.append(path)
    done.staged |= set(stage_paths(project, plan.attributes, progress))


def _text(project: Project, path: bytes) -> bytes:
    try:
        return Path(os.fsdecode(project.workspace.full(path))).read_bytes()
    except FileNotFoundError:
        return b""


def _below(top: bytes, paths: Sequence[bytes]) -> list[bytes]:
    return [path[len(top) :] for path in paths if path.startswith(top)]


def _migrated(file: LfsFile) -> Migrated:
    return Migrated(
        path=os.fsdecode(file.path),
        pointer=os.fsdecode(file.path + SUFFIX),
        replaces=os.fsdecode(file.path),
        origin=Origin.LFS,
        kind=ArtifactKind.FILE,
        oid=prefixed(file.pointer.oid),
        size=file.pointer.size,
        files=None,
    )
