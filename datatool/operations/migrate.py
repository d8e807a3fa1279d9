"""Turn a project of DVC or Git LFS into ours: pointers, remotes and local objects; one change in git to look at.

Each artifact is whole or left as it was: first its objects are in our cache, checked by md5, then its pointer is
written, last DVC's goes. What is there already is not done again, so a run that broke off is simply repeated.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from datatool.config.places import user_cache_dir
from datatool.errors import DamageFound, DatatoolError, LocalError, NotFoundError, PartlyDone, Refused
from datatool.formats.pointer_file import write_pointer
from datatool.git.clones import find_repository
from datatool.git.staging import unstaged_edits
from datatool.git.worktree import Unsafe, Worktree, ask, discover, exclude_path
from datatool.index.state import Base
from datatool.localfs.atomic import remove_dir_if_empty, remove_file, write_file
from datatool.model.entry import DIRECTORY, SYMLINK
from datatool.model.oid import prefixed
from datatool.model.paths import named
from datatool.model.pointer import ArtifactKind, Pointer
from datatool.operations.failures import Failure, failure_of
from datatool.operations.init import init
from datatool.operations.migrate_lfs import LfsDone, foresee_lfs, migrate_lfs
from datatool.operations.migrate_lfs_plan import plan_lfs
from datatool.operations.migrate_plan import Plan, Planned, plan_migration, what_stays
from datatool.operations.migrate_remotes import RemoteSettings, remote_settings, write_remotes
from datatool.operations.migrated import Migrated
from datatool.operations.publish import locked, publish, stage_paths
from datatool.operations.record import Target
from datatool.operations.trackable import refuse_untrackable
from datatool.progress import SILENT, Progress
from datatool.project.project import IGNORE, Project, find_root, open_project
from datatool.registry.access import Access
from datatool.registry.catalog import Catalog
from datatool.registry.copying import copy_selection
from datatool.registry.dvc.levels import read_levels
from datatool.registry.dvc.memory import Md5Memory
from datatool.registry.dvc.projects import DvcProjects
from datatool.registry.dvc.reader import DvcReader
from datatool.registry.dvc.roots import find_dvc_roots
from datatool.registry.offer import Offer, Origin
from datatool.registry.view import View
from datatool.workspace.pointers import SUFFIX, Artifact, find_artifact


@dataclass(frozen=True, kw_only=True, slots=True)
class MigrateResult:
    """What is ours now (or would be, with `dry_run`), what could not be and why, and what stays as it was."""

    dry_run: bool
    artifacts: tuple[Migrated, ...] = ()
    failed: tuple[tuple[str, Failure], ...] = ()
    stays: tuple[tuple[str, str], ...] = ()
    remotes: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    staged: tuple[str, ...] = ()


@dataclass(slots=True)
class _Done:
    """What a run has come to so far."""

    artifacts: list[Migrated] = field(default_factory=list)
    failed: list[tuple[str, DatatoolError]] = field(default_factory=list)
    removed: list[bytes] = field(default_factory=list)
    staged: set[str] = field(default_factory=set)


def migrate(
    directory: Path,
    *,
    dry_run: bool = False,
    environ: Mapping[str, str],
    jobs: int | None = None,
    progress: Progress = SILENT,
) -> MigrateResult:
    """Make the project of DVC or Git LFS around `directory` one of ours, as far as its data is on this machine.

    With `dry_run` nothing is written. Raises NotFoundError where there is no such project, Refused for pointers and
    LFS files that git does not have as they are, LocalError where git can't be used.
    """
    worktree = _worktree(directory)
    view = _index_of(worktree)
    roots = find_dvc_roots(view)
    plans = [plan_migration(view, root) for root in roots]
    _refuse_unsaved(worktree, plans)
    lfs = plan_lfs(worktree, view, progress)
    if not roots and not lfs and not _is_project(worktree.top):
        raise NotFoundError(
            f"{worktree.top}: neither a DVC project nor Git LFS here: git has no .dvc/config and no filter=lfs",
            hint="datatool init makes the git repository here a project",
        )
    settings = RemoteSettings()
    for plan in plans:
        more = remote_settings(read_levels(view, plan.root, {}), plan.root)
        settings.project = more.project | settings.project
        settings.local = more.local | settings.local
        settings.skipped += more.skipped
    if dry_run or not (plans or lfs):
        foreseen = _Done(artifacts=[_foreseen(item) for p in plans for item in p.artifacts])
        _merge(foreseen, foresee_lfs(lfs, worktree))
        return _result(plans, settings, foreseen, dry_run)
    before = init(worktree.top, progress=progress)
    done = _Done(staged=set(before.written))
    with open_project(worktree.top, flags={}, environ=environ) as project:
        _migrate(project, view, plans, done, environ=environ, jobs=jobs, progress=progress)
        changed = write_remotes(project, settings)
        done.staged |= set(stage_paths(project, [os.fsencode(path) for path in changed], progress))
        for plan in plans:
            if plan.whole and not any(path == item.path for path, _ in _failures(done) for item in plan.artifacts):
                _remove_serving(project, view, plan, done, progress)
        if lfs:
            _merge(done, migrate_lfs(project, lfs, progress))
    return _result(plans, settings, done, dry_run)


# What there is


def _worktree(directory: Path) -> Worktree:
    found = discover(directory)
    if isinstance(found, Unsafe):
        raise LocalError(found.reason, hint=f"git config --global --add safe.directory {found.top}")
    if found is None:
        raise NotFoundError(
            f"{directory}: no git repository here", hint="run this where the project of DVC or Git LFS is"
        )
    return found


def _index_of(worktree: Worktree) -> View:
    """What git's index holds: pointers that this command staged before are ours already."""
    made = ask(worktree, ["write-tree"], check=False)
    if made.code != 0:
        raise Refused(
            f"{worktree.top}: git has an unfinished merge", hint="finish it (git status), then run this again"
        )
    repository = find_repository(os.fspath(worktree.top), base=worktree.top, clones=worktree.git_dir, offline=True)
    return View(repository, made.out.decode("ascii").strip())


def _is_project(top: Path) -> bool:
    try:
        return find_root(top) == Path(os.path.realpath(top))
    except NotFoundError:
        return False


def _refuse_unsaved(worktree: Worktree, plans: Sequence[Plan]) -> None:
    """What git does not have as it is would be lost with DVC's files."""
    files = [item.tracked.pointer for plan in plans for item in plan.artifacts]
    files += [path for plan in plans if plan.whole for path in plan.serving]
    edited = sorted(unstaged_edits(worktree, sorted(set(files))))
    unknown = ask(worktree, ["ls-files", "-z", "-o", "--exclude-standard", "--", "*.dvc", ":(exclude).dvc"]).fields()
    lost = [*edited, *(path for path in unknown if plans)]
    if lost:
        some = ", ".join(named(path) for path in lost[:3]) + (", …" if len(lost) > 3 else "")
        raise Refused(
            f"{some}: differs from what git has; nothing was changed",
            hint=f"git add -- {named(lost[0])}  (or git checkout), then run this again",
            path=os.fsdecode(lost[0]),
        )


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


def _result(plans: Sequence[Plan], settings: RemoteSettings, done: _Done, dry_run: bool) -> MigrateResult:
    removed = done.removed
    if dry_run:
        removed = done.removed + [item.tracked.pointer for plan in plans for item in plan.artifacts]
        removed += [path for plan in plans if plan.whole for path in plan.serving]
    return MigrateResult(
        dry_run=dry_run,
        artifacts=tuple(sorted(done.artifacts, key=lambda item: item.path)),
        failed=tuple((path, failure_of(error)) for path, error in done.failed),
        stays=tuple(pair for plan in plans for pair in what_stays(plan)),
        remotes=tuple(settings.names),
        skipped=tuple(dict.fromkeys(settings.skipped)),
        removed=tuple(sorted({os.fsdecode(path) for path in removed})),
        staged=tuple(sorted(done.staged)),
    )


def _merge(done: _Done, lfs: LfsDone) -> None:
    done.artifacts += lfs.artifacts
    done.failed += lfs.failed
    done.removed += lfs.removed
    done.staged |= lfs.staged


def _failures(done: _Done) -> Iterator[tuple[bytes, DatatoolError]]:
    return ((os.fsencode(path), error) for path, error in done.failed)


# Artifacts


def _migrate(
    project: Project,
    view: View,
    plans: Sequence[Plan],
    done: _Done,
    *,
    environ: Mapping[str, str],
    jobs: int | None,
    progress: Progress,
) -> None:
    wanted = [item for plan in plans for item in plan.artifacts]
    if not wanted:
        return
    with _catalog(project, view, environ, jobs) as catalog:
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
    _record(project, ready, done, progress)


def _has_bytes(offer: Offer) -> bool:
    return offer.problem is None and offer.kind not in (SYMLINK, DIRECTORY)


@contextmanager
def _catalog(project: Project, view: View, environ: Mapping[str, str], jobs: int | None) -> Iterator[Catalog]:
    """The DVC projects of the index, read from their own caches and what is mounted: nothing is downloaded."""
    access = Access(repository=view.repository, scratch=project.local / "uploads", offline=True, jobs=jobs or 8)
    memory = Md5Memory(user_cache_dir(environ) / "dvc.db")

    def open_dvc(root: bytes) -> DvcReader:
        return DvcReader(view, root, access, cache=project.cache, memory=memory, environ=environ)

    try:
        yield Catalog(view, [DvcProjects(view, lambda: open_dvc)])
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


def _record(project: Project, ready: Sequence[tuple[Planned, Pointer]], done: _Done, progress: Progress) -> None:
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
        broken = {path for path, _ in _failures(done)}
        stays = {item.tracked.pointer for item, _ in ready if item.path in broken}
        gone = sorted({item.tracked.pointer for item, _ in recorded} - stays)
        _delete(project, gone, done, progress)


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


def _delete(project: Project, files: Sequence[bytes], done: _Done, progress: Progress) -> None:
    """Take files out of the work tree and out of git's index; git keeps them in the last commit."""
    for path in files:
        full = Path(os.fsdecode(project.workspace.full(path)))
        remove_file(full)
        remove_dir_if_empty(full.parent)
    done.removed += files
    done.staged |= set(stage_paths(project, files, progress))


# DVC's own files


def _remove_serving(project: Project, view: View, plan: Plan, done: _Done, progress: Progress) -> None:
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
