"""Track files and directories: save them into the cache, then write the pointer beside each."""

from __future__ import annotations

import difflib
import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from datatool.cache.writer import CacheWriter
from datatool.errors import FormatError, PathNotFound, Refused, RemoteNotFound, UsageError
from datatool.formats.pointer_file import write_pointer
from datatool.formats.tree_object import diff_trees, read_tree
from datatool.git.ignore import IgnoreRule, ignored_by, tracked_under
from datatool.git.staging import rm_cached
from datatool.git.worktree import Worktree
from datatool.index.state import Base
from datatool.localfs.safe_paths import check_parents
from datatool.model.entry import DIRECTORY, EXECUTABLE, FILE, Entry
from datatool.model.oid import ObjectId, prefixed
from datatool.model.paths import PathRefused, check_escape, named, portability_problems, show_bytes
from datatool.model.pointer import ArtifactKind, Pointer, Role
from datatool.model.settings import LinkMethod
from datatool.operations.cached import is_cached
from datatool.operations.publish import locked, publish
from datatool.operations.relink import relink
from datatool.operations.space import room_for
from datatool.operations.targets import nearest, pointer_paths, project_path
from datatool.progress import SILENT, Progress, Task
from datatool.project.project import Project
from datatool.workspace.compare import against, known_tree
from datatool.workspace.pointers import SUFFIX, Artifact, find_artifact, owner, read_pointer_file
from datatool.workspace.save import save_directory, save_file


@dataclass(frozen=True, kw_only=True, slots=True)
class Added:
    """One artifact as recorded now; `changed` says whether that is news. Sizes in bytes."""

    path: str
    pointer: str
    kind: ArtifactKind
    oid: str
    size: int
    files: int | None
    changed: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class AddResult:
    """What was added, and the files staged in git."""

    artifacts: tuple[Added, ...]
    staged: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Labels:
    """What the user says of an artifact; None leaves what the pointer says."""

    description: str | None = None
    labels: tuple[str, ...] | None = None
    role: Role | None = None
    remote: str | None = None

    def on(self, pointer: Pointer) -> Pointer:
        """The pointer with these said of it."""
        return replace(
            pointer,
            description=pointer.description if self.description is None else self.description or None,
            labels=pointer.labels if self.labels is None else self.labels,
            role=self.role or pointer.role,
            remote=self.remote or pointer.remote,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Target:
    path: bytes
    artifact: Artifact | None
    withins: tuple[bytes, ...]
    """Paths inside the artifact; empty for all of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Saved:
    target: _Target
    pointer: Pointer
    base: Base
    linkable: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class _Options:
    labels: Labels
    follow: bool
    prune: bool
    force: bool


def add(
    project: Project,
    targets: Sequence[str],
    *,
    cwd: Path,
    description: str | None = None,
    labels: Sequence[str] = (),
    role: str | None = None,
    remote: str | None = None,
    follow: bool = False,
    prune: bool = False,
    force: bool = False,
    jobs: int | None = None,
    progress: Progress = SILENT,
) -> AddResult:
    """Record the current content of files and directories as their new version; all of them, or none.

    `follow` stores what links out of a directory point to; `prune` drops what was never fetched; `force` records
    an outdated artifact, and takes files over from git. Raises PathNotFound, UsageError, Refused, ReadFailed,
    ChangedWhileRead, NoSpace.

    >>> add(project, ["data/songs"], cwd=Path.cwd()).artifacts[0].files  # doctest: +SKIP
    10000
    """
    if not targets:
        raise UsageError("nothing to add", hint="name the files or directories to track")
    said = Labels(
        description=description,
        labels=tuple(labels) or None,
        role=_role(role),
        remote=_known_remote(project, remote),
    )
    options = _Options(said, follow, prune, force)
    chosen = _targets(project, targets, cwd)
    _refuse_what_cant_be_tracked(project, chosen, force=force)
    with locked(project, [target.path for target in chosen], progress):
        chosen = [replace(target, artifact=find_artifact(project.root, target.path)) for target in chosen]
        saved = _save_all(project, chosen, options, progress)
        stamp = project.cache.stamp()
        for item in saved:
            if item.pointer.kind is ArtifactKind.DIRECTORY and item.base.here == item.base.version:
                project.state.set_complete(item.base.version, stamp)
        project.state.commit()
        pointers = [(item.target.path, _text(item), _old_text(item)) for item in saved]
        staged = publish(project, pointers, progress)
        project.workspace.sweep()
        for item in saved:
            project.state.set_base(item.target.path, item.base)
    if any(method in (LinkMethod.HARDLINK, LinkMethod.SYMLINK) for method in project.config.link_methods[:1]):
        for item in saved:
            relink(project, item.target.path, item.pointer, item.linkable)
    return AddResult(
        artifacts=tuple(_added(item, text != old) for item, (_, text, old) in zip(saved, pointers, strict=True)),
        staged=staged,
    )


# What is meant, and whether it can be tracked


def _role(role: str | None) -> Role | None:
    if role is None:
        return None
    try:
        return Role(role)
    except ValueError:
        raise UsageError(f"{role}: no role", hint=f"roles are {', '.join(Role)}") from None


def _known_remote(project: Project, remote: str | None) -> str | None:
    remotes = project.config.remotes()
    if remote is not None and remote not in remotes:
        near = difflib.get_close_matches(remote, list(remotes), n=1)
        raise RemoteNotFound(
            f"{remote}: no such remote",
            hint=f"did you mean {near[0]}?" if near else f"datatool remote add {remote} URL",
        )
    return remote


def _targets(project: Project, targets: Sequence[str], cwd: Path) -> list[_Target]:
    found: dict[bytes, list[bytes]] = {}
    for target in targets:
        path = project_path(project, target, cwd)
        if not path or os.path.normpath(target) == os.curdir:
            raise UsageError(
                f"{target}: the whole directory you are in can't be one artifact",
                hint="name the files and directories to track",
            )
        around = owner(project.root, path)
        if around is None and path.endswith(SUFFIX) and find_artifact(project.root, path[: -len(SUFFIX)]) is not None:
            path = path[: -len(SUFFIX)]
            around = find_artifact(project.root, path)
        if around is not None:
            found.setdefault(around.path, []).append(path[len(around.path) + 1 :])
        else:
            if not os.path.lexists(project.workspace.full(path)):
                near = nearest(project, path)
                raise PathNotFound(
                    f"{target}: no such file or directory",
                    hint=f"did you mean {near}?" if near else None,
                    path=os.fsdecode(path),
                )
            found.setdefault(path, []).append(b"")
    result = []
    for path, withins in sorted(found.items()):
        inside = tuple(sorted(set(withins))) if b"" not in withins else ()
        result.append(_Target(path=path, artifact=find_artifact(project.root, path), withins=inside))
    for one, two in pairwise(result):
        if two.path.startswith(one.path + b"/"):
            raise UsageError(f"{named(two.path)}: lies inside {named(one.path)}", hint="name only one of them")
    return result


def _refuse_what_cant_be_tracked(project: Project, targets: Sequence[_Target], *, force: bool) -> None:
    for target in targets:
        check_parents(os.fsencode(project.root), target.path)
        _check_kind(project, target)
        if target.artifact is not None:
            continue
        path, name = target.path, named(target.path)
        _check_name(target.path)
        inside = [
            pointer
            for pointer in pointer_paths(project, path)
            if pointer.startswith(path + b"/") and read_pointer_file(project.root, pointer) is not None
        ]
        if inside:
            raise Refused(
                f"{name}: {named(inside[0][: -len(SUFFIX)])} in it is tracked already",
                hint=f"datatool remove {named(inside[0][: -len(SUFFIX)])} first, or track the rest of {name} by name",
                path=os.fsdecode(path),
            )
        if project.worktree is None:
            continue
        rule = ignored_by(project.worktree, path + SUFFIX)
        if rule is not None:
            raise Refused(
                f"{name}: its pointer {name}.dt would be ignored by git, by `{rule.pattern}` in {rule.source}, "
                f"line {rule.line}",
                hint=f"add these two lines at the end of {_mending_file(rule)}, then run the command again:\n"
                + _mending_lines(project.worktree, path),
                path=os.fsdecode(path),
            )
        tracked = tracked_under(project.worktree, path)
        if tracked:
            if not force:
                some = ", ".join(named(item) for item in tracked[:3]) + (", …" if len(tracked) > 3 else "")
                raise Refused(
                    f"{name}: git tracks {len(tracked)} file{'s' if len(tracked) > 1 else ''} of it ({some})",
                    hint=f"git rm -r --cached {_quoted(path)}  takes it out of git and keeps it on disk "
                    "(or datatool add --force, which runs this)",
                    path=os.fsdecode(path),
                )
            rm_cached(project.worktree, [path], recursive=True)


def _mending_file(rule: IgnoreRule) -> str:
    """Where a line overrules the rule: its own file, or the repository's where the rule is the user's own."""
    return ".gitignore" if os.path.isabs(rule.source) or rule.source.startswith("~") else rule.source


def _mending_lines(worktree: Worktree, path: bytes) -> str:
    """What makes a pointer visible to git: below an ignored directory nothing can be, so that comes first."""
    parts = path.split(b"/")
    for depth in range(1, len(parts)):
        parent = b"/".join(parts[:depth])
        if ignored_by(worktree, parent + b"/") is not None:
            return f"!/{show_bytes(parent)}/\n!*.dt"
    return f"!{show_bytes(parts[-1])}.dt\n!*.dt"


def _quoted(path: bytes) -> str:
    text = named(path)
    safe = all(character.isalnum() or character in "._-/" for character in text) and not text.startswith("-")
    return text if safe else "-- '" + text.replace("'", "'\\''") + "'"


def _check_kind(project: Project, target: _Target) -> None:
    path, name = target.path, named(target.path)
    full = project.workspace.full(path)
    try:
        found = os.lstat(full)
    except FileNotFoundError:
        raise PathNotFound(
            f"{name}: no such file or directory",
            hint=f"datatool checkout {name} brings it back" if target.artifact else None,
            path=os.fsdecode(path),
        ) from None
    if stat.S_ISLNK(found.st_mode):
        objects = os.fsencode(project.cache.top / "objects") + b"/"
        if not os.readlink(full).startswith(objects):
            raise Refused(
                f"{name}: is a symlink", hint="track what it points to, by its own path", path=os.fsdecode(path)
            )
    elif not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):
        raise UsageError(
            f"{name}: is a FIFO, socket or device, not a file", hint="only files and directories can be tracked"
        )


def _check_name(path: bytes) -> None:
    name = named(path)
    if path.lower().endswith(SUFFIX):
        raise Refused(
            f"{name}: a name that ends in .dt can't be tracked: it would be taken for a pointer",
            hint="rename it, then run the command again",
            path=os.fsdecode(path),
        )
    try:
        check_escape(path)
    except PathRefused as error:
        raise Refused(f"{name}: {error.reason}", hint="rename it first", path=os.fsdecode(path)) from error


# Saving


def _save_all(project: Project, targets: Sequence[_Target], options: _Options, progress: Progress) -> list[_Saved]:
    saved: list[_Saved | None] = [_unchanged(project, target, options) for target in targets]
    if any(item is None for item in saved):
        names = ", ".join(named(target.path) for target, item in zip(targets, saved, strict=True) if item is None)
        total = _total(project, targets)
        with (
            room_for(names, lambda: _sizes(project, targets), "the cache", project.cache.top),
            progress.task("adding", bytes=total) as task,
            project.cache.writer() as writer,
        ):
            for number, target in enumerate(targets):
                if saved[number] is None:
                    saved[number] = _save(project, writer, target, options, progress, task)
    return [item for item in saved if item is not None]


def _total(project: Project, targets: Sequence[_Target]) -> int | None:
    """The bytes to save, where it takes no walk to know them."""
    sizes = [os.stat(project.workspace.full(target.path)) for target in targets]
    return None if any(stat.S_ISDIR(found.st_mode) for found in sizes) else sum(found.st_size for found in sizes)


def _sizes(project: Project, targets: Sequence[_Target]) -> int:
    return sum(
        seen.stamp[0]
        for target in targets
        for seen in project.workspace.look(target.path, within=b"")
        if seen.found.kind == FILE
    )


def _unchanged(project: Project, target: _Target, options: _Options) -> _Saved | None:
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
        summary = known_tree(project.workspace, target.path)
        if summary is None:
            return None
        if summary.oid != oid:
            if options.prune or base is None or base.version != oid or summary.oid != base.here:
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
    return _Saved(
        target=target,
        pointer=options.labels.on(pointer),
        base=Base(version=oid, here=here, executable=pointer.executable),
    )


def _save(
    project: Project, writer: CacheWriter, target: _Target, options: _Options, progress: Progress, task: Task
) -> _Saved:
    if project.workspace.kind(target.path) == DIRECTORY:
        return _save_directory(project, writer, target, options, progress, task)
    old = target.artifact.pointer if target.artifact is not None else None
    base = project.state.base(target.path)
    executable = old.executable if old is not None else False
    entry = save_file(project.workspace, project.cache, writer, target.path, before=executable, task=task)
    assert entry.oid is not None
    if old is not None and base is not None and not options.force:
        _refuse_outdated(target, base, here=entry.oid, new=entry.oid, progress=progress)
    for _, problem in portability_problems([target.path]):
        progress.warn(f"{named(target.path)}: {problem}")
    pointer = Pointer(kind=ArtifactKind.FILE, oid=entry.oid) if old is None else old
    pointer = replace(
        pointer,
        kind=ArtifactKind.FILE,
        oid=entry.oid,
        size=entry.size,
        files=None,
        executable=entry.kind == EXECUTABLE,
    )
    return _Saved(
        target=target,
        pointer=options.labels.on(pointer),
        base=Base(version=entry.oid, here=entry.oid, executable=pointer.executable),
        linkable=(b"",),
    )


def _save_directory(
    project: Project, writer: CacheWriter, target: _Target, options: _Options, progress: Progress, task: Task
) -> _Saved:
    old = target.artifact.pointer if target.artifact is not None else None
    base = project.state.base(target.path)
    load = project.cache.load
    if old is not None and old.kind is not ArtifactKind.DIRECTORY:
        base = None
    elif old is not None and old.oid is not None and base is None and not options.force:
        _refuse_missing(project, target, old.oid)
    withins = target.withins if base is not None else ()
    for within in withins:
        assert base is not None
        _require_inside(project, target, within, base)
    stay: Iterable[Entry] = ()
    keep: Iterable[Entry] = ()
    before: Iterable[Entry] = ()
    if base is not None:
        try:
            if withins:
                stay = (entry for entry in read_tree(base.here, load) if not _inside(entry.path, withins))
            if base.here != base.version and not options.prune:
                keep = (new for _, gone, new in diff_trees(base.here, base.version, load) if gone is None and new)
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
            keep=keep,
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
    pointer = Pointer(kind=ArtifactKind.DIRECTORY, oid=saved.tree.oid) if old is None else old
    pointer = replace(
        pointer,
        kind=ArtifactKind.DIRECTORY,
        oid=saved.tree.oid,
        size=saved.tree.size,
        files=saved.tree.files,
        executable=False,
    )
    return _Saved(
        target=target,
        pointer=options.labels.on(pointer),
        base=Base(version=saved.tree.oid, here=saved.here.oid),
        linkable=saved.linkable,
    )


def _inside(path: bytes, withins: Sequence[bytes]) -> bool:
    return any(path == within or path.startswith(within + b"/") for within in withins)


def _require_inside(project: Project, target: _Target, within: bytes, base: Base) -> None:
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


def _refuse_missing(project: Project, target: _Target, oid: ObjectId) -> None:
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


def _refuse_outdated(target: _Target, base: Base, *, here: ObjectId, new: ObjectId, progress: Progress) -> None:
    assert target.artifact is not None
    pointed = target.artifact.pointer.oid
    if pointed == base.version or pointed == new or pointed is None:
        return
    name = named(target.path)
    if here == base.here:
        raise Refused(
            f"{name}: what is here is an older version than its pointer names",
            hint=f"run datatool checkout {name}, or datatool add --force {name} to go back to what is here",
            path=os.fsdecode(target.path),
        )
    progress.warn(
        f"{name}: its pointer had moved to another version meanwhile, which this one replaces",
        hint=f"git diff {name}.dt shows both",
    )


def _tree_gone(target: _Target) -> Refused:
    name = named(target.path)
    return Refused(
        f"{name}: the cache lost the list of its last version, so what was never fetched can't be kept",
        hint=f"datatool fetch {name}, or datatool add --prune {name} to record only what is here",
        path=os.fsdecode(target.path),
    )


def _warn_of_names(target: _Target, problems: Sequence[tuple[bytes, str]], progress: Progress) -> None:
    for path, problem in problems[:5]:
        progress.warn(f"{named(target.path + b'/' + path)}: {problem}")
    if len(problems) > 5:
        progress.warn(f"{named(target.path)}: {len(problems) - 5} more names that other systems can't hold")


# The result


def _text(item: _Saved) -> bytes:
    return write_pointer(item.pointer, old=_old_text(item))


def _old_text(item: _Saved) -> bytes | None:
    return item.target.artifact.text if item.target.artifact is not None else None


def _added(item: _Saved, changed: bool) -> Added:
    assert item.pointer.oid is not None
    return Added(
        path=os.fsdecode(item.target.path),
        pointer=os.fsdecode(item.target.path + SUFFIX),
        kind=item.pointer.kind,
        oid=prefixed(item.pointer.oid),
        size=item.pointer.size or 0,
        files=item.pointer.files,
        changed=changed,
    )
