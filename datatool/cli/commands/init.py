"""`datatool init`: make the git repository around a directory a project."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from datatool.cli.command import command
from datatool.cli.declare import Argument, Option
from datatool.cli.screen import seen_from
from datatool.cli.session import Session
from datatool.model.paths import show
from datatool.operations import init as operation


@command("datatool init", "datatool init --remote /mnt/share/data", "datatool init ~/study --roles")
def init(
    session: Session,
    directory: Annotated[str, Argument(metavar="[DIR]", help="The directory; the current one by default")] = ".",
    remote: Annotated[str | None, Option("--remote", metavar="URL", help="Set this remote as the default")] = None,
    roles: Annotated[bool, Option("--roles", help="Make directories for sources, intermediates and results")] = False,
) -> int:
    """Make the git repository around a directory a project.

    Where there is no git repository, `git init` is run first. What is there already stays as it is, so running it
    again is safe. Nothing is committed: look with `git status`, then commit.
    """
    result = operation.init(Path(directory), remote=remote, roles=roles, progress=session.progress)

    def lines() -> list[str]:
        said = [f"made a git repository in {show(result.root)}"] if result.git_initialised else []
        said += [f"wrote {seen_from(session.cwd, Path(result.root), path)}" for path in result.written]
        said.append(f"{show(result.root)} is a datatool project" + ("" if result.created else " already"))
        return said

    return session.finish(result, lines, chatter=True)
