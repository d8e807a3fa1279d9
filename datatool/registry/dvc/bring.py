"""Having the bytes of a DVC project here: several objects at a time, into a cache of ours, each checked by its md5.

An object that is wrong or missing costs the paths that need it, nothing else; what came is kept.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import Final, NamedTuple

from msgspec import Struct, field

from datatool.cache.local import Cache
from datatool.cache.writer import CacheWriter
from datatool.errors import ChangedWhileRead, DamageFound, DatatoolError, NotFoundError, RemoteError, UnsafeInput
from datatool.formats.dvc_file import Md5
from datatool.model.oid import ObjectId
from datatool.model.paths import show_bytes
from datatool.progress import Task
from datatool.registry.dvc.imports import Imports, Other
from datatool.registry.dvc.md5 import CHUNK, Md5Check, is_content_of
from datatool.registry.dvc.memory import Known, Md5Memory
from datatool.registry.dvc.pointers import Tracked
from datatool.registry.dvc.storage import Large, Place, Small, Storage
from datatool.registry.offer import Brought, Offer
from datatool.store.objects import Absent, Wanted
from datatool.store.objects import Small as CachedSmall

BATCH: Final = 4096
"""Files that are brought, and made durable, together."""
_SECONDS: Final = 0.2
"""Between two reports of how far large objects are."""


class Stored(Struct, frozen=True, kw_only=True, eq=False):
    """The handle of an offer that the project's own storage has; `owner` is the reader that made it."""

    owner: object
    place: Place
    tracked: Tracked


class Followed(Struct, frozen=True, kw_only=True, eq=False):
    """The handle of an offer that another repository makes."""

    owner: object
    other: Other
    offer: Offer


class _Key(NamedTuple):
    """One object to be fetched once, however many paths have it."""

    md5: Md5
    remote: str | None
    versioned: str | None


class Bringing(Struct, frozen=True, kw_only=True):
    """Brings offers of one DVC project; `registry` is what `memory` knows it by."""

    storage: Storage
    imports: Imports
    memory: Md5Memory
    registry: str
    jobs: int

    def bring(self, offers: Sequence[Offer], cache: Cache, task: Task) -> Iterator[Brought]:
        """Give each offer once, with its object or the error that costs it; raise what costs all of them."""
        rest = iter(offers)
        while batch := list(islice(rest, BATCH)):
            yield from self._batch(batch, cache, task)

    def _batch(self, offers: list[Offer], cache: Cache, task: Task) -> list[Brought]:
        stored: dict[_Key, list[Offer]] = {}
        elsewhere: list[tuple[Offer, Other, Offer]] = []
        for offer in offers:
            handle = offer.handle
            if isinstance(handle, Followed):
                elsewhere.append((offer, handle.other, handle.offer))
            else:
                assert isinstance(handle, Stored)
                place = handle.place
                stored.setdefault(_Key(place.md5, place.remote, place.versioned), []).append(offer)
        found, failed = self._stored(stored, cache, task)
        followed = [(offer, error) for offer, error in failed if self.imports.can_follow(_tracked(offer))]
        done: list[Brought] = [*found]
        done += [(offer, error) for offer, error in failed if not self.imports.can_follow(_tracked(offer))]
        done += self._from_sources(followed, cache, task)
        done += _brought_elsewhere(elsewhere, cache, task)
        _raise_what_costs_all(done)
        return done

    # From the project's own storage

    def _stored(
        self, wanted: dict[_Key, list[Offer]], cache: Cache, task: Task
    ) -> tuple[list[Brought], list[tuple[Offer, DatatoolError]]]:
        known = self.memory.known(self.registry, [key.md5 for key in wanted])
        lacking = cache.missing({object_.oid for object_ in known.values()})
        found: list[Brought] = []
        failed: list[tuple[Offer, DatatoolError]] = []
        todo: dict[_Key, Place] = {}
        for key, offers in wanted.items():
            object_ = known.get(key.md5)
            if object_ is None or object_.oid in lacking:
                todo[key] = _place(offers[0])
            else:
                found += [(offer, object_.oid) for offer in offers]
                task.advance(files=len(offers), bytes=object_.size * len(offers))
        if not todo:
            return found, failed
        learned: list[tuple[Md5, Known]] = []
        with cache.writer() as writer:
            for key, result in self._fetched(todo, task):
                offers = wanted[key]
                if isinstance(result, DatatoolError):
                    failed += [(offer, result) for offer in offers]
                    continue
                try:
                    _save(writer, result, offers[0])
                except ChangedWhileRead as error:
                    failed += [(offer, error) for offer in offers]
                    continue
                finally:
                    result.discard()
                learned.append((key.md5, Known(result.oid, result.size)))
                found += [(offer, result.oid) for offer in offers]
                task.advance(files=len(offers))
        self.memory.learn(self.registry, learned)
        return found, failed

    def _fetched(self, todo: dict[_Key, Place], task: Task) -> Iterator[tuple[_Key, Small | Large | DatatoolError]]:
        """Objects as they come, `jobs` at a time, so that no more than that are held."""
        count = _Count()
        rest = iter(todo.items())
        under_way: dict[Future[Small | Large | DatatoolError], _Key] = {}
        with ThreadPoolExecutor(max_workers=max(1, self.jobs), thread_name_prefix="dvc") as pool:
            try:
                while True:
                    for key, place in islice(rest, max(1, self.jobs) - len(under_way)):
                        under_way[pool.submit(self._fetch, place, count)] = key
                    if not under_way:
                        break
                    ready, _ = wait(under_way, timeout=_SECONDS, return_when=FIRST_COMPLETED)
                    count.report(task)
                    for future in ready:
                        yield under_way.pop(future), future.result()
            finally:
                for future in under_way:
                    if not future.cancel():
                        future.add_done_callback(_discard)
        count.report(task)

    def _fetch(self, place: Place, count: _Count) -> Small | Large | DatatoolError:
        try:
            return self.storage.fetch(place, count.add)
        except DatatoolError as error:
            return error

    # From the repositories that imports came from

    def _from_sources(self, failed: Sequence[tuple[Offer, DatatoolError]], cache: Cache, task: Task) -> list[Brought]:
        done: list[Brought] = []
        todo: list[tuple[Offer, Other, Offer]] = []
        for offer, error in failed:
            try:
                theirs = self.imports.offers(_tracked(offer)).get(offer.path)
            except DatatoolError as second:
                # The source is the better news, unless it only says that we may not go there.
                done.append((offer, error if isinstance(second, UnsafeInput) else second))
                continue
            if theirs is None:
                done.append((offer, error))
            else:
                todo.append((offer, *theirs))
        learned: list[tuple[Md5, Known]] = []
        for offer, result in _brought_elsewhere(todo, cache, task):
            md5 = _place(offer).md5
            size = None if isinstance(result, DatatoolError) else _size_if_right(cache, result, md5)
            if isinstance(result, DatatoolError):
                done.append((offer, result))
            elif size is None:
                done.append((offer, _other_content(offer, md5)))
            else:
                done.append((offer, result))
                learned.append((md5, Known(result, size)))
        self.memory.learn(self.registry, learned)
        return done


class _Count(Struct):
    """Bytes that several threads have brought, told to a task by one."""

    bytes: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, count: int) -> None:
        with self.lock:
            self.bytes += count

    def report(self, task: Task) -> None:
        with self.lock:
            count, self.bytes = self.bytes, 0
        if count:
            task.advance(bytes=count)


def _tracked(offer: Offer) -> Tracked:
    assert isinstance(offer.handle, Stored)
    return offer.handle.tracked


def _place(offer: Offer) -> Place:
    assert isinstance(offer.handle, Stored)
    return offer.handle.place


def _discard(future: Future[Small | Large | DatatoolError]) -> None:
    result = future.result()
    if not isinstance(result, DatatoolError):
        result.discard()


def _save(writer: CacheWriter, result: Small | Large, offer: Offer) -> None:
    if isinstance(result, Small):
        writer.put(Wanted(result.oid, result.size, offer.path), result.data)
        return
    os.lseek(result.fd, 0, os.SEEK_SET)
    if writer.save(result.fd, result.size) != result.oid:
        raise ChangedWhileRead(f"{show_bytes(offer.path)}: changed while it was copied", path=os.fsdecode(offer.path))


def _brought_elsewhere(todo: Sequence[tuple[Offer, Other, Offer]], cache: Cache, task: Task) -> list[Brought]:
    """What other repositories bring, each asked once, under our own offers."""
    done: list[Brought] = []
    others: dict[int, Other] = {id(other): other for _, other, _ in todo}
    for key, other in others.items():
        ours: dict[bytes, list[Offer]] = {}
        theirs: dict[bytes, Offer] = {}
        for offer, whose, inner in todo:
            if id(whose) == key:
                ours.setdefault(inner.path, []).append(offer)
                theirs[inner.path] = inner
        try:
            for inner, result in other.bring(list(theirs.values()), cache, task):
                done += [(offer, result) for offer in ours.pop(inner.path, [])]
        except DatatoolError as error:
            done += [(offer, error) for offers in ours.values() for offer in offers]
    return done


def _size_if_right(cache: Cache, oid: ObjectId, md5: Md5) -> int | None:
    """The size of an object if its bytes are what an md5 means; else None."""
    for item in cache.checked([Wanted(oid, 0, b"")]):
        if isinstance(item, Absent):
            return None
        if isinstance(item, CachedSmall):
            return len(item.data) if is_content_of(bytes(item.data), md5) else None
        assert item.path is not None
        check, size = Md5Check(legacy=md5.legacy), 0
        with open(item.path, "rb") as file:
            while data := file.read(CHUNK):
                check.update(data)
                size += len(data)
        return size if check.matches(md5.digits) else None
    return None


def _other_content(offer: Offer, md5: Md5) -> DamageFound:
    return DamageFound(
        f"{show_bytes(offer.path)}: the repository it was imported from has other bytes than md5 {md5}",
        hint="whoever keeps the project: dvc update, then dvc push",
        path=os.fsdecode(offer.path),
    )


def _raise_what_costs_all(done: Sequence[Brought]) -> None:
    """One remote that nobody reaches, or that we may not go to, is told once, not for every path."""
    errors = {id(result): result for _, result in done if isinstance(result, DatatoolError)}
    if len(errors) == 1 and all(isinstance(result, DatatoolError) for _, result in done):
        (error,) = errors.values()
        if isinstance(error, RemoteError | UnsafeInput | NotFoundError):
            raise error
