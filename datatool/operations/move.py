"""Move an artifact: data, pointer and ignore line together."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from datatool.errors import LocalError, PathNotFound, Refused, UsageError
from datatool.git.ignore import ignored_by
from datatool.interruption import deferred
from datatool.localfs.atomic import make_dirs, remove_file, rename
from datatool.localfs.moving import move as move_file
from datatool.localfs.removal import require_writable
from datatool.localfs.safe_paths import check_parents
from datatool.model.entry import DIRECTORY
from datatool.model.paths import PathRefused, check_escape, named, show_bytes
from datatool.operations.marks import write_mark
from datatool.operations.move_marks import killed_move, move_mark
from datatool.operations.publish import ignore, locked, stage_paths, unignore
from datatool.operations.result import Result
from datatool.operations.targets import not_found, pointer_paths, project_path
from datatool.operations.trackable import refuse_long_name
from datatool.progress import SILENT, Progress
from datatool.project.project import Project
from datatool.workspace.pointers import SUFFIX, find_artifact, owner, read_pointer_file


@dataclass(frozen=True, kw_only=True, slots=True)
class MoveResult(Result):
    """Where an artifact was and is, with its pointer, and what was staged in git."""

    source: str
    target: str
    pointer: str
    staged: tuple[str, ...]


def move(project: Project, source: str, target: str, *, cwd: Path, progress: Progress = SILENT) -> MoveResult:
    """Move a whole artifact, like `mv`: into a directory that exists, or to a new name; a move that was killed goes on.

    Raises PathNotFound, UsageError, Refused where something lies at the target, LocalError.
    """
    killed = killed_move(project, project_path(project, source, cwd), project_path(project, target, cwd))
    old, new = killed or _names(project, source, target, cwd)
    check_parents(os.fsencode(project.root), old)
    check_parents(os.fsencode(project.root), new)
    with locked(project, [old, new], progress):
        staged = _moved(project, old, new, progress)
    return MoveResult(
        source=os.fsdecode(old), target=os.fsdecode(new), pointer=os.fsdecode(new + SUFFIX), staged=staged
    )


def _names(project: Project, source: str, target: str, cwd: Path) -> tuple[bytes, bytes]:
    """The path of an artifact, and the one that it is to have."""
    old = project_path(project, source, cwd)
    if old.endswith(SUFFIX) and find_artifact(project.root, old[: -len(SUFFIX)]) is not None:
        old = old[: -len(SUFFIX)]
    artifact = find_artifact(project.root, old) if old else None
    if artifact is None:
        around = owner(project.root, old) if old else None
        if around is not None:
            raise UsageError(
                f"{source}: is a part of {named(around.path)}, which is tracked as a whole",
                hint=f"mv it yourself, then datatool add {named(around.path)}",
            )
        raise _no_source(project, source, old, project_path(project, target, cwd))
    new = project_path(project, target, cwd)
    if not new or project.workspace.kind(new) == "d":
        if find_artifact(project.root, new) is not None if new else False:
            raise Refused(
                f"{target}: is an artifact; nothing can be moved into it", hint="choose another name", path=target
            )
        new = new + b"/" + os.path.basename(old) if new else os.path.basename(old)
    _refuse(project, old, new)
    return old, new


def _no_source(project: Project, source: str, old: bytes, target: bytes) -> PathNotFound:
    """The error for a source that is not tracked, which may be as it was moved before."""
    error = not_found(project, source, old)
    name = os.path.basename(old.removesuffix(SUFFIX))
    done = [path for path in (target, target + b"/" + name if target else name) if path and _is_artifact(project, path)]
    if done and not os.path.lexists(project.workspace.full(old)):
        error.hint = f"{named(done[0])} is tracked: if that is what was moved, nothing is left to do"
    return error


def _is_artifact(project: Project, path: bytes) -> bool:
    return find_artifact(project.root, path) is not None


def _moved(project: Project, old: bytes, new: bytes, progress: Progress) -> tuple[str, ...]:
    """Move, and give what was staged. Each step is left out where a move that was killed has taken it; a signal is felt
    at the end, and where it was, the mark stays, so that the same command finds its work done."""
    full_old = Path(os.fsdecode(project.workspace.full(old)))
    full_new = Path(os.fsdecode(project.workspace.full(new)))
    pointer_old, pointer_new = (path.with_name(path.name + ".dt") for path in (full_old, full_new))
    mark = move_mark(project, old, new)
    if os.path.lexists(pointer_old):
        require_writable(full_old.parent)
    if project.workspace.kind(old) == DIRECTORY and full_old.parent != full_new.parent:
        require_writable(full_old)  # its `..` changes
    make_dirs(full_new.parent)
    write_mark(project, mark, b"\0".join([old, new]))
    with deferred() as arrived:
        ignored = ignore(project, [new])
        try:
            if os.path.lexists(full_old):
                move_file(full_old, full_new)
            if os.path.lexists(pointer_old):
                rename(pointer_old, pointer_new)
        except BaseException as error:  # Ctrl-C, too
            _put_back(old, new, [(pointer_old, pointer_new), (full_old, full_new)], error)
            if ignored:
                unignore(project, [new])
            remove_file(mark)
            raise
        changed = unignore(project, [old])
        base = project.state.base(old)
        project.state.move(old, new)
        if base is not None:
            project.state.set_base(new, base)
        project.state.commit()
        staged = stage_paths(project, [old + SUFFIX, new + SUFFIX, *ignored, *changed], progress)
        if not arrived:
            remove_file(mark)
            arrived.clear()  # what arrives from here on comes too late to stop anything
    return staged


def _put_back(old: bytes, new: bytes, names: Sequence[tuple[Path, Path]], cause: BaseException) -> None:
    """Undo what was done of a move that broke off. Raises LocalError, which says where the data is, where that fails
    too."""
    try:
        for before, now in names:
            if not os.path.lexists(before) and os.path.lexists(now):
                move_file(now, before)
    except LocalError as error:
        raise LocalError(
            f"{named(old)}: broke off half way ({cause or 'interrupted'}), and could not be undone: {error.message}",
            hint=f"nothing is lost: {_mv(new, old)} puts it back, then run this again",
            path=os.fsdecode(old),
        ) from cause


def _left_by_a_kill(project: Project, old: bytes, there: bytes) -> str:
    """What else may help where the data is missing at its old name: `there`, which is in the way, may be it."""
    if not there or os.path.lexists(project.workspace.full(old)):
        return ""
    return f"; if a move that was killed left {named(there)}: {_mv(there, old)}, then run this again"


def _mv(source: bytes, target: bytes) -> str:
    return f"mv {shlex.quote(named(source))} {shlex.quote(named(target))}"


def _refuse(project: Project, old: bytes, new: bytes) -> None:
    name = named(new)
    if new == old or new.startswith(old + b"/"):
        raise UsageError(f"{named(old)}: can't be moved into itself", hint="name a place outside it")
    try:
        check_escape(new)
    except PathRefused as error:
        raise Refused(f"{name}: {error.reason}", hint="choose another name", path=os.fsdecode(new)) from error
    if new.lower().endswith(SUFFIX):
        raise Refused(
            f"{name}: a name that ends in .dt can't be tracked", hint="choose another name", path=os.fsdecode(new)
        )
    refuse_long_name(new)
    around = owner(project.root, new)
    if around is not None:
        if around.path != new:
            raise Refused(
                f"{name}: lies inside {named(around.path)}", hint="choose a place outside it", path=os.fsdecode(new)
            )
        raise Refused(
            f"{name}: is tracked already",
            hint=f"choose another name, or datatool remove --data {name} first",
            path=os.fsdecode(new),
        )
    for taken in (new, new + SUFFIX):
        if os.path.lexists(project.workspace.full(taken)):
            hint = "move it away first" + (_left_by_a_kill(project, old, new) if taken == new else "")
            raise Refused(f"{named(taken)}: is there already", hint=hint, path=os.fsdecode(taken))
    inside = [
        pointer
        for pointer in pointer_paths(project, new)
        if pointer.startswith(new + b"/") and read_pointer_file(project.root, pointer) is not None
    ]
    if inside:
        raise Refused(f"{name}: {named(inside[0])} lies inside", hint="choose another name", path=os.fsdecode(new))
    if project.worktree is not None:
        rule = ignored_by(project.worktree, new + SUFFIX)
        if rule is not None:
            raise Refused(
                f"{name}: its pointer would be ignored by git, by `{rule.pattern}` in {rule.source}, line {rule.line}",
                hint=f"add !{show_bytes(os.path.basename(new))}.dt to {rule.source}"
                + _left_by_a_kill(project, old, os.path.dirname(new)),
                path=os.fsdecode(new),
            )
