"""From a remote's name to the open remote, with what moves to and from it counted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from msgspec import Struct

from datatool.errors import DatatoolError, PartlyDone, RemoteDenied, RemoteError
from datatool.operations.remote_names import remote_name
from datatool.project.project import Project
from datatool.remote.connect import TIMEOUT, connect
from datatool.remote.session import Remote
from datatool.remote.url import label_of
from datatool.store.counting import CountingStore


class Connection(Struct, frozen=True, kw_only=True):
    """A remote ready to be opened, its settings, the store that counts requests and bytes, and how many requests may
    be under way."""

    name: str
    settings: dict[str, str]
    remote: Remote
    store: CountingStore
    jobs: int
    label: str
    """What it is called in what this machine remembers of it."""


JOBS = 8
"""Requests under way at once, where neither `-j` nor the setting `jobs` says another number."""


@contextmanager
def named_in_hints(name: str) -> Iterator[None]:
    """A store does not know what its remote is called here: where a hint says NAME, put the name."""
    try:
        yield
    except RemoteError as error:
        error.hint = hint_naming(error.hint, name)
        raise


def hint_naming(hint: str | None, name: str) -> str | None:
    """A store's hint, with the remote's name where it says NAME."""
    return None if hint is None else hint.replace("datatool remote set NAME ", f"datatool remote set {name} ")


def connect_to(project: Project, name: str, *, offline: bool, jobs: int | None = None) -> Connection:
    """Connect to a configured remote; nothing is read yet. Raises RemoteNotFound, RemoteError."""
    jobs = jobs or project.config.number("jobs") or JOBS
    name = remote_name(project, name)
    settings = project.config.remotes()[name]
    with named_in_hints(name):
        inner = connect(
            settings,
            root=project.root,
            offline=offline or project.config.flag("offline"),
            durability=project.config.durability,
            scratch=project.remotes_memory / "uploads",
            jobs=jobs,
            bandwidth=project.config.number("bandwidth"),
            timeout=project.config.number(f"remotes.{name}.timeout") or TIMEOUT,
        )
    store = CountingStore(inner)
    remote = Remote(store, memory_dir=project.remotes_memory, project=project.config.project or "", name=name)
    return Connection(
        name=name,
        settings=settings,
        remote=remote,
        store=store,
        jobs=jobs,
        label=label_of(settings, project.root, os.environ),
    )


def not_readable(
    message: str, cause: RemoteError, remote: str, *, alone: bool, path: str | None = None
) -> DatatoolError:
    """The error for objects that a remote has and does not let read, for the reason `cause`; `alone` if nothing else is
    wrong with what needs them."""
    kind = PartlyDone if not alone else RemoteDenied if isinstance(cause, RemoteDenied) else RemoteError
    return kind(message, hint=hint_naming(cause.hint, remote), path=path)
