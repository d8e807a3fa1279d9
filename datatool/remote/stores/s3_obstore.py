"""The other engine for S3: obstore, which spends less processor time on each request (setting `engine: obstore`).

What it lacks: it can't see unfinished uploads, so that an interrupted upload of a large file begins anew and
`leftovers` finds none; bytes are checked by the sha256 of the signature, and by no md5 where a server knows nothing
else; an upload that stands still is noticed after minutes.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import obstore

from datatool.errors import DatatoolError, ReadFailed, RemoteBusy, RemoteError
from datatool.hashing import Hasher
from datatool.localfs.atomic import local_error
from datatool.localfs.positions import cut, read_at, write_at
from datatool.model.oid import ObjectId
from datatool.model.paths import show
from datatool.remote.stores.budget import Budget
from datatool.remote.stores.options import StoreOptions
from datatool.remote.stores.s3_answers import Refused
from datatool.remote.stores.s3_login import read_login
from datatool.remote.stores.s3_obstore_client import ObstoreClient
from datatool.remote.stores.s3_obstore_errors import is_about_ranges
from datatool.remote.stores.s3_place import parse_place
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
from datatool.store.retry import Retries

T = TypeVar("T")

SINGLE: Final = 64 << 20
PART: Final = 16 << 20
LARGEST_GET: Final = 64 << 20
_IN_FLIGHT: Final = 64 << 20
_MOST_PARTS: Final = 9000
_STEP: Final = 1 << 20
_PART_TRIES: Final = 5
_RETRIES: Final = Retries(patience=90.0)


def open_store(url: RemoteUrl, settings: Mapping[str, str], options: StoreOptions) -> Store:
    """The store at an `s3://bucket/prefix`. Nothing is contacted. UsageError for settings that can't be meant."""
    return ObstoreS3(ObstoreClient(parse_place(url, settings, os.environ), read_login(settings), options))


class ObstoreS3:
    """The store of one place, for one login; see `open_store`."""

    def __init__(self, client: ObstoreClient) -> None:
        self._client = client
        self._place = client.place
        self._budget = Budget(_IN_FLIGHT)
        self._pool = ThreadPoolExecutor(client.jobs, thread_name_prefix="s3")

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
        pages = iter(self._call("list_objects_v2", None, begin))
        last = ""
        while True:
            page = self._call("list_objects_v2", None, lambda _: next(pages, None))
            if page is None:
                return
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
        return bytes(self._get(name, start, length)[0])

    def get_many(self, ranges: Sequence[ByteRange]) -> Iterator[bytes]:
        """The bytes of each range, in the order asked, several requests at a time."""
        for part in ranges:
            check_name(part.name)
        tasks = ((min(part.length, LARGEST_GET), partial(self._get, *part)) for part in ranges)
        return (bytes(data) for data, _, _ in self._in_order(tasks))

    def get_file(
        self, name: str, target: int, sha256: ObjectId, size: int, *, have: int = 0, advance: Advance | None = None
    ) -> None:
        """Copy `name` into an open local file, in ranges side by side that are written in order."""
        check_name(name)
        try:
            hasher = Hasher()
            done = max(0, min(have, size, os.fstat(target).st_size))
            cut(target, done)
            for start in range(0, done, _STEP):
                hasher.update(read_at(target, min(_STEP, done - start), start))
            for data in self._ranges(name, done, size):
                hasher.update(data)
                write_at(target, data, done)
                done += len(data)
                if advance is not None:
                    advance(len(data))
        except OSError as error:
            if isinstance(error, DatatoolError):
                raise
            raise local_error(error, "the file being fetched", size) from error
        if done != size or hasher.oid != sha256:
            raise WrongBytes(name)

    def _ranges(self, name: str, done: int, size: int) -> Iterator[memoryview]:
        if done == size > 0:
            return
        data, found, etag = self._patiently(partial(self._get, name, done, min(PART, size - done)), name)
        if found != size:
            raise WrongBytes(name)
        yield data
        tasks = (
            (length, partial(self._patiently, partial(self._get, name, start, length, etag), name))
            for start in range(done + PART, size, PART)
            for length in (min(PART, size - start),)
        )
        for data, _, _ in self._in_order(tasks):
            yield data

    def _get(
        self, name: str, start: int, length: int | None, etag: str | None = None
    ) -> tuple[memoryview, int, str | None]:
        """The bytes of a range, the size of the whole, and what tells this version of it from another."""
        if length == 0:
            about = self._call("head_object", name, partial(obstore.head, path=self._place.key(name)))
            return memoryview(b""), about["size"], about["e_tag"]
        options: Any = {} if etag is None else {"if_match": etag}
        if length is not None:
            options["range"] = (start, start + length)
        elif start:
            options["range"] = {"offset": start}
        return self._call(
            "get_object", name, partial(self._read, name, start, length, options), size=length or LARGEST_GET
        )

    def _read(
        self, name: str, start: int, length: int | None, options: Any, handle: Any
    ) -> tuple[memoryview, int, str | None]:
        key = self._place.key(name)
        try:
            answer = obstore.get(handle, key, options=options)
        except obstore.exceptions.GenericError as error:
            if "status code: 416" in str(error):
                return memoryview(b""), start, None
            if not is_about_ranges(error):
                raise
            whole: Any = {name: value for name, value in options.items() if name != "range"}
            answer = obstore.get(handle, key, options=whole)
        size, (first, last) = answer.meta["size"], answer.range
        wanted = max(0, size - start) if length is None else min(length, max(0, size - start))
        if min(last - first, wanted) > LARGEST_GET:
            raise RemoteError(f"{self.label}: {name} is too large to be what it should be", path=self.label)
        if first == 0 and start:
            return self._cut_out(answer, start, wanted), size, answer.meta["e_tag"]
        data = memoryview(answer.bytes())
        if first != start or len(data) < wanted:
            raise RemoteBusy(f"{self.label}: {name}: the answer was cut", hint="try again", path=self.label)
        return data[:wanted], size, answer.meta["e_tag"]

    def _cut_out(self, answer: Any, start: int, wanted: int) -> memoryview:
        """A range from the whole, where the server has no ranges: nothing but the range is kept."""
        kept = bytearray()
        at = 0
        for piece in answer.stream(min_chunk_size=_STEP):
            view = memoryview(piece)
            kept += view[max(0, start - at) : max(0, start + wanted - at)]
            at += len(view)
            if at >= start + wanted:
                break
        return memoryview(kept)

    def _in_order(self, tasks: Iterable[tuple[int, Callable[[], T]]]) -> Iterator[T]:
        """What each task gives, in order; several are under way, as many as the budget has room for."""
        waiting = deque(tasks)
        under_way: deque[tuple[int, Future[T]]] = deque()
        try:
            while waiting or under_way:
                while waiting and len(under_way) < self._client.jobs:
                    size = waiting[0][0]
                    if not under_way:
                        self._budget.take(size)
                    elif not self._budget.try_take(size):
                        break
                    future = self._pool.submit(waiting.popleft()[1])
                    under_way.append((size, future))
                    future.add_done_callback(partial(self._arrived, size))
                found = under_way[0][1].result()
                self._budget.give(under_way.popleft()[0], parked=True)
                yield found
                del found
        finally:
            for size, future in under_way:
                future.cancel()
                future.add_done_callback(partial(self._let_go, size))

    def _arrived(self, size: int, _: Future[Any]) -> None:
        self._budget.park(size)

    def _let_go(self, size: int, _: Future[Any]) -> None:
        self._budget.give(size, parked=True)

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

        self._call("put_object", None, put, size=len(data))

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
            self._patiently(partial(self._put, name, data, mode="overwrite"), name)
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
            self._call("upload_part", None, work, size=part, tries=_PART_TRIES)
        finally:
            self._budget.give(held)

    def _is_there(self, name: str) -> bool:
        try:
            self._call("head_object", name, partial(obstore.head, path=self._place.key(name)))
        except NameMissing:
            return False
        return True

    def delete_many(self, names: Iterable[str]) -> None:
        """Delete names, a thousand with each request; those that are not there are no error."""
        keys = [self._place.key(check_name(name)) for name in names]
        if keys:
            self._call("delete_objects", None, partial(obstore.delete, paths=keys))

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

    def _call(self, operation: str, name: str | None, work: Callable[[Any], T], *, size: int = 0, tries: int = 1) -> T:
        return self._client.call(operation, name, work, size=size, tries=tries)

    def _patiently(self, attempt: Callable[[], T], name: str) -> T:
        try:
            return _RETRIES.call(attempt)
        except Refused as refused:
            if refused.status == 412:
                raise RemoteBusy(f"{self.label}: {name} changed while it was read", path=self.label) from refused
            raise


def _checked(name: str, file: int, sha256: ObjectId, size: int, advance: Advance | None = None) -> Iterator[bytes]:
    """The bytes of a file, hashed as they are given out; WrongBytes in place of an end, unless they are right."""
    hasher = Hasher()
    for start in range(0, size, _STEP):
        length = min(_STEP, size - start)
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
