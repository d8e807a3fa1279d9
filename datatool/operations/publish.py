"""The last steps of recording a version: ignore line, then pointer, then git; a kill leaves none, or a pointer
whose data is safe in the cache (formats §7)."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Final
from zlib import adler32, crc32

from datatool.errors import GitError, LocalError, Unsaved
from datatool.git.ignore import ignored_many
from datatool.git.staging import stage as stage_in_git
from datatool.git.staging import staged_text, unstaged_edits
from datatool.git.worktree import exclude_path
from datatool.localfs.append import append_whole
from datatool.localfs.atomic import remove_file, sweep_temps, write_all, write_file
from datatool.localfs.locks import Lock
from datatool.localfs.open_files import room_for_files
from datatool.localfs.temps import scratch_file
from datatool.model.paths import named
from datatool.model.settings import Durability
from datatool.operations.ignored import GITIGNORE, read_if_there
from datatool.progress import Progress
from datatool.project.project import Project
from datatool.workspace.ignore_lines import (
    add_lines,
    append_lines,
    escape_name,
    is_in_order,
    remove_line,
    sort_lines,
)
from datatool.workspace.pointers import SUFFIX


@contextmanager
def locked(
    project: Project, artifacts: Iterable[bytes], progress: Progress, *, role: bytes = b"pointer"
) -> Iterator[None]:
    """Hold the locks of artifacts' pointers, in order of path; says for whom it waits. The kernel frees them. Another
    `role` is another lock: a run keeps others from making the same outputs, not from reading pointers."""
    paths = sorted(set(artifacts))
    room_for_files(len(paths))
    with ExitStack() as stack:
        for path in paths:
            name = named(path)
            what, purpose = role + b" " + path, f"datatool, process {os.getpid()}"
            stack.enter_context(_lock(project, what, purpose=purpose, on_wait=partial(_tell, progress, name)))
        yield


_SOME: Final = 64 << 10
"""Bytes that pointers and ignore lines of one directory hardly ever need."""


def _tell(progress: Progress, name: str, holder: str) -> None:
    progress.hint(f"{name}: waiting for {holder or 'another process'}")


def _lock(project: Project, what: bytes, *, purpose: str = "", on_wait: Callable[[str], None] | None = None) -> Lock:
    name = f"{crc32(what):08x}{adler32(what):08x}"  # two paths that share a lock only wait longer
    return Lock(os.path.join(project.locks, name), purpose=purpose, on_wait=on_wait, like=project.local.parent)


def publish(
    project: Project, pointers: Sequence[tuple[bytes, bytes, bytes | None]], progress: Progress, *, stage: bool = True
) -> tuple[str, ...]:
    """Write pointers, each (artifact, new text, old text), their ignore lines before them, and `stage` both.

    Unsaved is raised for a pointer that somebody else changed since it was read. Gives the paths that were staged.
    """
    project.state.commit()  # what is synced takes a while, in which others may remember things, too
    to_stage = ignore(project, [path for path, _, _ in pointers])
    for parent in {os.path.dirname(path) for path, _, _ in pointers}:
        sweep_temps(Path(os.fsdecode(project.workspace.full(parent))))
    write_pointers(project, pointers, project.config.durability)
    if not stage:
        return ()
    return stage_paths(project, [path + SUFFIX for path, _, _ in pointers] + to_stage, progress)


def may_publish(project: Project, artifacts: Sequence[bytes]) -> bool:
    """Whether there seems to be room, and leave, to write the pointers and ignore lines of artifacts: by trying."""
    try:
        for parent in {os.path.dirname(path) for path in artifacts}:
            with scratch_file(Path(os.fsdecode(project.workspace.full(parent)))) as fd:
                write_all(fd, bytes(_SOME))
    except OSError:
        return False
    return True


def write_pointers(
    project: Project, pointers: Sequence[tuple[bytes, bytes, bytes | None]], durability: Durability
) -> None:
    """Write pointers, each (artifact, new text, old text); those that say so already are left alone."""
    for path, text, old in pointers:
        pointer_path = path + SUFFIX
        full = os.fsdecode(project.workspace.full(pointer_path))
        now = read_if_there(full)
        if now == text:
            continue
        if now != old:
            raise Unsaved(
                f"{named(pointer_path)}: was changed while the data was saved; nothing was overwritten",
                hint=f"look at it, then run datatool add {named(path)} again",
                path=os.fsdecode(pointer_path),
            )
        write_file(full, text, durability=durability)


def stage_paths(project: Project, paths: Sequence[bytes], progress: Progress) -> tuple[str, ...]:
    """Stage files in git, unless `git.stage` is off; where git can't, a warning says with which command to do it later:
    what was to be staged is done by then."""
    if project.worktree is None or not project.config.flag("git.stage"):
        return ()
    try:
        stage_in_git(project.worktree, paths)
    except GitError as error:
        progress.warn(error.message, hint=error.hint)
        return ()
    return tuple(sorted(os.fsdecode(path) for path in set(paths)))


def ignore(project: Project, artifacts: Sequence[bytes]) -> list[bytes]:
    """Keep data out of git through the `.gitignore` beside it; gives the files that may be staged: those whose only
    unstaged edits are lines for artifacts, written now or by a command that was killed before it staged them."""
    if project.worktree is None:
        return []
    for parent in {os.path.dirname(path) for path in artifacts}:
        sweep_temps(Path(os.fsdecode(project.workspace.full(parent))))
    lines = write_lines(project, artifacts, project.config.durability)
    edited = unstaged_edits(project.worktree, list(lines))
    return [path for path in lines if path in edited and _only_ours(project, path, *lines[path])]


def write_lines(
    project: Project,
    artifacts: Sequence[bytes],
    durability: Durability,
    *,
    on_unsorted: Callable[[bytes], None] | None = None,
) -> dict[bytes, tuple[bytes, list[bytes]]]:
    """Write the lines that the `.gitignore` beside each artifact lacks; gives each file's path, its text in order, and
    the names that were meant.

    Where nothing is synced and the caller is going to `sort_lines_in` the paths that `on_unsorted` hears of, lines are
    put at the end for the time being, which is a lot faster.
    """
    found: dict[bytes, tuple[bytes, list[bytes]]] = {}
    for directory, names in _by_directory(artifacts).items():
        path = directory + b"/" + GITIGNORE if directory else GITIGNORE
        full = os.fsdecode(project.workspace.full(path))
        check_ignore_file(project, directory)
        with _lock(project, b"ignore " + path):
            old = read_if_there(full) or b""
            text = _append(full, path, old, names, on_unsorted) if durability is Durability.NONE else None
            if text is None:
                text = add_lines(old.rstrip(b"\0"), names)
                if text != old:
                    write_file(full, text, durability=durability)
        found[path] = (text, names)
    return found


def check_ignore_file(project: Project, directory: bytes) -> None:
    """Raise LocalError where the lines for artifacts in a directory can't be written: what is named `.gitignore` there
    is no file. Git does not follow one that is a link, so a line behind it would keep nothing out of git."""
    path = directory + b"/" + GITIGNORE if directory else GITIGNORE
    try:
        found = os.lstat(project.workspace.full(path))
    except OSError:
        return
    if not stat.S_ISREG(found.st_mode):
        is_link = stat.S_ISLNK(found.st_mode)
        raise LocalError(
            f"{named(path)}: is {'a symlink, which git does not follow' if is_link else 'no file'}, "
            "so no line in it can keep data out of git",
            hint="put a copy of what it points to in its place" if is_link else "move it away",
            path=os.fsdecode(path),
        )


def _append(
    full: str, path: bytes, old: bytes, names: Sequence[bytes], note: Callable[[bytes], None] | None
) -> bytes | None:
    """Add lines to a `.gitignore` without writing all of it; its text, or None where that was not possible. After a
    power cut NULs may stand for them, which whoever writes there next takes away."""
    text = append_lines(old, names)
    if text == old:
        return text
    if not old.endswith(b"\n"):
        return None
    if not is_in_order(old, text):
        if note is None:
            return None
        note(path)
    return text if append_whole(full, text[len(old) :], after=len(old)) else None


def sort_lines_in(project: Project, path: bytes) -> None:
    """Sort the lines for artifacts in a `.gitignore`; nothing is synced."""
    full = Path(os.fsdecode(project.workspace.full(path)))
    with _lock(project, b"ignore " + path):
        old = read_if_there(full)
        if old is None:
            return
        text = sort_lines(old, _artifacts_in(project, os.path.dirname(path)))
        if text != old:
            write_file(full, text, durability=Durability.NONE)


def _artifacts_in(project: Project, directory: bytes) -> list[bytes]:
    """The names of the artifacts that lie in a directory."""
    with os.scandir(project.workspace.full(directory)) as entries:
        return [entry.name[: -len(SUFFIX)] for entry in entries if entry.name.endswith(SUFFIX)]


def _only_ours(project: Project, path: bytes, text: bytes, names: Sequence[bytes]) -> bool:
    """Whether a `.gitignore` differs from git's index only in lines for artifacts beside it."""
    assert project.worktree is not None
    directory = os.path.dirname(path)
    staged = staged_text(project.worktree, path) or b""
    ours = {escape_name(name) for name in (*names, *_artifacts_in(project, directory))}
    return _without(staged, ours) == _without(text, ours)


def _without(text: bytes, lines: set[bytes]) -> list[bytes]:
    return [line for line in text.splitlines() if line not in lines]


def unignore(project: Project, artifacts: Sequence[bytes]) -> list[bytes]:
    """Take artifacts' ignore lines out again; an empty `.gitignore` is removed. Gives the files to stage, those that a
    command took lines out of which was killed before it staged them among them."""
    if project.worktree is None:
        return []
    changed = []
    for directory, names in _by_directory(artifacts).items():
        sweep_temps(Path(os.fsdecode(project.workspace.full(directory))))
        path = directory + b"/" + GITIGNORE if directory else GITIGNORE
        full = Path(os.fsdecode(project.workspace.full(path)))
        edited = unstaged_edits(project.worktree, [path])
        with _lock(project, b"ignore " + path):
            old = None if full.is_symlink() else read_if_there(full)
            text = old or b""
            for name in names:
                text = remove_line(text, name)
            if text != (old or b"") and text.strip():
                write_file(full, text, durability=project.config.durability)
            elif text != (old or b""):
                remove_file(full)
        if _only_ours(project, path, text, names) if path in edited else text != (old or b""):
            changed.append(path)
    return changed


def ignored_before_writing(project: Project, artifacts: Sequence[bytes]) -> list[bytes]:
    """See that data about to be written is ignored by git: a missing line goes to `.git/info/exclude`.

    Gives the artifacts that no rule of the repository hides.
    """
    if project.worktree is None or not artifacts:
        return []
    open_ones = sorted(set(artifacts) - ignored_many(project.worktree, artifacts))
    if open_ones:
        path = exclude_path(project.worktree)
        with _lock(project, b"exclude"):
            text = read_if_there(path) or b""
            write_file(path, add_lines(text, open_ones), durability=project.config.durability)
    return open_ones


def _by_directory(artifacts: Sequence[bytes]) -> dict[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    for path in artifacts:
        directory, name = os.path.split(path)
        found.setdefault(directory, []).append(name)
    return found
