"""A directory as it is now beside a tree: path by path, or only where the two differ."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import zip_longest

from datatool.formats.tree_object import Load, parse_lines, read_lines
from datatool.formats.tree_text import encode_files, encode_lines, paths_of_files
from datatool.index.listing import Apart, Looked, Seen
from datatool.localfs.walk import Found
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
    seen: Iterator[Looked] | None = None,
    parts: Apart | None = None,
) -> Iterator[Row]:
    """Those rows of `against` that differ, for a tree that was checked before; `seen` is what a look at the directory
    gave a moment ago, or `parts` what was told of it beside that very tree.

    What is here is spelled as a tree spells it, and compared line by line: of the tree, only the lines that are not
    found here are read.
    """
    pages = read_lines(tree, load)
    looked = seen if seen is not None else workspace.look_by_columns(artifact)
    for here, there in _unlike(workspace, looked, pages) if parts is None else _rest(parts, pages):
        for path, now, then in _joined(workspace, artifact, iter(here), iter(there)):
            if now != then:
                yield path, now, then


def _rest(parts: Apart, pages: Iterator[list[str]]) -> Iterator[tuple[list[Seen], list[Entry]]]:
    """What `_unlike` gives, where it was told by stamps what is the same."""
    same, rest = parts
    for lines in pages:
        last = sort_key(parse_lines(lines[-1:])[0])
        within, rest = rest.parted(bisect_right(rest.found, last, key=_key))
        paths = paths_of_files(lines)
        if paths is None:
            entries = [entry for entry in parse_lines(lines) if not entry.is_file or entry.path not in same]
        else:
            entries = parse_lines([line for line, path in zip(lines, paths, strict=True) if path not in same])
        yield within.each(), entries
    yield rest.each(), []


def _unlike(
    workspace: Workspace, looked: Iterator[Looked], pages: Iterator[list[str]]
) -> Iterator[tuple[list[Seen], list[Entry]]]:
    """What is here and isn't just so in the tree, and the other way round, page after page of the tree."""
    here = Looked([], [], [])
    for lines in pages:
        last = sort_key(parse_lines(lines[-1:])[0])
        while not here.found or _key(here.found[-1]) <= last:
            some = next(looked, None)
            if some is None:
                break
            here = here.and_then(some)
        within, here = here.parted(bisect_right(here.found, last, key=_key))
        ours, theirs = _spelled(workspace, within), lines
        if not workspace.modes_bind:  # whether a file is executable is what the tree says
            ours, theirs = [line[1:] for line in ours], [line[1:] for line in lines]
        our_places, their_places = _unlike_places(ours, theirs)
        yield within.at(our_places), parse_lines([lines[place] for place in their_places])
    yield here.each(), []
    for some in looked:
        yield some.each(), []


def _unlike_places(ours: list[str], theirs: list[str]) -> tuple[list[int], list[int]]:
    """Where each of two lists has what the other one lacks; nearly always the same lines stand at the same places."""
    places = [place for place, (our, their) in enumerate(zip_longest(ours, theirs)) if our != their]
    our_places, their_places = ([place for place in places if place < len(lines)] for lines in (ours, theirs))
    both = {ours[place] for place in our_places}.intersection([theirs[place] for place in their_places])
    return (
        [place for place in our_places if ours[place] not in both],
        [place for place in their_places if theirs[place] not in both],
    )


def _key(found: Found) -> bytes:
    path, _, kind, _ = found
    return path + b"/" if kind == DIRECTORY else path


def _spelled(workspace: Workspace, looked: Looked) -> list[str]:
    """The line of each path that the tree of what is here would have."""
    if not looked.found:
        return []
    paths, stats, kinds, _ = zip(*looked.found, strict=True)
    if kinds.count(FILE) != len(kinds):
        return encode_lines([workspace.entry(item, item.oid or _UNKNOWN) for item in looked.each()])
    return encode_files(
        [EXECUTABLE if at.st_mode & 0o111 else FILE for at in stats],
        paths,
        [ObjectId(digest.hex()) if digest is not None else _UNKNOWN for digest in looked.digests],
        [at.st_size for at in stats],
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
