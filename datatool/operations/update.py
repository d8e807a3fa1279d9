"""Bring imports up to date: only new objects travel, and unsaved edits are never lost."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from datatool.errors import DatatoolError, PathNotFound, UsageError
from datatool.formats.pointer_file import parse_pointer
from datatool.git.clones import tip_of
from datatool.git.repository import has_commit, tree_entries
from datatool.git.staging import staged_text, unstaged_edits
from datatool.model.paths import named
from datatool.model.pointer import Pointer, Source
from datatool.operations.failures import Failed, Failure, failure_of
from datatool.operations.importing import record
from datatool.operations.imports import Imported, bring_version, counts, place_of, text_of, with_source
from datatool.operations.publish import stage_paths
from datatool.operations.reach import Reach
from datatool.operations.result import Result
from datatool.operations.targets import name_of, select
from datatool.operations.update_url import update_from_url
from datatool.progress import SILENT, Progress
from datatool.project.project import Project
from datatool.registry.catalog import Catalog, registry_path
from datatool.registry.offer import Origin
from datatool.registry.open import Place, open_registry
from datatool.workspace.early_copies import EarlyCopies
from datatool.workspace.pointers import SUFFIX, Artifact

_SIMPLE = (Origin.DATATOOL, Origin.GIT, Origin.LFS)
"""Where the path itself, or the pointer beside it, says all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UpdateResult(Result):
    """Every import that was meant, those that failed by path, and the files staged in git."""

    artifacts: tuple[Imported, ...]
    failed: tuple[Failed, ...]
    staged: tuple[str, ...]

    @property
    def problems(self) -> tuple[Failure, ...]:
        """What failed while the rest went on."""
        return tuple(failure for _, failure in self.failed)

    @property
    def finished(self) -> bool:
        """Whether some are up to date in spite of the problems of others."""
        return bool(self.artifacts)


def update(
    project: Project,
    targets: Sequence[str] = (),
    *,
    cwd: Path,
    rev: str | None = None,
    latest: bool = False,
    check: bool = False,
    thorough: bool = False,
    dry_run: bool = False,
    force: bool = False,
    environ: Mapping[str, str],
    reach: Reach | None = None,
    progress: Progress = SILENT,
) -> UpdateResult:
    """Move imports to what their source has now: of the revision that they follow, of `rev` (which they follow from
    then on), or of the default branch (`latest`).

    `check` only asks which have news, one question a source; with `thorough` the new commit's trees are brought too, so
    that one whose path is as it was has none, and one whose path is gone fails. `dry_run` also says what would change.
    One failing import does not stop the others, and is left as it was. Raises PathNotFound, UsageError.
    """
    if rev == "":
        raise UsageError("an empty revision", hint="--latest follows the default branch again")
    if rev is not None and latest:
        raise UsageError("--rev and --latest exclude each other", hint="leave out one of them")
    chosen, broken = select(project, targets, cwd)
    failed = [Failed(name_of(error), failure_of(error)) for error in broken]
    found = {item.artifact.path: item.artifact for item in chosen}
    imports = {path: item for path, item in found.items() if _follows(item)}
    for path, item in found.items():
        if targets and path not in imports:
            raise _no_import(item)
    if rev is not None or latest or (reach is not None and reach.remote is not None):
        for item in imports.values():
            if targets and _is_from_url(item):
                raise _no_revisions(item)
        imports = {path: item for path, item in imports.items() if not _is_from_url(item)}
    done: list[Imported] = []
    staged: list[str] = []
    tips: dict[tuple[str, str | None], str | None] = {}
    for path, artifact in sorted(imports.items()):
        try:
            one, more = _update_one(
                project,
                artifact,
                rev=rev,
                latest=latest,
                look=check,
                thorough=thorough,
                dry=dry_run,
                force=force,
                environ=environ,
                reach=reach or Reach(),
                progress=progress,
                tips=tips,
            )
            done.append(one)
            staged += more
        except DatatoolError as error:
            shown = f"{named(path)}: "
            error.message = error.message if error.message.startswith(named(path)) else shown + error.message
            failed.append(Failed(os.fsdecode(path), failure_of(error)))
    if not check and not dry_run:
        still = [imports[os.fsencode(item.path)] for item in done if not item.changed]
        staged += stage_paths(project, _written_but_not_staged(project, still), progress)
    return UpdateResult(artifacts=tuple(done), failed=tuple(failed), staged=tuple(sorted(set(staged))))


def _written_but_not_staged(project: Project, artifacts: Sequence[Artifact]) -> list[bytes]:
    """Pointers that an update wrote which was killed before it staged them; a user's own edits are not among them."""
    if project.worktree is None or not project.config.flag("git.stage"):
        return []
    texts = {artifact.path + SUFFIX: artifact for artifact in artifacts}
    found = []
    for path in sorted(unstaged_edits(project.worktree, list(texts))):
        staged = staged_text(project.worktree, path)
        try:
            before = parse_pointer(staged, name=os.fsdecode(path)) if staged is not None else None
        except DatatoolError:
            continue
        if before is not None and before.source != texts[path].pointer.source:
            found.append(path)
    return found


def _follows(artifact: Artifact) -> bool:
    source = artifact.pointer.source
    return source is not None and (source.repo is not None or source.url is not None)


def _is_from_url(artifact: Artifact) -> bool:
    source = artifact.pointer.source
    return source is not None and source.repo is None


def _no_revisions(artifact: Artifact) -> UsageError:
    return UsageError(
        f"{named(artifact.path)}: was imported from a URL, which has no revisions and no remotes",
        hint=f"datatool update {named(artifact.path)} takes what is there now",
        path=artifact.name,
    )


def _no_import(artifact: Artifact) -> PathNotFound:
    return PathNotFound(
        f"{named(artifact.path)}: was not imported, so there is nothing to follow",
        hint="datatool import REPO PATH, and import-url URL, bring data that can be updated",
        path=artifact.name,
    )


def _update_one(
    project: Project,
    artifact: Artifact,
    *,
    rev: str | None,
    latest: bool,
    look: bool,
    thorough: bool,
    dry: bool,
    force: bool,
    environ: Mapping[str, str],
    reach: Reach,
    progress: Progress,
    tips: dict[tuple[str, str | None], str | None],
) -> tuple[Imported, tuple[str, ...]]:
    source = artifact.pointer.source
    assert source is not None
    if source.repo is None:
        return update_from_url(project, artifact, look=look, dry=dry, force=force, reach=reach, progress=progress)
    follow = None if latest else rev or source.rev
    place = place_of(project, artifact.path, source, environ=environ, reach=reach)
    base = os.fspath(place.base) if place.where == source.repo else ""
    key = (f"{base}\n{place.where}", follow)
    if key not in tips:
        tips[key] = tip_of(place.repository(), follow) if not place.offline else None
    tip = tips[key]
    wanted = dataclasses.replace(source, rev=follow)
    same = tip is not None and artifact.pointer.oid is not None and _is_same(place, source, tip)
    absent = not look and not dry and project.workspace.kind(artifact.path) is None
    if same and wanted == source and not absent:
        return _as_it_is(artifact, source), ()
    if look and not thorough:
        return _as_it_is(artifact, source, available=tip), ()
    catalog = open_registry(place, tip or follow, project.cache)
    if look:
        _require_there(catalog, source)
        same = tip is not None and artifact.pointer.oid is not None and _is_same(place, source, tip)
        return _as_it_is(artifact, source, available=None if same and wanted == source else tip), ()
    noted = dataclasses.replace(wanted, commit=catalog.view.commit)
    with EarlyCopies(project.root, project.config.link_methods) as early:
        found, chosen = bring_version(
            project,
            catalog,
            registry_path(source.path or "."),
            to=artifact.path,
            early=None if dry else early,
            progress=progress,
        )

        def put(pointer: Pointer) -> tuple[str, ...]:
            return record(
                project, artifact.path, pointer, artifact, download=True, force=force, early=early, progress=progress
            )

        noted = dataclasses.replace(noted, origin=chosen.origin.value)
        pointer = with_source(found, artifact.pointer, noted)
        if found.oid == artifact.pointer.oid and wanted == source and found.executable == artifact.pointer.executable:
            if absent:  # it was imported without its data, or that is gone
                put(artifact.pointer)
            return _as_it_is(artifact, source), ()  # the commit is another, and has the same: nothing is new
        text = text_of(pointer, artifact)
        added, modified, deleted = counts(project.cache, artifact.pointer, pointer)
        staged = put(pointer) if not dry and text != artifact.text else ()
    result = Imported(
        path=artifact.name,
        pointer=artifact.name + ".dt",
        source=noted if not dry else source,
        changed=text != artifact.text and not dry,
        added=added,
        modified=modified,
        deleted=deleted,
        available=catalog.view.commit if dry and text != artifact.text else None,
    )
    return result, staged


def _is_same(place: Place, source: Source, tip: str) -> bool:
    """Whether a commit has at the path what the import was taken from, as far as that can be told without asking."""
    if tip == source.commit:
        return True
    repository = place.repository()
    if source.commit is None or source.origin not in _SIMPLE or not repository.git_dir.exists():
        return False
    if not (has_commit(repository, tip) and has_commit(repository, source.commit)):
        return False
    parts = registry_path(source.path or ".").split(b"/")
    paths = [b"/".join(parts[:depth]) + SUFFIX for depth in range(1, len(parts) + 1)]
    if parts == [b""]:
        return False
    wanted = [*paths, b"/".join(parts)]
    return tree_entries(repository, tip, wanted) == tree_entries(repository, source.commit, wanted)


def _require_there(catalog: Catalog, source: Source) -> None:
    """Raise PathNotFound where a commit has nothing any more at the path of an import. Lists of directories are not
    opened: what lies in one may be gone all the same."""
    path = registry_path(source.path or ".")
    if path and not catalog.view.find([path]) and not catalog.roots(path):
        raise catalog.not_found(path)


def _as_it_is(artifact: Artifact, source: Source, *, available: str | None = None) -> Imported:
    return Imported(
        path=artifact.name, pointer=artifact.name + ".dt", source=source, changed=False, available=available
    )
