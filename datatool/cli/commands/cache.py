"""`datatool cache …`: look at the cache and clean it."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Annotated

from datatool.cli.command import command
from datatool.cli.declare import Option
from datatool.cli.options import DryRun, OptionalTargets
from datatool.cli.screen import aligned
from datatool.cli.session import Session
from datatool.model.figures import counted, human_size
from datatool.model.paths import show
from datatool.operations import cache_info as operation
from datatool.operations.cache_key import cache_key
from datatool.operations.downloads import clean_downloads
from datatool.operations.open_project import open_project, project_if_any


@command("datatool cache info")
def info(session: Session) -> int:
    """Show what the cache holds."""
    with open_project(None, flags=session.flags, environ=session.environ) as project:
        result = operation.cache_info(project)

    def lines() -> list[str]:
        rows = [
            ("directory", show(result.path)),
            ("objects", f"{result.objects:,}"),
            ("packs", f"{result.packs:,}"),
            ("size", f"{human_size(result.bytes)}, of which {human_size(result.loose_bytes)} outside packs"),
        ]
        if result.corrupt:
            rows.append(("damaged", f"{result.corrupt:,} set aside"))
        if result.trash_bytes:
            rows.append(("trash", f"{human_size(result.trash_bytes)} (datatool gc --apply deletes it after a day)"))
        if result.temporary:
            rows.append(("temporary", f"{counted(result.temporary, 'file')} (datatool cache clean removes them)"))
        return aligned(rows)

    return session.finish(result, lines)


@command("datatool cache dir", 'du -sh "$(datatool cache dir)"')
def dir_(session: Session) -> int:
    """Print where the cache is."""
    with open_project(None, flags=session.flags, environ=session.environ) as project:
        path = operation.cache_dir(project)
    return session.finish({"path": path}, lambda: [path])


@command("datatool cache key", "datatool cache key data/raw")
def key(session: Session, paths: OptionalTargets = None) -> int:
    """Print a key that is equal where the data is, to keep the cache under in CI.

    It is made from the pointers of the work tree: equal data gives an equal key, on any machine and at any path. No
    object has to be here, and no remote is asked.
    """
    with open_project(None, flags=session.flags, environ=session.environ) as project:
        result = cache_key(project, paths or (), cwd=session.cwd)
    return session.finish(result, lambda: [result.key])


@command("datatool cache clean", "datatool cache clean --downloads --dry-run")
def clean(
    session: Session,
    downloads: Annotated[
        bool, Option("--downloads", help="Also what was downloaded of registries and URLs, for all projects")
    ] = False,
    dry_run: DryRun = False,
) -> int:
    """Remove what can be made again, never an object of the project.

    With --downloads also what this user's own cache has of registries: clones, objects, and the files that
    datatool.path gave out. It works outside of projects too.
    """
    opened = project_if_any(flags=session.flags, environ=session.environ) if downloads else None
    if not downloads:
        opened = open_project(None, flags=session.flags, environ=session.environ)
    result = operation.CacheCleaned(removed=0, bytes=0, downloads=downloads, dry_run=dry_run)
    with opened or nullcontext() as project:
        if downloads:
            result += clean_downloads(project, environ=session.environ, dry_run=dry_run)
        if project is not None:
            result += operation.cache_clean(project, dry_run=dry_run)
    verb = "would remove" if dry_run else "removed"
    return session.finish(
        result,
        lambda: [f"{verb} {counted(result.removed, 'file')}, {human_size(result.bytes)}"],
        chatter=not dry_run,
    )
