"""Content as files that any program can open: read-only, in the user's own cache, named as they are in the project.

`views/<oid>/<name>` holds one version of a file or directory, so a path that was given out stays right. It is checked
each time it is asked for: by the times of its files, and where those do not tell, by its bytes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from datatool.errors import DamageFound, PartlyDone, UnsafeInput
from datatool.index.state import State
from datatool.localfs.atomic import make_dirs
from datatool.localfs.links import modes_bind
from datatool.localfs.locks import Lock
from datatool.localfs.removal import remove_tree
from datatool.model.entry import EXECUTABLE, FILE, Entry
from datatool.model.paths import PathRefused, check_escape, named
from datatool.model.settings import Durability, LinkMethod
from datatool.operations.contents.content import Held
from datatool.operations.registries import user_home
from datatool.operations.space import room_for
from datatool.progress import NOBODY
from datatool.workspace.checkout import Checkout
from datatool.workspace.checkout_file import FileCheckout
from datatool.workspace.placing import Outcome
from datatool.workspace.present import Workspace

LINKS: Final = (LinkMethod.HARDLINK, LinkMethod.REFLINK, LinkMethod.COPY)


def view(held: Held, path: bytes, *, environ: Mapping[str, str]) -> Path:
    """The place of what is held, under the last name of `path`; it is made where it is not there, or not right.

    Two processes may ask for the same at once. Raises UnsafeInput for a name that may not be written, NoSpace,
    LocalError, DamageFound.
    """
    name = os.path.basename(path) or b"files"
    try:
        check_escape(name)
    except PathRefused as error:
        raise UnsafeInput(f"{named(path)}: {error.reason}", path=os.fsdecode(path)) from error
    home = user_home(environ)
    top = home / "views"
    make_dirs(top / held.oid)
    with (
        Lock(home / "locks" / f"{held.oid}.view", purpose="datatool.path"),
        State(home / "views.db") as state,
        room_for(named(path), held.size, "the user's cache", home),
    ):
        workspace = Workspace(root=top, state=state, modes_bind=modes_bind(top))
        relative = held.oid.encode() + b"/" + name
        outcome = (_directory if held.directory else _file)(workspace, held, relative)
    if outcome.missing or outcome.damaged or outcome.refused:
        lacking = [*outcome.damaged, *outcome.missing, *outcome.refused][0]
        kind = DamageFound if outcome.damaged else PartlyDone
        raise kind(
            f"{named(path)}: {named(lacking)} could not be had from the cache any more",
            hint="run this again",
            path=os.fsdecode(path),
        )
    return top / held.oid / os.fsdecode(name)


def _file(workspace: Workspace, held: Held, path: bytes) -> Outcome:
    job = FileCheckout(
        workspace=workspace,
        cache=held.cache,
        path=path,
        target=Entry(EXECUTABLE if held.executable else FILE, path, held.oid, held.size),
        here=None,
        links=LINKS,
        durability=Durability.NONE,
        read_only=True,
    )
    right, _ = job.current()
    if right:
        return Outcome()
    remove_tree(Path(os.fsdecode(workspace.full(path))))
    return job.apply(NOBODY)


def _directory(workspace: Workspace, held: Held, path: bytes) -> Outcome:
    job = Checkout(
        workspace=workspace,
        cache=held.cache,
        load=held.load,
        artifact=path,
        here=None,
        target=held.oid,
        links=LINKS,
        durability=Durability.NONE,
        read_only=True,
    )
    full = Path(os.fsdecode(workspace.full(path)))
    make_dirs(full)
    plan = job.plan()
    if plan.unsaved or plan.kept or plan.first:  # somebody changed it: what a view shows is one version and no more
        remove_tree(full)
        workspace.state.forget(path)
        make_dirs(full)
        plan = job.plan()
    return job.apply(plan, NOBODY)
