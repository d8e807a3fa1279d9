"""An opened project: where everything of it lies, read once."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path

from msgspec import Struct

from datatool.cache.local import Cache
from datatool.config.load import Config, load_config
from datatool.config.places import user_cache_dir
from datatool.errors import GitError, PathNotFound, ProjectNotFound
from datatool.git.worktree import Unsafe, Worktree, discover
from datatool.hashing import digest
from datatool.index.state import State
from datatool.localfs.mounts import on_own_disk
from datatool.localfs.safe_paths import real_path
from datatool.project.absent import absent_config, no_work_tree
from datatool.workspace.ignore_rules import read_rules
from datatool.workspace.present import Workspace

FOLDER = ".datatool"
CONFIG = "config.yaml"
IGNORE = ".datatoolignore"


class Project(Struct, frozen=True, dict=True):
    """A git repository, or an exported tree of one, where datatool is initialised.

    `root` is the work tree's top; `worktree` is git's view of it (None where there is no git, or git refuses it for
    its owner: then `unsafe` says why); `local` is the directory for local state that all linked work trees share.
    """

    root: Path
    worktree: Worktree | None
    unsafe: str | None
    local: Path
    config: Config
    state: State
    cache: Cache
    workspace: Workspace

    @cached_property
    def locks(self) -> Path:
        """Where lock files lie."""
        return self.local / "locks"

    @cached_property
    def marks(self) -> Path:
        """Where a command notes what another one has to finish if it is killed."""
        return self.local / "marks"

    def __enter__(self) -> Project:
        return self

    def __exit__(self, *_: object) -> None:
        self.state.close()
        self.cache.packs.close()

    @property
    def remotes_memory(self) -> Path:
        """Where index shards of remotes, and what is known of them, are kept."""
        return self.cache.top / "remotes"


def find_root(directory: Path | str) -> Path:
    """The project around a directory: the nearest one upwards with `.datatool/config.yaml`, not beyond the git
    repository that the directory belongs to (a submodule is not its superproject). ProjectNotFound otherwise."""
    current = real_path(os.fspath(directory))
    while True:
        if os.path.isfile(f"{current}{os.sep}{FOLDER}{os.sep}{CONFIG}"):
            return Path(current)
        parent = os.path.dirname(current)
        if os.path.lexists(f"{current}{os.sep}.git") or parent == current:
            break
        current = parent
    if not os.path.isdir(directory):
        raise ProjectNotFound(f"{directory}: no such directory", hint="check the path")
    raise ProjectNotFound(
        f"{directory}: not inside a datatool project", hint="datatool init makes the git repository here one"
    )


def open_project(directory: Path, *, flags: Mapping[str, str], environ: Mapping[str, str]) -> Project:
    """Open the project around a directory; nothing is written.

    Raises ProjectNotFound, and FormatError for configuration that doesn't read.
    """
    try:
        root = find_root(directory)
        found = discover(root, began=directory)
    except ProjectNotFound as error:
        found = _around(directory)
        # As for git itself: what GIT_DIR and GIT_WORK_TREE say holds from anywhere.
        named = isinstance(found, Worktree) and "GIT_DIR" in os.environ
        if not isinstance(found, Worktree) or not named or not os.path.isfile(found.top / FOLDER / CONFIG):
            raise _explained(error, directory, found) from None
        root = found.top
    worktree = found if isinstance(found, Worktree) else None
    if worktree is not None and not os.path.samefile(worktree.top, root):
        worktree = None
    local = worktree.common_dir / "datatool" if worktree is not None else root / FOLDER / "local"
    config = load_config(root=root, local_dir=local, flags=flags, environ=environ)
    own = worktree.git_dir / "datatool" if worktree is not None else local
    state = State(state_path(own, environ))
    cache_dir = config.get("cache.dir")
    top = root / os.path.expanduser(cache_dir) if cache_dir else local / "cache"
    cache = Cache(top, state, durability=config.durability, user=_user(own) if cache_dir else "")
    return Project(
        root=root,
        worktree=worktree,
        unsafe=found.reason if isinstance(found, Unsafe) else None,
        local=local,
        config=config,
        state=state,
        cache=cache,
        workspace=Workspace(root=root, state=state, modes_bind=_modes_bind(worktree), skip=_skip(root)),
    )


def _around(directory: Path) -> Worktree | Unsafe | None:
    """What git finds around a directory that is in no project; nothing where git can't be asked."""
    try:
        return discover(directory)
    except (GitError, PathNotFound):
        return None


def _explained(error: ProjectNotFound, directory: Path, found: Worktree | Unsafe | None) -> ProjectNotFound:
    """The error that says more, where git knows more."""
    try:
        if isinstance(found, Worktree):
            told = absent_config(found, directory, f"{FOLDER}/{CONFIG}")
        else:
            told = no_work_tree(directory, found) if os.path.isdir(directory) else None
    except GitError:
        return error
    return error if told is None else ProjectNotFound(told[0], hint=told[1])


def state_path(own: Path, environ: Mapping[str, str]) -> Path:
    """Where a work tree's database lies; `own` is the directory `datatool` in its git directory."""
    if on_own_disk(own):
        return own / "state.db"
    name = digest(_user(own).encode(errors="surrogateescape"))
    return user_cache_dir(environ) / "state" / name / "state.db"


def _user(own: Path) -> str:
    return json.dumps({"host": host_name(), "git_dir": os.path.realpath(own.parent)}) + "\n"


def _modes_bind(worktree: Worktree | None) -> bool:
    if os.name == "nt":
        return False
    if worktree is None:
        return True
    try:
        text = (worktree.common_dir / "config").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return True
    found = re.findall(r"(?im)^\s*filemode\s*=\s*(\w+)\s*$", text)
    return not found or found[-1].lower() in ("true", "yes", "on", "1")


def _skip(root: Path) -> Callable[[bytes, bool], bool] | None:
    try:
        return read_rules((root / IGNORE).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None


def host_name() -> str:
    """What this machine is called."""
    return os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")
