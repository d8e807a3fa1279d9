"""Remotes: named places, kept in the configuration; only `check_remote` contacts one."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from datatool.config.edit import scope_path, set_values
from datatool.config.keys import KEYS, Scope, is_name, lookup, names, proper_name
from datatool.errors import Refused, RemoteError, RemoteNotFound, UsageError
from datatool.model.urls import without_secrets
from datatool.operations.failures import Failure, failure_of
from datatool.operations.remote_access import connect_to, hint_naming, named_in_hints
from datatool.operations.remote_names import remote_name
from datatool.operations.result import Part, Result, fields_of
from datatool.operations.targets import select
from datatool.project.project import Project
from datatool.remote.check import CheckStep, check, leftovers
from datatool.remote.connect import check_settings
from datatool.remote.url import DIRECTORY, parse_url
from datatool.store.protocol import Leftover
from datatool.workspace.pointers import owner

__all__ = ["CheckStep", "RemoteCheck", "RemoteInfo", "RemoteResult"]

_HIDDEN = "…"
_DAY = 86_400.0


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoteResult(Result):
    """A remote after a change, and the configuration files that were written."""

    name: str
    url: str
    default: bool
    written: tuple[str, ...]
    pointers: tuple[str, ...] = ()
    """Pointers that still name the remote by its old name."""
    others: tuple[str, ...] = ()
    """After a removal, the remotes that are left."""

    def to_dict(self) -> dict[str, object]:
        """As `--json` prints it."""
        return fields_of(self, "pointers", "others")


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoteInfo(Part):
    """A configured remote; a secret among its settings is shown as `…`."""

    name: str
    url: str
    default: bool
    settings: dict[str, str]
    mirror: bool = False
    """Whether every push goes there, too."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoteCheck(Result):
    """What a remote was seen to do, and what its kind of store can do."""

    name: str
    url: str
    steps: tuple[CheckStep, ...]
    capabilities: dict[str, bool]
    leftovers: tuple[Leftover, ...]
    """Uploads that were begun and not finished."""
    discarded: int = 0
    """How many of them, a day old or more, were deleted."""

    def to_dict(self) -> dict[str, object]:
        """As `--json` prints it."""
        return {
            **fields_of(self, "steps", "leftovers"),
            "ok": not self.problems,
            "steps": [{"name": step.name, "ok": step.ok, "detail": step.detail} for step in self.steps],
            "leftovers": [{"name": item.name, "bytes": item.size, "time": item.time} for item in self.leftovers],
        }

    @property
    def problems(self) -> tuple[Failure, ...]:
        """What the remote can't do."""
        return tuple(
            failure_of(
                RemoteError(
                    f"{self.name}: {step.name} failed: {step.detail}",
                    hint=hint_naming(step.hint, self.name),
                    path=self.url,
                )
            )
            for step in self.steps
            if not step.ok
        )


def add_remote(
    project: Project,
    name: str,
    url: str,
    *,
    default: bool = False,
    settings: Mapping[str, str] | None = None,
    local: bool = False,
    cwd: Path | None = None,
) -> RemoteResult:
    """Write a remote into the configuration; nothing is contacted. The first one becomes the default.

    A relative directory is taken from `cwd` (the current directory) and kept relative to the project's root. Raises
    UsageError for a bad name or URL and for a name that is taken, Refused for a secret in the committed file.
    """
    _require_name(name)
    remotes = project.config.remotes()
    if name in remotes:
        raise UsageError(
            f"{name}: there is a remote of that name already ({without_secrets(remotes[name].get('url', 'no URL'))})",
            hint=f"datatool remote set {name} url={without_secrets(url)}, or choose another name",
        )
    url = _from_root(project, url, cwd or Path.cwd())
    first = not remotes
    wanted = {"url": url, **(settings or {})}
    check_settings(parse_url(url, root=project.root), wanted)
    written = _write(project, name, wanted, local=local)
    if default or first:
        written += _write_default(project, name, local=local)
    return RemoteResult(
        name=name, url=without_secrets(url), default=default or first, written=tuple(dict.fromkeys(written))
    )


def list_remotes(project: Project) -> tuple[RemoteInfo, ...]:
    """The configured remotes, by name."""
    return tuple(
        RemoteInfo(
            name=name,
            url=_shown_url(settings),
            default=name == project.config.default_remote,
            settings={
                key: _HIDDEN if _is_secret(name, key) else value
                for key, value in sorted(settings.items())
                if key != "url"
            },
            mirror=name in project.config.mirrors,
        )
        for name, settings in sorted(project.config.remotes().items())
    )


def set_remote(project: Project, name: str, settings: Mapping[str, str], *, local: bool = False) -> RemoteResult:
    """Change settings of a remote; an empty value removes one. Raises RemoteNotFound, UsageError, Refused."""
    known = _require(project, name)
    changes: dict[str, str | None] = {}
    for key, value in settings.items():
        if key == "url" and not value:
            raise UsageError(f"{name}: a remote needs a URL", hint=f"datatool remote remove {name} removes it")
        changes[key] = (_from_root(project, value, Path.cwd()) if key == "url" else value) or None
    then = {key: value for key, value in {**known, **changes}.items() if value is not None}
    check_settings(parse_url(then.get("url", ""), root=project.root), then)
    written = _write(project, name, changes, local=local)
    return RemoteResult(
        name=name,
        url=without_secrets(changes.get("url") or known.get("url", "")),
        default=name == project.config.default_remote,
        written=tuple(written),
    )


def remove_remote(project: Project, name: str) -> RemoteResult:
    """Remove a remote from the configuration; what lies there is not touched. Raises RemoteNotFound."""
    known = _require(project, name)
    written = []
    was_default = project.config.default_remote == name
    for scope in (Scope.PROJECT, Scope.LOCAL, Scope.USER):
        changes: dict[str, str | None] = {f"remotes.{name}.{key}": None for key in known}
        if was_default:
            changes["remote"] = None
        order = _read_order(project, scope)
        if name in order:
            changes["read"] = ", ".join(other for other in order if other != name) or None
        written += _write_in(project, scope, changes)
    return RemoteResult(
        name=name,
        url=_shown_url(known),
        default=was_default,
        written=tuple(written),
        others=tuple(other for other in project.config.remotes() if other != name),
    )


def rename_remote(project: Project, old: str, new: str) -> RemoteResult:
    """Give a remote another name, in every configuration file that names it. Raises RemoteNotFound, UsageError."""
    known = _require(project, old)
    _require_name(new)
    if new in project.config.remotes():
        raise UsageError(f"{new}: there is a remote of that name already", hint="choose another name")
    was_default = project.config.default_remote == old
    written = []
    for scope in (Scope.PROJECT, Scope.LOCAL, Scope.USER):
        here = {
            key: value
            for key, value in _in_scope(project, scope).items()
            if key.startswith(f"remotes.{old}.") and key.rpartition(".")[2] in known
        }
        changes: dict[str, str | None] = dict.fromkeys(here)
        changes |= {f"remotes.{new}.{key.rpartition('.')[2]}": value for key, value in here.items()}
        if was_default and _in_scope(project, scope).get("remote") == old:
            changes["remote"] = new
        order = _read_order(project, scope)
        if old in order:
            changes["read"] = ", ".join(new if name == old else name for name in order)
        written += _write_in(project, scope, changes)
    return RemoteResult(
        name=new,
        url=_shown_url(known),
        default=was_default,
        written=tuple(written),
        pointers=tuple(
            os.fsdecode(item.artifact.pointer_path)
            for item in select(project, (), project.root)[0]
            if item.artifact.pointer.remote == old
        ),
    )


def default_remote(project: Project, name: str) -> RemoteResult:
    """Make a remote the default one. Raises RemoteNotFound."""
    known = _require(project, name)
    written = _write_default(project, name, local=False)
    return RemoteResult(name=name, url=_shown_url(known), default=True, written=tuple(written))


def check_remote(
    project: Project, name: str | None = None, *, clean: bool = False, offline: bool = False
) -> RemoteCheck:
    """Prove that a remote can be written, read, listed and deleted from, and tell which uploads were never finished.

    `clean` deletes those that began at least a day ago; a younger one may be under way. Raises RemoteNotFound,
    RemoteError.
    """
    chosen = remote_name(project, name)
    connection = connect_to(project, chosen, offline=offline)
    with named_in_hints(chosen):
        connection.remote.open(afresh=True)
        store = connection.store
        capabilities = store.capabilities
        steps = check(store)
        if connection.remote.damaged_records:
            hurt = connection.remote.damaged_records[0]
            told = f"{hurt} is damaged or gone; datatool push --verify restores what it can"
            steps += (CheckStep(name="index", ok=False, detail=told),)
        may_write = capabilities.write and all(step.ok for step in steps if step.name == "write")
        begun, unseen = leftovers(store) if may_write else ((), None)
        steps += () if unseen is None else (unseen,)
        old = [item for item in begun if item.time <= store.server_time() - _DAY] if clean and begun else []
        for item in old:
            store.discard(item)
    return RemoteCheck(
        name=chosen,
        url=connection.remote.label,
        steps=steps,
        capabilities={
            "write": capabilities.write,
            "list": capabilities.list,
            "delete": capabilities.delete,
            "checksum": capabilities.checksum,
            "conditional": capabilities.conditional,
            "multipart": capabilities.multipart,
        },
        leftovers=begun,
        discarded=len(old),
    )


def _require(project: Project, name: str) -> dict[str, str]:
    remotes = project.config.remotes()
    if name not in remotes:
        near = difflib.get_close_matches(name, list(remotes), n=1)
        raise RemoteNotFound(
            f"{name}: no such remote",
            hint=f"did you mean {near[0]}?" if near else "datatool remote list shows what there is",
        )
    return remotes[name]


def _require_name(name: str) -> None:
    if not is_name(name):
        raise UsageError(
            f"{name}: a remote's name has only letters, digits, '_', '-' and '.'", hint=f"such as {proper_name(name)}"
        )


def _from_root(project: Project, url: str, cwd: Path) -> str:
    """Check a URL; a relative directory is rewritten from the current directory to the project's root."""
    place = parse_url(url, root=cwd)
    if place.protocol == DIRECTORY:
        _refuse_inside_data(project, url, place.path)
    if place.protocol != DIRECTORY or url.startswith(("~", "file:")) or os.path.isabs(url):
        return url
    return Path(os.path.relpath(place.path, project.root)).as_posix()


def _refuse_inside_data(project: Project, url: str, path: str) -> None:
    """A remote's files must not become data, nor lie among the project's own."""
    relative = os.path.relpath(path, project.root)
    if relative == os.curdir:
        raise Refused(f"{url}: is the project itself", hint="name a directory outside it", path=url)
    if not relative.startswith(os.pardir):
        around = owner(project.root, os.fsencode(relative).replace(os.fsencode(os.sep), b"/"))
        if around is not None:
            raise Refused(
                f"{url}: lies inside {around.name}, which datatool tracks", hint="name a directory outside it", path=url
            )


def _shown_url(settings: Mapping[str, str]) -> str:
    return without_secrets(settings.get("url", ""))


def _is_secret(name: str, key: str) -> bool:
    row = lookup(f"remotes.{name}.{key}")
    return row is not None and row.secret


def _write(project: Project, name: str, settings: Mapping[str, str | None], *, local: bool) -> list[str]:
    scopes: dict[Scope, dict[str, str | None]] = {}
    for key, value in settings.items():
        whole = f"remotes.{name}.{key}"
        row = lookup(whole)
        if row is None:
            known = sorted(row.pattern.rpartition(".")[2] for row in KEYS if row.pattern.startswith("remotes.NAME."))
            near = difflib.get_close_matches(key, known, n=1)
            raise UsageError(
                f"{key}: no such setting of a remote",
                hint=f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}",
            )
        scopes.setdefault(Scope.LOCAL if local else row.scope, {})[whole] = value
    written: list[str] = []
    for scope, changes in scopes.items():
        written += _write_in(project, scope, changes)
    return written


def _write_default(project: Project, name: str, *, local: bool) -> list[str]:
    return _write_in(project, Scope.LOCAL if local else Scope.PROJECT, {"remote": name})


def _write_in(project: Project, scope: Scope, changes: Mapping[str, str | None]) -> list[str]:
    path = scope_path(scope, project.root, project.local)
    if all(value is None for value in changes.values()) and not path.exists():
        return []
    return [os.fspath(path)] if changes and set_values(path, changes) else []


def _read_order(project: Project, scope: Scope) -> tuple[str, ...]:
    """The remotes that a file says to read first."""
    return names(_in_scope(project, scope).get("read", "")) or ()


def _in_scope(project: Project, scope: Scope) -> dict[str, str]:
    """What a file sets, secrets as they are."""
    return {key: found.value for key, found in project.config.settings.items() if found.origin == scope}
