"""Download from a registry: no project is needed."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from datatool.cache.local import Cache
from datatool.config.load import Config
from datatool.config.places import user_cache_dir
from datatool.errors import PartlyDone, Unsaved, UsageError
from datatool.git.clone import default_directory
from datatool.index.state import State
from datatool.localfs.atomic import make_dirs, move, sweep_temps
from datatool.localfs.links import modes_bind
from datatool.model.entry import DIRECTORY, EXECUTABLE, FILE, Entry
from datatool.model.paths import named
from datatool.operations.failures import Failure, failure_of
from datatool.operations.reach import Reach
from datatool.operations.registries import registry_place, user_cache
from datatool.operations.space import room_for
from datatool.progress import NOBODY, SILENT, Progress
from datatool.registry.catalog import Selection, registry_path
from datatool.registry.copying import Copied, copy_selection
from datatool.registry.open import open_registry
from datatool.workspace.checkout import Checkout
from datatool.workspace.checkout_file import FileCheckout
from datatool.workspace.placing import Outcome
from datatool.workspace.present import Workspace


@dataclass(frozen=True, kw_only=True, slots=True)
class Got:
    """One path of the registry and where it lies now (absolute). `written` files were new or different; sizes in bytes;
    `saved_to` is where `force` moved what was in the way."""

    path: str
    out: str
    directory: bool = False
    size: int = 0
    files: int = 0
    written: int = 0
    saved_to: str | None = None
    errors: tuple[Failure, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class GetResult:
    """What was downloaded, from which commit of which repository; `left_out` are git-tracked files that only serve
    datatool or git."""

    repo: str
    rev: str | None
    commit: str
    artifacts: tuple[Got, ...]
    left_out: tuple[str, ...]


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
    single files only is in `errors`.
    """
    if not paths:
        raise UsageError("nothing to get", hint="name files or directories of the registry, or . for everything")
    if rev == "":
        raise UsageError("an empty revision", hint="leave --rev out for the default branch")
    place = registry_place(where, cwd=cwd, config=config, environ=environ, reach=reach or Reach())
    wanted = [registry_path(path) for path in paths]
    target = cwd / out if out is not None else cwd
    inside = target.is_dir() or len(wanted) > 1
    if out is not None and out.endswith(("/", os.sep)):
        inside = True
    if len(wanted) > 1 and os.path.lexists(target) and not target.is_dir():
        raise UsageError(f"{out}: several paths need a directory", hint="name a directory with -o")
    holder = target if inside else target.parent
    with user_cache(environ, otherwise=_existing(holder)) as cache:
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
                names = named(item.path) or "."
                with room_for(names, size, "the cache", cache.top):
                    copied = copy_selection(catalog, item, cache, task)
                make_dirs(to.parent)
                with room_for(names, size, "the directory", to.parent):
                    got.append(_placed(cache, item, copied, to, force=force, environ=environ))
    return GetResult(
        repo=catalog.view.repository.shown,
        rev=rev,
        commit=catalog.view.commit,
        artifacts=tuple(got),
        left_out=tuple(os.fsdecode(path) for item in chosen for path in item.hidden),
    )


def _existing(directory: Path) -> Path:
    while not directory.is_dir():
        directory = directory.parent
    return directory


def _out(target: Path, inside: bool, item: Selection, where: str) -> Path:
    if not inside:
        return target
    return target / (os.fsdecode(os.path.basename(item.path)) or default_directory(where))


def _placed(cache: Cache, item: Selection, copied: Copied, to: Path, *, force: bool, environ: Mapping[str, str]) -> Got:
    """Write what was brought to its place; nothing that differs there is overwritten without `force`."""
    parent = Path(os.path.realpath(to.parent))
    sweep_temps(parent)
    workspace = Workspace(root=parent, state=State(None), modes_bind=modes_bind(parent))
    lost = user_cache_dir(environ) / "lost+found" / time.strftime("%Y%m%d-%H%M%S", time.gmtime()) if force else None
    name = os.fsencode(to.name)
    if copied.directory:
        outcome, saved = _directory(workspace, cache, name, copied, lost)
    else:
        outcome, saved = _file(workspace, cache, name, copied, lost)
    workspace.sweep()
    lacking = [*outcome.missing, *outcome.damaged, *outcome.refused]
    errors = [failure_of(error) for _, error in copied.failed]
    errors += [failure_of(PartlyDone(f"{named(path)}: was not written", path=os.fsdecode(path))) for path in lacking]
    return Got(
        path=os.fsdecode(item.path) or ".",
        out=os.fspath(to),
        directory=copied.directory,
        size=copied.size,
        files=copied.files,
        written=outcome.written,
        saved_to=os.fspath(lost) if saved and lost is not None else None,
        errors=tuple(errors),
    )


def _file(workspace: Workspace, cache: Cache, name: bytes, copied: Copied, lost: Path | None) -> tuple[Outcome, bool]:
    job = FileCheckout(
        workspace=workspace,
        cache=cache,
        path=name,
        target=Entry(EXECUTABLE if copied.executable else FILE, name, copied.oid, copied.size),
        here=None,
        links=(),
        durability=cache.durability,
    )
    right, _ = job.current()
    if right:
        return Outcome(), False
    there = workspace.kind(name) is not None
    if there:
        _make_way(workspace, name, lost)
    return job.apply(NOBODY), there


def _directory(
    workspace: Workspace, cache: Cache, name: bytes, copied: Copied, lost: Path | None
) -> tuple[Outcome, bool]:
    moved = False
    if workspace.kind(name) not in (None, DIRECTORY):
        _make_way(workspace, name, lost)
        moved = True
    make_dirs(Path(os.fsdecode(workspace.full(name))))
    job = Checkout(
        workspace=workspace,
        cache=cache,
        load=cache.load,
        artifact=name,
        here=None,
        target=copied.oid,
        links=(),
        durability=cache.durability,
    )
    plan = job.plan()
    if plan.unsaved and lost is None:
        raise _in_the_way(name + b"/" + plan.unsaved[0], len(plan.unsaved))
    return job.apply(plan, NOBODY, save_to=lost), moved or bool(plan.unsaved)


def _make_way(workspace: Workspace, name: bytes, lost: Path | None) -> None:
    if lost is None:
        raise _in_the_way(name, 1)
    make_dirs(lost)
    move(Path(os.fsdecode(workspace.full(name))), lost / os.fsdecode(name))


def _in_the_way(path: bytes, count: int) -> Unsaved:
    more = f" and {count - 1} more" if count > 1 else ""
    return Unsaved(
        f"{named(path)}{more}: there already, with other content; nothing was overwritten",
        hint="-o NAME gets it to another place; --force moves what is there to lost+found first",
        path=os.fsdecode(path),
    )
