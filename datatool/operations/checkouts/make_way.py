"""The place of an artifact in the workspace, made ready for what a checkout writes there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from datatool.errors import LocalError
from datatool.localfs.atomic import make_dirs, sweep_temps
from datatool.localfs.moving import move
from datatool.localfs.removal import remove_empty_dirs
from datatool.localfs.safe_paths import check_parents
from datatool.model.oid import ObjectId
from datatool.model.paths import named, portability_problems
from datatool.operations.checkouts.checked_out import unsaved, written_through
from datatool.project.project import Project


def make_place(project: Project, path: bytes, swept: set[Path]) -> None:
    """See that the directory around an artifact is there, in the project, and free of what killed commands left;
    directories in `swept` were looked at before."""
    check_parents(os.fsencode(project.root), path)
    if os.name == "nt":
        refuse_unholdable(b"", iter([path]))
    parent = Path(os.fsdecode(project.workspace.full(path))).parent
    make_dirs(parent)
    if parent not in swept:
        swept.add(parent)
        sweep_temps(parent)


def set_aside(project: Project, path: bytes, lost: Path | None, *, was: ObjectId | None = None) -> str:
    """Move what lies at an artifact's own path to lost+found, or refuse; `was` is the object that was put there."""
    if lost is None:
        through = path if written_through(project, path, was) else None
        is_link = os.path.islink(project.workspace.full(path))
        raise unsaved(path, [path], through=through, is_link=is_link and through is None)
    place = lost / os.fsdecode(path)
    make_dirs(place.parent)
    move(Path(os.fsdecode(project.workspace.full(path))), place)
    return os.fspath(lost)


def put_back(project: Project, lost: Path, paths: Iterable[bytes]) -> bool:
    """Move what was moved to lost+found back to where nothing has come in its stead; whether all of it is back."""
    all_back = True
    for path in paths:
        place, home = lost / os.fsdecode(path), Path(os.fsdecode(project.workspace.full(path)))
        if not os.path.lexists(place):
            continue
        try:
            if home.is_dir() and not home.is_symlink():
                remove_empty_dirs(home)
            if os.path.lexists(home):
                all_back = False
                continue
            make_dirs(home.parent)
            move(place, home)
        except LocalError:
            all_back = False
    return all_back


def refuse_unholdable(artifact: bytes, names: Iterator[bytes]) -> None:
    """On a system that can't hold some names, say so before anything is written (formats §3)."""
    for path, problem in portability_problems(names):
        whole = artifact + b"/" + path if artifact else path
        raise LocalError(f"{named(whole)}: {problem}", path=os.fsdecode(whole))
