"""The one line that tells what a program's `track()` recorded, and how to go back."""

from __future__ import annotations

from datatool.git.worktree import ask
from datatool.localfs.atomic import size_text
from datatool.model.paths import named
from datatool.operations.new_version import NewVersion
from datatool.project.project import Project


def line_of(project: Project, version: NewVersion) -> str:
    """`data/x.csv: recorded a new version, 15 B (was 12 B); datatool checkout data/x.csv --rev HEAD goes back`."""
    target, pointer = version.recorded.target, version.recorded.pointer
    name, size = named(target.path), size_text(pointer.size or 0)
    if target.artifact is None:
        return f"{name}: tracked from now on, {size}"
    old = target.artifact.pointer
    if (old.oid, old.executable) == (pointer.oid, pointer.executable):
        return f"{name}: the same as before; {name}.dt names the run that made it now"
    was = size_text(target.artifact.pointer.size or 0)
    back = f"datatool checkout {name} --rev HEAD goes back"
    if not _is_committed(project, version):
        back = "the one before is in no commit"
    return f"{name}: recorded a new version, {size} (was {was}); {back}"


def _is_committed(project: Project, version: NewVersion) -> bool:
    """Whether the last commit has the pointer as it was."""
    artifact = version.recorded.target.artifact
    if project.worktree is None or artifact is None:
        return False
    found = ask(project.worktree, ["cat-file", "blob", b"HEAD:" + artifact.pointer_path], check=False)
    return found.code == 0 and found.out == version.before
