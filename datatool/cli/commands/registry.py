"""`datatool registry …`: names for registries."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Annotated

from datatool.cli.command import command
from datatool.cli.declare import Argument, Option
from datatool.cli.screen import aligned
from datatool.cli.session import Session
from datatool.model.paths import show
from datatool.operations import registry_names as operation
from datatool.operations.open_project import project_if_any

Name = Annotated[str, Argument(metavar="NAME", help="The registry's name")]
User = Annotated[bool, Option("--user", help="In your own configuration, for all projects")]


@command(
    "datatool registry add songs https://example.org/songs.git",
    "datatool registry add lab git@lab.example.org:data.git --trust",
)
def add(
    session: Session,
    name: Name,
    url: Annotated[str, Argument(metavar="URL", help="A path, or a URL that git understands")],
    trust: Annotated[
        bool, Option("--trust", help="Let it name directories and endpoints (kept in your own configuration)")
    ] = False,
    user: User = False,
) -> int:
    """Give a registry a name.

    The name then stands for the URL wherever a registry is named. It goes to the project's committed configuration,
    where a relative path is from the project's root; with --user, and outside a project, to your own.
    """
    project = project_if_any(flags=session.flags, environ=session.environ)
    with project or nullcontext():
        result = operation.add_registry(
            project, name, url, cwd=session.cwd, environ=session.environ, trust=trust, user=user
        )
    if result.path_only:
        session.progress.hint("others need the registry at that path too; --user keeps a name for yourself")
    return session.finish(
        result,
        lambda: [f"{show(result.name)} stands for {show(result.url)}, set in {show(result.path)} ({result.scope})"],
        chatter=True,
    )


@command("datatool registry list")
def list_(session: Session) -> int:
    """List the registries that have a name."""
    project = project_if_any(flags=session.flags, environ=session.environ)
    with project or nullcontext():
        found = operation.list_registries(project, environ=session.environ)
    return session.finish(
        {"registries": [{"name": one.name, "url": one.url, "trust": one.trust} for one in found]},
        lambda: aligned((show(one.name), show(one.url), "(trusted)" if one.trust else "") for one in found),
    )


@command("datatool registry remove songs")
def remove(session: Session, name: Name) -> int:
    """Forget a registry's name.

    Imports keep the URL that they came from.
    """
    project = project_if_any(flags=session.flags, environ=session.environ)
    with project or nullcontext():
        result = operation.remove_registry(project, name, environ=session.environ)
    return session.finish(
        result, lambda: [f"{show(result.name)} no longer stands for {show(result.url)}"], chatter=True
    )
