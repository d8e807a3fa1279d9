"""Imports from a URL: artifacts that remember where they came from, and what told their version there."""

from __future__ import annotations

import os
from pathlib import Path

from datatool.errors import Refused, UsageError
from datatool.model.paths import named, show
from datatool.model.pointer import ArtifactKind, Pointer, Source
from datatool.model.urls import secret_in
from datatool.operations.imports import pointer_to, whole_failure
from datatool.operations.reach import Reach
from datatool.operations.storage import Spot, bring_found, open_spot
from datatool.progress import Progress
from datatool.project.project import Project
from datatool.remote.plain import Found
from datatool.remote.url import DIRECTORY


def spot_of(project: Project, artifact: bytes, source: Source, *, reach: Reach) -> Spot:
    """Where an import came from: a relative path is relative to the pointer's directory."""
    assert source.url is not None
    directory = Path(os.fsdecode(project.workspace.full(artifact))).parent
    return spot_at(project, source.url, cwd=directory, reach=reach)


def spot_at(project: Project, url: str, *, cwd: Path, reach: Reach) -> Spot:
    """The place that a URL, or a path relative to `cwd`, means in a project."""
    return open_spot(
        url, cwd=cwd, config=project.config, root=project.root, memory_dir=project.remotes_memory, reach=reach
    )


def bring_whole(
    project: Project, spot: Spot, found: Found, *, label: str, progress: Progress, title: str = "importing"
) -> tuple[Pointer, Found]:
    """Bring what was looked at into the project's cache: a pointer that says what it is, and what there was in the end.

    Raises what costs all of it, and the first error where anything of it could not be had: an import is whole.
    """
    copied, found = bring_found(spot, found, project.cache, title=title, label=label, progress=progress)
    if copied.failed:
        raise whole_failure([error for _, error in copied.failed])
    return pointer_to(copied), found


def without_data(found: Found) -> Pointer:
    """A pointer to what was only looked at."""
    return Pointer(kind=ArtifactKind.DIRECTORY if found.directory else ArtifactKind.FILE, oid=None)


def refuse_secrets(url: str, spot: Spot) -> None:
    """Raise UsageError for a URL with what must not be written down; nothing is contacted."""
    secret = secret_in(url)
    if secret is not None:
        raise UsageError(
            f"{spot.url.shown}: {show(secret)} in a URL would be written into a pointer, which git keeps for ever",
            hint="user, password and token are settings: --set user=… --set password=…; a signed URL is for "
            "datatool get-url, and datatool add keeps what that brings",
        )


def noted_url(project: Project, url: str, spot: Spot, target: bytes, cwd: Path) -> str:
    """What a pointer says of a URL: as it was typed; a relative path from the pointer's directory.

    Raises Refused for a path that leads to the artifact itself.
    """
    if spot.url.protocol != DIRECTORY:
        return _text(url)
    full = os.path.realpath(os.fsdecode(project.workspace.full(target)))
    there = os.path.realpath(spot.url.path)
    if os.path.commonpath([full, there]) in (full, there):
        raise Refused(
            f"{named(target)}: lies where it would be imported from",
            hint=f"datatool add {named(target)} tracks what is there; or name another place",
            path=os.fsdecode(target),
        )
    if url.startswith(("file:", "remote:")) or os.path.isabs(os.path.expanduser(url)):
        return _text(os.path.expanduser(url) if url.startswith("~") else url)
    directory = Path(os.fsdecode(project.workspace.full(target))).parent
    return _text(os.path.relpath(os.path.normpath(cwd / url), directory).replace(os.sep, "/"))


def _text(url: str) -> str:
    try:
        url.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{show(url)}: is no text that a pointer can keep", hint="use a name that is UTF-8") from None
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in url):
        raise UsageError(f"{show(url)}: a control character can't be kept in a pointer")
    return url
