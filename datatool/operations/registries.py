"""Which registry a word of the command line means, and how it is opened."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from datatool.cache.local import Cache
from datatool.config.keys import Scope, is_name
from datatool.config.load import Config
from datatool.config.places import user_cache_dir
from datatool.errors import NotFoundError
from datatool.git.clones import is_repository_url
from datatool.index.state import State
from datatool.localfs.atomic import make_dirs, write_file
from datatool.localfs.scratch import cache_directory
from datatool.model.settings import Durability
from datatool.operations.reach import Reach
from datatool.operations.remote_access import JOBS
from datatool.registry.open import Place


def registry_place(
    where: str, *, cwd: Path, config: Config, environ: Mapping[str, str], reach: Reach, base: Path | None = None
) -> Place:
    """The place of a registry that is named by an alias, a path (from `base`, else `cwd`) or a URL.

    Raises UsageError, and NotFoundError for a plain word that is neither.
    """
    aliases = config.registries()
    url = where
    trusted = False
    if where in aliases and "url" in aliases[where]:
        url = _alias_url(config, where, aliases[where]["url"], base or cwd)
        trusted = config.flag(f"registries.{where}.trust")
    else:
        trusted = any(
            settings.get("url") == where and config.flag(f"registries.{name}.trust")
            for name, settings in aliases.items()
        )
        directory = base or cwd
        if is_name(where) and not is_repository_url(where) and not os.path.exists(directory / where):
            near = difflib.get_close_matches(where, list(aliases), n=1)
            raise NotFoundError(
                f"{where}: no registry of that name, and no such directory",
                hint=f"did you mean {near[0]}?" if near else "datatool registry list shows those that have a name",
                path=where,
            )
    return Place(
        where=url,
        base=base or cwd,
        home=user_cache_dir(environ),
        given=reach.given(),
        trusted=trusted,
        offline=reach.offline or config.flag("offline"),
        jobs=reach.jobs or config.number("jobs") or JOBS,
        bandwidth=config.number("bandwidth"),
        environ=environ,
    )


def _alias_url(config: Config, name: str, url: str, base: Path) -> str:
    """What a registry's name stands for; a relative path in a project's configuration is from its root, and given
    from `base`."""
    own = config.origin(f"registries.{name}.url") not in (Scope.PROJECT, Scope.LOCAL)
    if own or config.root is None or is_repository_url(url) or os.path.isabs(os.path.expanduser(url)):
        return url
    return os.path.relpath(config.root / url, base)


def user_home(environ: Mapping[str, str]) -> Path:
    """This user's directory for what can be made again, which is there now. Raises LocalError."""
    home = user_cache_dir(environ)
    make_dirs(home)
    if not (home / "CACHEDIR.TAG").exists():
        write_file(home / "CACHEDIR.TAG", CACHEDIR_TAG, durability=Durability.NONE)
    return home


@contextmanager
def user_cache(environ: Mapping[str, str], *, otherwise: Path) -> Iterator[Cache]:
    """This user's own cache, for what is read outside a project; where it can't be written, one that lies below
    `otherwise` for as long as it is used."""
    home = user_cache_dir(environ)
    try:
        user_home(environ)
        writable = os.access(home, os.W_OK)
    except OSError:
        writable = False
    if writable:
        state = State(home / "objects.db")
        cache = Cache(home / "objects", state, durability=Durability.NONE)
        try:
            yield cache
            state.commit()
        finally:
            state.close()
            cache.packs.close()
        return
    with cache_directory(otherwise) as top:
        cache = Cache(top, State(None), durability=Durability.NONE)
        try:
            yield cache
        finally:
            cache.packs.close()


CACHEDIR_TAG = b"Signature: 8a477f597d28d172789f06886806bc55\n# What datatool can bring again from where it came.\n"
