"""Putting down what was brought, outside any project: as `cp -r` would, but nothing that differs is overwritten."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from datatool.cache.local import Cache
from datatool.config.places import user_cache_dir
from datatool.errors import PartlyDone, Unsaved
from datatool.index.state import State
from datatool.localfs.atomic import make_dirs, sweep_temps
from datatool.localfs.links import modes_bind
from datatool.localfs.moving import move
from datatool.model.entry import DIRECTORY, EXECUTABLE, FILE, Entry
from datatool.model.paths import named
from datatool.model.pointer import ArtifactKind
from datatool.operations.failures import Failed, Failure, failure_of
from datatool.operations.result import Part, told
from datatool.progress import NOBODY
from datatool.registry.copying import Copied
from datatool.workspace.checkout import Checkout
from datatool.workspace.checkout_file import FileCheckout
from datatool.workspace.early_copies import EarlyCopies
from datatool.workspace.placing import Outcome
from datatool.workspace.present import Workspace


@dataclass(frozen=True, kw_only=True, slots=True)
class Got(Part):
    """One thing that was brought, by its own path or URL, and where it lies now (absolute). `written` files were new or
    different; sizes in bytes; `saved_to` is where `force` moved what was in the way."""

    path: str
    out: str
    directory: bool = False
    size: int = 0
    files: int = 0
    written: int = 0
    saved_to: str | None = None
    errors: tuple[Failure, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether all of it came."""
        return not self.errors

    @property
    def error(self) -> Failure | None:
        """The first of the errors."""
        return self.errors[0] if self.errors else None

    @property
    def kind(self) -> ArtifactKind:
        """What it is."""
        return ArtifactKind.DIRECTORY if self.directory else ArtifactKind.FILE

    @property
    def failed(self) -> tuple[Failed, ...]:
        """What did not come, and why."""
        return tuple(Failed(failure.path, failure) for failure in self.errors)

    def to_dict(self) -> dict[str, object]:
        """As `--json` prints it."""
        return told(self, "path", "ok", "error", "kind", "out", "size", "files", "written", "saved_to", "failed")


def receives(out: str | None, cwd: Path) -> bool:
    """Whether what the user typed is a directory that takes what is brought into it, not a new name for it."""
    return out is None or os.path.isdir(cwd / out) or out.endswith(("/", os.sep))


def nearest_existing(directory: Path) -> Path:
    """A directory, or the nearest one around it that there is."""
    while not os.path.isdir(directory):  # which no name is too long for, as it is for `Path.is_dir`
        directory = directory.parent
    return directory


def land(
    copied: Copied,
    cache: Cache,
    to: Path,
    *,
    path: str,
    force: bool,
    environ: Mapping[str, str],
    early: EarlyCopies | None = None,
) -> Got:
    """Write what a cache has of it to `to`, of which there may be `early` copies; `path` is what it is called where it
    came from. Raises Unsaved where something else is there, unless `force` may move that to lost+found."""
    parent = Path(os.path.realpath(to.parent))
    sweep_temps(parent)
    workspace = Workspace(root=parent, state=State(None), modes_bind=modes_bind(parent))
    lost = user_cache_dir(environ) / "lost+found" / time.strftime("%Y%m%d-%H%M%S", time.gmtime()) if force else None
    name = os.fsencode(to.name)
    if copied.directory:
        outcome, saved = _directory(workspace, cache, name, copied, lost, early)
    else:
        outcome, saved = _file(workspace, cache, name, copied, lost, early)
    workspace.sweep()
    lacking = [*outcome.missing, *outcome.damaged, *outcome.refused]
    errors = [failure_of(error) for _, error in copied.failed]
    errors += [failure_of(PartlyDone(f"{named(item)}: was not written", path=os.fsdecode(item))) for item in lacking]
    return Got(
        path=path,
        out=os.fspath(to),
        directory=copied.directory,
        size=copied.size,
        files=copied.files,
        written=outcome.written,
        saved_to=os.fspath(lost) if saved and lost is not None else None,
        errors=tuple(errors),
    )


def _file(
    workspace: Workspace, cache: Cache, name: bytes, copied: Copied, lost: Path | None, early: EarlyCopies | None
) -> tuple[Outcome, bool]:
    job = FileCheckout(
        workspace=workspace,
        cache=cache,
        path=name,
        target=Entry(EXECUTABLE if copied.executable else FILE, name, copied.oid, copied.size),
        here=None,
        links=(),
        durability=cache.durability,
        early=early,
    )
    right, _ = job.current()
    if right:
        return Outcome(), False
    there = workspace.kind(name) is not None
    if there:
        _make_way(workspace, name, lost)
    return job.apply(NOBODY), there


def _directory(
    workspace: Workspace, cache: Cache, name: bytes, copied: Copied, lost: Path | None, early: EarlyCopies | None
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
        early=early,
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
