"""From what a Python program names to what can be read there: this project, or a registry, at a revision."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from msgspec import Struct

from datatool.cache.local import Cache
from datatool.config.load import load_config
from datatool.config.places import user_cache_dir
from datatool.errors import PathNotFound, ProjectNotFound, UsageError
from datatool.git.repository import commit_of
from datatool.git.revision import resolve
from datatool.operations.contents.at import CommitContent
from datatool.operations.contents.content import Content
from datatool.operations.contents.here import WorkTreeContent
from datatool.operations.open_project import require_git
from datatool.operations.own_commit import open_own_commit
from datatool.operations.reach import Reach
from datatool.operations.registries import registry_place, user_cache
from datatool.operations.remote_names import remote_name
from datatool.operations.targets import project_path
from datatool.progress import SILENT, Progress
from datatool.project.project import Project, open_project
from datatool.registry.catalog import registry_path
from datatool.registry.open import open_registry
from datatool.remote.url import DIRECTORY, parse_url


class Asked(Struct, frozen=True, kw_only=True):
    """What a program asks for: `repo` is a registry's alias, path or URL (None: the project around `cwd`), `rev` a
    revision, `remote` where the data is to be read from: the name of a remote of this project's, or for a registry a
    URL. `cwd` is where relative paths start."""

    repo: str | None
    rev: str | None
    remote: str | None
    cwd: Path
    environ: Mapping[str, str]

    def __post_init__(self) -> None:
        if self.rev == "":
            raise UsageError("an empty revision", hint="leave rev out for what is current")


class Opened(Struct, frozen=True, kw_only=True):
    """Content that can be read, and the project it is of, where it is this one's."""

    content: Content
    project: Project | None
    cwd: Path
    caches: list[Cache]
    """Those that are open for it."""
    same: Callable[[], bool]
    """Whether the revision still names what was opened, as far as that can be told without the network."""

    def refresh(self) -> bool:
        """Look again, for one who keeps this open; False where it must be opened anew."""
        for cache in self.caches:
            cache.refresh()
        return self.same()

    def settle(self) -> None:
        """Keep nobody else waiting until this is used again."""
        for cache in self.caches:
            cache.settle()

    def paths(self, text: str) -> list[bytes]:
        """What a path may mean, in order: of a registry from its top; of this project from the current directory, and
        from the project's top."""
        if self.project is None:
            return [registry_path(text) if text else b""]
        if not text:
            return [b""]
        if os.path.isabs(text):
            return [project_path(self.project, text, self.cwd)]
        found: list[bytes] = []
        try:
            found.append(project_path(self.project, text, self.cwd))
            found.append(registry_path(text))
        except (PathNotFound, UsageError):
            if not found:
                raise
        return list(dict.fromkeys(found))


@contextmanager
def open_content(asked: Asked, *, progress: Progress = SILENT) -> Iterator[Opened]:
    """Open what is asked for; nothing is downloaded yet but what tells the commit.

    Raises ProjectNotFound, NotFoundError for an unknown alias, RevisionNotFound, UsageError, RemoteUnreachable,
    RemoteDenied.
    """
    with ExitStack() as stack:
        project = _project(asked, stack)
        if asked.repo is not None:
            yield _registry(asked, asked.repo, project, stack, progress)
            return
        assert project is not None
        if asked.rev is not None:
            yield _own(asked, asked.rev, project, stack, progress)
            return
        caches = [project.cache]
        near = _near_user(asked, stack, caches)
        here = WorkTreeContent(project, near=near, remote=asked.remote, progress=progress)
        yield Opened(content=here, project=project, cwd=asked.cwd, caches=caches, same=lambda: True)


def _project(asked: Asked, stack: ExitStack) -> Project | None:
    try:
        return stack.enter_context(open_project(asked.cwd, flags={}, environ=asked.environ))
    except ProjectNotFound:
        if asked.repo is None:
            raise
        return None


def _registry(asked: Asked, repo: str, project: Project | None, stack: ExitStack, progress: Progress) -> Opened:
    environ = asked.environ
    config = (
        project.config if project is not None else load_config(root=None, local_dir=None, flags={}, environ=environ)
    )
    reach = Reach(remote=asked.remote)
    place = registry_place(repo, cwd=asked.cwd, config=config, environ=environ, reach=reach)
    cache = stack.enter_context(user_cache(environ, otherwise=asked.cwd))
    catalog = open_registry(place, asked.rev, cache)
    repository, commit = catalog.view.repository, catalog.view.commit
    near = None if project is None else project.cache
    return Opened(
        content=CommitContent(catalog, cache, near=lambda: near, progress=progress),
        project=None,
        cwd=asked.cwd,
        caches=[cache] if near is None else [cache, near],
        same=lambda: repository.local is None or commit_of(repository, asked.rev or "HEAD") == commit,
    )


def _own(asked: Asked, rev: str, project: Project, stack: ExitStack, progress: Progress) -> Opened:
    """This project at a revision."""
    worktree = require_git(project)
    given = None if asked.remote is None else _given(project, asked.remote)
    catalog = open_own_commit(project, rev, environ=asked.environ, given=given)
    commit = catalog.view.commit
    caches = [project.cache]
    return Opened(
        content=CommitContent(catalog, project.cache, near=_near_user(asked, stack, caches), progress=progress),
        project=project,
        cwd=asked.cwd,
        caches=caches,
        same=lambda: resolve(worktree, rev) == commit,
    )


def _given(project: Project, name: str) -> dict[str, str]:
    """The settings of one remote, in a form that holds wherever they are used."""
    settings = dict(project.config.remotes()[remote_name(project, name)])
    url = parse_url(settings["url"], root=project.root)
    if url.protocol == DIRECTORY:
        settings["url"] = url.path
    return settings


def _near_user(asked: Asked, stack: ExitStack, caches: list[Cache]) -> Callable[[], Cache | None]:
    """Opens this user's own cache when it is first needed; None if there is none."""
    opened: list[Cache | None] = []

    def near() -> Cache | None:
        if not opened:
            there = (user_cache_dir(asked.environ) / "objects" / "FORMAT").is_file()
            opened.append(stack.enter_context(user_cache(asked.environ, otherwise=asked.cwd)) if there else None)
            caches.extend(cache for cache in opened if cache is not None)
        return opened[0]

    return near
