"""Make the workspace match the pointers, from the cache."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from datatool.errors import DatatoolError, PathNotFound
from datatool.model.paths import named, show
from datatool.model.pointer import ArtifactKind
from datatool.model.settings import LinkMethod
from datatool.operations.checkouts.checked_out import CheckedOut, by_artifact, failed
from datatool.operations.checkouts.directory import check_out_directory
from datatool.operations.checkouts.files import check_out_files, groups
from datatool.operations.checkouts.make_way import make_place
from datatool.operations.checkouts.old_pointers import selections_at, take_pointers
from datatool.operations.failures import Failure, failure_of
from datatool.operations.publish import ignored_before_writing, locked
from datatool.operations.result import Result
from datatool.operations.space import room_for
from datatool.operations.targets import Selection, name_of, select
from datatool.progress import SILENT, Progress, Task
from datatool.project.project import Project
from datatool.workspace.early_copies import EarlyCopies

__all__ = ["CheckedOut", "CheckoutResult", "checkout", "checkout_selected"]

HINT_FROM = 1 << 30
"""Bytes that had to be copied before one hint says what hard links would save (formats §4)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckoutResult(Result):
    """All artifacts, and the pointers staged in git (with a revision)."""

    artifacts: tuple[CheckedOut, ...]
    staged: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[CheckedOut]:
        """The artifacts, which are all that `pull --json` tells of its checkout."""
        return iter(self.artifacts)

    @property
    def problems(self) -> tuple[Failure, ...]:
        """What failed while the rest went on."""
        return tuple(item.error for item in self.artifacts if item.error)

    @property
    def finished(self) -> bool:
        """Whether anything was done in spite of the problems."""
        return any(item.changed and not item.error for item in self.artifacts)


def checkout(
    project: Project,
    targets: Sequence[str] = (),
    *,
    cwd: Path,
    rev: str | None = None,
    force: bool = False,
    relink: bool = False,
    lacking: Sequence[DatatoolError] = (),
    early: EarlyCopies | None = None,
    progress: Progress = SILENT,
) -> CheckoutResult:
    """Write what the pointers name into the workspace; with `rev`, what that revision's name, and take them. Of a path
    inside a directory `rev` brings the content alone: the pointer also stands for the rest, which stays as it is.

    One failing artifact does not stop the others: see each one's `error`; its pointer stays as it is. `force` moves
    unsaved files to `lost+found` first; `relink` makes links or copies anew, as `cache.link` says; `lacking` are errors
    to tell among the results; `early` copies are taken where there are some. Raises PathNotFound, RevisionNotFound.

    >>> checkout(project, ["data/songs"], cwd=Path.cwd(), rev="v1").artifacts[0].written  # doctest: +SKIP
    3
    """
    selections, broken = select(project, targets, cwd) if rev is None else selections_at(project, targets, cwd, rev)
    results = checkout_selected(project, selections, force=force, relink=relink, early=early, progress=progress)
    staged = take_pointers(project, selections, results, progress) if rev is not None else ()
    results = by_artifact(results)
    results += [
        CheckedOut(path=name_of(error), changed=False, error=failure_of(error)) for error in (*broken, *lacking)
    ]
    return CheckoutResult(artifacts=tuple(sorted(results, key=lambda item: item.path)), staged=staged)


def checkout_selected(
    project: Project,
    selections: Sequence[Selection],
    *,
    force: bool,
    relink: bool = False,
    early: EarlyCopies | None = None,
    progress: Progress,
) -> list[CheckedOut]:
    """Check out artifacts, or paths inside them: single files many at a time, directories one after the other."""
    ignored_before_writing(
        project, [item.artifact.path for item in selections if project.workspace.kind(item.artifact.path) is None]
    )
    project.cache.register()
    results = [failed(item.artifact, _never_here(item)) for item in selections if item.artifact.pointer.oid is None]
    here = [item for item in selections if item.artifact.pointer.oid is not None]
    files = [item for item in here if item.artifact.pointer.kind is ArtifactKind.FILE]
    directories = [item for item in here if item.artifact.pointer.kind is not ArtifactKind.FILE]
    lost = _new_place(project.local / "lost+found") if force else None
    copied = 0
    with (
        _told_of(lost, progress),
        progress.task(
            "checking out",
            bytes=sum(item.artifact.pointer.size or 0 for item in here if not item.within),
            files=sum(item.artifact.pointer.files or 1 for item in here if not item.within),
        ) as task,
    ):
        for group in groups(files):
            with _work_on(project, group, progress):
                done, more = check_out_files(project, group, lost=lost, relink=relink, task=task, early=early)
            results += done
            copied += more
        for item in directories:
            with _work_on(project, [item], progress):
                result, more = _directory(project, item, lost=lost, relink=relink, task=task, early=early)
            results.append(result)
            copied += more
    if copied >= HINT_FROM and not any(
        method in (LinkMethod.HARDLINK, LinkMethod.SYMLINK) for method in project.config.link_methods
    ):
        progress.hint(
            f"{copied / 1e9:.1f} GB were copied; datatool config set cache.link hardlink would share them with the "
            "cache (read-only files)"
        )
    return results


@contextmanager
def _work_on(project: Project, items: Sequence[Selection], progress: Progress) -> Iterator[None]:
    """Hold artifacts' locks; what was done to them is tidied up before, and remembered after."""
    with locked(project, [item.artifact.path for item in items], progress):
        yield
        project.workspace.sweep()
    project.state.commit()


def _new_place(directory: Path) -> Path:
    """A name in lost+found that says when and who."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime()) + f"-{os.getpid()}"
    place, again = directory / stamp, 1
    while place.exists():  # one process, more than once in a second
        again += 1
        place = directory / f"{stamp}-{again}"
    return place


@contextmanager
def _told_of(lost: Path | None, progress: Progress) -> Iterator[None]:
    """Say where unsaved files are that `force` had moved when an interruption came, or an error that ends all."""
    try:
        yield
    except BaseException:
        if lost is not None and _holds_something(lost):
            progress.warn(f"unsaved files were moved to {show(os.fspath(lost))}")
        raise


def _holds_something(top: Path) -> bool:
    return any(
        files or any(os.path.islink(os.path.join(directory, name)) for name in names)
        for directory, names, files in os.walk(top)
    )


def _directory(
    project: Project, item: Selection, *, lost: Path | None, relink: bool, task: Task, early: EarlyCopies | None
) -> tuple[CheckedOut, int]:
    """One directory, and the bytes copied for it; what stops it is told in its result."""
    artifact = item.artifact
    oid = artifact.pointer.oid
    assert oid is not None
    try:
        with room_for(named(artifact.path), artifact.pointer.size, "the workspace", project.root):
            make_place(project, artifact.path, set())
            result, outcome = check_out_directory(project, item, oid, lost=lost, relink=relink, task=task, early=early)
    except DatatoolError as error:
        return failed(artifact, error), 0
    return result, outcome.bytes_copied


def _never_here(item: Selection) -> PathNotFound:
    name = named(item.artifact.path)
    return PathNotFound(
        f"{name}: was imported without its data",
        hint=f"datatool update {name} downloads it",
    )
