"""Plain files in a bucket: an object under a key, or all whose keys go on behind a slash."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import partial
from io import BytesIO
from typing import Any

import datatool.remote.stores.late_certificates  # noqa: F401 - before anything imports aiohttp
from datatool.errors import NotARemote, PathNotFound, RemoteError
from datatool.model.entry import FILE
from datatool.remote.plain import Found, PlainFile, changed, sorted_files, stat_mark
from datatool.remote.stores.event_loop import Underway
from datatool.remote.stores.options import StoreOptions
from datatool.remote.stores.s3_client import S3Client
from datatool.remote.stores.s3_login import read_login
from datatool.remote.stores.s3_place import parse_object
from datatool.remote.stores.s3_reading import Changed, Reading
from datatool.remote.url import RemoteUrl
from datatool.store.protocol import NameMissing
from datatool.store.retry import Retries


def open_plain(url: RemoteUrl, settings: Mapping[str, str], options: StoreOptions) -> S3Files:
    """What lies at an `s3://bucket/key`. Nothing is contacted yet. Raises UsageError."""
    place, key = parse_object(url, settings, os.environ)
    return S3Files(S3Client(place, read_login(settings), options), key)


class S3Files:
    """An object, or a directory as people make them of keys. Keys that end in a slash and have no bytes are what some
    programs make for a folder: they are left out, as by the AWS tools."""

    def __init__(self, client: S3Client, key: str, *, retries: Retries | None = None) -> None:
        self._client = client
        self._key = key
        self._underway = Underway(client)
        self._retries = retries or Retries()

    @property
    def label(self) -> str:
        """Bucket and key, and the service where it is not Amazon's."""
        return self._client.place.label

    @property
    def lanes(self) -> int:
        """How many may read at a time."""
        return self._client.jobs

    def look(self) -> Found:
        """One request for an object; for a directory one more for every thousand keys."""
        if self._key and not self._key.endswith("/"):
            try:
                head = self._client.run(self._patiently("head_object", self._key, Key=self._key))
            except NameMissing:
                pass
            else:
                file = PlainFile(
                    b"", FILE, int(head["ContentLength"]), _mark(head), handle=(self._key, head.get("ETag"))
                )
                return Found(name=_name(self._key), directory=False, files=(file,))
        prefix = self._key.rstrip("/") + "/" if self._key.strip("/") else ""
        rows = list(self._list(prefix))
        if not rows:
            bucket = self._client.place.bucket
            raise PathNotFound(
                f"{self.label}: no such key, and none below it",
                hint=f"keys are told apart by every letter; aws s3 ls s3://{bucket}/ shows some",
            )
        files = [self._file(item, len(prefix)) for item in rows if item["Key"][-1:] != "/" or item["Size"]]
        name = _name(prefix) if prefix else os.fsencode(self._client.place.bucket)
        return Found(name=name, directory=True, files=sorted_files(files))

    def _list(self, prefix: str) -> Iterator[dict[str, Any]]:
        more: dict[str, str] = {}
        while True:
            page = self._client.run(self._patiently("list_objects_v2", None, Prefix=prefix, **more))
            if "IsTruncated" not in page and "Name" not in page:  # an empty document is no empty listing
                raise NotARemote(
                    f"{self.label}: the answer is not that of an S3 service", hint="check endpoint_url", path=self.label
                )
            yield from page.get("Contents") or ()
            token = page.get("NextContinuationToken") if page.get("IsTruncated") else None
            if token is None:
                return
            if more.get("ContinuationToken") == token:
                raise RemoteError(f"{self.label}: the service lists the same keys again and again", path=self.label)
            more = {"ContinuationToken": token}

    async def _patiently(self, operation: str, name: str | None, **parameters: Any) -> dict[str, Any]:
        ask = partial(self._client.call, operation, name, **parameters)
        return await self._client.patiently(ask, self._retries)

    def _file(self, item: dict[str, Any], start: int) -> PlainFile:
        key = str(item["Key"])
        path = key[start:].encode("utf-8", "surrogateescape")
        return PlainFile(path, FILE, int(item["Size"]), _mark(item), handle=(key, item.get("ETag")))

    def read(self, file: PlainFile, start: int, length: int) -> bytes:
        """A range of an object, while it is the one that was looked at."""
        try:
            data, total = self._underway.run(self._read(file, start, length))
        except (NameMissing, Changed):
            raise changed(self.label, file.path) from None
        if total is not None and file.size is not None and total != file.size:
            raise changed(self.label, file.path)
        return data

    def stop(self) -> None:
        """End the requests."""
        self._underway.stop()

    async def _read(self, file: PlainFile, start: int, length: int) -> tuple[bytes, int | None]:
        everything = start == 0 and file.size is not None and file.size <= length
        assert isinstance(file.handle, tuple)
        key, etag = file.handle
        held = BytesIO()
        async with Reading(
            self._client, key, start, None if everything else length, etag=etag or None, as_stored=True
        ) as reading:
            while piece := await reading.read():
                held.write(piece)
                if held.tell() > length:
                    raise Changed(key)
            return held.getvalue(), reading.total


def _mark(answer: Mapping[str, Any]) -> str | None:
    etag = str(answer.get("ETag") or "").strip('"')
    date = answer.get("LastModified")
    size = answer.get("ContentLength", answer.get("Size"))
    return etag or stat_mark(size, None if date is None else date.timestamp())


def _name(key: str) -> bytes:
    return key.rstrip("/").rpartition("/")[2].encode("utf-8", "surrogateescape")
