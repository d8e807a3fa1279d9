"""Which remote is meant."""

from __future__ import annotations

import difflib

from datatool.errors import RemoteNotFound
from datatool.model.pointer import Pointer
from datatool.project.project import Project


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
        raise no_such_remote(project, name)
    return name


def read_order(project: Project, given: str | None, pointer: Pointer) -> tuple[str, ...]:
    """The remotes to read from, in the order to try: the one given alone, else those of the setting `read`, and then
    the artifact's own or the default one. Raises RemoteNotFound."""
    if given is not None:
        return (remote_name(project, given),)
    first = [remote_name(project, name) for name in project.config.read_first]
    if first and pointer.remote is None and project.config.default_remote is None:
        return tuple(first)
    return tuple(dict.fromkeys([*first, remote_name(project, None, pointer)]))


def write_names(project: Project, given: str | None, pointer: Pointer) -> tuple[str, ...]:
    """The remotes to push to: the one given alone, else the artifact's own or the default one, and every mirror.
    Raises RemoteNotFound."""
    if given is not None:
        return (remote_name(project, given),)
    return tuple(dict.fromkeys([remote_name(project, None, pointer), *project.config.mirrors]))


def no_such_remote(project: Project, name: str) -> RemoteNotFound:
    """The error for a name that no remote has, with the nearest that one has."""
    if name in project.config.remotes():
        return RemoteNotFound(
            f"{name}: this remote has settings, and no URL", hint=f"datatool remote set {name} url=URL gives it one"
        )
    near = difflib.get_close_matches(name, list(project.config.remotes()), n=1)
    return RemoteNotFound(
        f"{name}: no such remote",
        hint=f"did you mean {near[0]}?" if near else f"datatool remote add {name} URL",
    )
