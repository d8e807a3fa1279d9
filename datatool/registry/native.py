"""What another datatool project tracks: its pointers at one commit, and the lists of its directories.

Where their objects come from is `datatool.registry.native_storage`.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from datatool.cache.local import Cache
from datatool.errors import DatatoolError, FormatError, PartlyDone, UnsafeInput
from datatool.formats.config_file import LIMIT
from datatool.formats.pointer_file import is_pointer, parse_pointer
from datatool.formats.tree_object import is_root, parse_root, read_tree
from datatool.git.revision import POINTER_LIMIT, TreeFile
from datatool.model.entry import DIRECTORY, EXECUTABLE, FILE
from datatool.model.oid import ObjectId
from datatool.model.paths import PathRefused, check_escape
from datatool.model.pointer import ArtifactKind, Pointer
from datatool.progress import NOBODY, Task
from datatool.registry.access import Access
from datatool.registry.native_storage import CONFIG, Artifact, Follow, NativeStorage, below
from datatool.registry.offer import Brought, Offer, Origin, Root
from datatool.registry.view import View
from datatool.store.objects import Wanted

SUFFIX: Final = b".dt"
FOLDER: Final = b".datatool"
_REGULAR: Final = (0o100644, 0o100755)
_SERVES: Final = frozenset({b".gitignore", b".gitattributes", b".gitmodules", b".datatoolignore"})


class NativeReader:
    """Reads the pointers of one commit; `cache` is where lists of directories, and what is brought, are kept."""

    def __init__(
        self,
        view: View,
        access: Access,
        cache: Cache,
        *,
        memory_dir: Path,
        follow: Follow,
        config: Mapping[str, str] | None = None,
    ) -> None:
        """`memory_dir` keeps what is known of remotes; `follow` opens the registry that an import came from; `config`
        are settings by flat key to use instead of what the commit says: remotes move, and for this user's own project
        it is known where they are now."""
        self._view = view
        self._cache = cache
        self._storage = NativeStorage(view, access, memory_dir=memory_dir, follow=follow, config=config)
        self._found: dict[bytes, list[Artifact | Root]] = {}

    # What there is

    def roots(self, within: bytes) -> Iterator[Root]:
        """The artifacts at, below or around a path."""
        for item in self._artifacts(within):
            if isinstance(item, Root):
                yield item
                continue
            pointer = item.pointer
            yield Root(
                path=item.path,
                directory=pointer.kind is ArtifactKind.DIRECTORY,
                origin=Origin.DATATOOL,
                size=pointer.size,
                files=pointer.files,
                oid=pointer.oid,
                executable=pointer.executable,
            )

    def pointer(self, path: bytes) -> Pointer | None:
        """What the pointer of the artifact at exactly this path says."""
        found = (item for item in self._artifacts(path) if isinstance(item, Artifact) and item.path == path)
        return next((item.pointer for item in found), None)

    def offers(self, within: bytes) -> Iterator[Offer]:
        """Every data file, link and empty directory at or below a path."""
        artifacts = [item for item in self._artifacts(within) if isinstance(item, Artifact)]
        problems = self._bring_lists(artifacts)
        for item in self._artifacts(within):
            if isinstance(item, Root):
                yield Offer(item.path, FILE, Origin.DATATOOL, problem=item.problem, error=item.error)
            elif item.path in problems:
                error = problems[item.path]
                yield _untold(item, error.message)._replace(error=error)
            else:
                yield from self._of_artifact(item, within)

    def _of_artifact(self, item: Artifact, within: bytes) -> Iterator[Offer]:
        pointer = item.pointer
        if pointer.oid is None:
            yield _untold(item, "was imported without its data")
        elif pointer.kind is ArtifactKind.FILE:
            if len(within) <= len(item.path):
                kind = EXECUTABLE if pointer.executable else FILE
                yield Offer(item.path, kind, Origin.DATATOOL, size=pointer.size, oid=pointer.oid, handle=item)
        else:
            inside = within[len(item.path) + 1 :] if len(within) > len(item.path) else b""
            prefix = item.path + b"/"
            origin = Origin.DATATOOL
            try:
                if not pointer.files and not inside and not any(True for _ in read_tree(pointer.oid, self._load)):
                    yield Offer(item.path, DIRECTORY, Origin.DATATOOL, handle=item)
                for entry in read_tree(pointer.oid, self._load, within=inside):
                    size = entry.size if entry.kind != DIRECTORY else None
                    yield Offer(prefix + entry.path, entry.kind, origin, size, entry.oid, entry.target, None, item)
            except KeyError as error:
                yield _untold(item, f"its list is not to be had (object {error.args[0][:12]}…)")
            except FormatError as error:
                yield _untold(item, error.message)

    def hidden(self, path: bytes) -> bool:
        """Pointers, ignore lines and datatool's own folder."""
        parts = path.split(b"/")
        return parts[-1].endswith(SUFFIX) or parts[-1] in _SERVES or FOLDER in parts

    def _artifacts(self, within: bytes) -> list[Artifact | Root]:
        if within not in self._found and b"" in self._found:
            self._found[within] = [item for item in self._found[b""] if _touches(item.path, within)]
        if within not in self._found:
            files = self._pointer_files(within)
            texts = self._view.read([*files, *self._configs_above(within)], limit=LIMIT)
            found: list[Artifact | Root] = []
            tops: list[bytes] = []
            for file in files:
                text = texts.get(file.path)
                path = file.path[: -len(SUFFIX)]
                if (
                    text is None
                    or len(text) > POINTER_LIMIT
                    or not is_pointer(text)
                    or any(path.startswith(top) for top in tops[-1:])
                ):
                    continue
                try:
                    check_escape(path)
                    found.append(Artifact(path=path, pointer=parse_pointer(text, name=os.fsdecode(file.path))))
                    tops.append(path + b"/")
                except PathRefused as error:
                    found.append(_broken(path, UnsafeInput(error.reason, path=os.fsdecode(path))))
                except FormatError as error:
                    found.append(_broken(path, error))
            self._found[within] = found
        return self._found[within]

    def _configs_above(self, within: bytes) -> list[TreeFile]:
        """Configurations that may be needed soon: they come with the pointers, in one request."""
        parts = within.split(b"/") if within else []
        tops = [b"/".join(parts[:depth]) for depth in range(len(parts) + 1)]
        return list(self._view.find([below(top, CONFIG) for top in tops]).values())

    def _pointer_files(self, within: bytes) -> list[TreeFile]:
        """The files that may be pointers of what is at, around or below a path."""
        parts = within.split(b"/") if within else []
        around = [b"/".join(parts[:depth]) + SUFFIX for depth in range(1, len(parts) + 1)]
        found = self._view.find([*around, within])
        direct = [found[path] for path in around if path in found and found[path].mode in _REGULAR]
        texts = self._view.read([*direct, *self._configs_above(within)], limit=LIMIT) if direct else {}
        if direct and is_pointer(texts.get(direct[0].path, b"")):
            return direct[:1]  # nothing inside an artifact is a pointer
        if within and within not in found:
            return direct
        below = (file for file in self._view.files(within) if file.path.endswith(SUFFIX) and file.mode in _REGULAR)
        return sorted({*direct, *below}, key=lambda file: file.path)

    # Where its bytes are

    def owns(self, offer: Offer) -> bool:
        """Whether an offer came from here."""
        return isinstance(offer.handle, Artifact)

    def bring(self, offers: Sequence[Offer], cache: Cache, task: Task) -> Iterator[Brought]:
        """Have the objects of offers in a cache."""
        groups: dict[bytes, list[Offer]] = defaultdict(list)
        for offer in offers:
            assert isinstance(offer.handle, Artifact)
            groups[offer.handle.path].append(offer)
        for group in groups.values():
            item = group[0].handle
            assert isinstance(item, Artifact)
            wanted = {offer.oid: Wanted(offer.oid, offer.size or 0, offer.path) for offer in group if offer.oid}
            errors = self._storage.have(item, list(wanted.values()), cache, task)
            for offer in group:
                if offer.oid is not None:
                    yield offer, errors.get(offer.oid, offer.oid)

    def url(self, offer: Offer) -> str:
        """Where the bytes of an offer lie as a file of their own, on the first remote that has them so."""
        item = offer.handle
        assert isinstance(item, Artifact) and offer.oid is not None
        return self._storage.url(item, offer.oid, offer.path)

    def _bring_lists(self, artifacts: Sequence[Artifact]) -> dict[bytes, DatatoolError]:
        """Have the lists of directories; why some can't be had, by artifact."""
        problems: dict[bytes, DatatoolError] = {}
        for item in artifacts:
            oid = item.pointer.oid
            if item.pointer.kind is not ArtifactKind.DIRECTORY or oid is None:
                continue
            try:
                self._have_list(item, [oid])
                data = self._load(oid)
                if is_root(data):
                    self._have_list(item, [page.oid for page in parse_root(data)])
            except KeyError:
                problems[item.path] = PartlyDone("its list is not to be had")
            except DatatoolError as error:
                problems[item.path] = error
        return problems

    def _have_list(self, item: Artifact, oids: Sequence[ObjectId]) -> None:
        own = self._storage.own
        lacking = [oid for oid in self._cache.missing(oids) if own is None or not own.has_list(oid)]
        errors = self._storage.have(item, [Wanted(oid, 0, item.path, True) for oid in lacking], self._cache, NOBODY)
        for error in errors.values():
            raise error

    def _load(self, oid: ObjectId) -> bytes:
        """A list, from this user's cache or the registry's own."""
        try:
            return self._cache.load(oid)
        except KeyError:
            if self._storage.own is None:
                raise
            return self._storage.own.load(oid)


def _untold(item: Artifact, why: str) -> Offer:
    kind = DIRECTORY if item.pointer.kind is ArtifactKind.DIRECTORY else FILE
    return Offer(
        item.path, kind, Origin.DATATOOL, size=item.pointer.size, oid=item.pointer.oid, problem=why, handle=item
    )


def _touches(path: bytes, within: bytes) -> bool:
    """Whether a path is at, below or around another."""
    return path == within or path.startswith(within + b"/") or within.startswith(path + b"/")


def _broken(path: bytes, why: DatatoolError) -> Root:
    return Root(path=path, directory=False, origin=Origin.DATATOOL, problem=why.message, error=why)
