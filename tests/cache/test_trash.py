"""The trash of a cache: what gc took out of use is there again as soon as anybody wants it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from datatool.cache.local import Cache
from datatool.hashing import digest
from datatool.index.state import State
from datatool.model.oid import ObjectId
from datatool.store.objects import Absent, Wanted


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache", State(None))


def thrown(cache: Cache, *, packed: bool) -> tuple[ObjectId, bytes]:
    """An object that lies in the trash, by itself or in a pack."""
    objects = [os.urandom(100) for _ in range(300 if packed else 1)]
    with cache.writer() as writer:
        for data in objects:
            writer.put(Wanted(digest(data), len(data), b""), data)
    oid = digest(objects[0])
    if packed:
        place = cache.packs.find(oid)
        assert place is not None
        cache.trash.take_pack(cache.packs.path(place.pack), place.pack)
    else:
        cache.trash.take_object(cache.loose_path(oid), oid)
    return oid, objects[0]


def read_all(cache: Cache, oid: ObjectId) -> bytes:
    with cache.reader(oid) as file:
        return file.read()


@pytest.mark.parametrize("packed", [False, True], ids=["loose", "packed"])
@pytest.mark.parametrize("known", [True, False], ids=["kept open", "opened anew"])
@pytest.mark.parametrize("question", ["has", "missing", "sizes", "load", "reader", "read", "checked"])
def test_every_question_finds_what_lies_in_the_trash(cache: Cache, packed: bool, known: bool, question: str) -> None:
    oid, data = thrown(cache, packed=packed)
    asked = cache if known else Cache(cache.top, State(None))
    asked.refresh()
    answers: dict[str, Callable[[], bool]] = {
        "has": lambda: asked.has(oid),
        "missing": lambda: asked.missing([oid]) == set(),
        "sizes": lambda: asked.sizes([oid]) == {oid: 100},
        "load": lambda: asked.load(oid) == data,
        "reader": lambda: read_all(asked, oid) == data,
        "read": lambda: not any(isinstance(item, Absent) for item in asked.read([Wanted(oid, 100, b"")])),
        "checked": lambda: not any(isinstance(item, Absent) for item in asked.checked([Wanted(oid, 100, b"")])),
    }
    assert answers[question]()
    assert not list(cache.trash.everything())
    assert Cache(cache.top, State(None)).load(oid) == data


def test_a_pack_comes_back_though_no_shard_names_it_any_more(cache: Cache) -> None:
    oid, data = thrown(cache, packed=True)
    for shard in (cache.top / "index").iterdir():
        shard.unlink()
    assert Cache(cache.top, State(None)).load(oid) == data


def test_a_file_that_can_be_linked_comes_back_from_the_trash(cache: Cache) -> None:
    oid, _ = thrown(cache, packed=False)
    assert cache.linkable(oid) == cache.loose_path(oid)


def test_what_lies_in_no_trash_is_missing(cache: Cache) -> None:
    thrown(cache, packed=True)
    other = digest(b"never here")
    assert cache.missing([other]) == {other}
    assert not cache.has(other)
    assert len(list(cache.trash.everything())) == 1


def test_who_keeps_a_cache_open_saves_again_what_was_deleted_meanwhile(cache: Cache) -> None:
    """A notebook may be open for weeks."""
    objects = [os.urandom(100) for _ in range(300)]
    wanted = [Wanted(digest(data), len(data), b"") for data in objects]

    def save() -> None:
        with cache.writer() as writer:
            for item, data in zip(wanted, objects, strict=True):
                writer.put(item, data)

    save()
    assert not cache.missing([item.oid for item in wanted])
    for path in [*(cache.top / "packs").rglob("*.pack"), *(cache.top / "objects").rglob("*")]:
        if path.is_file():
            path.unlink()
    save()
    assert not Cache(cache.top, State(None)).missing([item.oid for item in wanted])
