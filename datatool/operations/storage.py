"""Files at a URL that no registry keeps: how they are reached, looked at, and brought into a cache."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from datatool.cache.local import Cache
from datatool.config.keys import check, lookup
from datatool.config.load import Config
from datatool.errors import DatatoolError, RemoteError, RemoteNotFound, UnsafeInput, UsageError
from datatool.model.entry import DIRECTORY, SYMLINK, Entry
from datatool.model.paths import PathRefused, check_escape, show, show_bytes
from datatool.operations.reach import Reach
from datatool.operations.remote_access import JOBS
from datatool.operations.space import room_for
from datatool.progress import Progress
from datatool.registry.copying import Copied
from datatool.registry.saving import save_tree
from datatool.remote.connect import TIMEOUT, open_plain
from datatool.remote.plain import Changed, Found, PlainFile, PlainFiles
from datatool.remote.plain_copy import Lost, copy_plain
from datatool.remote.plain_memory import Kept, UrlMemory
from datatool.remote.plain_url import lies_below, parse_plain_url
from datatool.remote.url import RemoteUrl, parse_url

ROUNDS: Final = 3
"""How often files are looked at that change while they are read."""
_NOT_THESE: Final = frozenset({"url", "mirror", "pack", "index_list", "compression", "engine"})
"""Settings that say nothing about reading plain files."""
_LENGTH: Final = 4096
_BY_NAME: Final = re.compile(r"remote://([^/]+)/(.+)", re.DOTALL)
_SETTING: Final = re.compile(r"datatool remote set NAME (?:--local )?((?:\w+=\S+,? ?)+)")


class Spot(Struct, frozen=True, kw_only=True):
    """A URL and how it is reached. `remote` is the configured remote whose settings it takes, as it lies there."""

    url: RemoteUrl
    files: PlainFiles
    remote: str | None
    memory: UrlMemory
    bandwidth: int | None

    def look(self) -> Found:
        """What is there now. Raises PathNotFound, RemoteError and its kin, ReadFailed; UnsafeInput for names that may
        not come from elsewhere."""
        with self.hints():
            found = self.files.look()
        for file in found.files:
            if not found.directory:
                break
            try:
                check_escape(file.path)
            except PathRefused as error:
                raise self._unsafe(file.path, error.reason) from error
            if len(file.path) > _LENGTH:
                raise self._unsafe(file.path[:100], "the path is too long")
        return found

    @contextmanager
    def hints(self) -> Iterator[None]:
        """Put what errors say of remotes' settings into words that help here."""
        try:
            yield
        except RemoteError as error:
            if error.hint is not None and self.remote is not None:
                error.hint = error.hint.replace("remote set NAME ", f"remote set {self.remote} ")
            elif error.hint is not None:
                error.hint = _SETTING.sub(_as_options, error.hint)
            raise

    def _unsafe(self, path: bytes, reason: str) -> UnsafeInput:
        name = f"{self.files.label}/{show_bytes(path)}"
        return UnsafeInput(f"{name}: {reason}", path=name)


def _as_options(found: re.Match[str]) -> str:
    return " ".join(f"--set {word}" for word in found[1].split())


def open_spot(text: str, *, cwd: Path, config: Config, root: Path | None, memory_dir: Path, reach: Reach) -> Spot:
    """The place that a path (relative to `cwd`) or URL means; nothing is contacted.

    It is reached with the settings of the configured remote at or below whose URL it lies, the nearest of several, and
    with those that the user typed; `remote://NAME/path` lies below that remote. Raises UsageError, RemoteNotFound,
    RemoteUnreachable while offline, RemoteError.
    """
    name: str | None
    named = _BY_NAME.fullmatch(text)
    if named is not None:
        url, name, settings = _below_remote(named[1], named[2], config, root or cwd)
    else:
        url = parse_plain_url(text, cwd=cwd)
        name, settings = _nearest(url, config, root or cwd)
    settings |= _typed(reach)
    files = open_plain(
        url,
        settings,
        offline=reach.offline or config.flag("offline"),
        jobs=reach.jobs or config.number("jobs") or JOBS,
        timeout=float(settings.get("timeout", TIMEOUT)),
    )
    memory = UrlMemory(memory_dir / "urls", f"{url.path}\n{settings.get('endpoint_url', '')}")
    return Spot(url=url, files=files, remote=name, memory=memory, bandwidth=config.number("bandwidth"))


def _nearest(url: RemoteUrl, config: Config, root: Path) -> tuple[str | None, dict[str, str]]:
    best: tuple[int, str | None, dict[str, str]] = (-1, None, {})
    for name, settings in sorted(config.remotes().items()):
        try:
            depth = lies_below(url, parse_url(settings.get("url", ""), root=root))
        except UsageError:
            continue
        if depth is not None and depth > best[0]:
            best = depth, name, _for_reading(settings)
    return best[1], best[2]


def _below_remote(name: str, path: str, config: Config, root: Path) -> tuple[RemoteUrl, str, dict[str, str]]:
    """What lies below a remote, as DVC writes it too."""
    settings = config.remotes().get(name)
    if settings is None or not settings.get("url"):
        raise RemoteNotFound(
            f"no remote is called {show(name)}", hint="datatool remote list shows those that there are"
        )
    return parse_plain_url(f"{settings['url'].rstrip('/')}/{path}", cwd=root), name, _for_reading(settings)


def _for_reading(settings: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in settings.items() if key not in _NOT_THESE}


def _typed(reach: Reach) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in reach.settings:
        key, equals, value = text.partition("=")
        row = lookup(f"remotes.NAME.{key}") if key not in _NOT_THESE else None
        if not equals or row is None:
            raise UsageError(
                f"--set {show(key)}: is no setting of a place that is read",
                hint="such as --set endpoint_url=https://…, region=…, profile=…, port=…, user=…, keyfile=…",
            )
        check(row, key, value)
        found[key] = value
    return found


def bring_found(
    spot: Spot, found: Found, cache: Cache, *, title: str, label: str, progress: Progress
) -> tuple[Copied, Found]:
    """Bring what was looked at into a cache, and save the tree that it makes; what changes meanwhile is looked at
    again, so what there was in the end is given, too.

    Only files whose content this machine does not know already are read. Raises what costs all of it, and Changed for
    what goes on changing; files that may not be read are in `failed`.
    """
    failed: list[tuple[bytes, DatatoolError]] = []
    for round in range(ROUNDS):
        files = [file for file in found.files if file.kind not in (SYMLINK, DIRECTORY)]
        here = spot.memory.known(files, cache)
        lost: tuple[tuple[PlainFile, DatatoolError], ...] = ()
        with (
            progress.task(title, bytes=found.size, files=len(files)) as task,
            room_for(label, found.size, "the cache", cache.top),
            spot.hints(),
        ):
            for file in files:
                if file.path in here:
                    task.advance(bytes=here[file.path].size, files=1)
            wanted = [file for file in files if file.path not in here]
            try:
                for file, oid, size in copy_plain(spot.files, wanted, cache, task, bandwidth=spot.bandwidth):
                    here[file.path] = Kept(oid, size)
            except Lost as error:
                lost = error.files
            finally:
                spot.memory.keep(files, here)
        moving = [error for _, error in lost if isinstance(error, Changed)]
        failed = [(file.path, error) for file, error in lost if not isinstance(error, Changed)]
        if not moving:
            break
        if round == ROUNDS - 1:
            raise moving[0]
        found = spot.look()
    if failed and not here:
        raise failed[0][1]
    return _saved(spot, found, here, cache, failed), found


def _saved(
    spot: Spot, found: Found, here: Mapping[bytes, Kept], cache: Cache, failed: list[tuple[bytes, DatatoolError]]
) -> Copied:
    if not found.directory:
        held = here[b""]
        return Copied(directory=False, oid=held.oid, size=held.size, files=1, executable=found.files[0].kind == "x")
    entries: list[Entry] = []
    for file in found.files:
        if file.kind == SYMLINK:
            entries.append(Entry(SYMLINK, file.path, None, len(file.target or b""), file.target))
        elif file.kind == DIRECTORY:
            entries.append(Entry(DIRECTORY, file.path, None, 0))
        elif file.path in here:
            entries.append(Entry(file.kind, file.path, here[file.path].oid, here[file.path].size))
    summary = save_tree(entries, cache, where=spot.files.label)
    return Copied(
        directory=True,
        oid=summary.oid,
        size=summary.size,
        files=summary.files,
        executable=False,
        failed=tuple(failed),
    )


def name_of(found: Found, shown: str) -> str:
    """What to call what was found where the user said nothing. Raises UsageError, UnsafeInput."""
    if not found.name:
        raise UsageError(f"{shown}: names no file", hint="say what it shall be called: OUT")
    try:
        check_escape(found.name)
    except PathRefused as error:
        raise UnsafeInput(f"{shown}: {error.reason}", hint="say what it shall be called: OUT") from error
    return os.fsdecode(found.name)
