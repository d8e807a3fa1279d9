"""Paths on the command line, where a script or notebook stands for the data that it tracks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from datatool.cli.session import Session
from datatool.cli.table import SCRIPT_RECORDS, SCRIPT_TARGETS, part
from datatool.operations.targets import Meant

_SCRIPTS = (".py", ".ipynb")


def meant_by(session: Session, project: object, paths: Sequence[str] | None, *, ask: bool = False) -> Meant:
    """What the paths given to a command mean; `ask` the remotes what runs of a script elsewhere read. Raises
    PathNotFound for a script that tracks nothing."""
    if not any(path.endswith(_SCRIPTS) for path in paths or ()):
        return Meant(targets=tuple(paths or ()))
    if ask:
        part(SCRIPT_RECORDS)(project, paths, offline=session.offline, progress=session.progress)
    read = cast("Callable[..., Meant]", part(SCRIPT_TARGETS))
    return read(project, paths, cwd=session.cwd, progress=session.progress)
