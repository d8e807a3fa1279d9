"""What a program's `track()` moves out of the way: it lies in lost+found then, and is never deleted."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from datatool.git.pointers import pointer_patterns
from datatool.git.worktree import ask
from datatool.localfs.atomic import make_dirs
from datatool.localfs.moving import move
from datatool.model.paths import named
from datatool.progress import Progress
from datatool.project.project import Project
from datatool.workspace.pointers import Artifact

_LOG: Final = (
    *("-c", "log.showSignature=false", "log", "--all", "--reflog", "--format="),
    *("-p", "-U0", "--text", "--no-color", "--no-ext-diff", "--no-textconv"),
)
_OID: Final = re.compile(rb"[0-9a-f]{64}")


def move_aside(project: Project, path: bytes) -> Path:
    """Move what lies at a path to lost+found; gives where it is now."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime()) + f"-{os.urandom(4).hex()}"
    place = project.local / "lost+found" / stamp / os.fsdecode(path)
    make_dirs(place.parent)
    move(_full(project, path), place)
    return place


class Committed:
    """Which versions git can bring back: a commit of a branch, a tag, a stash or a reflog names them. Content of a
    version that none names may be the only copy that its user knows of.

    Git is asked once for all pointers of a directory, and again for what it did not name then.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._named: set[bytes] = set()

    def names(self, artifact: Artifact) -> bool:
        """Whether a commit names the version that was put here last."""
        base, worktree = self._project.state.base(artifact.path), self._project.worktree
        if base is None or worktree is None:
            return False
        version = base.version.encode()
        if version not in self._named:
            around = os.path.dirname(artifact.path)
            patterns = pointer_patterns([around] if around else ())
            self._named.update(_OID.findall(ask(worktree, [*_LOG, "--", *patterns], check=False).out))
        return version in self._named


@contextmanager
def aside(project: Project, paths: Iterable[bytes], progress: Progress) -> Iterator[None]:
    """Move what lies at some paths to lost+found while other versions are brought there, and tell; where that fails and
    nothing came, it is put back."""
    places = {path: move_aside(project, path) for path in paths}
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
