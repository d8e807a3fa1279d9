"""What can't be tracked, and what to do about it."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence

from datatool.errors import LocalError, PathNotFound, Refused, UsageError
from datatool.git.ignore import IgnoreRule, ignored_by, tracked_under
from datatool.git.memory import GitMemory
from datatool.git.staging import rm_cached
from datatool.git.worktree import Worktree
from datatool.localfs.safe_paths import check_parents
from datatool.model.entry import FILE
from datatool.model.paths import LONGEST_NAME, PathRefused, check_escapes, named, show_bytes
from datatool.operations.cached import is_cached
from datatool.operations.publish import check_ignore_file
from datatool.operations.record import Target
from datatool.operations.targets import pointer_paths
from datatool.project.project import Project
from datatool.workspace.pointers import SUFFIX, Artifact, find_artifact, read_pointer_file


def refuse_untrackable(
    project: Project, targets: Sequence[Target], *, force: bool, new: bool = False, memory: GitMemory | None = None
) -> None:
    """Raise for the first target that can't be tracked, with what would make it possible; nothing is changed, but with
    `force` files are taken out of git. `new` targets need not be there yet. `memory` saves asking git for each one.

    Raises PathNotFound, UsageError, Refused, UnsafeInput, and LocalError where git refuses the repository: it could
    not be told to leave the data alone.
    """
    if project.unsafe is not None:
        raise LocalError(
            f"{project.root}: nothing can be tracked while git refuses this repository: {project.unsafe}",
            hint=f"git config --global --add safe.directory {project.root}",
        )
    for target in targets:
        if target.artifact is None:
            refuse_long_name(target.path)
        check_parents(os.fsencode(project.root), target.path)
        if not new or os.path.lexists(project.workspace.full(target.path)):
            _check_kind(project, target)
        if target.artifact is not None:
            continue
        path, name = target.path, named(target.path)
        _check_name(target.path)
        if os.path.lexists(project.workspace.full(path + SUFFIX)):
            if find_artifact(project.root, path) is not None:
                continue  # another process has begun to track it just now
            raise Refused(
                f"{name}: {name}.dt lies where its pointer would go, and is no pointer",
                hint=f"move {name}.dt away, then run the command again",
                path=os.fsdecode(path),
            )
        inside = [
            pointer
            for pointer in (pointer_paths(project, path) if _may_hold_others(project, path) else ())
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
        check_ignore_file(project, os.path.dirname(path))
        may_be_ignored = memory is None or memory.may_ignore(path + SUFFIX)
        rule = ignored_by(project.worktree, path + SUFFIX) if may_be_ignored else None
        if rule is not None:
            raise Refused(
                f"{name}: its pointer {name}.dt would be ignored by git, by `{rule.pattern}` in {rule.source}, "
                f"line {rule.line}",
                hint=f"add these two lines at the end of {_mending_file(rule)}, then run the command again:\n"
                + _mending_lines(project.worktree, path),
                path=os.fsdecode(path),
            )
        tracked = tracked_under(project.worktree, path) if memory is None else memory.tracked_under(path)
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


def _may_hold_others(project: Project, path: bytes) -> bool:
    """Whether other artifacts may lie in it."""
    return project.workspace.kind(path) != FILE


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


def _brought_back(project: Project, artifact: Artifact) -> str:
    command = "checkout" if is_cached(project.cache, project.state, artifact.pointer) else "pull"
    return f"datatool {command} {named(artifact.path)} brings it {'back' if command == 'checkout' else 'here'}"


def _check_kind(project: Project, target: Target) -> None:
    path, name = target.path, named(target.path)
    full = project.workspace.full(path)
    try:
        found = os.lstat(full)
    except FileNotFoundError:
        raise PathNotFound(
            f"{name}: no such file or directory",
            hint=_brought_back(project, target.artifact) if target.artifact else None,
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
        check_escapes([path])
    except PathRefused as error:
        raise Refused(f"{name}: {error.reason}", hint="rename it first", path=os.fsdecode(path)) from error


def refuse_long_name(path: bytes) -> None:
    """Raise Refused for a path with a name that is longer than disks take, or too long for the pointer beside it."""
    *parents, last = path.split(b"/")
    long = next((name for name in parents if len(name) > LONGEST_NAME), None)
    if long is not None:
        raise Refused(
            f"{named(path)}: the name {show_bytes(long)} has {len(long)} bytes; disks take {LONGEST_NAME}",
            hint="use a shorter name",
            path=os.fsdecode(path),
        )
    if len(last) > LONGEST_NAME - len(SUFFIX):
        raise Refused(
            f"{named(path)}: its name has {len(last)} bytes; with the pointer's .dt, disks take "
            f"{LONGEST_NAME - len(SUFFIX)}",
            hint="use a shorter name, or track the directory around it",
            path=os.fsdecode(path),
        )
