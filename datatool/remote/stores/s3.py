"""A store in a bucket of Amazon S3, or of another service that speaks like it."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import datatool.remote.stores.late_certificates  # noqa: F401 - before anything imports aiohttp
from datatool.errors import NotARemote, ReadFailed, RemoteError
from datatool.hashing import digest
from datatool.localfs.positions import read_at
from datatool.model.oid import ObjectId
from datatool.model.paths import show
from datatool.remote.stores.budget import Budget
from datatool.remote.stores.event_loop import result
from datatool.remote.stores.options import StoreOptions
from datatool.remote.stores.s3_answers import Refusal, Refused
from datatool.remote.stores.s3_body import Body, Checks
from datatool.remote.stores.s3_client import S3Client
from datatool.remote.stores.s3_download import Download
from datatool.remote.stores.s3_login import read_login
from datatool.remote.stores.s3_multipart import Multipart
from datatool.remote.stores.s3_place import parse_place
from datatool.remote.stores.s3_reading import Reading
from datatool.remote.stores.s3_uploads import Ended, call, list_parts, list_uploads
from datatool.remote.stores.transfer import Transfer
from datatool.remote.url import RemoteUrl
from datatool.store.names import check_name, is_name
from datatool.store.protocol import (
    Advance,
    ByteRange,
    Capabilities,
    Leftover,
    Listed,
    NameMissing,
    NameTaken,
    Store,
    WrongBytes,
)

SINGLE: Final = 64 << 20
"""Files up to this size are sent in one request, larger ones in parts."""
LARGEST_GET: Final = 64 << 20
"""No record and no range that datatool asks for is larger: what goes on beyond is not read."""
_IN_FLIGHT: Final = 64 << 20
_MOST_DELETED: Final = 1000
"""What one request may delete."""
_NO_BULK: Final = frozenset({"NotImplemented", "MethodNotAllowed"})


def open_store(url: RemoteUrl, settings: Mapping[str, str], options: StoreOptions) -> Store:
    """The store at an `s3://bucket/prefix`. Nothing is contacted. UsageError for settings that can't be meant."""
    return S3Store(S3Client(parse_place(url, settings, os.environ), read_login(settings), options))


class S3Store:
    """The store of one place, for one login; see `open_store`."""

    def __init__(self, client: S3Client) -> None:
        self._client = client
        self._place = client.place
        self._budget = Budget(_IN_FLIGHT)
        self._checks = Checks(sha256=True if self._place.is_amazon else None)

    @property
    def label(self) -> str:
        """What to call it in messages: bucket and prefix, and the service where it is not Amazon's."""
        return self._place.label

    @property
    def capabilities(self) -> Capabilities:
        """What it can do. Conditional writes are promised for Amazon only: some others ignore the condition."""
        return Capabilities(checksum=self._checks.sha256 is True, conditional=self._place.is_amazon, multipart=True)

    # Reading

    def list(self, prefix: str) -> Iterator[Listed]:
        """Every name that starts with `prefix`, sorted; keys that are no names of a store are left out."""
        if directory := prefix.rpartition("/")[0]:
            check_name(directory)
        return self._list(prefix)

    def _list(self, prefix: str) -> Iterator[Listed]:
        start = len(self._place.prefix)
        last = ""
        page = self._client.start(self._page(prefix, None))
        try:
            while True:
                found = result(page)
                token = found.get("NextContinuationToken") if found.get("IsTruncated") else None
                if token is not None:
                    page = self._client.start(self._page(prefix, token))
                rows = [
                    Listed(item["Key"][start:], item["Size"], item["LastModified"].timestamp())
                    for item in found.get("Contents") or ()
                    if is_name(item["Key"][start:])
                ]
                rows.sort()
                if rows and rows[0].name < last:
                    raise RemoteError(f"{self.label}: the service does not list in order", path=self.label)
                yield from rows
                if token is None:
                    return
                last = rows[-1].name if rows else last
        finally:
            page.cancel()

    async def _page(self, prefix: str, token: str | None) -> dict[str, Any]:
        more = {} if token is None else {"ContinuationToken": token}
        page = await self._client.call("list_objects_v2", Prefix=self._place.key(prefix), **more)
        if "IsTruncated" not in page and "Name" not in page:  # an empty document is no empty listing
            raise NotARemote(
                f"{self.label}: the answer is not that of an S3 service", hint="check endpoint_url", path=self.label
            )
        return page

    def get(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """The bytes of a name, or a range of them; RemoteError for more than 64 MiB."""
        return self._client.run(self._get(check_name(name), start, length))

    def get_version(self, name: str, version: str, start: int = 0, length: int | None = None) -> bytes:
        """The bytes of a version of a key below the prefix, or a range of them; RemoteError for more than 64 MiB."""
        return self._client.run(self._get(name, start, length, version))

    def get_many(self, ranges: Sequence[ByteRange]) -> Iterator[bytes]:
        """The bytes of each range, in the order asked, several requests at a time."""
        for part in ranges:
            check_name(part.name)
        return self._get_many(deque(ranges))

    def _get_many(self, wanted: deque[ByteRange]) -> Iterator[bytes]:
        under_way: deque[tuple[int, Future[bytes]]] = deque()
        try:
            while wanted or under_way:
                while wanted and len(under_way) < self._client.jobs:
                    size = min(wanted[0].length, LARGEST_GET)
                    if not under_way:
                        self._budget.take(size)
                    elif not self._budget.try_take(size):
                        break
                    future = self._client.start(self._get(*wanted.popleft()))
                    under_way.append((size, future))
                    future.add_done_callback(partial(self._arrived, size))
                data = result(under_way[0][1])
                self._budget.give(under_way.popleft()[0], parked=True)
                yield data
        finally:
            for size, future in under_way:
                future.cancel()
                self._budget.give(size, parked=True)

    def _arrived(self, size: int, _: Future[bytes]) -> None:
        self._budget.park(size)

    async def _get(self, name: str, start: int, length: int | None, version: str | None = None) -> bytes:
        if length == 0:
            await self._client.call("head_object", name, Key=self._place.key(name))
            return b""
        held = BytesIO()
        async with Reading(self._client, name, start, length, version=version) as reading:
            while piece := await reading.read():
                held.write(piece)
                if held.tell() > LARGEST_GET:
                    raise RemoteError(f"{self.label}: {name} is too large to be what it should be", path=self.label)
        return held.getvalue()

    def get_file(
        self, name: str, target: int, sha256: ObjectId, size: int, *, have: int = 0, advance: Advance | None = None
    ) -> None:
        """Copy `name` into an open local file, in ranges side by side, hashing the copy behind them."""
        Download(self._client, check_name(name), target, sha256, size, have=have).run(advance)

    # Writing

    def put(self, name: str, data: bytes, *, exclusive: bool = False) -> None:
        """Publish `data` under `name`; with `exclusive` atomic as far as `capabilities` promise."""
        key = self._place.key(check_name(name))
        condition = {"IfNoneMatch": "*"} if exclusive else {}
        if exclusive and not self._place.is_amazon and self._is_there(name):
            raise NameTaken(name)
        try:
            self._client.run(self._put(key, Body(bytes(data)), {**self._checks.of(data), **condition}))
        except Refused as refused:
            if exclusive and (refused.status == 412 or refused.code == "PreconditionFailed"):
                raise NameTaken(name) from refused
            raise

    def put_file(self, name: str, source: Path, sha256: ObjectId, *, advance: Advance | None = None) -> None:
        """Copy a local file to `name`; a large one in parts, of which those that are there already are not sent."""
        check_name(name)
        try:
            file = os.open(source, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0))
        except OSError as error:
            raise _unreadable(source, error) from error
        try:
            size = os.fstat(file).st_size
            if size > SINGLE:
                Multipart(self._client, self._budget, name, file, sha256, size, checks=self._checks).run(advance)
            else:
                self._put_small(name, file, sha256, size, advance)
        except OSError as error:
            if isinstance(error, RemoteError):
                raise
            raise _unreadable(source, error) from error
        finally:
            os.close(file)

    def _put_small(self, name: str, file: int, sha256: ObjectId, size: int, advance: Advance | None) -> None:
        with Transfer(self._client.loop, advance, self._budget.changed) as transfer:
            transfer.wait(partial(self._budget.try_take, size, first=True))
            try:
                data = read_at(file, size, 0)
                if len(data) != size or digest(data) != sha256:
                    raise WrongBytes(name)
                checks = self._checks.of(data)
            except BaseException:
                self._budget.give(size)
                raise
            put = partial(self._put, self._place.key(name), Body(data, transfer), checks)
            transfer.begin(self._client.patiently(put), partial(self._budget.give, size))
            del data, put
            transfer.wait(lambda: not transfer.running)

    async def _put(self, key: str, body: Body, parameters: Mapping[str, str]) -> None:
        answer = await self._client.call("put_object", Key=key, Body=body, **parameters)
        if not answer.get("ETag"):
            raise NotARemote(
                f"{self.label}: the answer is not that of an S3 service", hint="check endpoint_url", path=self.label
            )
        self._checks.learn(answer)

    def _is_there(self, name: str) -> bool:
        try:
            self._client.run(self._client.call("head_object", name, Key=self._place.key(name)))
        except NameMissing:
            return False
        return True

    def delete_many(self, names: Iterable[str]) -> None:
        """Delete names, a thousand with each request; those that are not there are no error."""
        keys = [self._place.key(check_name(name)) for name in names]
        for start in range(0, len(keys), _MOST_DELETED):
            self._client.run(self._delete(keys[start : start + _MOST_DELETED]))

    async def _delete(self, keys: Sequence[str]) -> None:
        wanted = {"Quiet": True, "Objects": [{"Key": key} for key in keys]}
        try:
            answer = await self._client.call("delete_objects", Delete=wanted)
        except Refused as refused:
            if refused.code not in _NO_BULK and refused.status not in (405, 501):
                raise
            for key in keys:
                await self._client.call("delete_object", Key=key)
            return
        for item in answer.get("Errors") or ():
            if item.get("Code") not in ("NoSuchKey", "NotFound"):
                refusal = Refusal(status=0, code=str(item.get("Code")), message=str(item.get("Message") or ""))
                raise self._client.caller.explain(refusal, "delete_objects", None)

    def server_time(self) -> float:
        """Now, by the service's clock; asked only where no answer has told it yet."""
        now = self._client.clock.now()
        if now is None:
            try:
                self._client.run(self._client.call("head_bucket"))
            except RemoteError:
                if self._client.clock.now() is None:
                    raise
            now = self._client.clock.now()
        if now is None:
            raise RemoteError(f"{self.label}: the service does not tell what time it is", path=self.label)
        return now

    def leftovers(self) -> Iterator[Leftover]:
        """Uploads under this prefix that were begun and not finished."""
        start = len(self._place.prefix)
        for item in self._client.run(self._uploads()):
            name = item["Key"][start:]
            if not is_name(name):
                continue
            try:
                parts, _ = self._client.run(list_parts(self._client, name, item["UploadId"]))
            except (Ended, NameMissing):
                continue
            size = sum(part.size for part in parts.values())
            yield Leftover(name, size, item["Initiated"].timestamp(), item["UploadId"])

    async def _uploads(self) -> Sequence[dict[str, Any]]:
        return [item async for item in list_uploads(self._client, self._place.prefix)]

    def discard(self, leftover: Leftover) -> None:
        """End an unfinished upload; it is no error if it is gone already."""
        name = check_name(leftover.name)
        try:
            self._client.run(call(self._client, "abort_multipart_upload", name, UploadId=leftover.id))
        except (Ended, NameMissing):
            pass


def _unreadable(source: Path, error: OSError) -> ReadFailed:
    path = show(str(source))
    return ReadFailed(f"{path}: can't be read: {error.strerror or error}", path=str(source))
