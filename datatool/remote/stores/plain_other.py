"""Plain files in whatever else fsspec reaches: nothing has to be published there, so more filesystems will do than for
remotes."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from datatool.errors import PathNotFound, RemoteError
from datatool.model.entry import FILE
from datatool.remote.plain import Found, PlainFile, changed, sorted_files, stat_mark
from datatool.remote.stores.options import StoreOptions
from datatool.remote.stores.other_errors import date_of, translate, translating
from datatool.remote.stores.other_kinds import Opened, open_to_read, readable
from datatool.remote.url import RemoteUrl
from datatool.store.protocol import NameMissing
from datatool.store.retry import Retries

_ETAGS = ("etag", "ETag", "md5Hash", "content_md5")
"""What filesystems call a text that is another one when the content is."""


def open_plain(url: RemoteUrl, settings: Mapping[str, str], options: StoreOptions) -> OtherFiles:
    """What lies at a URL of one of the protocols in `other_kinds`. Raises RemoteError for all others."""
    kind = readable(url)
    jobs = options.jobs if kind.threads else 1
    return OtherFiles(partial(open_to_read, url, settings, options), label=url.shown, jobs=jobs)


class OtherFiles:
    """A file, or a directory, of a filesystem that is opened when it is first needed."""

    def __init__(
        self, connect: Callable[[], Opened], *, label: str, jobs: int = 8, retries: Retries | None = None
    ) -> None:
        self._connect = connect
        self._label = label
        self._jobs = max(1, jobs)
        self._retries = retries or Retries()
        self._opened: Opened | None = None
        self._lock = threading.Lock()

    @property
    def label(self) -> str:
        """Its URL, without password and query."""
        return self._label

    @property
    def lanes(self) -> int:
        """How many may read at a time."""
        return self._jobs

    def look(self) -> Found:
        """What is there now."""
        try:
            return self._retries.call(self._look)
        except NameMissing:
            raise PathNotFound(f"{self._label}: no such file or directory there") from None

    @translating
    def _look(self) -> Found:
        place = self._place()
        place.filesystem.invalidate_cache()
        name = place.top.rstrip("/").rpartition("/")[2].encode("utf-8", "surrogateescape")
        info = place.filesystem.info(place.top)
        if info.get("type") != "directory":
            return Found(name=name, directory=False, files=(_file(b"", info),))
        found = self._walk(place) if place.walks else place.filesystem.find(place.top, detail=True).items()
        start = f"{place.top.strip('/')}/" if place.top.strip("/") else ""
        files = [
            _file(path.strip("/").removeprefix(start).encode("utf-8", "surrogateescape"), entry)
            for path, entry in found
            if not (path.endswith("/") and not entry.get("size"))  # what some programs make for a folder
        ]
        return Found(name=name, directory=True, files=sorted_files(files))

    def _walk(self, place: Opened) -> Iterable[tuple[str, Mapping[str, Any]]]:
        """Level by level: `find` would leave out the directories that it could not read."""
        files: list[tuple[str, Mapping[str, Any]]] = []
        level = [place.top]
        with ThreadPoolExecutor(max_workers=self._jobs, thread_name_prefix="list") as pool:
            while level:
                below = []
                listed = pool.map(partial(place.filesystem.ls, detail=True), level)
                for directory, rows in zip(level, listed, strict=True):
                    for row in rows:
                        if row["type"] != "directory":
                            files.append((row["name"], row))
                        elif row["name"].strip("/") != directory.strip("/"):
                            below.append(row["name"])
                level = below
        return files

    def read(self, file: PlainFile, start: int, length: int) -> bytes:
        """A range of a file."""
        try:
            return self._read(file, start, length)
        except NameMissing:
            raise changed(self._label, file.path) from None

    def stop(self) -> None:
        """Nothing can be done: a request ends when its library gives it up."""

    @translating
    def _read(self, file: PlainFile, start: int, length: int) -> bytes:
        filesystem = self._place().filesystem
        try:
            data: bytes = filesystem.cat_file(str(file.handle), start=start, end=start + length)
        except Exception as error:
            # Of a range behind the end each library thinks differently: is it still the file that it was?
            if type(translate(error, self._label)) is not RemoteError:
                raise
            filesystem.invalidate_cache()
            if _file(file.path, filesystem.info(str(file.handle)))[:4] != file[:4]:
                raise changed(self._label, file.path) from error
            raise
        if start + len(data) == file.size:
            filesystem.invalidate_cache()
            if _file(file.path, filesystem.info(str(file.handle))).mark != file.mark:
                raise changed(self._label, file.path)
        return data[:length]

    @translating
    def _place(self) -> Opened:
        with self._lock:
            if self._opened is None:
                self._opened = self._connect()
                if self._opened.close is not None:
                    weakref.finalize(self, self._opened.close)
            return self._opened


def _file(path: bytes, entry: Mapping[str, Any]) -> PlainFile:
    size = entry.get("size")
    size = size if isinstance(size, int) else None
    etag = next((str(entry[key]) for key in _ETAGS if entry.get(key)), "").strip('"')
    return PlainFile(path, FILE, size, etag or stat_mark(size, date_of(entry)), handle=entry["name"])
