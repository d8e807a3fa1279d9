"""`datatool list`: git-tracked and data files together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, cast

from datatool.cli.command import command
from datatool.cli.declare import Argument, Option
from datatool.cli.options import RemoteSettings, RemoteUrl
from datatool.cli.screen import aligned
from datatool.cli.session import Session
from datatool.cli.table import OWN_COMMIT_LIST, PROJECT_LIST, REGISTRY_LIST, part
from datatool.model.figures import human_size
from datatool.model.paths import show
from datatool.operations.listed import ListEntry, ListResult, is_registry
from datatool.operations.open_project import open_project, project_if_any
from datatool.operations.reach import Reach, settings_here


@command("datatool list", "datatool list -R --long data", "datatool list https://example.org/registry.git --rev v1.0")
def list_(
    session: Session,
    repo: Annotated[
        str | None,
        Argument(metavar="[REPO]", help="A registry: a path, a URL or its name; this project otherwise"),
    ] = None,
    path: Annotated[str | None, Argument(metavar="[PATH]", help="A file or directory of it")] = None,
    recursive: Annotated[bool, Option("-R", "--recursive", help="Go into directories")] = False,
    rev: Annotated[
        str | None, Option("--rev", metavar="REV", help="A branch, tag or commit instead of what is there now")
    ] = None,
    tree: Annotated[bool, Option("--tree", help="Show directories as a tree")] = False,
    data_only: Annotated[bool, Option("--data-only", help="Leave out what git tracks")] = False,
    long: Annotated[bool, Option("--long", help="Show sizes, origins and ids")] = False,
    remote: RemoteUrl = None,
    setting: RemoteSettings = None,
) -> int:
    """List git-tracked and data files together.

    Shows what a project or registry offers, at any revision, without a checkout or a full clone.
    """
    root: Path | None = None
    opened = open_project if repo is None else project_if_any  # only a registry can be listed from anywhere
    project = opened(None, flags=session.flags, environ=session.environ)
    with project or nullcontext():
        if project is not None and path is None and not is_registry(project, repo, cwd=session.cwd):
            root = project.root
            if rev is None:
                listing = part(PROJECT_LIST)(
                    project,
                    repo,
                    cwd=session.cwd,
                    recursive=recursive or tree,
                    data_only=data_only,
                    offline=session.offline,
                )
            else:
                listing = part(OWN_COMMIT_LIST)(
                    project,
                    rev,
                    repo,
                    cwd=session.cwd,
                    environ=session.environ,
                    recursive=recursive or tree,
                    data_only=data_only,
                    offline=session.offline,
                )
        else:
            assert repo is not None, "without one, the project is listed"
            listing = part(REGISTRY_LIST)(
                repo,
                path,
                cwd=session.cwd,
                config=settings_here(project, flags=session.flags, environ=session.environ),
                environ=session.environ,
                recursive=recursive or tree,
                rev=rev,
                data_only=data_only,
                reach=Reach(remote=remote, settings=setting or (), offline=session.offline),
            )
    result = cast(ListResult, listing)
    for entry in result.entries:
        if entry.problem:
            session.progress.warn(f"{show(entry.path)}: {entry.problem}")

    def lines() -> Iterator[str]:
        names = [
            show(entry.path) + "/" * (entry.kind == "directory")
            if root is None
            else session.see(root, entry.path, directory=entry.kind == "directory")
            for entry in result.entries
        ]
        if tree:
            return _tree(names)
        return iter(_long(result.entries, names)) if long else iter(names)

    return session.finish(result, lines)


def _long(entries: Sequence[ListEntry], names: Sequence[str]) -> list[str]:
    rows = (
        (
            "-" if entry.size is None else human_size(entry.size),
            entry.origin,
            "x" if entry.executable else "-",
            entry.oid.removeprefix("sha256:")[:12] if entry.oid else (entry.id or "-")[:16],
            name,
        )
        for entry, name in zip(entries, names, strict=True)
    )
    return aligned(rows, right=frozenset({0}))


def _tree(names: Sequence[str]) -> Iterator[str]:
    above: list[str] = []
    for parts in sorted(_parts(name) for name in names):
        same = [one == other for one, other in zip(above, parts, strict=False)]
        for depth in range((*same, False).index(False), len(parts)):
            yield "  " * depth + parts[depth]
        above = parts


def _parts(name: str) -> list[str]:
    """The names along a path, directories with a slash: `a/b` → `a/`, `b`."""
    *directories, last = name.split("/")
    return [directory + "/" for directory in directories] + ([last] if last else [])
