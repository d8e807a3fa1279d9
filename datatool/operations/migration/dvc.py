"""Turn what DVC tracks into artifacts of ours.

Each is whole or left as it was: first its objects are in our cache, checked by md5, then its pointer is written, last
DVC's goes. What is there already is not done again, so a run that broke off is simply repeated.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from datatool.cache.local import Cache
from datatool.config.places import user_cache_dir
from datatool.errors import DamageFound, DatatoolError, PartlyDone, Refused
from datatool.formats.pointer_file import write_pointer
from datatool.git.worktree import Worktree, exclude_path
from datatool.index.state import Base
from datatool.localfs.atomic import remove_dir_if_empty, remove_file, write_file
from datatool.model.entry import DIRECTORY, SYMLINK
from datatool.model.oid import prefixed
from datatool.model.paths import named
from datatool.model.pointer import ArtifactKind, Pointer
from datatool.operations.migration.migrated import Done, Migrated
from datatool.operations.migration.plan import Plan, Planned
from datatool.operations.publish import locked, publish, stage_paths
from datatool.operations.record import Target
from datatool.operations.registries import user_cache
from datatool.operations.trackable import refuse_untrackable
from datatool.progress import SILENT, Progress
from datatool.project.project import IGNORE, Project, open_project
from datatool.registry.access import Access
from datatool.registry.catalog import Catalog
from datatool.registry.copying import copy_selection
from datatool.registry.dvc.memory import Md5Memory
from datatool.registry.dvc.projects import DvcProjects
from datatool.registry.dvc.reader import DvcReader
from datatool.registry.offer import Offer, Origin
from datatool.registry.view import View
from datatool.workspace.pointers import SUFFIX, Artifact, find_artifact


def foresee_dvc(
    worktree: Worktree, view: View, plans: Sequence[Plan], *, known: bool, environ: Mapping[str, str], jobs: int | None
) -> Done:
    """What a run would come to: what is in no place here is told, what is damaged takes a run to know. `known` says
    that this is a project already, whose cache may have some of it."""
    done = Done()
    wanted = [item for plan in plans for item in plan.artifacts]
    if not wanted:
        return done
    with ExitStack() as stack:
        project = stack.enter_context(open_project(worktree.top, flags={}, environ=environ)) if known else None
        cache = project.cache if project else stack.enter_context(user_cache(environ, otherwise=worktree.git_dir))
        scratch = user_cache_dir(environ) / "uploads"
        projects = stack.enter_context(_projects(view, cache, scratch=scratch, environ=environ, jobs=jobs))
        for item in wanted:
            offers = list(projects.offers(item.path))
            lacking = projects.lacking([offer for offer in offers if _has_bytes(offer)], cache)
            try:
                _require_here(item, offers, lacking)
                done.artifacts.append(_foreseen(item))
            except DatatoolError as error:
                done.failed.append((os.fsdecode(item.path), error))
    done.removed += _pointers_gone(wanted, done)
    for plan in plans:
        if is_whole(plan, done):
            done.removed += plan.serving
    return done


def is_whole(plan: Plan, done: Done) -> bool:
    """Whether nothing of a DVC project stays DVC's."""
    failed = set(_failures(done))
    return plan.whole and not any(item.path in failed for item in plan.artifacts)


def migrate_dvc(
    project: Project,
    view: View,
    plans: Sequence[Plan],
    done: Done,
    *,
    environ: Mapping[str, str],
    jobs: int | None,
    progress: Progress,
) -> None:
    """Make what is planned ours, and stage it."""
    wanted = [item for plan in plans for item in plan.artifacts]
    if not wanted:
        return
    scratch = project.local / "uploads"
    with _projects(view, project.cache, scratch=scratch, environ=environ, jobs=jobs) as projects:
        catalog = Catalog(view, [projects])
        offers = {item.path: [offer for _, offer in catalog.offers(item.path)] for item in wanted}
        every = [offer for group in offers.values() for offer in group if _has_bytes(offer)]
        errors: dict[bytes, DatatoolError] = {}
        size = sum(offer.size or 0 for offer in every)
        with progress.task("taking over", bytes=size or None, files=len(every)) as task:
            try:
                for offer, outcome in catalog.bring(every, project.cache, task):
                    if isinstance(outcome, DatatoolError):
                        errors[offer.path] = outcome
            except DatatoolError as error:
                errors.update((offer.path, error) for offer in every)
        ready: list[tuple[Planned, Pointer]] = []
        for item in wanted:
            try:
                _require_here(item, offers[item.path], errors)
                ready.append((item, _pointer(project, catalog, item)))
            except DatatoolError as error:
                done.failed.append((os.fsdecode(item.path), error))
    _record(project, wanted, ready, done, progress)


def _has_bytes(offer: Offer) -> bool:
    return offer.problem is None and offer.kind not in (SYMLINK, DIRECTORY)


@contextmanager
def _projects(
    view: View, cache: Cache, *, scratch: Path, environ: Mapping[str, str], jobs: int | None
) -> Iterator[DvcProjects]:
    """The DVC projects of the index, read from their own caches and what is mounted: nothing is downloaded."""
    access = Access(repository=view.repository, scratch=scratch, offline=True, jobs=jobs or 8)
    memory = Md5Memory(user_cache_dir(environ) / "dvc.db")

    def open_dvc(root: bytes) -> DvcReader:
        return DvcReader(view, root, access, cache=cache, memory=memory, environ=environ)

    try:
        yield DvcProjects(view, lambda: open_dvc)
    finally:
        memory.close()


def _require_here(item: Planned, offers: Sequence[Offer], errors: Mapping[bytes, DatatoolError]) -> None:
    """Raise unless all of an artifact is in our cache now."""
    untold = next((offer for offer in offers if offer.problem is not None), None)
    failed = [errors[offer.path] for offer in offers if offer.path in errors]
    damaged = [error for error in failed if isinstance(error, DamageFound)]
    if untold is not None and untold.error is not None:
        failed.append(untold.error)
    if damaged:
        raise damaged[0]
    if failed or untold is not None or not offers:
        name = named(item.path)
        count = f"{len(failed)} of its files are" if len(failed) > 1 else "its data is"
        raise PartlyDone(
            f"{name}: {count} not in DVC's cache on this machine; it is left as it was",
            hint=f"dvc fetch {name}, then run this again",
            path=os.fsdecode(item.path),
        )


def _pointer(project: Project, catalog: Catalog, item: Planned) -> Pointer:
    with SILENT.task("") as task:
        copied = copy_selection(catalog, catalog.select(item.path), project.cache, task)
    if copied.failed:
        raise copied.failed[0][1]
    return item.pointer(
        kind=ArtifactKind.DIRECTORY if copied.directory else ArtifactKind.FILE,
        oid=copied.oid,
        size=copied.size,
        files=copied.files if copied.directory else None,
        executable=copied.executable,
    )


def _record(
    project: Project,
    wanted: Sequence[Planned],
    ready: Sequence[tuple[Planned, Pointer]],
    done: Done,
    progress: Progress,
) -> None:
    """Write our pointers, then take DVC's away; a pointer file of DVC's goes when all that it tracks is ours."""
    with locked(project, [item.path for item, _ in ready], progress):
        texts: list[tuple[bytes, bytes, bytes | None]] = []
        recorded: list[tuple[Planned, Pointer]] = []
        for item, pointer in ready:
            try:
                old = _ours_already(project, item, pointer)
            except DatatoolError as error:
                done.failed.append((os.fsdecode(item.path), error))
                continue
            before = old.text if old is not None else None
            texts.append((item.path, write_pointer(pointer, old=before), before))
            recorded.append((item, pointer))
        done.staged |= set(publish(project, texts, progress))
        for item, pointer in recorded:
            assert pointer.oid is not None
            if os.path.lexists(project.workspace.full(item.path)):
                base = Base(version=pointer.oid, here=pointer.oid, executable=pointer.executable)
                project.state.set_base(item.path, base)
            done.artifacts.append(_migrated(item, pointer.kind, prefixed(pointer.oid), pointer.size, pointer.files))
        project.state.commit()
        _delete(project, _pointers_gone(wanted, done), done, progress)


def _pointers_gone(items: Sequence[Planned], done: Done) -> list[bytes]:
    """The pointer files of DVC's of which all is ours."""
    failed = set(_failures(done))
    stays = {item.tracked.pointer for item in items if item.path in failed}
    return sorted({item.tracked.pointer for item in items} - stays)


def _failures(done: Done) -> Iterator[bytes]:
    return (os.fsencode(path) for path, _ in done.failed)


def _ours_already(project: Project, item: Planned, pointer: Pointer) -> Artifact | None:
    """Our pointer that an earlier run wrote; Refused for one to other content."""
    if os.path.islink(project.workspace.full(item.path)):
        name = named(item.path)
        raise Refused(
            f"{name}: is a link into DVC's cache; it is left as it was",
            hint=f"dvc config cache.type copy, dvc checkout --relink {name}; then run this again",
            path=os.fsdecode(item.path),
        )
    old = find_artifact(project.root, item.path)
    refuse_untrackable(project, [Target(path=item.path, artifact=old, withins=())], force=False, new=True)
    if old is not None and old.pointer.oid != pointer.oid:
        raise Refused(
            f"{named(item.path)}: datatool tracks other content there already",
            hint=f"git rm --cached {named(item.tracked.pointer)} keeps datatool's, datatool remove DVC's",
            path=os.fsdecode(item.path),
        )
    return old


def _delete(project: Project, files: Sequence[bytes], done: Done, progress: Progress) -> None:
    """Take files out of the work tree and out of git's index; git keeps them in the last commit."""
    for path in files:
        full = Path(os.fsdecode(project.workspace.full(path)))
        remove_file(full)
        remove_dir_if_empty(full.parent)
    done.removed += files
    done.staged |= set(stage_paths(project, files, progress))


# DVC's own files


def remove_serving(project: Project, view: View, plan: Plan, done: Done, progress: Progress) -> None:
    """Nothing of the project is DVC's any more: its configuration goes, its cache stays, out of git's sight."""
    prefix = plan.root + b"/" if plan.root else b""
    ignored = view.text(prefix + b".dvcignore")
    if ignored is not None and not plan.root and _keep_rules(project, ignored):
        done.staged |= set(stage_paths(project, [os.fsencode(IGNORE)], progress))
    if (project.root / os.fsdecode(prefix) / ".dvc").is_dir() and project.worktree is not None:
        path = exclude_path(project.worktree)
        line = b"/" + prefix + b".dvc/"
        text = path.read_bytes() if path.exists() else b""
        if line not in text.splitlines():
            text += b"" if not text or text.endswith(b"\n") else b"\n"
            write_file(path, text + line + b"\n", durability=project.config.durability)
        progress.hint(
            f"{os.fsdecode(prefix)}.dvc/ still has DVC's cache, which git does not see; delete it when all is well"
        )
    _delete(project, plan.serving, done, progress)


def _keep_rules(project: Project, text: bytes) -> bool:
    """DVC's ignore rules become ours; False if there are none that we lack."""
    path = project.root / IGNORE
    old = path.read_bytes() if path.exists() else b""
    have = set(old.splitlines())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith(b"#") and line not in have]
    if lines:
        start = old if not old or old.endswith(b"\n") else old + b"\n"
        write_file(path, start + b"".join(line + b"\n" for line in lines), durability=project.config.durability)
    return bool(lines)


def _foreseen(item: Planned) -> Migrated:
    out = item.tracked.out
    assert out is not None
    kind = ArtifactKind.DIRECTORY if item.tracked.directory else ArtifactKind.FILE
    files = out.files if out.listed is None else len(out.listed)
    return _migrated(item, kind, None, out.size, files if item.tracked.directory else None)


def _migrated(item: Planned, kind: ArtifactKind, oid: str | None, size: int | None, files: int | None) -> Migrated:
    return Migrated(
        path=os.fsdecode(item.path),
        pointer=os.fsdecode(item.path + SUFFIX),
        replaces=os.fsdecode(item.tracked.pointer),
        origin=Origin.DVC,
        kind=kind,
        oid=oid,
        size=size,
        files=files,
    )
