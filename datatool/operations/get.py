"""Download from a registry: no project is needed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from datatool.config.load import Config
from datatool.errors import DatatoolError, UsageError
from datatool.git.clone import default_directory
from datatool.localfs.atomic import make_dirs
from datatool.localfs.removal import remove_empty_dirs
from datatool.model.paths import show_bytes
from datatool.operations.failures import Failure, failure_of
from datatool.operations.landing import Got, land, nearest_existing, receives
from datatool.operations.reach import Reach
from datatool.operations.registries import registry_place, user_cache
from datatool.operations.result import Result
from datatool.operations.space import room_for
from datatool.progress import SILENT, Progress
from datatool.registry.catalog import Selection, registry_path
from datatool.registry.copying import copy_selection
from datatool.registry.open import open_registry
from datatool.workspace.early_copies import EarlyCopies


@dataclass(frozen=True, kw_only=True, slots=True)
class GetResult(Result):
    """What was downloaded, from which commit of which repository; `left_out` are git-tracked files that only serve
    datatool or git."""

    repo: str
    rev: str | None
    commit: str
    artifacts: tuple[Got, ...]
    left_out: tuple[str, ...]

    @property
    def problems(self) -> tuple[Failure, ...]:
        """What failed while the rest went on."""
        return tuple(failure for item in self.artifacts for failure in item.errors)

    @property
    def finished(self) -> bool:
        """Whether anything was done in spite of the problems."""
        return any(item.written or not item.errors for item in self.artifacts)


def get(
    where: str,
    paths: Sequence[str],
    *,
    out: str | None = None,
    rev: str | None = None,
    force: bool = False,
    cwd: Path,
    config: Config,
    environ: Mapping[str, str],
    reach: Reach | None = None,
    progress: Progress = SILENT,
) -> GetResult:
    """Copy files and directories of a registry to where the user wants them, as `cp -r` would.

    An existing directory `out` receives them; else it is the new name. Several paths need a directory, which is made.
    Raises PathNotFound, RevisionNotFound, Unsaved (unless `force`), UnsafeInput, RemoteError and its kin; what costs
    single files, or one of several paths, is in `errors`.
    """
    if not paths:
        raise UsageError("nothing to get", hint="name files or directories of the registry, or . for everything")
    if rev == "":
        raise UsageError("an empty revision", hint="leave --rev out for the default branch")
    place = registry_place(where, cwd=cwd, config=config, environ=environ, reach=reach or Reach())
    wanted = [registry_path(path) for path in paths]
    target = cwd / out if out is not None else cwd
    inside = receives(out, cwd) or len(wanted) > 1
    if len(wanted) > 1 and os.path.lexists(target) and not target.is_dir():
        raise UsageError(f"{out}: several paths need a directory", hint="name a directory with -o")
    holder = target if inside else target.parent
    with user_cache(environ, otherwise=nearest_existing(holder)) as cache:
        catalog = open_registry(place, rev, cache)
        chosen = [catalog.select(path) for path in wanted]
        outs = [_out(target, inside, item, place.where) for item in chosen]
        for one in set(outs):
            if outs.count(one) > 1:
                raise UsageError(f"{one.name}: two of the paths would have this name", hint="get one of them with -o")
        size = sum(offer.size or 0 for item in chosen for offer in item.offers)
        files = sum(len(item.offers) for item in chosen)
        catalog.prepare(chosen)
        got: list[Got] = []
        with progress.task("getting", bytes=size or None, files=files) as task:
            for item, to in zip(chosen, outs, strict=True):
                path = os.fsdecode(item.path) or "."
                names = show_bytes(item.path) or "."
                try:
                    with EarlyCopies(nearest_existing(to.parent), ()) as early:
                        follower = early.of(size, partial(item.moved, to=os.fsencode(to.name)))
                        with room_for(names, size, "the cache", cache.top), cache.followed_by(follower):
                            copied = copy_selection(catalog, item, cache, task)
                        with _made(to), room_for(names, size, "the directory", to.parent):
                            got.append(land(copied, cache, to, path=path, force=force, environ=environ, early=early))
                except DatatoolError as error:
                    if len(chosen) == 1:
                        raise
                    got.append(Got(path=path, out=os.fspath(to), errors=(failure_of(error),)))
    return GetResult(
        repo=catalog.view.repository.shown,
        rev=rev,
        commit=catalog.view.commit,
        artifacts=tuple(got),
        left_out=tuple(os.fsdecode(path) for item in chosen for path in item.hidden),
    )


@contextmanager
def _made(to: Path) -> Iterator[None]:
    """The directories that something is to lie in, made; where that fails those are gone that nothing came into, as the
    same command would take them for the place to put it into."""
    missing = [place for place in (to, *to.parents) if not os.path.lexists(place)]
    make_dirs(to.parent)
    try:
        yield
    except BaseException:
        for place in missing:
            remove_empty_dirs(place)
        raise


def _out(target: Path, inside: bool, item: Selection, where: str) -> Path:
    if not inside:
        return target
    return target / (os.fsdecode(os.path.basename(item.path)) or default_directory(where))
