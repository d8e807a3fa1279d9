"""`datatool log`: the versions of an artifact."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from datatool.cli.command import command
from datatool.cli.declare import Argument, Option
from datatool.cli.screen import aligned
from datatool.cli.session import Session
from datatool.model.figures import counted, human_size
from datatool.model.paths import show
from datatool.operations import log as operation
from datatool.operations.open_project import open_project

_SHORT = 10
_COLOURS = {"added": "green", "modified": "yellow", "moved": "cyan", "deleted": "red"}


@command("datatool log data/raw", "datatool log -n 5 data/raw/table.csv", "datatool log model.bin | less -S")
def log(
    session: Session,
    path: Annotated[str, Argument(metavar="PATH", help="An artifact, or a path inside one; also a deleted one")],
    max_count: Annotated[
        int | None, Option("-n", "--max-count", metavar="N", help="Show the newest N versions", min=1)
    ] = None,
) -> int:
    """Show the versions of an artifact.

    Newest first, for each commit that changed it: when, what, size, whether the cache has the data, who, and the
    message; on top what is not committed yet. Follows renames. A path inside a tracked directory has only the versions
    in which it changed.
    """
    with open_project(None, flags=session.flags, environ=session.environ) as project:
        result = operation.log(project, path, cwd=session.cwd, max_count=max_count, progress=session.progress)
        root = project.root
    code = session.finish(result, lambda: _lines(session, result))
    older = _older(result)
    if older is not None and not code:
        name = session.see(root, older.path)
        commit = (older.commit or "")[:_SHORT]
        session.progress.hint(f"datatool checkout {name} --rev {commit} goes back to that version")
    if any(version.kind is None and version.change == "unknown" for version in result.versions):
        session.progress.hint(f"datatool fetch --all-commits {show(path)} brings the lists of older versions here")
    return code


def _lines(session: Session, result: operation.LogResult) -> Iterator[str]:
    if result.state is not None and result.state != "clean":
        yield f"the workspace is {result.state}"
    rows = [_row(result, version) for version in result.versions]
    for (commit, _, change, *_), line in zip(rows, aligned(rows, right=frozenset({3, 4})), strict=True):
        before, _, after = line[len(commit) :].partition(change)
        yield f"{session.paint(commit, 'yellow')}{before}{session.paint(change, _COLOURS.get(change, 'dim'))}{after}"


def _row(result: operation.LogResult, version: operation.LoggedVersion) -> tuple[str, ...]:
    return (
        version.commit[:_SHORT] if version.commit else "uncommitted",
        (version.date or "")[:16].replace("T", " "),
        str(version.change),
        counted(version.files, "file") if version.files is not None else "",
        human_size(version.size) if version.size is not None else "",
        (version.oid or "").removeprefix("sha256:")[:12],
        "cached" if version.cached else "",
        show(version.author or ""),
        show(_origin(version)),
        show(version.problem or version.subject or ""),
        show(f"({version.path})") if version.path != result.path else "",
    )


def _origin(version: operation.LoggedVersion) -> str:
    source = version.source
    if source is not None:
        return f"from {source.url}" if source.url else f"from {source.repo} at {(source.commit or '')[:_SHORT]}"
    return f"run {version.run[:_SHORT]}" if version.run else ""


def _older(result: operation.LogResult) -> operation.LoggedVersion | None:
    """The version to offer to go back to: the newest one that is not what is there now."""
    now = result.versions[0]
    for version in result.versions[1:]:
        content = (version.oid, version.size, version.files)
        if version.commit and version.kind and content != (now.oid, now.size, now.files):
            return version
    return None
