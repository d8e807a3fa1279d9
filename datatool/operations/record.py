"""Saving artifacts as new versions: what is unchanged is not read, what was never here is kept."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from datatool.cache.writer import CacheWriter
from datatool.errors import FormatError, PathNotFound, Refused
from datatool.formats.tree_object import diff_trees, read_tree
from datatool.index.state import Base
from datatool.localfs.batch import Published
from datatool.model.entry import DIRECTORY, EXECUTABLE, FILE, Entry
from datatool.model.oid import ObjectId
from datatool.model.paths import named, portability_problem, show_bytes
from datatool.model.pointer import ArtifactKind, Pointer, Role
from datatool.operations.cached import is_cached
from datatool.operations.space import room_for
from datatool.operations.targets import nearest
from datatool.progress import Progress, Task
from datatool.project.project import Project
from datatool.workspace.compare import known_tree, put_a_file
from datatool.workspace.differences import against
from datatool.workspace.ignore_rules import FILE as RULES
from datatool.workspace.left_out import newly_left_out
from datatool.workspace.pointers import Artifact
from datatool.workspace.save import save_directory, save_file


class Labels(Struct, frozen=True, kw_only=True):
    """What the user says of an artifact; None leaves what the pointer says."""

    description: str | None = None
    labels: tuple[str, ...] | None = None
    role: Role | None = None
    remote: str | None = None

    def on(self, pointer: Pointer) -> Pointer:
        """The pointer with these said of it."""
        if self == _NOTHING_SAID:
            return pointer
        return replace(
            pointer,
            description=pointer.description if self.description is None else self.description or None,
            labels=pointer.labels if self.labels is None else self.labels,
            role=self.role or pointer.role,
            remote=self.remote or pointer.remote,
        )


_NOTHING_SAID: Final = Labels()


class Target(Struct, frozen=True, kw_only=True):
    """A path to record, the artifact that it is already (if any), and the paths inside it that are meant; none for
    all of it."""

    path: bytes
    artifact: Artifact | None
    withins: tuple[bytes, ...]


class Recorded(Struct, frozen=True, kw_only=True):
    """What was saved: the pointer that names it, what is here of it now, and the paths whose object lies loose."""

    target: Target
    pointer: Pointer
    base: Base
    linkable: tuple[bytes, ...] = ()


class RecordOptions(Struct, frozen=True, kw_only=True):
    """What `add` was told: see there. In a `hurry` nothing is synced, and no moment is waited for: the caller does both
    later, once for many."""

    labels: Labels = _NOTHING_SAID
    follow: bool = False
    prune: bool = False
    force: bool = False
    hurry: bool = False


def record_all(
    project: Project,
    targets: Sequence[Target],
    options: RecordOptions,
    progress: Progress,
    *,
    on_adopted: Callable[[list[Published]], None] | None = None,
) -> list[Recorded]:
    """Save every target into the cache; no pointer is written. Where somebody hears of it, large files are adopted by
    the cache, and read-only from now on, instead of copied into it. Raises Refused, UnsafeInput, ReadFailed and
    NoSpace."""
    saved: list[Recorded | None] = [_unchanged(project, target, options) for target in targets]
    if any(item is None for item in saved):
        names = ", ".join(named(target.path) for target, item in zip(targets, saved, strict=True) if item is None)
        total = _total(project, targets)
        with (
            room_for(names, lambda: _sizes(project, targets), "the cache", project.cache.top),
            progress.task("adding", bytes=total) as task,
            project.cache.writer(
                synced=not options.hurry,
                on_adopted=on_adopted,
            ) as writer,
        ):
            for number, target in enumerate(targets):
                if saved[number] is None:
                    saved[number] = _save(project, writer, target, options, progress, task)
    return [_without_old_run(item) for item in saved if item is not None]


def _without_old_run(item: Recorded) -> Recorded:
    """New content is not what the run made that the pointer names; whoever knows of a run names it."""
    old = item.target.artifact.pointer if item.target.artifact is not None else None
    if old is None or old.source is None or old.source.run is None or old.oid == item.pointer.oid:
        return item
    return replace(item, pointer=replace(item.pointer, source=None))


def _total(project: Project, targets: Sequence[Target]) -> int | None:
    """The bytes to save, where it takes no walk to know them."""
    sizes = [os.stat(project.workspace.full(target.path)) for target in targets]
    return None if any(stat.S_ISDIR(found.st_mode) for found in sizes) else sum(found.st_size for found in sizes)


def _sizes(project: Project, targets: Sequence[Target]) -> int:
    return sum(
        seen.found.stat.st_size
        for target in targets
        for seen in project.workspace.look(target.path, within=b"")
        if seen.found.kind == FILE
    )


def _unchanged(project: Project, target: Target, options: RecordOptions) -> Recorded | None:
    """The version that is recorded already, if nothing changed: then no file is opened."""
    if target.artifact is None or target.artifact.pointer.oid is None:
        return None
    pointer, oid = target.artifact.pointer, target.artifact.pointer.oid
    kind = project.workspace.kind(target.path)
    base = project.state.base(target.path)
    here = oid
    if pointer.kind is ArtifactKind.DIRECTORY:
        if kind != DIRECTORY:
            return None
        now = known_tree(project.workspace, target.path)
        if now is None:
            return None
        if now != oid:
            if options.prune or base is None or base.version != oid or now != base.here:
                return None
            here = base.here
    elif kind == FILE:
        seen = project.workspace.look_at_file(target.path)
        entry = project.workspace.entry(seen, seen.oid)
        if seen.oid != oid or (project.workspace.modes_bind and (entry.kind == EXECUTABLE) != pointer.executable):
            return None
    else:
        return None
    if here == oid and not is_cached(project.cache, project.state, pointer):
        return None
    return Recorded(
        target=target,
        pointer=options.labels.on(pointer),
        base=Base(version=oid, here=here, executable=pointer.executable),
    )


def _save(
    project: Project, writer: CacheWriter, target: Target, options: RecordOptions, progress: Progress, task: Task
) -> Recorded:
    if project.workspace.kind(target.path) == DIRECTORY:
        return _save_directory(project, writer, target, options, progress, task)
    old = target.artifact.pointer if target.artifact is not None else None
    executable = old.executable if old is not None else False
    entry = save_file(
        project.workspace, project.cache, writer, target.path, before=executable, task=task, hurry=options.hurry
    )
    assert entry.oid is not None
    base = project.state.base(target.path) if old is not None and not options.force else None
    if base is not None:
        _refuse_outdated(target, base, here=entry.oid, new=entry.oid, progress=progress)
    problem = portability_problem(target.path)
    if problem is not None:
        progress.warn(f"{named(target.path)}: {problem}")
    pointer = replace(
        old or Pointer(kind=ArtifactKind.FILE, oid=entry.oid),
        kind=ArtifactKind.FILE,
        oid=entry.oid,
        size=entry.size,
        files=None,
        executable=entry.kind == EXECUTABLE,
    )
    return Recorded(
        target=target,
        pointer=options.labels.on(pointer),
        base=Base(version=entry.oid, here=entry.oid, executable=pointer.executable),
        linkable=(b"",),
    )


def _save_directory(
    project: Project, writer: CacheWriter, target: Target, options: RecordOptions, progress: Progress, task: Task
) -> Recorded:
    old = target.artifact.pointer if target.artifact is not None else None
    base = project.state.base(target.path)
    load = project.cache.load
    if base is not None and target.artifact is not None and put_a_file(project.cache, target.artifact, base):
        base = None
    named_one = old.oid if old is not None and old.kind is ArtifactKind.DIRECTORY else None
    if named_one is not None and base is None and not options.force:
        _refuse_missing(project, target, named_one)
    withins = target.withins if base is not None else ()
    for within in withins:
        assert base is not None
        _require_inside(project, target, within, base)
    stay: Iterable[Entry] = ()
    ahead: Iterable[tuple[Entry | None, Entry | None]] = ()
    before: Iterable[Entry] = ()
    if base is not None:
        try:
            if withins:
                stay = (entry for entry in read_tree(base.here, load) if not _inside(entry.path, withins))
            if base.here != base.version:
                ahead = (
                    (gone, new)
                    for _, gone, new in diff_trees(base.here, base.version, load)
                    if gone is not None or not options.prune
                )
            if not project.workspace.modes_bind:
                before = list(read_tree(base.here, load))
        except KeyError:
            raise _tree_gone(target) from None
    try:
        saved = save_directory(
            project.workspace,
            project.cache,
            writer,
            target.path,
            withins=withins,
            stay=stay,
            ahead=ahead,
            before=before,
            follow=options.follow,
            task=task,
            on_special=lambda path, what: progress.warn(f"{named(target.path + b'/' + path)}: is a {what}; skipped"),
        )
    except KeyError:
        raise _tree_gone(target) from None
    if old is not None and base is not None and not options.force:
        _refuse_outdated(target, base, here=saved.here.oid, new=saved.tree.oid, progress=progress)
    _warn_of_names(target, saved.problems, progress)
    if base is not None and base.here != saved.here.oid:
        _warn_of_rules(project, target, base, saved.paths, progress)
    pointer = Pointer(kind=ArtifactKind.DIRECTORY, oid=saved.tree.oid) if old is None else old
    pointer = replace(
        pointer,
        kind=ArtifactKind.DIRECTORY,
        oid=saved.tree.oid,
        size=saved.tree.size,
        files=saved.tree.files,
        executable=False,
    )
    return Recorded(
        target=target,
        pointer=options.labels.on(pointer),
        base=Base(version=saved.tree.oid, here=saved.here.oid),
        linkable=saved.linkable,
    )


def _inside(path: bytes, withins: Sequence[bytes]) -> bool:
    return any(path == within or path.startswith(within + b"/") for within in withins)


def _require_inside(project: Project, target: Target, within: bytes, base: Base) -> None:
    whole = target.path + b"/" + within
    if os.path.lexists(project.workspace.full(whole)):
        return
    try:
        known = next(iter(read_tree(base.version, project.cache.load, within=within)), None)
    except KeyError:
        known = None
    if known is None:
        near = nearest(project, whole)
        raise PathNotFound(
            f"{named(whole)}: no such file or directory",
            hint=f"did you mean {near}?" if near else None,
            path=os.fsdecode(whole),
        )


def _refuse_missing(project: Project, target: Target, oid: ObjectId) -> None:
    name = named(target.path)
    hint = f"datatool pull {name} brings them; datatool add --force {name} records the directory as it is"
    try:
        missing = [
            path
            for path, now, _ in against(project.workspace, target.path, read_tree(oid, project.cache.load))
            if now is None
        ]
    except (KeyError, FormatError):
        raise Refused(
            f"{name}: its last version was never fetched here, so what is missing can't be told",
            hint=hint,
            path=os.fsdecode(target.path),
        ) from None
    if missing:
        raise Refused(
            f"{name}: {len(missing)} of its files are not here ({show_bytes(missing[0])}, …), perhaps never fetched",
            hint=hint,
            path=os.fsdecode(target.path),
        )


def _refuse_outdated(target: Target, base: Base, *, here: ObjectId, new: ObjectId, progress: Progress) -> None:
    assert target.artifact is not None
    pointed = target.artifact.pointer.oid
    if pointed == base.version or pointed == new or pointed is None:
        return
    name = named(target.path)
    if here == base.here:
        raise Refused(
            f"{name}: what is here is another version than its pointer names",
            hint=f"run datatool checkout {name}, or datatool add --force {name} to take what is here",
            path=os.fsdecode(target.path),
        )
    progress.warn(
        f"{name}: its pointer had moved to another version meanwhile, which this one replaces",
        hint=f"datatool diff HEAD {name} shows what that takes back",
    )


def _tree_gone(target: Target) -> Refused:
    name = named(target.path)
    return Refused(
        f"{name}: the cache lost the list of its last version, so what was never fetched can't be kept",
        hint=f"datatool fetch {name}, or datatool add --prune {name} to record only what is here",
        path=os.fsdecode(target.path),
    )


def _warn_of_names(target: Target, problems: Sequence[tuple[bytes, str]], progress: Progress) -> None:
    for path, problem in problems[:5]:
        progress.warn(f"{named(target.path + b'/' + path)}: {problem}")
    if len(problems) > 5:
        progress.warn(f"{named(target.path)}: {len(problems) - 5} more names that other systems can't hold")


def _warn_of_rules(project: Project, target: Target, base: Base, recorded: Sequence[bytes], progress: Progress) -> None:
    with suppress(KeyError):  # without that list nobody knows what was recorded
        gone = newly_left_out(project.workspace, project.cache.load, target.path, base.here, recorded)
        if gone:
            more = f" and {len(gone) - 1:,} more" if len(gone) > 1 else ""
            progress.warn(
                f"{named(target.path + b'/' + gone[0])}{more}: tracked before, now left out by {RULES}",
                hint=f"without that rule, datatool add {named(target.path)} tracks "
                f"{'them' if len(gone) > 1 else 'it'} again",
            )
