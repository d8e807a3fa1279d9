"""The pointers of a DVC project in a commit: which files and directories it tracks, and as what.

DVC writes a pointer beside its data, so one path is looked for there first; anything else (other places, pipelines,
a directory with several outputs in it) takes a look at all pointers of the project.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from datatool.errors import DatatoolError, FormatError, UnsafeInput
from datatool.formats.dvc_file import DvcOut, DvcSource, parse_dvc_file
from datatool.formats.dvc_pipeline import (
    PARAMETERS,
    Pipeline,
    locked_outs,
    parse_lock,
    parse_parameters,
    parse_pipeline,
)
from datatool.git.revision import TreeFile
from datatool.model.paths import PathRefused, check_escape, show
from datatool.registry.dvc.ignored import IGNORE_FILE, Ignored, ignored_around
from datatool.registry.dvc.roots import LOCK, ancestors, dvc_root_of, inside, is_within, nested_roots
from datatool.registry.view import View

SUFFIX: Final = b".dvc"
PIPELINE: Final = b"dvc.yaml"
_REGULAR: Final = (0o100644, 0o100755)
_POINTER: Final = re.compile(rb"(?:.*/)?(?:[^/]+\.dvc|Dvcfile|dvc\.lock)", re.DOTALL)


class Tracked(Struct, frozen=True, kw_only=True):
    """Something that DVC tracks. `path` is from the repository's top, `pointer` the file that says so; `problem` says
    why there is nothing to be had, and then `out` may be missing; `error` is it, where the pointer itself is wrong."""

    path: bytes
    pointer: bytes
    out: DvcOut | None = None
    source: DvcSource | None = None
    problem: str | None = None
    error: DatatoolError | None = None

    @property
    def directory(self) -> bool:
        """Whether it is known to be a directory."""
        out = self.out
        return out is not None and (out.listed is not None or (out.md5 is not None and out.md5.directory))


class Pointers:
    """Everything that the project at `root` tracks in a commit, read once."""

    def __init__(self, view: View, root: bytes) -> None:
        self._view = view
        self._root = root
        self._all: list[Tracked] | None = None
        self._files: frozenset[bytes] = frozenset()
        self._config = inside(root, b".dvc/config")

    def find(self, within: bytes) -> list[Tracked]:
        """What is tracked at, below or around a path, sorted by path."""
        if self._all is None and within and within != self._root:
            beside = self._beside(within)
            if beside:
                return beside
        return [item for item in self.all() if is_within(item.path, within) or is_within(within, item.path)]

    def all(self) -> list[Tracked]:
        """Everything tracked, sorted by path, nothing twice."""
        if self._all is None:
            self._all = list(_distinct(self._collect()))
        return self._all

    def files(self) -> frozenset[bytes]:
        """All pointers and locks that DVC sees, what they track or not."""
        self.all()
        return self._files

    def is_pointer(self, path: bytes) -> bool:
        """Whether a file is a pointer of the project: one that DVC sees, or where that is not known yet, one that reads
        as such."""
        name = _name(path)
        if not name.endswith(SUFFIX) or name == SUFFIX:
            return False
        if self._all is not None:
            return path in self._files
        text = self._view.text(path)
        try:
            return text is not None and bool(parse_dvc_file(text, name=os.fsdecode(path)).outs)
        except DatatoolError:
            return False

    def _beside(self, path: bytes) -> list[Tracked]:
        """What the pointer beside a path, or beside a directory around it, tracks; nothing unless it is just that."""
        places = [place for place in (path, *ancestors(path)) if place != self._root and is_within(place, self._root)]
        names = [place + SUFFIX for place in places]
        rules = [inside(place, IGNORE_FILE) for place in ancestors(path) if is_within(place, self._root)]
        found = self._view.find([*names, *rules, self._config])
        # The outermost first: it is the one that counts where two track the same.
        files = [found[name] for name in reversed(names) if name in found and found[name].mode in _REGULAR]
        if not files or dvc_root_of(self._view, path) != self._root:
            return []
        self._view.read(file for file in found.values() if file.mode in _REGULAR)  # all that is needed, in one request
        ignored = ignored_around(self._view, self._root, [file.path for file in files])
        for item in self._read((file for file in files if not ignored.hides(file.path)), git=frozenset()):
            if item.path == path or (item.directory and is_within(path, item.path)):
                return [item]
        return []

    def _collect(self) -> Iterator[Tracked]:
        files = self._view.files(self._root)
        others = nested_roots(self._view, self._root)
        mine = [
            file
            for file in files
            if file.mode in _REGULAR and not (others and any(place in others for place in ancestors(file.path)))
        ]
        rules = [file for file in mine if file.path.rpartition(b"/")[2] == IGNORE_FILE]
        pointers = [file for file in mine if _POINTER.fullmatch(file.path)]
        self._view.read([*pointers, *(file for file in mine if self._serves(file.path))])  # in one request
        ignored = Ignored(self._root, self._view.read(rules))
        pointers = [file for file in pointers if not ignored.hides(file.path)]
        self._files = frozenset(file.path for file in pointers)
        yield from self._read(pointers, git=frozenset(file.path for file in files))

    def _serves(self, path: bytes) -> bool:
        """Whether a file is read along with the pointers."""
        return path == self._config or _name(path) in (IGNORE_FILE, PIPELINE, PARAMETERS.encode())

    def _read(self, files: Iterable[TreeFile], *, git: frozenset[bytes]) -> Iterator[Tracked]:
        """What pointers say; the bytes of all of them, and of what belongs to locks, come in one request."""
        pointers = list(files)
        places = [file.path.rpartition(b"/")[0] for file in pointers if _name(file.path) == LOCK]
        beside = [inside(place, name) for place in places for name in (PIPELINE, PARAMETERS.encode())]
        more = self._view.find(beside) if beside else {}
        texts = self._view.read([*pointers, *more.values()])
        for file in pointers:
            text = texts.get(file.path)
            if text is None:
                yield self._wrong(file.path, FormatError("the pointer is too large"))
                continue
            try:
                if _name(file.path) == LOCK:
                    yield from self._locked(file.path, texts, git)
                else:
                    yield from self._pointed(file.path, text)
            except DatatoolError as error:
                yield self._wrong(file.path, error)

    def _pointed(self, pointer: bytes, text: bytes) -> Iterator[Tracked]:
        content = parse_dvc_file(text, name=os.fsdecode(pointer))
        for out in content.outs:
            if out.cached:
                source = content.source if len(content.outs) == 1 else None
                yield self._tracked(pointer, posixpath.join(content.wdir, out.path), out, source)

    def _locked(self, lock: bytes, texts: dict[bytes, bytes], git: frozenset[bytes]) -> Iterator[Tracked]:
        place = lock.rpartition(b"/")[0]
        definition, parameters = inside(place, PIPELINE), inside(place, PARAMETERS.encode())
        if definition not in texts:
            return  # DVC reads no lock without it
        pipeline: Pipeline | None = None
        values: dict[str, str] = {}
        try:
            pipeline = parse_pipeline(texts[definition], name=os.fsdecode(definition))
            if any("${" in stage.wdir for stage in pipeline.stages.values()) and parameters in texts:
                values = parse_parameters(texts[parameters], name=os.fsdecode(parameters))
        except DatatoolError:
            pass  # an anchor or a tag, say: then the lock alone has to do, and git keeps what it has
        locked = parse_lock(texts[lock], name=os.fsdecode(lock))
        for item in locked_outs(locked, pipeline, values):
            if item.unknown is not None:
                why = f"its directory {show(item.unknown)} is a template that can't be filled in"
                yield self._wrong(lock, FormatError(why))
                continue
            tracked = self._tracked(lock, item.out.path, item.out, None)
            if pipeline is not None or tracked.path not in git:
                yield tracked

    def _tracked(self, pointer: bytes, path: str, out: DvcOut, source: DvcSource | None) -> Tracked:
        """An output, its path resolved from its pointer's directory."""
        raw = path.encode("utf-8", "surrogateescape")
        place = pointer.rpartition(b"/")[0]
        full = posixpath.normpath(inside(place, raw))
        try:
            check_escape(full)
            if not is_within(full, self._root) or full == self._root:
                raise PathRefused(full, "the path leaves the project")
        except PathRefused as error:
            return self._wrong(pointer, UnsafeInput(f"it tracks {show(path)}: {error.reason}"))
        problem = None
        if out.md5 is None and out.listed is None and source is None:
            problem = "DVC has not recorded its content"
        return Tracked(path=full, pointer=pointer, out=out, source=source, problem=problem)

    def _wrong(self, pointer: bytes, error: DatatoolError) -> Tracked:
        error.path = error.path or os.fsdecode(pointer)
        return Tracked(path=pointer.removesuffix(SUFFIX), pointer=pointer, problem=error.message, error=error)


def _distinct(found: Iterable[Tracked]) -> Iterator[Tracked]:
    """Sorted; of two for the same path the first; one inside of another is none to be had."""
    around: Tracked | None = None
    last: Tracked | None = None
    for item in sorted(found, key=lambda item: item.path + b"/"):
        if last is not None and item.path == last.path:
            continue
        last = item
        if around is not None and item.path.startswith(around.path + b"/") and around.problem is None:
            yield replace(item, problem=f"{show(os.fsdecode(around.path))} around it is tracked as well")
            continue
        around = item
        yield item


def _name(path: bytes) -> bytes:
    return path.rpartition(b"/")[2]
