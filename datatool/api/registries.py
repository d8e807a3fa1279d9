"""Other people's data, as on the command line: get, import, their kin for URLs, update."""

from __future__ import annotations

from collections.abc import Mapping

from datatool.api.calls import Paths, in_project, in_project_if_any, names, settled
from datatool.api.options import checked
from datatool.api.words import Where
from datatool.operations import get as getting
from datatool.operations import get_url as downloading
from datatool.operations import import_ as importing
from datatool.operations import import_url as importing_url
from datatool.operations import update as updating
from datatool.operations.importing import ImportResult
from datatool.operations.reach import settings_here
from datatool.progress import Progress


@checked
def get(
    repo: Where,
    paths: Paths,
    *,
    out: Where | None = None,
    rev: str | None = None,
    force: bool = False,
    remote: str | None = None,
    settings: Mapping[str, str] | None = None,
    jobs: int | None = None,
    offline: bool = False,
    project: Where | None = None,
    progress: Progress | None = None,
) -> getting.GetResult:
    """Download from a registry, as `cp -r` would; no project is needed.

    >>> result = datatool.get("https://example.org/registry.git", "music/songs", rev="v1.0", out="songs")
    >>> result.commit, [item.out for item in result.artifacts]

    An existing directory `out` receives the data, else it is the new name. `force` moves what is in the way to
    `lost+found`. `remote` is a URL to read the data from, instead of where the registry says, with its `settings`.

    Raises PathNotFound, RevisionNotFound, Unsaved, UnsafeInput, RemoteError; with what was written in the error's
    `result` where only some of it can't be had: PartlyDone, DamageFound.
    """
    with in_project_if_any(project, progress, offline=offline) as (opened, call):
        config = settings_here(opened, flags=call.flags, environ=call.environ)
        result = getting.get(
            _text(repo),
            names(paths),
            out=None if out is None else _text(out),
            rev=rev,
            force=force,
            cwd=call.cwd,
            config=config,
            environ=call.environ,
            reach=call.reach(remote=remote, settings=settings, jobs=jobs),
            progress=call.progress,
        )
    return settled(result)


@checked
def get_from_url(
    url: str,
    out: Where | None = None,
    *,
    force: bool = False,
    settings: Mapping[str, str] | None = None,
    jobs: int | None = None,
    offline: bool = False,
    project: Where | None = None,
    progress: Progress | None = None,
) -> downloading.GetUrlResult:
    """Download a file or directory from a URL: the command `get-url`. (`datatool.get_url` tells the URL of data.)

    >>> datatool.get_from_url("s3://bucket/tables/2024", "tables", settings={"region": "eu-west-1"}).artifacts[0].files

    Arguments and errors are those of `get`.
    """
    with in_project_if_any(project, progress, offline=offline) as (opened, call):
        result = downloading.get_url(
            url,
            out=None if out is None else _text(out),
            force=force,
            cwd=call.cwd,
            config=settings_here(opened, flags=call.flags, environ=call.environ),
            root=opened.root if opened is not None else None,
            environ=call.environ,
            reach=call.reach(settings=settings, jobs=jobs),
            progress=call.progress,
        )
    return settled(result)


@checked
def import_(
    repo: Where,
    path: Where,
    *,
    out: Where | None = None,
    rev: str | None = None,
    no_download: bool = False,
    force: bool = False,
    remote: str | None = None,
    settings: Mapping[str, str] | None = None,
    jobs: int | None = None,
    offline: bool = False,
    project: Where | None = None,
    progress: Progress | None = None,
) -> ImportResult:
    """Get from a registry, and write a pointer that remembers the source, so that `update` can follow it.

    >>> imported = datatool.import_("https://example.org/registry.git", "model.bin", rev="v1.0").artifacts[0]
    >>> imported.path, imported.source.commit

    With `no_download` only the pointer is written. Else arguments and errors are those of `get`; unsaved files stop it
    (Unsaved), unless `force` moves them to `lost+found`.
    """
    with in_project([], project, progress, offline=offline) as (opened, call):
        return importing.import_(
            opened,
            _text(repo),
            _text(path),
            cwd=call.cwd,
            out=None if out is None else _text(out),
            rev=rev,
            download=not no_download,
            force=force,
            environ=call.environ,
            reach=call.reach(remote=remote, settings=settings, jobs=jobs),
            progress=call.progress,
        )


@checked
def import_url(
    url: str,
    out: Where | None = None,
    *,
    no_download: bool = False,
    force: bool = False,
    settings: Mapping[str, str] | None = None,
    jobs: int | None = None,
    offline: bool = False,
    project: Where | None = None,
    progress: Progress | None = None,
) -> ImportResult:
    """Download from a URL, and write a pointer that remembers it.

    >>> datatool.import_url("https://example.org/model.bin", "models/base.bin").artifacts[0].changed
    True

    The pointer never keeps `settings`: those of a remote at or above the URL are used by themselves. Arguments and
    errors are those of `import_`.
    """
    with in_project([], project, progress, offline=offline) as (opened, call):
        return importing_url.import_url(
            opened,
            url,
            cwd=call.cwd,
            out=None if out is None else _text(out),
            download=not no_download,
            force=force,
            environ=call.environ,
            reach=call.reach(settings=settings, jobs=jobs),
            progress=call.progress,
        )


@checked
def update(
    paths: Paths | None = None,
    *,
    rev: str | None = None,
    latest: bool = False,
    check: bool = False,
    dry_run: bool = False,
    force: bool = False,
    remote: str | None = None,
    settings: Mapping[str, str] | None = None,
    jobs: int | None = None,
    offline: bool = False,
    project: Where | None = None,
    progress: Progress | None = None,
) -> updating.UpdateResult:
    """Bring imports up to date; only new objects travel.

    >>> [item.path for item in datatool.update(check=True).artifacts if item.available]

    `rev` goes to that revision, and follows it from then on; `latest` follows the default branch again; `check` only
    asks whether there is something newer, `dry_run` also what would change. An import that fails is left as it was;
    the others are updated, and the error's `result` says which.

    Raises PathNotFound, UsageError, Unsaved, RevisionNotFound, RemoteError, PartlyDone.
    """
    targets = names(paths)
    with in_project(targets, project, progress, offline=offline) as (opened, call):
        result = updating.update(
            opened,
            targets,
            cwd=call.cwd,
            rev=rev,
            latest=latest,
            check=check,
            dry_run=dry_run,
            force=force,
            environ=call.environ,
            reach=call.reach(remote=remote, settings=settings, jobs=jobs),
            progress=call.progress,
        )
    return settled(result)


def _text(word: Where) -> str:
    return names(word)[0]
