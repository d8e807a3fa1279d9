"""What a registry offers: one path at one commit, and how whoever understands it brings its bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol, runtime_checkable

from msgspec import Struct

from datatool.cache.local import Cache
from datatool.errors import DatatoolError
from datatool.model.oid import ObjectId
from datatool.progress import Task


class Origin(StrEnum):
    """Who keeps a path."""

    GIT = "git"
    """git itself: the bytes are in the repository."""
    DATATOOL = "datatool"
    DVC = "dvc"
    LFS = "lfs"


class Offer(NamedTuple):
    """One path of a registry; a named tuple, as a registry may have a million.

    `path` is raw bytes from the repository's top; `kind` is a letter of `model.entry`
    (DIRECTORY for an empty one, and for one whose content can't be told: then `problem` says why).

    `size` is in bytes where it is known; `oid` the object id where it is known before the bytes are here; `target` a
    symlink's text. `handle` is its reader's own note of where the bytes are.
    """

    path: bytes
    kind: str
    origin: Origin
    size: int | None = None
    oid: ObjectId | None = None
    target: bytes | None = None
    problem: str | None = None
    handle: object = None
    ident: str | None = None
    """What its keeper calls the bytes: `git:` and a blob id, `md5:` and a hash."""
    error: DatatoolError | None = None
    """What `problem` says, where it is more than that it is not here."""


class Root(Struct, frozen=True, kw_only=True):
    """A tracked file or directory as a whole, for lists that do not open it: `oid` and `size` where its pointer tells
    them, `files` a directory's count."""

    path: bytes
    directory: bool
    origin: Origin
    size: int | None = None
    files: int | None = None
    oid: ObjectId | None = None
    executable: bool = False
    problem: str | None = None
    ident: str | None = None
    error: DatatoolError | None = None
    """What `problem` says, where it is more than that it is not here."""


Brought = tuple[Offer, ObjectId | DatatoolError]
"""An offer whose bytes are in the cache now, with their object id; or why they are not."""


class Reader(Protocol):
    """Understands one way of keeping data beside git, in one commit of a repository."""

    def roots(self, within: bytes) -> Iterable[Root]:
        """The tracked files and directories at, below or around a path (`b""` for all); reads pointers, contacts no
        storage. Raises nothing for a pointer that does not read: that is a Root with a `problem`."""

    def offers(self, within: bytes) -> Iterable[Offer]:
        """Every data file, link and empty directory at or below a path, sorted. Lists of directories are brought from
        storage where they are not here; what can't be told is an Offer with a `problem`."""

    def hidden(self, path: bytes) -> bool:
        """Whether a git-tracked file only serves this way of keeping data (a pointer, its configuration, ignore
        lines): `get` of a directory leaves it out."""

    def owns(self, offer: Offer) -> bool:
        """Whether an offer is this reader's own: its `handle` is of the kind that only this reader makes."""

    def bring(self, offers: Sequence[Offer], cache: Cache, task: Task) -> Iterator[Brought]:
        """Have the bytes of offers, which are this reader's, in a cache: each checked against what the registry says
        of it, and given once, with its object id or the error that costs it alone. Raises what costs all of them."""


@runtime_checkable
class Locates(Protocol):
    """A reader that can tell where the bytes of an offer lie as a file of their own."""

    def url(self, offer: Offer) -> str:
        """The URL, or the path, of an offer's bytes. Raises UrlNotFound."""
