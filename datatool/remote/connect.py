"""From a remote's settings to its store: the one door to fsspec and what it loads.

Protocols come from an allow-list; what a user wrote is never handed to fsspec as a whole, which would follow
chains such as `zip://*::file://…` (formats §6).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Final

from datatool.errors import RemoteError, RemoteUnreachable, UsageError
from datatool.forks import load_module
from datatool.model.paths import show
from datatool.model.settings import Durability
from datatool.remote.plain import PlainFiles
from datatool.remote.plain_directory import DirectoryFiles
from datatool.remote.stores.options import StoreOptions
from datatool.remote.url import DIRECTORY, RemoteUrl, parse_url
from datatool.store.directory import DirectoryStore
from datatool.store.limited import Allowance, LimitedStore
from datatool.store.protocol import Store
from datatool.store.retrying import RetryingStore

if TYPE_CHECKING:
    from datatool.git.credentials import Credentials
    from datatool.remote.lfs import LfsPlace
    from datatool.remote.reach import Reach
    from datatool.remote.stores.lfs import LfsServer

TIMEOUT: Final = 12.0
"""Seconds without a byte that are a stall, where nobody configured another number. A request that stands still is made
again; that the next one does too is told within the 30 seconds of cli.md."""
_STORES: Final = MappingProxyType(
    {"s3": "s3", "s3a": "s3", "ssh": "sftp", "sftp": "sftp", "http": "http", "https": "http"}
)
"""The module in `datatool.remote.stores` for each protocol that has one of its own; `other` is for all the rest."""
_PLAIN: Final = MappingProxyType({"s3": "plain_s3", "sftp": "plain_sftp", "http": "plain_http", "other": "plain_other"})
"""The module for files that are no remote, for each of those."""
_S3_ENGINES: Final = MappingProxyType({"s3fs": "s3", "obstore": "s3_obstore"})
_PLACES: Final = MappingProxyType({"s3": "s3_place", "sftp": "sftp_place"})
"""The modules that understand a URL without loading what speaks to it."""
_NEAREST: Final = MappingProxyType({"s3n": "s3", "scp": "sftp", "git": "https"})
_SPOKEN: Final = "a path, s3://, ssh:// or https://; others need the package by which fsspec knows them"


def connect(
    settings: Mapping[str, str],
    *,
    root: Path,
    offline: bool,
    durability: Durability,
    scratch: Path,
    jobs: int = 8,
    bandwidth: int | None = None,
    timeout: float = TIMEOUT,
    seen: bool = False,
) -> Store:
    """The store of a remote.

    `settings` are its `remotes.NAME.*` (`url` and more); `scratch` is a directory of this clone for what an
    interrupted upload must remember; `jobs` is how many requests may be under way, `bandwidth` how many bytes per
    second, `timeout` how many seconds without a byte are a stall. `seen` says that this machine has used a remote
    there before, so that a missing directory is one that is not mounted.

    Raises UsageError for a URL that is none, RemoteUnreachable for a directory that is gone and for the network
    while `offline`, RemoteError for protocols that can't be used.
    """
    url = parse_url(settings.get("url", ""), root=root)
    if url.protocol == DIRECTORY:
        return _limited(_directory(url, durability=durability, seen=seen), bandwidth)
    require_known(url)
    if offline:
        raise _offline(url)
    module = _store_module(url, settings)
    store: Store = module.open_store(url, settings, StoreOptions(scratch=scratch, jobs=jobs, timeout=timeout))
    return RetryingStore(_limited(store, bandwidth))


def connect_lfs(
    place: LfsPlace,
    *,
    reach: Reach,
    credentials: Credentials,
    scratch: Path,
    jobs: int = 8,
    bandwidth: int | None = None,
    timeout: float = TIMEOUT,
) -> LfsServer:
    """The Git LFS server at a place, which goes no further than `reach` allows; `credentials` are asked when it wants
    to know who we are. Nothing is contacted yet. Raises UnsafeInput, UsageError."""
    options = StoreOptions(scratch=scratch, jobs=jobs, timeout=timeout)
    module = load_module("datatool.remote.stores.lfs")
    server: LfsServer = module.open_server(place, options, reach=reach, credentials=credentials, bandwidth=bandwidth)
    return server


def open_plain(
    url: RemoteUrl, settings: Mapping[str, str], *, offline: bool, jobs: int = 8, timeout: float = TIMEOUT
) -> PlainFiles:
    """The files at a URL that is no remote, to be read; nothing is contacted yet. `settings` are those of a remote.

    Raises UsageError for a URL or settings that can't be meant, RemoteUnreachable for the network while `offline`,
    RemoteError for protocols that can't be used.
    """
    if url.protocol == DIRECTORY:
        return DirectoryFiles(url, jobs=jobs)
    require_known(url)
    if offline:
        raise _offline(url)
    module = load_module(f"datatool.remote.stores.{_PLAIN[_STORES.get(url.protocol, 'other')]}")
    files: PlainFiles = module.open_plain(url, settings, StoreOptions(scratch=Path(), jobs=jobs, timeout=timeout))
    return files


def _offline(url: RemoteUrl) -> RemoteUnreachable:
    return RemoteUnreachable(f"{url.shown}: not contacted: offline", hint="leave out --offline, unset DATATOOL_OFFLINE")


def _store_module(url: RemoteUrl, settings: Mapping[str, str]) -> ModuleType:
    name = _STORES.get(url.protocol, "other")
    if name == "s3":
        engine = settings.get("engine", "s3fs")
        if engine not in _S3_ENGINES:
            raise UsageError(f"engine: must be {' or '.join(_S3_ENGINES)}, not '{show(engine[:40])}'")
        name = _S3_ENGINES[engine]
    try:
        return load_module(f"datatool.remote.stores.{name}")
    except ModuleNotFoundError as error:
        if error.name != "obstore":
            raise
        raise RemoteError(
            f"{url.shown}: the engine obstore is not installed; it comes with the extra 'fast'",
            hint="in datatool's repository: pip install '.[fast]', or: datatool remote set NAME engine=s3fs",
        ) from error


def _limited(store: Store, bandwidth: int | None) -> Store:
    return store if bandwidth is None else LimitedStore(store, Allowance(bandwidth))


def require_known(url: RemoteUrl) -> None:
    """Raise UsageError for a protocol that nobody knows; nothing is contacted."""
    if url.protocol == DIRECTORY or url.protocol in _STORES or url.protocol in _known_protocols():
        return
    near = _NEAREST.get(url.protocol)
    raise UsageError(
        f"{url.shown}: nobody knows the protocol {url.protocol}://",
        hint=f"did you mean {near}://?" if near else _SPOKEN,
    )


def check_settings(url: RemoteUrl, settings: Mapping[str, str]) -> None:
    """Raise UsageError for a URL and settings that no store of that protocol can mean; nothing is contacted."""
    require_known(url)
    module = _PLACES.get(_STORES.get(url.protocol, "other"))
    if module is not None:
        load_module(f"datatool.remote.stores.{module}").check_place(url, settings)


def _directory(url: RemoteUrl, *, durability: Durability, seen: bool) -> Store:
    path = Path(url.path)
    if seen and not path.is_dir():
        raise RemoteUnreachable(
            f"{url.shown}: the directory is not there; is it mounted? this machine has used a remote in it",
            hint="mount it and try again",
            path=url.shown,
        )
    if path.exists() and not path.is_dir():
        raise RemoteError(f"{url.shown}: is a file; a remote needs a directory", path=url.shown)
    return DirectoryStore(path, durability=durability)


def _known_protocols() -> frozenset[str]:
    """The protocols that some installed or installable filesystem speaks."""
    registry = load_module("fsspec.registry")
    return frozenset(registry.known_implementations) | {"webdavs"}
