"""A directory as it is now beside a tree: path by path, or only where the two differ."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from datatool.formats.tree_object import Load, parse_lines, read_lines
from datatool.formats.tree_text import encode_files, encode_lines
from datatool.index.listing import Seen
from datatool.model.entry import DIRECTORY, EXECUTABLE, FILE, Entry, sort_key
from datatool.model.oid import ObjectId
from datatool.workspace.present import Workspace

_END = b""
"""No path: where a listing has ended."""
_UNKNOWN = ObjectId("\n")
"""Stands for a hash that nobody knows: no line of a tree has a line end in it."""

Row = tuple[bytes, Entry | None, Entry | None]
"""path, now, then."""


def against(workspace: Workspace, artifact: bytes, reference: Iterator[Entry], *, within: bytes = b"") -> Iterator[Row]:
    """Join a directory as it is now with a listing: (path, now, then). A file whose hash isn't remembered is hashed
    only where its size could be right; elsewhere its entry has no oid, which is enough to say that it differs. A file
    that is what the listing says gives the listing's own entry."""
    return _joined(workspace, artifact, workspace.look(artifact, within=within), reference)


def differences(
    workspace: Workspace,
    load: Load,
    artifact: bytes,
    tree: ObjectId,
    *,
    seen: Iterator[list[Seen]] | None = None,
) -> Iterator[Row]:
    """Those rows of `against` that differ, for a tree that was checked before; `seen` is what a look at the directory
    gave a moment ago.

    What is here is spelled as a tree spells it, and compared line by line: of the tree, only the lines that are not
    found here are read.
    """
    looked = seen if seen is not None else workspace.look_by_many(artifact)
    for here, there in _unlike(workspace, looked, read_lines(tree, load)):
        for path, now, then in _joined(workspace, artifact, iter(here), iter(there)):
            if now != then:
                yield path, now, then


def _unlike(
    workspace: Workspace, looked: Iterator[list[Seen]], pages: Iterator[list[str]]
) -> Iterator[tuple[list[Seen], list[Entry]]]:
    """What is here and isn't just so in the tree, and the other way round, page after page of the tree."""
    here: list[Seen] = []
    for lines in pages:
        last = sort_key(parse_lines(lines[-1:])[0])
        while not here or _key(here[-1]) <= last:
            some = next(looked, None)
            if some is None:
                break
            here += some
        end = bisect_right(here, last, key=_key)
        ours, theirs = _spelled(workspace, here[:end]), lines
        if not workspace.modes_bind:  # whether a file is executable is what the tree says
            ours, theirs = [line[1:] for line in ours], [line[1:] for line in lines]
        both = set(ours).intersection(theirs)
        yield (
            [item for item, line in zip(here, ours, strict=False) if line not in both],
            parse_lines([line for line, their in zip(lines, theirs, strict=True) if their not in both]),
        )
        del here[:end]
    yield here, []
    for some in looked:
        yield some, []


def _key(seen: Seen) -> bytes:
    path, _, kind, _ = seen.found
    return path + b"/" if kind == DIRECTORY else path


def _spelled(workspace: Workspace, seen: list[Seen]) -> list[str]:
    """The line of each path that the tree of what is here would have."""
    found = [item.found for item in seen]
    if not {FILE}.issuperset([kind for _, _, kind, _ in found]):
        return encode_lines([workspace.entry(item, item.oid or _UNKNOWN) for item in seen])
    modes, sizes = [at.st_mode for _, at, _, _ in found], [at.st_size for _, at, _, _ in found]
    return encode_files(
        [EXECUTABLE if mode & 0o111 else FILE for mode in modes],
        [path for path, _, _, _ in found],
        [oid or _UNKNOWN for _, _, oid in seen],
        sizes,
    )


def _joined(workspace: Workspace, artifact: bytes, looked: Iterator[Seen], reference: Iterator[Entry]) -> Iterator[Row]:
    def key(entry: Entry | None) -> bytes:
        return _END if entry is None else sort_key(entry)

    modes_bind = workspace.modes_bind
    then = next(reference, None)
    next_key = key(then)
    for seen in looked:
        (path, stat, kind, _), _, oid = seen
        if not path:
            continue
        at = path + b"/" if kind == DIRECTORY else path
        while then is not None and next_key < at:
            yield then.path, None, then
            then = next(reference, None)
            next_key = key(then)
        if next_key == at:
            if (
                then is not None
                and then.oid is not None
                and then.oid == oid
                and then.size == stat.st_size
                and (not modes_bind or (then.kind == EXECUTABLE) == bool(stat.st_mode & 0o111))
            ):
                yield path, then, then
            else:
                yield path, _entry(workspace, artifact, seen, then), then
            then = next(reference, None)
            next_key = key(then)
        else:
            yield path, _entry(workspace, artifact, seen, None), None
    while then is not None:
        yield then.path, None, then
        then = next(reference, None)


def _entry(workspace: Workspace, artifact: bytes, seen: Seen, then: Entry | None) -> Entry:
    (path, stat, kind, _), _, oid = seen
    if oid is None and kind == FILE and then is not None and then.is_file and then.size == stat.st_size:
        oid, _ = workspace.hash(artifact + b"/" + path)
    return workspace.entry(seen, oid, then)
