"""`datatool status`: what has changed, what is here, what is pushed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, cast

from datatool.cli.command import command
from datatool.cli.declare import Option
from datatool.cli.options import DataTargets
from datatool.cli.screen import aligned
from datatool.cli.session import Session
from datatool.cli.table import REMOTE_STATUS, SOURCE_STATUS, part
from datatool.cli.targets import meant_by
from datatool.model.figures import counted, human_size
from datatool.model.paths import show
from datatool.operations import status as operation
from datatool.operations.open_project import open_project

DIFFERENT = 1

_HERE = frozenset({"clean", "modified", "outdated"})
"""States of which nobody expects that the cache lacks the pointer's version."""

_COLOURS = {"clean": "green", "modified": "yellow", "outdated": "blue", "partial": "cyan", "missing": "red"}


@command(
    "datatool status",
    "datatool status -v data/raw",
    "datatool status --remote --exit-code",
    nothing={"artifacts": [], "clean": False},
    words="paths",
)
def status(
    session: Session,
    paths: DataTargets = None,
    ask_remote: Annotated[bool, Option("--remote", help="Ask the remote what it really has")] = False,
    remote: Annotated[str | None, Option("-r", metavar="NAME", help="The remote to ask or remember")] = None,
    exit_code: Annotated[bool, Option("--exit-code", help="Exit with 1 unless everything is clean")] = False,
) -> int:
    """Show what has changed, what is here and what is pushed.

    States: clean; modified; outdated (another version that datatool wrote, the pointer has moved on); partial (the
    rest was never fetched); missing (was here); absent (never fetched). What is pushed comes from memory unless
    --remote asks. With -v the changed files of directories are named.
    """
    with open_project(None, flags=session.flags, environ=session.environ) as project:
        meant = meant_by(session, project, paths)
        there = news = None
        if ask_remote:
            ask = cast("Callable[..., Mapping[bytes, bool]]", part(REMOTE_STATUS))
            there = ask(project, meant.targets, cwd=session.cwd, remote_name=remote, offline=session.offline)
            look = cast("Callable[..., Mapping[bytes, str]]", part(SOURCE_STATUS))
            news = look(
                project,
                meant.targets,
                cwd=session.cwd,
                environ=session.environ,
                offline=session.offline,
                progress=session.progress,
            )
        result = operation.status(
            project,
            meant.targets,
            cwd=session.cwd,
            there=there,
            news=news,
            remote_name=remote,
            lacking=meant.lacking,
            progress=session.progress,
        )
        root = project.root
    for note in result.notes:
        session.progress.warn(note)
    if not result.artifacts:
        session.progress.hint("nothing is tracked yet: datatool add PATH…")
    code = session.finish(result, lambda: _lines(session, root, result))
    return code or (DIFFERENT if exit_code and not result.clean else 0)


def _lines(session: Session, root: Path, result: operation.StatusResult) -> Iterator[str]:
    rows = [_row(session, root, item) for item in result.artifacts]
    for item, line in zip(result.artifacts, aligned(rows, right=frozenset({2, 3})), strict=True):
        state = str(item.state)
        yield session.paint(state, _COLOURS.get(state, "dim")) + line[len(state) :]
        if session.verbose and (item.kind == "directory" or item.changes.added):
            for name, paths in (
                ("added", item.changes.added),
                ("modified", item.changes.modified),
                ("deleted", item.changes.deleted),
            ):
                for path in paths:
                    yield f"    {name:8}  {session.see(root, path)}"


def _row(session: Session, root: Path, item: operation.ArtifactStatus) -> tuple[str, ...]:
    directory = item.kind == "directory"
    path = session.see(root, item.path, directory=directory)
    if item.error is not None and str(item.state) == "absent":  # a script tracks it, and there is no pointer
        return str(item.state), path, "", "", "not recorded yet", ""
    changes = ", ".join(
        f"{len(paths):,} {name}"
        for paths, name in (
            (item.changes.modified, "changed"),
            (item.changes.added, "new"),
            (item.changes.deleted, "deleted"),
        )
        if paths and (directory or item.changes.added)
    )
    advice = {
        "absent": f"datatool pull {path}",
        "partial": changes or f"datatool pull {path}",
        "outdated": f"datatool checkout {path}" if item.cached else f"datatool pull {path}",
        "missing": f"datatool checkout {path}" if item.cached else f"datatool pull {path}",
    }.get(str(item.state), changes)
    if item.half_moved is not None:
        advice = " ".join(["datatool move", *(session.see(root, name) for name in item.half_moved)])
    return (
        str(item.state),
        path,
        counted(item.files, "file") if directory and item.files is not None else "",
        human_size(item.size) if item.size is not None else "",
        advice.rstrip("/"),
        ", ".join(
            filter(
                None,
                (
                    f"pointer {item.pointer_state}",
                    "moved to another version" if item.moved and item.state == "modified" else "",
                    "not cached" if not item.cached and str(item.state) in _HERE else "",
                    _pushed(item),
                    f"datatool update {path} has news".replace("/ has", " has") if item.available else "",
                ),
            )
        ),
    )


def _pushed(item: operation.ArtifactStatus) -> str:
    if item.remote is not None:
        return "on the remote" if item.remote else "not on the remote"
    if item.pushed:
        return f"pushed (as of {show(item.pushed)})"
    empty = item.kind == "file" and item.size == 0  # no store keeps it, and nobody asks a remote for it
    return "not pushed" if item.cached and not empty else ""  # what is not even here was never this machine's to push
