"""A directory as it is now, each file with the hash remembered for it; and a mark by which it is known again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from hashlib import blake2b
from typing import NamedTuple, cast

from datatool.index.stamp import Stamp
from datatool.index.state import Part, State
from datatool.localfs.walk import Found
from datatool.model.entry import DIRECTORY, FILE
from datatool.model.oid import ObjectId


class Seen(NamedTuple):
    """One path in the workspace. `oid` is None for a file whose hash isn't known, and for what is no file."""

    found: Found
    stamp: Stamp
    oid: ObjectId | None


_make_seen = cast("Callable[[tuple[object, ...]], Seen]", partial(tuple.__new__, Seen))


class Looked(NamedTuple):
    """Many paths in the workspace, column by column: an object for each of them would cost as much as the looks."""

    found: list[Found]
    stamps: list[Stamp]
    digests: list[bytes | None]
    """32 raw bytes each, None where `Seen` has no `oid`."""

    def all_known(self) -> bool:
        """Whether the hash of every file among them is known."""
        return None not in self.digests or not any(
            digest is None and item.kind == FILE for item, digest in zip(self.found, self.digests, strict=True)
        )

    def each(self) -> list[Seen]:
        """All of them, one by one."""
        return [
            _make_seen((found, stamp, digest.hex() if digest is not None else None))
            for found, stamp, digest in zip(self.found, self.stamps, self.digests, strict=True)
        ]

    def at(self, places: Sequence[int]) -> list[Seen]:
        """Those at some places."""
        found, stamps, digests = self
        return Looked(
            [found[place] for place in places],
            [stamps[place] for place in places],
            [digests[place] for place in places],
        ).each()

    def parted(self, end: int) -> tuple[Looked, Looked]:
        """Those before a place, and the others."""
        found, stamps, digests = self
        return (
            Looked(found[:end], stamps[:end], digests[:end]),
            Looked(found[end:], stamps[end:], digests[end:]),
        )

    def and_then(self, more: Looked) -> Looked:
        """Those, followed by others."""
        return Looked(self.found + more.found, self.stamps + more.stamps, self.digests + more.digests)


_FEW = 16
"""Of so many paths one may have changed for the others to be told apart from it by their stamps alone."""


class Mark:
    """A digest of all that a walk saw: paths, kinds, targets of links, stamps. As long as it stays the same, every
    remembered hash holds that held before, and with them the tree that they make."""

    def __init__(self, *, kept: int = 0) -> None:
        """Stamps are kept as `parts`, where there are no more than `kept` paths."""
        self.known = True
        """Whether the hash of every file is remembered; to be unset by who knows better."""
        self.parts: list[Part] = []
        self._to_keep = kept
        self._names = blake2b(digest_size=16)
        self._stamps = blake2b(digest_size=16)

    def saw(self, found: list[Found], stamps: list[Stamp]) -> None:
        """Take in some paths; it doesn't matter how many at once."""
        # No path is empty or has a NUL in it: two of them say that something else than a plain file follows.
        names = [
            path if kind == FILE and target is None else b"%b\0\0%b%b" % (path, kind.encode(), target or b"")
            for path, _, kind, target in found
        ]
        self._names.update(b"\0".join([*names, b""]))
        self._stamps.update(b"".join(stamps))
        if len(found) <= self._to_keep:
            self._to_keep -= len(found)
            places = [place for place, (path, _, kind, to) in enumerate(found) if path and kind == FILE and to is None]
            if places:
                self.parts.append(Part.of([found[place].path for place in places], [stamps[place] for place in places]))
        else:
            self._to_keep = 0
            self.parts = []

    def finish(self) -> bytes:
        """The digest, 32 bytes."""
        return self._names.digest() + self._stamps.digest()


class Apart(NamedTuple):
    """What is in a directory beside a tree whose parts are remembered: the paths of files that are still just what the
    tree has there, and all the rest."""

    same: set[bytes]
    rest: Looked


def apart(
    state: State, artifact: bytes, tree: ObjectId, glance: Iterable[tuple[list[Found], list[Stamp]]]
) -> Apart | None:
    """Tell what still is as it was; None where little is, which is told faster in another way."""
    then: dict[bytes, bytes] = {}
    for part in state.parts(artifact, tree):
        then.update(part.each())
    same: set[bytes] = set()
    rest: list[tuple[Found, Stamp]] = []
    for found, stamps in glance:
        paths = [item[0] for item in found]
        places = [place for place, (a, b) in enumerate(zip(map(then.get, paths), stamps, strict=True)) if a != b]
        same.update(paths)
        same.difference_update([paths[place] for place in places])
        rest += [(found[place], stamps[place]) for place in places]
    if len(rest) * _FEW > len(same):
        return None
    prefix = artifact + b"/"
    rows = [state.row(prefix + item.path) if item.kind == FILE else None for item, _ in rest]
    return Apart(
        same,
        Looked(
            [item for item, _ in rest],
            [stamp for _, stamp in rest],
            [
                row.digest if row is not None and row.stamp == stamp else None
                for row, (_, stamp) in zip(rows, rest, strict=True)
            ],
        ),
    )


def recall(state: State, prefix: bytes, found: list[Found], stamps: list[Stamp]) -> Looked:
    """Look up some of what a walk found in a row; remembered paths start with `prefix`, which ends with `/`.

    A hash holds only while the whole stamp is what it was (formats §4). All is done for many at once, as it is done
    for every file of every command.
    """
    # What is no file has no row; it is asked for by what it is sorted by.
    paths = [prefix + path if kind != DIRECTORY else prefix + path + b"/" for path, _, kind, _ in found]
    if not found[0].path:  # the artifact is a file
        paths[0] = prefix[:-1]
    digests = [
        row[2] if row is not None and row[1] == stamp else None
        for row, stamp in zip(state.recall(paths), stamps, strict=True)
    ]
    return Looked(found, stamps, digests)
