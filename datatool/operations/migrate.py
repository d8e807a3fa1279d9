"""Turn a project of DVC or Git LFS into ours: pointers, remotes and local objects; one change in git to look at.

Each artifact is whole or left as it was: first its objects are in our cache, checked by md5, then its pointer is
written, last DVC's goes. What is there already is not done again, so a run that broke off is simply repeated. Where
nothing can be taken over nothing is changed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from datatool.errors import LocalError, NotFoundError, Refused
from datatool.git.clones import find_repository
from datatool.git.staging import unstage, unstaged_edits
from datatool.git.worktree import Unsafe, Worktree, ask, discover
from datatool.localfs.atomic import remove_dir_if_empty, remove_file, write_file
from datatool.model.paths import named
from datatool.model.settings import Durability
from datatool.operations.failures import Failed, Failure, failure_of
from datatool.operations.init import FILES, init
from datatool.operations.migration.dvc import foresee_dvc, is_whole, migrate_dvc, remove_serving
from datatool.operations.migration.lfs import foresee_lfs, migrate_lfs
from datatool.operations.migration.lfs_plan import LfsPlan, plan_lfs
from datatool.operations.migration.migrated import Done, Migrated
from datatool.operations.migration.plan import Plan, plan_migration, what_stays
from datatool.operations.migration.remotes import RemoteSettings, remote_settings, write_remotes
from datatool.operations.publish import stage_paths
from datatool.operations.result import Result
from datatool.progress import SILENT, Progress
from datatool.project.project import find_root, open_project
from datatool.registry.dvc.levels import read_levels
from datatool.registry.dvc.roots import find_dvc_roots
from datatool.registry.view import View


class Staying(NamedTuple):
    """A file of DVC's that stays as it was, and why."""

    path: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class MigrateResult(Result):
    """What is ours now (or would be, with `dry_run`), what could not be and why, and what stays as it was."""

    dry_run: bool
    artifacts: tuple[Migrated, ...] = ()
    failed: tuple[Failed, ...] = ()
    stays: tuple[Staying, ...] = ()
    remotes: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    staged: tuple[str, ...] = ()

    @property
    def problems(self) -> tuple[Failure, ...]:
        """What failed while the rest went on."""
        return tuple(failure for _, failure in self.failed)

    @property
    def finished(self) -> bool:
        """Whether anything was done in spite of the problems."""
        return bool(self.artifacts)


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
    foreseen = foresee_dvc(worktree, view, plans, known=_is_project(worktree.top), environ=environ, jobs=jobs)
    foreseen.add(foresee_lfs(lfs, worktree))
    if dry_run or not _changes_anything(foreseen, lfs):
        return _result(plans, settings if _changes_anything(foreseen, lfs) else RemoteSettings(), foreseen, dry_run)
    before = _texts(worktree, [*map(os.fsencode, FILES), *lfs.attributes])
    written = init(worktree.top, progress=progress).written
    done = Done()
    with open_project(worktree.top, flags={}, environ=environ) as project:
        migrate_dvc(project, view, plans, done, environ=environ, jobs=jobs, progress=progress)
        whole = [plan for plan in plans if is_whole(plan, done)]
        if done.artifacts or whole:
            changed = write_remotes(project, settings)
            done.staged |= set(stage_paths(project, [os.fsencode(path) for path in changed], progress))
        else:
            settings = RemoteSettings()
        for plan in whole:
            remove_serving(project, view, plan, done, progress)
        if lfs:
            done.add(migrate_lfs(project, lfs, progress))
    if _changes_anything(done, lfs):
        done.staged |= set(written)
    else:
        _take_back(worktree, view, before)
        done.staged.clear()
    return _result(plans, settings, done, dry_run)


def _changes_anything(done: Done, lfs: LfsPlan) -> bool:
    """Whether anything is taken over, be it only the configuration of a project that tracks nothing."""
    return bool(done.artifacts or done.removed or (lfs.attributes and not lfs.files))


def _texts(worktree: Worktree, paths: Sequence[bytes]) -> dict[bytes, bytes | None]:
    found: dict[bytes, bytes | None] = {}
    for path in paths:
        full = worktree.top / os.fsdecode(path)
        found[path] = full.read_bytes() if full.is_file() else None
    return found


def _take_back(worktree: Worktree, view: View, before: Mapping[bytes, bytes | None]) -> None:
    """Put files, and what git's index has of them, back to what they were: nothing could be taken over after all."""
    for path, text in before.items():
        full = worktree.top / os.fsdecode(path)
        if text is None:
            remove_file(full)
            remove_dir_if_empty(full.parent)
        elif _texts(worktree, [path])[path] != text:
            write_file(full, text, durability=Durability.BATCH)
    unstage(worktree, list(before), tree=view.commit)


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


def _result(plans: Sequence[Plan], settings: RemoteSettings, done: Done, dry_run: bool) -> MigrateResult:
    return MigrateResult(
        dry_run=dry_run,
        artifacts=tuple(sorted(done.artifacts, key=lambda item: item.path)),
        failed=tuple(Failed(path, failure_of(error)) for path, error in done.failed),
        stays=tuple(Staying(path, reason) for plan in plans for path, reason in what_stays(plan)),
        remotes=tuple(settings.names),
        skipped=tuple(dict.fromkeys(settings.skipped)),
        removed=tuple(sorted({os.fsdecode(path) for path in done.removed})),
        staged=tuple(sorted(done.staged)),
    )
