"""What a program's `track()` moves out of the way: it lies in lost+found then, and is never deleted."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from datatool.git.worktree import ask
from datatool.localfs.atomic import make_dirs, move
from datatool.model.paths import named
from datatool.operations.track_state import Found
from datatool.progress import Progress
from datatool.project.project import Project
from datatool.workspace.pointers import Artifact


def move_aside(project: Project, path: bytes) -> Path:
    """Move what lies at a path to lost+found; gives where it is now."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime()) + f"-{os.urandom(4).hex()}"
    place = project.local / "lost+found" / stamp / os.fsdecode(path)
    make_dirs(place.parent)
    move(_full(project, path), place)
    return place


def is_named(project: Project, artifact: Artifact) -> bool:
    """Whether git can bring back the pointer to the version that was put here last: some commit of a branch, a tag, a
    stash or a reflog names it. Content of a version that none names may be the only copy that its user knows of."""
    base = project.state.base(artifact.path)
    if base is None or project.worktree is None:
        return False
    options = ["--all", "--reflog", "--max-count=1", "--format=%H", f"-S{base.version}"]
    words: list[str | bytes] = [
        "--literal-pathspecs",
        "-c",
        "log.showSignature=false",
        "log",
        *options,
        "--",
        artifact.pointer_path,
    ]
    return bool(ask(project.worktree, words, check=False).out.strip())


@contextmanager
def aside(project: Project, items: Sequence[Found], progress: Progress) -> Iterator[None]:
    """Move what lies at some paths to lost+found while other versions are brought there, and tell; where that fails and
    nothing came, it is put back."""
    places = {item.path: move_aside(project, item.path) for item in items}
    try:
        yield
    except BaseException:
        for path, place in places.items():
            if not os.path.lexists(_full(project, path)):
                move(place, _full(project, path))
        raise
    for path, place in places.items():
        progress.warn(f"{named(path)}: no commit names the version that was here; it lies in {place} now")


def _full(project: Project, path: bytes) -> Path:
    return Path(os.fsdecode(project.workspace.full(path)))
