"""`datatool config …`: read and change settings."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Annotated, TypeVar

from datatool.cli.command import command
from datatool.cli.declare import Argument, Option
from datatool.cli.screen import aligned
from datatool.cli.session import Session
from datatool.errors import NotFoundError, ProjectNotFound, UsageError
from datatool.model.paths import show
from datatool.operations import configure as operation
from datatool.operations.open_project import open_project

T = TypeVar("T")

Key = Annotated[str, Argument(metavar="KEY", help="A key such as cache.link or remotes.origin.url")]
InProject = Annotated[bool, Option("--project", help="In the project's committed configuration")]
InLocal = Annotated[bool, Option("--local", help="In the local, uncommitted configuration")]
InUser = Annotated[bool, Option("--user", help="In your own configuration, for all projects")]


@command("datatool config get cache.link", "datatool config get remotes.origin.url")
def get(
    session: Session,
    key: Key,
    show_secrets: Annotated[bool, Option("--show-secrets", help="Print passwords and keys as they are")] = False,
) -> int:
    """Print one setting.

    The value that is in force, wherever it was set; exit code 3 when it is set nowhere and has no default, or when
    there is no such setting. For a secret it prints `…`.
    """
    project = _if_any(lambda: open_project(None, flags=session.flags, environ=session.environ))
    with project or nullcontext():
        found = operation.get_config(project, key, show_secrets=show_secrets)
    if found is None:
        raise NotFoundError(f"{key}: not set", hint=f"datatool config set {key} VALUE")
    if found.hidden:
        session.progress.hint("it is set, and not shown; --show-secrets shows it")
    return session.finish({"key": key, "value": found.value, "hidden": found.hidden}, lambda: [show(found.value)])


@command("datatool config set cache.link hardlink", "datatool config set jobs 4 --user")
def set_(
    session: Session,
    key: Key,
    value: Annotated[str, Argument(metavar="VALUE", help="Its new value")],
    project: InProject = False,
    local: InLocal = False,
    user: InUser = False,
) -> int:
    """Change one setting.

    Without an option each key is written where it belongs: most to the project, secrets to the local configuration.
    """
    scope = _scope(project, local, user)
    opened = _if_any(lambda: open_project(None, flags=session.flags, environ=session.environ))
    with opened or nullcontext():
        change = operation.set_config(opened, key, value, scope)
    return _finish(session, change)


@command("datatool config unset cache.link", "datatool config unset jobs --user")
def unset(session: Session, key: Key, project: InProject = False, local: InLocal = False, user: InUser = False) -> int:
    """Remove one setting.

    The next weaker one then holds: the project's, your own, or the default.
    """
    scope = _scope(project, local, user)
    opened = _if_any(lambda: open_project(None, flags=session.flags, environ=session.environ))
    with opened or nullcontext():
        change = operation.unset_config(opened, key, scope)
    return _finish(session, change)


@command("datatool config list", "datatool config list --show-origin")
def list_(
    session: Session,
    show_origin: Annotated[bool, Option("--show-origin", help="Say where each comes from")] = False,
) -> int:
    """List all settings."""
    project = _if_any(lambda: open_project(None, flags=session.flags, environ=session.environ))
    with project or nullcontext():
        items = operation.list_config(project)
    return session.finish(
        {"items": [{"key": item.key, "value": item.value, "origin": item.origin} for item in items]},
        lambda: (
            aligned((show(item.origin), f"{show(item.key)}={show(item.value)}") for item in items)
            if show_origin
            else [f"{show(item.key)}={show(item.value)}" for item in items]
        ),
    )


def _if_any(opening: Callable[[], T]) -> T | None:
    """What `opening` opens, or None outside any project, where the user's own settings still hold."""
    try:
        return opening()
    except ProjectNotFound:
        return None


def _scope(project: bool, local: bool, user: bool) -> str | None:
    chosen = [name for name, wanted in (("project", project), ("local", local), ("user", user)) if wanted]
    if len(chosen) > 1:
        raise UsageError(f"--{chosen[0]} and --{chosen[1]} can't be combined", hint="choose one")
    return chosen[0] if chosen else None


def _finish(session: Session, change: operation.ConfigChange) -> int:
    done = "set in" if change.value is not None else "removed from" if change.changed else "is not set in"
    return session.finish(
        change, lambda: [f"{show(change.key)} {done} {show(change.path)} ({change.scope})"], chatter=True
    )
