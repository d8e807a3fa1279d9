"""A health report of this machine and project, to paste into a bug report; it holds no credentials."""

from __future__ import annotations

import os
import platform
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from datatool import __version__
from datatool.errors import DatatoolError, FormatError, LocalError, ProjectNotFound
from datatool.git.command import run_git
from datatool.localfs.links import hardlinks_safe, reflinks_work, symlinks_work
from datatool.localfs.mounts import on_own_disk
from datatool.model.figures import counted
from datatool.operations.failures import Failure, failure_of
from datatool.operations.remote_access import connect_to
from datatool.operations.result import Part, Result
from datatool.operations.targets import all_artifacts
from datatool.project.project import Project, open_project

OK = "ok"
WARNING = "warning"
FAILED = "failed"
_PACKAGES = ("typer", "rich", "pygit2", "fsspec", "s3fs", "sshfs", "ruamel.yaml", "zstandard")


@dataclass(frozen=True, kw_only=True, slots=True)
class Check(Part):
    """One thing looked at: `status` is `ok`, `warning` or `failed`."""

    name: str
    status: str
    detail: str
    hint: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DoctorReport(Result):
    """All checks; `ok` unless one failed."""

    checks: tuple[Check, ...]
    ok: bool
    versions: dict[str, str]

    @property
    def problems(self) -> tuple[Failure, ...]:
        """The checks that failed."""
        return tuple(
            failure_of(LocalError(f"{check.name}: {check.detail}", hint=check.hint))
            for check in self.checks
            if check.status == FAILED
        )


def doctor(directory: Path, environ: Mapping[str, str], *, offline: bool = False) -> DoctorReport:
    """Look at git, the project, its links, cache and remotes; nothing is changed but a probe file that is removed."""
    checks = [_git(directory)]
    try:
        with open_project(directory, flags={}, environ=environ) as project:
            checks += _project(project)
            checks += _remotes(project, offline=offline)
    except ProjectNotFound as error:
        checks.append(Check(name="project", status=WARNING, detail=error.message, hint=error.hint))
    except DatatoolError as error:
        checks.append(Check(name="project", status=FAILED, detail=error.message, hint=error.hint))
    return DoctorReport(checks=tuple(checks), ok=all(check.status != FAILED for check in checks), versions=_versions())


def _git(directory: Path) -> Check:
    try:
        return Check(
            name="git", status=OK, detail=run_git(["--version"], cwd=directory).out.decode(errors="replace").strip()
        )
    except DatatoolError as error:
        return Check(name="git", status=FAILED, detail=error.message, hint=error.hint)


def _project(project: Project) -> Iterator[Check]:
    if project.unsafe:
        yield Check(
            name="project",
            status=WARNING,
            detail=f"{project.root}: {project.unsafe}",
            hint=f"git config --global --add safe.directory {project.root}",
        )
    else:
        yield Check(name="project", status=OK, detail=str(project.root))
    good = bad = 0
    problem: FormatError | None = None
    for item in all_artifacts(project):
        if isinstance(item, FormatError):
            bad, problem = bad + 1, problem or item
        else:
            good += 1
    if problem is not None:
        yield Check(name="pointers", status=FAILED, detail=f"{bad} can't be read: {problem.message}", hint=problem.hint)
    else:
        yield Check(name="pointers", status=OK, detail=counted(good, "artifact"))
    yield _links(project)
    top = project.cache.top
    place = "" if on_own_disk(top) else " (not on this machine's own disk)"
    if top.exists() and not os.access(top, os.W_OK):
        yield Check(
            name="cache", status=FAILED, detail=f"{top}: can't be written", hint="check its owner and permissions"
        )
    else:
        yield Check(name="cache", status=OK, detail=f"{top}{place}")
    corrupt = len(os.listdir(top / "corrupt")) if (top / "corrupt").is_dir() else 0
    if corrupt:
        yield Check(
            name="damage",
            status=WARNING,
            detail=f"{corrupt} damaged objects were set aside in {top / 'corrupt'}",
            hint="datatool fetch gets them again from the remote",
        )


def _links(project: Project) -> Check:
    top = project.cache.top if project.cache.top.exists() else project.root
    able = {
        "reflink": reflinks_work(top),
        "hardlink": hardlinks_safe(top),
        "symlink": symlinks_work(top),
        "copy": True,
    }
    first = next((method for method in project.config.link_methods if able.get(method.value, False)), None)
    detail = ", ".join(name for name, works in able.items() if works)
    if first is None:
        wanted = ", ".join(project.config.link_methods)
        return Check(
            name="links",
            status=WARNING,
            detail=f"none of {wanted} works here, so files are copied (possible: {detail})",
            hint="datatool config set cache.link copy",
        )
    return Check(name="links", status=OK, detail=f"{first.value} is used (possible here: {detail})")


def _remotes(project: Project, *, offline: bool) -> Iterator[Check]:
    remotes = project.config.remotes()
    if not remotes:
        yield Check(name="remotes", status=WARNING, detail="none is configured", hint="datatool remote add NAME URL")
    for name in sorted(remotes):
        title = f"remote {name}"
        try:
            connection = connect_to(project, name, offline=offline)
            connection.remote.open()
        except DatatoolError as error:
            yield Check(name=title, status=FAILED, detail=error.message, hint=error.hint)
            continue
        state = "ready" if connection.remote.format is not None else "empty so far; the first push makes it"
        yield Check(name=title, status=OK, detail=f"{connection.remote.label}: {state}")


def _versions() -> dict[str, str]:
    found = {
        "datatool": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "sqlite": sqlite3.sqlite_version,
        "encoding": sys.getfilesystemencoding(),
    }
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found
