"""From a remote's name to the open remote, with what moves to and from it counted."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from datatool.errors import RemoteNotFound
from datatool.model.pointer import Pointer
from datatool.project.project import Project
from datatool.remote.connect import connect
from datatool.remote.session import Remote
from datatool.store.counting import CountingStore


@dataclass(frozen=True, kw_only=True, slots=True)
class Connection:
    """A remote ready to be opened, its settings, and the store that counts requests and bytes."""

    name: str
    settings: dict[str, str]
    remote: Remote
    store: CountingStore


def remote_name(project: Project, given: str | None, pointer: Pointer | None = None) -> str:
    """Which remote is meant: the one given, else the artifact's own, else the default. Raises RemoteNotFound."""
    remotes = project.config.remotes()
    name = given or (pointer.remote if pointer is not None else None) or project.config.default_remote
    if name is None:
        if not remotes:
            raise RemoteNotFound("no remote is configured", hint="datatool remote add NAME URL")
        raise RemoteNotFound(
            "no default remote is configured", hint=f"datatool remote default {sorted(remotes)[0]}, or give -r NAME"
        )
    if name not in remotes or "url" not in remotes[name]:
        near = difflib.get_close_matches(name, list(remotes), n=1)
        raise RemoteNotFound(
            f"{name}: no such remote",
            hint=f"did you mean {near[0]}?" if near else f"datatool remote add {name} URL",
        )
    return name


def connect_to(project: Project, name: str, *, offline: bool) -> Connection:
    """Connect to a configured remote; nothing is read yet. Raises RemoteNotFound, RemoteError."""
    settings = project.config.remotes()[remote_name(project, name)]
    store = CountingStore(
        connect(
            settings,
            root=project.root,
            offline=offline or project.config.flag("offline"),
            durability=project.config.durability,
        )
    )
    remote = Remote(store, memory_dir=project.remotes_memory, project=project.config.project or "", name=name)
    return Connection(name=name, settings=settings, remote=remote, store=store)
