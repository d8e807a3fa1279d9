"""Download from a URL: no project is needed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from datatool.config.load import Config
from datatool.config.places import user_cache_dir
from datatool.localfs.atomic import make_dirs
from datatool.operations.failures import Failure
from datatool.operations.landing import Got, land, nearest_existing, receives
from datatool.operations.reach import Reach
from datatool.operations.registries import user_cache
from datatool.operations.result import Result, told
from datatool.operations.space import room_for
from datatool.operations.storage import bring_found, name_of, open_spot
from datatool.progress import SILENT, Progress


@dataclass(frozen=True, kw_only=True, slots=True)
class GetUrlResult(Result):
    """What was downloaded. `url` is without secrets; `skipped` is what is neither file, link nor directory."""

    url: str
    etag: str | None
    got: Got
    skipped: tuple[str, ...] = ()

    @property
    def artifacts(self) -> tuple[Got, ...]:
        """The one thing that was downloaded, as `get` tells of several."""
        return (self.got,)

    def to_dict(self) -> dict[str, object]:
        """As `--json` prints it."""
        return told(self, "url", "etag", "artifacts", "skipped")

    @property
    def problems(self) -> tuple[Failure, ...]:
        """What failed while the rest went on."""
        return self.got.errors

    @property
    def finished(self) -> bool:
        """Whether anything was done in spite of the problems."""
        return bool(self.got.written) or not self.got.errors


def get_url(
    url: str,
    *,
    out: str | None = None,
    force: bool = False,
    cwd: Path,
    config: Config,
    root: Path | None = None,
    environ: Mapping[str, str],
    reach: Reach | None = None,
    progress: Progress = SILENT,
) -> GetUrlResult:
    """Copy a file or directory at a path or URL to where the user wants it, as `cp -r` would.

    An existing directory `out` receives it; else that is the new name. `root` is the project's, whose configured
    remotes may lend their settings. Raises PathNotFound, Unsaved (unless `force`), UnsafeInput, RemoteError and its
    kin; what costs single files only is in the errors of `got`.
    """
    home = user_cache_dir(environ)
    spot = open_spot(url, cwd=cwd, config=config, root=root, memory_dir=home / "remotes", reach=reach or Reach())
    found = spot.look()
    target = cwd / out if out is not None else cwd
    to = target / name_of(found, spot.url.shown) if receives(out, cwd) else target
    with user_cache(environ, otherwise=nearest_existing(to.parent)) as cache:
        copied, found = bring_found(spot, found, cache, title="getting", label=spot.files.label, progress=progress)
        make_dirs(to.parent)
        with room_for(spot.files.label, copied.size, "the directory", to.parent):
            got = land(copied, cache, to, path=spot.url.shown, force=force, environ=environ)
    return GetUrlResult(
        url=spot.url.shown, etag=found.etag, got=got, skipped=tuple(os.fsdecode(path) for path in found.skipped)
    )
