"""Make the workspace match the pointers, from the cache."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from datatool.errors import (
    DamageFound,
    DatatoolError,
    LocalError,
    PartlyDone,
    PathNotFound,
    Unsaved,
)
from datatool.formats.tree_object import read_tree
from datatool.index.state import Base
from datatool.localfs.atomic import make_dirs, move, remove_file, sweep_temps
from datatool.localfs.removal import remove_tree
from datatool.localfs.safe_paths import check_parents
from datatool.model.entry import DIRECTORY, EXECUTABLE, FILE, SYMLINK, Entry
from datatool.model.oid import ObjectId
from datatool.model.paths import named, portability_problems
from datatool.model.pointer import ArtifactKind
from datatool.model.settings import LinkMethod
from datatool.operations.cached import has_list
from datatool.operations.failures import Failure, failure_of
from datatool.operations.publish import ignored_before_writing, locked
from datatool.operations.result import Part, Result, fields_of
from datatool.operations.space import room_for
from datatool.operations.take import Taken, take
from datatool.operations.targets import Selection, name_of, not_found, select
from datatool.progress import SILENT, Progress, Task
from datatool.project.project import Project
from datatool.workspace.checkout import Checkout, tree_without
from datatool.workspace.checkout_file import FileCheckout
from datatool.workspace.compare import known_tree
from datatool.workspace.placing import Outcome
from datatool.workspace.pointers import Artifact

HINT_FROM = 1 << 30
"""Bytes that had to be copied before one hint says what hard links would save (formats §4)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckedOut(Part):
    """One artifact. `kept` are paths datatool doesn't know and left; `missing` those whose object the cache lacks;
    `saved_to` where `force` moved unsaved files. Paths are relative to the project's root."""

    path: str
    changed: bool
    written: int = 0
    deleted: int = 0
    kept: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    saved_to: str | None = None
    error: Failure | None = None

    def to_dict(self) -> dict[str, object]:
        """As `--json` prints it."""
        return {"path": self.path, "ok": self.error is None, **fields_of(self, "path")}


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckoutResult(Result):
    """All artifacts, and the pointers staged in git (with a revision)."""

    artifacts: tuple[CheckedOut, ...]
    staged: tuple[str, ...] = ()

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
    progress: Progress = SILENT,
) -> CheckoutResult:
    """Write what the pointers name into the workspace; with `rev`, first take the pointers of that revision. Of a path
    inside a directory `rev` brings the content alone: the pointer also stands for the rest, which stays as it is.

    One failing artifact does not stop the others: see each one's `error`. `force` moves unsaved files to
    `lost+found` first; `relink` makes links or copies anew, as `cache.link` says. Raises PathNotFound,
    RevisionNotFound.

    >>> checkout(project, ["data/songs"], cwd=Path.cwd(), rev="v1").artifacts[0].written  # doctest: +SKIP
    3
    """
    taken = take(project, targets, cwd, rev) if rev is not None else Taken(targets=targets)
    selections, broken = select(project, taken.targets, cwd) if taken.targets or not targets else ([], [])
    selections = [*selections, *taken.parts]
    results = checkout_selected(project, selections, force=force, relink=relink, progress=progress)
    results += [CheckedOut(path=name_of(error), changed=False, error=failure_of(error)) for error in broken]
    return CheckoutResult(artifacts=tuple(sorted(results, key=lambda item: item.path)), staged=taken.staged)


def checkout_selected(
    project: Project, selections: Sequence[Selection], *, force: bool, relink: bool = False, progress: Progress
) -> list[CheckedOut]:
    """Check out artifacts, or paths inside them, one after the other."""
    ignored_before_writing(
        project, [item.artifact.path for item in selections if project.workspace.kind(item.artifact.path) is None]
    )
    project.cache.register()
    results: list[CheckedOut] = []
    total = sum(item.artifact.pointer.size or 0 for item in selections)
    files = sum(item.artifact.pointer.files or 1 for item in selections)
    copied = 0
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime()) + f"-{os.getpid()}"
    with progress.task("checking out", bytes=total, files=files) as task:
        for item in selections:
            with locked(project, [item.artifact.path], progress):
                name, size = named(item.artifact.path), item.artifact.pointer.size
                try:
                    with room_for(name, size, "the workspace", project.root):
                        result, outcome = _one(project, item, force=force, relink=relink, task=task, stamp=stamp)
                    copied += outcome.bytes_copied
                except DatatoolError as error:
                    error.path = error.path or item.artifact.name
                    result = CheckedOut(path=item.artifact.name, changed=False, error=failure_of(error))
                project.workspace.sweep()
            project.state.commit()
            results.append(result)
    if copied >= HINT_FROM and not any(
        method in (LinkMethod.HARDLINK, LinkMethod.SYMLINK) for method in project.config.link_methods
    ):
        progress.hint(
            f"{copied / 1e9:.1f} GB were copied; datatool config set cache.link hardlink would share them with the "
            "cache (read-only files)"
        )
    return results


def _one(
    project: Project, item: Selection, *, force: bool, relink: bool, task: Task, stamp: str
) -> tuple[CheckedOut, Outcome]:
    artifact = item.artifact
    pointer = artifact.pointer
    if pointer.oid is None:
        raise PathNotFound(
            f"{named(artifact.path)}: was imported without its data",
            hint=f"datatool update {named(artifact.path)} downloads it",
        )
    check_parents(os.fsencode(project.root), artifact.path)
    if os.name == "nt":
        _refuse_unholdable(b"", iter([artifact.path]))
    base = project.state.base(artifact.path)
    lost = project.local / "lost+found" / stamp if force else None
    parent = Path(os.fsdecode(project.workspace.full(artifact.path))).parent
    make_dirs(parent)
    sweep_temps(parent)
    if pointer.kind is ArtifactKind.FILE:
        return _file(project, item, pointer.oid, base, lost, relink, task)
    return _directory(project, item, pointer.oid, base, lost, relink, task)


def _file(
    project: Project,
    item: Selection,
    oid: ObjectId,
    base: Base | None,
    lost: Path | None,
    relink: bool,
    task: Task,
) -> tuple[CheckedOut, Outcome]:
    artifact = item.artifact
    entry = Entry(EXECUTABLE if artifact.pointer.executable else FILE, artifact.path, oid, artifact.pointer.size or 0)
    job = FileCheckout(
        workspace=project.workspace,
        cache=project.cache,
        path=artifact.path,
        target=entry,
        here=base.here if base is not None else None,
        links=project.config.link_methods,
        durability=project.config.durability,
    )
    right, unsaved = job.current()
    saved_to = None
    new_base = Base(version=oid, here=oid, executable=artifact.pointer.executable)
    if right and not relink:
        project.state.set_base(artifact.path, new_base)
        return CheckedOut(path=artifact.name, changed=False), Outcome()
    if not project.cache.has(oid):
        raise _lacking(artifact.path, [artifact.path], [])
    if unsaved and project.workspace.kind(artifact.path) == DIRECTORY and _all_saved(project, artifact.path, base):
        remove_tree(Path(os.fsdecode(project.workspace.full(artifact.path))))
    elif unsaved:
        saved_to = _set_aside(project, artifact.path, lost)
    outcome = job.apply(task)
    if outcome.missing or outcome.damaged:
        raise _lacking(artifact.path, outcome.missing, outcome.damaged)
    project.state.set_base(artifact.path, new_base)
    return CheckedOut(path=artifact.name, changed=not right, written=outcome.written, saved_to=saved_to), outcome


def _set_aside(project: Project, path: bytes, lost: Path | None) -> str:
    """Move what lies at an artifact's own path to lost+found, or refuse."""
    if lost is None:
        raise _unsaved(path, [path])
    place = lost / os.fsdecode(path)
    make_dirs(place.parent)
    move(Path(os.fsdecode(project.workspace.full(path))), place)
    return os.fspath(lost)


def _all_saved(project: Project, artifact: bytes, base: Base | None) -> bool:
    """Whether the cache has every file of a directory, and datatool put every link there."""
    workspace = project.workspace
    oids: list[ObjectId] = []
    links: list[tuple[bytes, bytes | None]] = []
    for seen in workspace.look(artifact):
        if seen.found.kind == FILE:
            oids.append(seen.oid or workspace.hash(artifact + b"/" + seen.found.path)[0])
        elif seen.found.kind == SYMLINK:
            links.append((seen.found.path, seen.found.target))
    if links and (base is None or not has_list(project.cache, base.here)):
        return False
    known = {entry.path: entry.target for entry in read_tree(base.here, project.cache.load)} if links and base else {}
    return not project.cache.missing(oids) and all(known.get(path) == target for path, target in links)


def _directory(
    project: Project,
    item: Selection,
    oid: ObjectId,
    base: Base | None,
    lost: Path | None,
    relink: bool,
    task: Task,
) -> tuple[CheckedOut, Outcome]:
    artifact = item.artifact
    workspace, cache = project.workspace, project.cache
    saved_to = None
    kind = workspace.kind(artifact.path)
    if kind not in (None, DIRECTORY):
        if kind != FILE or cache.missing([workspace.hash(artifact.path)[0]]):
            saved_to = _set_aside(project, artifact.path, lost)
        else:
            remove_file(Path(os.fsdecode(workspace.full(artifact.path))))
    if not has_list(project.cache, oid):
        raise _lacking(artifact.path, [artifact.path], [])
    if os.name == "nt":
        _refuse_unholdable(artifact.path, (entry.path for entry in read_tree(oid, cache.load)))
    here = base.here if base is not None else None
    if here is not None and not has_list(project.cache, here):
        here = None
    if here == oid and not item.within and not relink and kind == DIRECTORY and _untouched(project, artifact.path, oid):
        project.state.set_base(artifact.path, Base(version=oid, here=oid))
        return CheckedOut(path=artifact.name, changed=False), Outcome()
    if item.within:
        _require_within(project, item, oid, here)
    job = Checkout(
        workspace=workspace,
        cache=cache,
        load=cache.load,
        artifact=artifact.path,
        here=here,
        target=oid,
        within=item.within,
        links=project.config.link_methods,
        durability=project.config.durability,
        relink=relink,
        had_links=kind == DIRECTORY,
    )
    make_dirs(Path(os.fsdecode(workspace.full(artifact.path))))
    plan = job.plan()
    if plan.unsaved and lost is None:
        raise _unsaved(artifact.path, [artifact.path + b"/" + path for path in plan.unsaved])
    if plan.unsaved and lost is not None:
        saved_to = os.fspath(lost)
    # Killed in here, the base stays what it was: each file written is in the cache, so the next run finds it right.
    outcome = job.apply(plan, task, save_to=lost)
    failed = {*outcome.missing, *outcome.damaged, *outcome.refused}
    if failed or item.within:
        present = tree_without(cache.load, cache, here=here, target=oid, within=item.within, failed=failed).oid
    else:
        present = oid
    if not item.older:
        project.state.set_base(artifact.path, Base(version=oid, here=present))
    result = CheckedOut(
        path=artifact.name,
        changed=bool(outcome.written or outcome.deleted),
        written=outcome.written,
        deleted=outcome.deleted,
        kept=_names(artifact.path, plan.kept),
        missing=_names(artifact.path, sorted({*outcome.missing, *outcome.damaged})),
        saved_to=saved_to,
        error=_failure(artifact, outcome) if failed else None,
    )
    return result, outcome


def _require_within(project: Project, item: Selection, oid: ObjectId, here: ObjectId | None) -> None:
    """PathNotFound where the version has nothing at the path, unless what is here is to go for that."""
    path = item.artifact.path + b"/" + item.within
    for tree in (oid,) if item.older else (oid, here):
        if tree is not None and next(iter(read_tree(tree, project.cache.load, within=item.within)), None) is not None:
            return
    if not item.older:
        raise not_found(project, os.fsdecode(path), path)
    raise PathNotFound(
        f"{named(path)}: was not in {named(item.artifact.path)} then",
        hint=f"datatool log {named(path)} shows its versions",
        path=os.fsdecode(path),
    )


def _untouched(project: Project, artifact: bytes, oid: ObjectId) -> bool:
    return known_tree(project.workspace, artifact) == oid


def _refuse_unholdable(artifact: bytes, names: Iterator[bytes]) -> None:
    """On a system that can't hold some names, say so before anything is written (formats §3)."""
    for path, problem in portability_problems(names):
        whole = artifact + b"/" + path if artifact else path
        raise LocalError(f"{named(whole)}: {problem}", path=os.fsdecode(whole))


def _names(artifact: bytes, paths: Sequence[bytes]) -> tuple[str, ...]:
    return tuple(os.fsdecode(artifact + b"/" + path if path else artifact) for path in paths)


def _unsaved(artifact: bytes, paths: Sequence[bytes]) -> Unsaved:
    name = named(artifact)
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return Unsaved(
        f"{named(paths[0])}{more}: unsaved changes; nothing in {name} was touched",
        hint=f"datatool add {name} keeps them; --force moves them to lost+found",
        path=os.fsdecode(paths[0]),
    )


def _failure(artifact: Artifact, outcome: Outcome) -> Failure:
    if outcome.refused and not outcome.damaged:
        return failure_of(_unsaved(artifact.path, [artifact.path + b"/" + path for path in outcome.refused]))
    return failure_of(_lacking(artifact.path, outcome.missing, outcome.damaged, whole=artifact.path))


def _lacking(
    artifact: bytes, missing: Sequence[bytes], damaged: Sequence[bytes], *, whole: bytes = b""
) -> DatatoolError:
    name = named(artifact)
    if damaged:
        path = whole + b"/" + damaged[0] if whole else damaged[0]
        more = f" and {len(damaged) - 1} more" if len(damaged) > 1 else ""
        return DamageFound(
            f"{named(path)}{more}: its object in the cache was damaged, and was set aside",
            hint=f"datatool fetch {name} gets it again from the remote",
            path=os.fsdecode(path),
        )
    path = whole + b"/" + missing[0] if whole else missing[0]
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    return PartlyDone(
        f"{named(path)}{more}: not in the cache",
        hint=f"datatool pull {name} gets it from the remote",
        path=os.fsdecode(path),
    )
