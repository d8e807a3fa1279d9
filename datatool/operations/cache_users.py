"""Who uses a cache: this project, and those that have registered where it is shared."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from datatool.errors import DatatoolError, GitError, Refused
from datatool.git.reachable import Checkout, checkouts, common_dir
from datatool.model.paths import show
from datatool.project.project import FOLDER, Project, host_name, state_path


class CacheUser(Struct, frozen=True, kw_only=True):
    """A repository that uses a cache, with all its work trees; or a directory without git, which has one (`git` is
    False)."""

    name: str
    trees: tuple[Checkout, ...]
    git: bool

    def states(self, environ: Mapping[str, str]) -> Iterator[Path]:
        """The databases of its work trees."""
        for tree in self.trees:
            own = tree.git_dir / ("datatool" if self.git else "local")
            yield state_path(own, environ)


def cache_users(project: Project) -> list[CacheUser]:
    """All users of a project's cache, the project first, each once. Raises Refused where one can't be read: then nobody
    knows what it needs."""
    if project.unsafe is not None:
        raise Refused(
            f"{project.root}: git refuses to read this repository, so nobody knows what it needs: {project.unsafe}",
            hint=f"git config --global --add safe.directory {project.root}",
        )
    here, this = _this(project)
    users = {here: this}
    for registration in _registrations(project.cache.top / "users"):
        git_dir = _registered(registration)
        key = git_dir if git_dir.name == FOLDER else common_dir(git_dir)
        if key not in users:
            users[key] = _at(git_dir, registration)
    return list(users.values())


def _this(project: Project) -> tuple[Path, CacheUser]:
    name = os.fspath(project.root)
    worktree = project.worktree
    if worktree is None:
        folder = Path(os.path.realpath(project.root / FOLDER))
        return folder, CacheUser(name=name, trees=(Checkout(git_dir=folder, top=project.root),), git=False)
    main = worktree.top if worktree.git_dir == worktree.common_dir else None
    try:
        trees = checkouts(worktree.git_dir, top=main)
    except GitError as error:
        raise Refused(f"nobody knows what is needed: {error.message}", hint=error.hint) from error
    return worktree.common_dir, CacheUser(name=name, trees=tuple(trees), git=True)


def _registrations(directory: Path) -> list[Path]:
    try:
        return sorted(path for path in directory.iterdir() if path.suffix == ".json")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise Refused(f"{show(str(directory))}: can't be read, so nobody knows who uses this cache") from error


def _registered(registration: Path) -> Path:
    """The git directory that a registration names."""
    try:
        said = json.loads(registration.read_bytes())
        host, git_dir = said["host"], said["git_dir"]
        if not isinstance(host, str) or not isinstance(git_dir, str) or not os.path.isabs(git_dir):
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refused(
            f"{show(str(registration))}: this registration of a user of the cache can't be read",
            hint="delete that file, unless it is another user's and only he may read it; a project that uses the cache "
            "registers again with its next add or checkout",
        ) from error
    if host != host_name():
        raise _unreadable(git_dir, registration, f"lies on another machine, {show(host)}, which can't be asked here")
    common = Path(git_dir).parent.parent
    if not os.path.isdir(git_dir) and Path(git_dir).parent.name == "worktrees" and (common / "HEAD").is_file():
        return common  # a linked work tree that git has forgotten since
    if not os.path.isdir(git_dir):
        raise _unreadable(git_dir, registration, "is not there any more")
    return Path(git_dir)


def _at(git_dir: Path, registration: Path) -> CacheUser:
    if git_dir.name == FOLDER:
        return CacheUser(
            name=os.fspath(git_dir.parent), trees=(Checkout(git_dir=git_dir, top=git_dir.parent),), git=False
        )
    try:
        return CacheUser(name=os.fspath(git_dir), trees=tuple(checkouts(git_dir)), git=True)
    except (DatatoolError, OSError) as error:
        reason = error.message if isinstance(error, DatatoolError) else str(error)
        raise _unreadable(os.fspath(git_dir), registration, f"can't be read: {reason}") from error


def _unreadable(git_dir: str, registration: Path, reason: str) -> Refused:
    return Refused(
        f"{show(git_dir)}: uses this cache too, and {reason}; so nobody knows what it needs",
        hint=f"if it was moved, run datatool checkout there; if it has gone, or no longer uses this cache, delete "
        f"{show(str(registration))}",
    )
