"""The other engine for S3: obstore, which spends less processor time on each request (setting `engine: obstore`).

What it lacks: it can't see unfinished uploads, so that an interrupted upload of a large file begins anew and
`leftovers` finds none; bytes are checked by the sha256 of the signature, and by no md5 where a server knows nothing
else; an upload that stands still is noticed after minutes; and redirects are followed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import obstore

from datatool.errors import DatatoolError, ReadFailed, RemoteError
from datatool.hashing import Hasher
from datatool.localfs.atomic import local_error
from datatool.localfs.positions import cut, read_at, write_at
from datatool.model.oid import ObjectId
from datatool.model.paths import show
from datatool.remote.stores.budget import Budget
from datatool.remote.stores.options import PART_RETRIES, StoreOptions
from datatool.remote.stores.s3_login import read_login
from datatool.remote.stores.s3_obstore_client import ObstoreClient
from datatool.remote.stores.s3_obstore_reading import LARGEST_GET, PART, STEP, Reader
from datatool.remote.stores.s3_place import parse_place
from datatool.remote.url import RemoteUrl
from datatool.store.names import check_name, is_name
from datatool.store.protocol import (
    Advance,
    ByteRange,
    Capabilities,
    Kept,
    Leftover,
    Listed,
    NameMissing,
    NameTaken,
    Store,
    WrongBytes,
)

SINGLE: Final = 64 << 20
"""Files up to this size are sent in one request, larger ones in parts."""
_IN_FLIGHT: Final = 64 << 20
_MOST_PARTS: Final = 9000


def open_store(url: RemoteUrl, settings: Mapping[str, str], options: StoreOptions) -> Store:
    """The store at an `s3://bucket/prefix`. Nothing is contacted. UsageError for settings that can't be meant."""
    return ObstoreS3(ObstoreClient(parse_place(url, settings, os.environ), read_login(settings), options))


class ObstoreS3:
    """The store of one place, for one login; see `open_store`."""

    def __init__(self, client: ObstoreClient) -> None:
        self._client = client
        self._place = client.place
        self._budget = Budget(_IN_FLIGHT)
        self._reader = Reader(client, self._budget)

    @property
    def label(self) -> str:
        """What to call it in messages: bucket and prefix, and the service where it is not Amazon's."""
        return self._place.label

    @property
    def capabilities(self) -> Capabilities:
        """What it can do. Conditional writes are promised for Amazon only: some others ignore the condition."""
        return Capabilities(checksum=self._place.is_amazon, conditional=self._place.is_amazon)

    # Reading

    def list(self, prefix: str) -> Iterator[Listed]:
        """Every name that starts with `prefix`, sorted; keys that are no names of a store are left out."""
        if directory := prefix.rpartition("/")[0]:
            check_name(directory)
        return self._list(prefix, self._place.key(directory))

    def _list(self, prefix: str, directory: str) -> Iterator[Listed]:
        # obstore lists directories: it begins just before what is wanted, and is left just behind.
        wanted = self._place.key(prefix)
        before = None if wanted in ("", directory + "/", directory) else f"{wanted[:-1]}{chr(ord(wanted[-1]) - 1)}~"
        start = len(self._place.prefix)
        begin = partial(obstore.list, prefix=directory.rstrip("/") or None, offset=before, chunk_size=1000)
        pages = iter(self._client.call("list_objects_v2", None, begin))
        last = ""
        empty = True
        while True:
            page = self._client.call("list_objects_v2", None, lambda _: next(pages, None))
            if page is None:
                if empty:
                    self._client.require_s3()
                return
            empty = False
            for item in page:
                path = item["path"]
                if not path.startswith(wanted):
                    if path > wanted:
                        return
                    continue
                name = path[start:]
                if name < last:
                    raise RemoteError(f"{self.label}: the service does not list in order", path=self.label)
                last = name
                if is_name(name):
                    yield Listed(name, item["size"], item["last_modified"].timestamp())

    def get(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """The bytes of a name, or a range of them; RemoteError for more than 64 MiB."""
        check_name(name)
        return bytes(self._reader.get(name, start, length).data)

    def get_many(self, ranges: Sequence[ByteRange]) -> Iterator[bytes]:
        """The bytes of each range, in the order asked, several requests at a time."""
        for part in ranges:
            check_name(part.name)
        tasks = ((min(part.length, LARGEST_GET), partial(self._reader.get, *part)) for part in ranges)
        return (bytes(piece.data) for piece in self._reader.in_order(tasks))

    def get_file(
        self, name: str, target: int, sha256: ObjectId, size: int, *, have: int = 0, advance: Advance | None = None
    ) -> None:
        """Copy `name` into an open local file, in ranges side by side that are written in order."""
        check_name(name)
        try:
            hasher = Hasher()
            done = max(0, min(have, size, os.fstat(target).st_size))
            cut(target, done)
            for start in range(0, done, STEP):
                hasher.update(read_at(target, min(STEP, done - start), start))
            for data in self._reader.file(name, done, size):
                hasher.update(data)
                write_at(target, data, done)
                if isinstance(have, Kept):
                    have.note(done, done + len(data))
                done += len(data)
                if advance is not None:
                    advance(len(data))
        except OSError as error:
            if isinstance(error, DatatoolError):
                raise
            raise local_error(error, "the file being fetched", size) from error
        if done != size or hasher.oid != sha256:
            raise WrongBytes(name)

    # Writing

    def put(self, name: str, data: bytes, *, exclusive: bool = False) -> None:
        """Publish `data` under `name`; with `exclusive` atomic as far as `capabilities` promise."""
        check_name(name)
        if exclusive and not self._place.is_amazon and self._is_there(name):
            raise NameTaken(name)
        self._put(name, bytes(data), mode="create" if exclusive else "overwrite")

    def _put(self, name: str, data: bytes, *, mode: Literal["create", "overwrite"]) -> None:
        work = partial(obstore.put, path=self._place.key(name), file=data, mode=mode, use_multipart=False)

        def put(handle: Any) -> None:
            try:
                work(handle)
            except (obstore.exceptions.AlreadyExistsError, obstore.exceptions.PreconditionError) as error:
                raise NameTaken(name) from error

        self._client.call("put_object", None, put, size=len(data))

    def put_file(self, name: str, source: Path, sha256: ObjectId, *, advance: Advance | None = None) -> None:
        """Copy a local file to `name`, a large one in parts."""
        check_name(name)
        try:
            with open(source, "rb", buffering=0) as file:
                size = os.fstat(file.fileno()).st_size
                if size > SINGLE:
                    self._put_parts(name, file.fileno(), sha256, size, advance)
                else:
                    self._put_small(name, file.fileno(), sha256, size, advance)
        except OSError as error:
            if isinstance(error, DatatoolError):
                raise
            path = show(str(source))
            raise ReadFailed(f"{path}: can't be read: {error.strerror or error}", path=str(source)) from error

    def _put_small(self, name: str, file: int, sha256: ObjectId, size: int, advance: Advance | None) -> None:
        self._budget.take(size)
        try:
            data = b"".join(_checked(name, file, sha256, size))
            PART_RETRIES.call(partial(self._put, name, data, mode="overwrite"))
        finally:
            self._budget.give(size)
        if size and advance is not None:
            advance(size)

    def _put_parts(self, name: str, file: int, sha256: ObjectId, size: int, advance: Advance | None) -> None:
        part = max(PART, -(-size // _MOST_PARTS))
        held = min(3 * part, _IN_FLIGHT)
        self._budget.take(held)
        try:
            # obstore asks for the bytes in this thread, and publishes only when they have ended well.
            work = partial(
                obstore.put,
                path=self._place.key(name),
                file=_checked(name, file, sha256, size, advance),
                use_multipart=True,
                chunk_size=part,
                max_concurrency=max(1, held // part),
            )
            self._client.call("upload_part", None, work, size=part, tries=PART_RETRIES.tries)
        finally:
            self._budget.give(held)

    def _is_there(self, name: str) -> bool:
        try:
            self._client.call("head_object", name, partial(obstore.head, path=self._place.key(name)))
        except NameMissing:
            return False
        return True

    def delete_many(self, names: Iterable[str]) -> None:
        """Delete names, a thousand with each request; those that are not there are no error."""
        keys = [self._place.key(check_name(name)) for name in names]
        if keys:
            self._client.call("delete_objects", None, partial(obstore.delete, paths=keys))

    def server_time(self) -> float:
        """Now, by the service's clock; asked once."""
        now = self._client.clock.now()
        if now is None:
            self._client.ask_the_time()
            now = self._client.clock.now()
        if now is None:
            raise RemoteError(f"{self.label}: the service does not tell what time it is", path=self.label)
        return now

    def leftovers(self) -> Iterator[Leftover]:
        """None that this engine could see."""
        return iter(())

    def discard(self, leftover: Leftover) -> None:
        """Nothing to do."""


def _checked(name: str, file: int, sha256: ObjectId, size: int, advance: Advance | None = None) -> Iterator[bytes]:
    """The bytes of a file, hashed as they are given out; WrongBytes in place of an end, unless they are right."""
    hasher = Hasher()
    for start in range(0, size, STEP):
        length = min(STEP, size - start)
        data = read_at(file, length, start)
        if len(data) != length:
            raise WrongBytes(name)
        hasher.update(data)
        if start + length == size and hasher.oid != sha256:
            raise WrongBytes(name)
        if advance is not None:
            advance(length)
        yield data
    if size == 0 and hasher.oid != sha256:
        raise WrongBytes(name)
