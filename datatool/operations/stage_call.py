"""One call of a stage: what determines its result, and the arguments that its function gets."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from io import RawIOBase
from pathlib import Path
from types import BuiltinFunctionType, FunctionType
from typing import TYPE_CHECKING

from datatool.errors import DatatoolError, PathNotFound
from datatool.hashing import Hasher
from datatool.model.file import File
from datatool.model.oid import ObjectId
from datatool.model.result import ResultFormat
from datatool.model.run import RunFile
from datatool.model.stage import Fact, FactKind
from datatool.operations.frozen import is_frozen
from datatool.operations.stage_definition import StageDefinition, stage_in
from datatool.operations.stage_home import Home
from datatool.operations.track_state import OnChange, Rule
from datatool.operations.tracked_place import locate
from datatool.operations.tracker import Tracker
from datatool.stages.arguments import SAME, argument_digest, rebuilt
from datatool.stages.callables import is_named
from datatool.stages.live import code_of
from datatool.stages.result_formats import encoding_of, write_result
from datatool.stages.stage_facts import code_facts, shown, stage_fingerprint

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

Tracking = Callable[[Path], AbstractContextManager[Tracker]]
"""Opens the project at a root."""

_LIBRARIES = frozenset({"numpy", "pandas", "polars", "pyarrow"})
_PLAIN = frozenset({type(None), bool, int, float, complex, bytes})
_LONGEST_NAME = 4096


@dataclass(frozen=True, kw_only=True, slots=True)
class Input:
    """A file or directory among the arguments: `given` is what named it, `full` where it lies, `path` what that is in
    the project at `root` (None outside any), `oid` its content. `file` is it as a run's input, where datatool tracks
    it."""

    given: str
    full: str
    root: Path | None
    path: bytes
    oid: ObjectId
    file: RunFile | None = None


@dataclass(slots=True)
class Described:
    """What was found in the arguments of a call."""

    facts: list[Fact] = field(default_factory=list)
    inputs: dict[str, Input] = field(default_factory=dict)
    """By where in the arguments they stand."""
    warnings: list[str] = field(default_factory=list)


def describe(
    arguments: Mapping[str, object],
    home: Home,
    results: Mapping[StageDefinition, tuple[str, str]],
    tracking: Tracking,
    known: Mapping[str, Input] | None = None,
) -> Described:
    """Everything about the arguments that counts. `results` has, for each stage among them, the hash that it counts by,
    and that in short. `known` are the files among them where somebody else has found them: by where they stand, and
    nothing else is one. Raises UsageError for what can't be counted, PathNotFound for a `File` that is nowhere."""
    return _Describer(home, results, tracking, known).describe(arguments)


def bring_inputs(found: Mapping[str, Input], tracking: Tracking) -> None:
    """Make the files among the arguments present, as they were described. Raises what `track` does."""
    for item in found.values():
        if item.root is not None and item.file is not None:
            with tracking(item.root) as tracker:
                tracker.track([item.path], Rule(on_change=OnChange.KEEP, frozen=is_frozen(os.environ), pinned=True))


def in_place(value: object, found: Mapping[str, Input], values: Mapping[StageDefinition, object]) -> object:
    """An argument as the function gets it: results in place of stages; a `File` and any other path as an absolute
    `Path`, a text as it is where it leads there, and else as an absolute one."""
    where = {item.given: item.full for item in found.values()}

    def replace(inner: object) -> object:
        stage = stage_in(inner)
        if stage is not None:
            return values[stage]
        if isinstance(inner, str):
            full = where.get(inner)
            return SAME if full is None or os.path.abspath(inner) == full else full
        path = inner.path if isinstance(inner, File) else os.fspath(inner) if isinstance(inner, os.PathLike) else None
        return Path(where[path]) if isinstance(path, str) and path in where else SAME

    return rebuilt(value, replace)


def present(file: File, home: Home, tracking: Tracking) -> Path:
    """A file, fetched where it is tracked and not here. Raises PathNotFound, and what `track` does."""
    describer = _Describer(home, {}, tracking)
    describer.add(file, "file")
    bring_inputs(describer.found.inputs, tracking)
    return Path(describer.found.inputs["file"].full)


def looked_at(item: Input, home: Home, tracking: Tracking) -> Input | None:
    """A file among the arguments as it is now."""
    return _Describer(home, {}, tracking).look(item.given, item.full, item.root)


def still_the_same(found: Mapping[str, Input], home: Home, tracking: Tracking) -> bool:
    """Whether the files among the arguments have the content that they were described with."""
    try:
        return all(
            (now := looked_at(item, home, tracking)) is not None and now.oid == item.oid for item in found.values()
        )
    except DatatoolError:
        return False


class _Describer:
    def __init__(
        self,
        home: Home,
        results: Mapping[StageDefinition, tuple[str, str]],
        tracking: Tracking,
        known: Mapping[str, Input] | None = None,
    ) -> None:
        self._tracking = tracking
        self._inputs = known
        self._home = home
        self._results = results
        self.found = Described()
        self._cwd = _working_directory()

    def describe(self, arguments: Mapping[str, object]) -> Described:
        for name, value in arguments.items():
            digest = argument_digest(value, name, self._leaf)
            text = shown(name, value)
            self.found.facts.append(Fact(kind=FactKind.ARGUMENT, name=name, digest=digest, shown=text))
        return self.found

    def add(self, file: File, place: str) -> None:
        """Describe one file. Raises PathNotFound."""
        self._file(file.path, place, needed=True)

    def _leaf(self, value: object, place: str) -> bytes | None:
        if type(value) in _PLAIN:
            return None
        stage = stage_in(value)
        if stage is not None:
            digest, text = self._results[stage]
            self.found.facts.append(Fact(kind=FactKind.RESULT, name=place, digest=digest, shown=text))
            return b"stage"
        if isinstance(value, File):
            return self._file(value.path, place, needed=True)
        if isinstance(value, str):
            return self._file(value, place, needed=False) if _may_be_a_file(value) else None
        if isinstance(value, os.PathLike):
            path = os.fspath(value)
            return self._file(path, place, needed=os.path.lexists(path)) or b"path " + os.fsencode(path)
        if isinstance(value, type | FunctionType | BuiltinFunctionType):
            return self._code(value, place)
        if type(value).__module__.partition(".")[0] in _LIBRARIES:
            return _of_library(value)
        if type(value).__module__ not in ("builtins", "datetime", "decimal", "fractions", "uuid", "functools"):
            self._code(type(value), place)  # what an object does depends on its class
        return None

    # Files

    def _file(self, path: str, place: str, *, needed: bool) -> bytes | None:
        found = self._found(path, place, needed=needed)
        if found is None:
            if needed and self._inputs is None:
                raise PathNotFound(f"File({path!r}): no such file or directory, and nothing tracks it", path=path)
            return None
        self.found.inputs[place] = found
        name = os.fsdecode(found.path)
        self.found.facts.append(Fact(kind=FactKind.INPUT, name=place, digest=found.oid, shown=name))
        return b"file " + found.path

    def _found(self, path: str, place: str, *, needed: bool) -> Input | None:
        if self._inputs is not None:
            known = self._inputs.get(place)
            return None if known is None else replace(known, given=path)
        at = locate(path, cwd=self._cwd, beside=lambda: self._home.directory)
        wanted = needed or os.path.isfile(at.full) or _is_pinned(at.full)
        return self.look(path, at.full, at.root) if wanted else None

    def look(self, given: str, full: str, root: Path | None) -> Input | None:
        """A file or directory as it is, or is going to be once it is fetched; None where there is none."""
        if root is None:
            outside = _hashed(full)
            name = os.fsencode(os.path.basename(full))
            if outside is None:
                return None
            return Input(given=given, full=full, root=None, path=name, oid=outside)
        with self._tracking(root) as tracker:
            path = tracker.path(full, self._cwd)
            file, tracked = tracker.input(path)
        if file is None:
            return None
        return Input(given=given, full=full, root=root, path=path, oid=file.oid, file=file if tracked else None)

    # Code

    def _code(self, value: type | FunctionType | BuiltinFunctionType, place: str) -> bytes:
        name = f"{value.__module__}.{value.__qualname__}"
        found = code_of(value, self._home.root) if self._home.root is not None else None
        if found is not None:
            self.found.facts = with_code(self.found.facts, code_facts(found), place)
            self.found.warnings += found.warnings
        # The module of a program is named otherwise where it is imported; its code counts anyway.
        said = value.__qualname__ if found is not None and found.items else name
        if found is not None and not is_named(value):
            said += " " + stage_fingerprint(said, code_facts(found))
        return f"code {said}".encode()


def with_code(facts: Iterable[Fact], more: Iterable[Fact], place: str) -> list[Fact]:
    """Facts, with more of them; of two functions that have one name, the second's says where it stands."""
    known = {fact.key: fact for fact in facts}
    for fact in more:
        if fact.digest != known.setdefault(fact.key, fact).digest:
            other = replace(fact, name=f"{fact.name} in {place}")
            known[other.key] = other
    return list(known.values())


def _may_be_a_file(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_NAME and "\0" not in text and "\n" not in text and any(c in text for c in "./\\")


def _is_pinned(full: str) -> bool:
    return os.path.exists(full + ".dt")


def _hashed(full: str) -> ObjectId | None:
    """The content of a file or directory outside any project."""
    hasher = Hasher()
    if os.path.isfile(full):
        _take(full, hasher)
        return hasher.oid
    if not os.path.isdir(full):
        return None
    for directory, names, files in os.walk(full):
        names.sort()
        for name in sorted(files):
            path = os.path.join(directory, name)
            hasher.update(os.fsencode(os.path.relpath(path, full)) + b"\0%d\0" % os.path.getsize(path))
            _take(path, hasher)
    return hasher.oid


def _take(path: str, hasher: Hasher) -> None:
    with open(path, "rb") as file:
        while data := file.read(1 << 20):
            hasher.update(data)


class _Digest(RawIOBase):
    """Hashes what is written to it."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256(usedforsecurity=False)
        self._at = 0

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        size = memoryview(data).nbytes
        self._hash.update(data)
        self._at += size
        return size

    def tell(self) -> int:
        return self._at

    def digest(self) -> bytes:
        """Of all that was written."""
        return self._hash.digest()


def _of_library(value: object) -> bytes | None:
    """A table or an array by its content, a single number of numpy by its type and bytes."""
    kind = getattr(value, "dtype", None)
    if not hasattr(value, "shape") or getattr(value, "shape", None) == ():
        whole = getattr(value, "tobytes", None)
        if kind is not None and callable(whole) and getattr(kind, "hasobject", True) is False:
            data = whole()
            return f"number {kind.str} ".encode() + data if isinstance(data, bytes) else None
    encoding = encoding_of(value, None)
    if encoding.format is ResultFormat.PICKLE:
        return None
    sink = _Digest()
    write_result(value, encoding, sink)  # type: ignore[arg-type]
    return f"{encoding.library} {encoding.format} ".encode() + sink.digest()


def _working_directory() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:
        return os.sep
