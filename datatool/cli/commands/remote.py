"""`datatool remote …`: add, list, change and check remotes; `remote copy` is a module of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Annotated

from datatool.cli.command import command
from datatool.cli.declare import Argument, Option
from datatool.cli.options import settings_of
from datatool.cli.screen import aligned
from datatool.cli.session import Session
from datatool.model.figures import counted, human_size
from datatool.model.paths import show
from datatool.operations import remotes as operation
from datatool.operations.open_project import open_project

Name = Annotated[str, Argument(metavar="NAME", help="The remote's name")]
Local = Annotated[bool, Option("--local", help="Write to the local, uncommitted configuration")]


@command(
    "datatool remote add origin /mnt/share/data", "datatool remote add lab ssh://host/data -d --set user=ada --local"
)
def add(
    session: Session,
    remote: Annotated[str, Argument(metavar="NAME", help="A name of your choice")],
    url: Annotated[str, Argument(metavar="URL", help="A directory, or a URL such as s3://bucket/data")],
    default: Annotated[bool, Option("-d", "--default", help="Make it the default remote")] = False,
    setting: Annotated[list[str] | None, Option("--set", metavar="K=V", help="A setting; repeat for more")] = None,
    local: Local = False,
) -> int:
    """Add a remote.

    Only writes configuration: nothing is contacted, and the first push makes the directory. The first remote becomes
    the default.
    """
    settings = settings_of(setting)
    with open_project(None, flags=session.flags, environ=session.environ) as project:
        result = operation.add_remote(project, remote, url, default=default, settings=settings, local=local)
    return _finish(session, result, "added remote")


def roles(one: operation.RemoteInfo) -> str:
    """What a remote is used for."""
    found = [word for word, is_so in (("default", one.default), ("mirror", one.mirror)) if is_so]
    return f"({', '.join(found)})" if found else ""


@command("datatool remote list")
def list_(session: Session) -> int:
    """List the remotes."""
    with open_project(None, flags=session.flags, environ=session.environ) as project:
        remotes = operation.list_remotes(project)

    def lines() -> list[str]:
        return aligned((show(one.name), show(one.url), roles(one)) for one in remotes)

    return session.finish(
        {
            "remotes": [
                {"name": one.name, "url": one.url, "default": one.default, "settings": dict(one.settings)}
                for one in remotes
            ]
        },
        lines,
    )


@command("datatool remote set origin url=/mnt/new/data", "datatool remote set lab user=ada --local")
def set_(
    session: Session,
    remote: Name,
    settings: Annotated[list[str], Argument(metavar="K=V…", help="Settings")],
    local: Local = False,
) -> int:
    """Change settings of a remote."""
    pairs = settings_of(settings)
    with open_project(None, flags=session.flags, environ=session.environ) as project:
        result = operation.set_remote(project, remote, pairs, local=local)
    return _finish(session, result, "changed remote")


@command("datatool remote remove backup")
def remove(session: Session, remote: Name) -> int:
    """Forget a remote.

    Only the configuration changes; what lies there stays.
    """
    with open_project(None, flags=session.flags, environ=session.environ) as project:
        result = operation.remove_remote(project, remote)
    if result.default:
        others = sorted(result.others)
        hint = f"datatool remote default {others[0]}" if others else "datatool remote add NAME URL"
        session.progress.warn("there is no default remote now", hint=hint)
    return _finish(session, result, "removed remote")


@command("datatool remote rename origin share")
def rename(
    session: Session,
    remote: Name,
    new: Annotated[str, Argument(metavar="NEW", help="Its new name")],
) -> int:
    """Rename a remote."""
    with open_project(None, flags=session.flags, environ=session.environ) as project:
        result = operation.rename_remote(project, remote, new)
    for pointer in result.pointers:
        session.progress.warn(f"{pointer} still names the remote {remote}", hint=f"change its line to remote: {new}")
    return _finish(session, result, f"renamed remote {show(remote)} to")


@command("datatool remote default backup")
def default(session: Session, remote: Name) -> int:
    """Choose the default remote."""
    with open_project(None, flags=session.flags, environ=session.environ) as project:
        result = operation.default_remote(project, remote)
    return _finish(session, result, "default remote is now")


@command("datatool remote check", "datatool remote check backup --clean")
def check(
    session: Session,
    remote: Annotated[str | None, Argument(metavar="[NAME]", help="The remote; the default one if left out")] = None,
    clean: Annotated[bool, Option("--clean", help="Delete unfinished uploads that began a day ago or earlier")] = False,
) -> int:
    """Prove what a remote can do.

    Writes, reads, lists, replaces and deletes a small object there and says how each went. Uploads that were begun
    and never finished are listed: the next push of the same data goes on with them.
    """
    with open_project(None, flags=session.flags, environ=session.environ) as project:
        result = operation.check_remote(project, remote, clean=clean, offline=session.offline)

    def lines() -> Iterator[str]:
        yield f"{show(result.name)}  {show(result.url)}"
        yield from aligned(("ok" if step.ok else "failed", step.name, show(step.detail)) for step in result.steps)
        if able := [name for name, can in result.capabilities.items() if can]:
            yield f"it can: {', '.join(able)}"
        if result.leftovers:
            yield f"{counted(len(result.leftovers), 'unfinished upload')}:"
            yield from aligned(
                (show(item.name), human_size(item.size), time.strftime("%Y-%m-%d %H:%M", time.localtime(item.time)))
                for item in result.leftovers
            )
        if clean:
            yield f"{counted(result.discarded, 'unfinished upload')} deleted"

    return session.finish(result, lines)


def _finish(session: Session, result: operation.RemoteResult, done: str) -> int:
    return session.finish(
        result,
        lambda: [
            f"{done} {show(result.name)}"
            + (f"  {show(result.url)}" if result.url else "")
            + (" (default)" if result.default else "")
        ],
        chatter=True,
    )
