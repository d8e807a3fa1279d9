"""Pointer files: the text that stands for an artifact in git, and the value it holds (formats §2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, TypeVar

from datatool.errors import FormatError, NewerFormat
from datatool.formats.conflict import refuse_conflict
from datatool.formats.fields import Fields
from datatool.formats.plain_yaml import OneLine, Value, read_plain, render
from datatool.formats.yaml_edit import edit
from datatool.formats.yaml_text import read_any
from datatool.model.oid import prefixed
from datatool.model.paths import show
from datatool.model.pointer import ArtifactKind, Pointer, Role, Source

T = TypeVar("T")

VERSION: Final = 1
LIMIT: Final = 64 << 10
"""Bytes: a pointer file is never larger."""

TYPED: Final = frozenset({"datatool", "size", "files", "executable", "push"})
"""The keys whose value is a number or a switch; every other scalar is a string, in every reader."""

_SOURCE_KEYS: Final = ("repo", "path", "rev", "commit", "origin", "url", "etag", "query", "connection", "run")
_KEYS: Final = (
    *("datatool", "kind", "oid", "size", "files", "executable", "description", "labels", "role", "remote", "push"),
    *("meta", "source"),
)
_ORDER: Final = (*((key,) for key in _KEYS), *(("source", key) for key in _SOURCE_KEYS))

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", re.ASCII)
_HEADER = re.compile(
    rb"(?:\xef\xbb\xbf)?"
    rb"(?:[ \t]*(?:#[^\n]*)?\n|[ \t]*\r\n|<{7} [^\n]*\n)*+"  # comments; the marker of a conflict about the first line
    rb"datatool:[ \t]+([0-9]{1,9})[ \t]*(?:[ \t]#[^\n]*)?(?:\r?\n|\Z)"
)

_KIND = re.compile(rb"(?m)^kind:[ \t]+(file|directory)[ \t\r]*$")


def is_pointer(data: bytes) -> bool:
    """Whether a file named `*.dt` is a pointer: its first line other than comments is `datatool: <n>`.

    >>> is_pointer(b"# songs\\ndatatool: 1\\nkind: file\\n"), is_pointer(b"set autoscale\\n")
    (True, False)
    """
    return _HEADER.match(data) is not None


def parse_pointer(data: bytes, *, name: str) -> Pointer:
    """Read a pointer file; `name` is its path, for errors.

    Raises MergeConflict for conflict markers, NewerFormat for a later version, FormatError for anything else wrong.
    """
    return _pointer(_read(data, name), name)


def kind_said(data: bytes) -> ArtifactKind | None:
    """The kind that the lines of a pointer say, one that doesn't read; None where they say none, or both.

    >>> kind_said(b"<<<<<<< ours\\ndatatool: 1\\nkind: directory\\n=======\\nkind: directory\\n")
    <ArtifactKind.DIRECTORY: 'directory'>
    """
    said = {match.decode() for match in _KIND.findall(data[:LIMIT])}
    return ArtifactKind(said.pop()) if len(said) == 1 else None


def write_pointer(pointer: Pointer, *, old: bytes | None) -> bytes:
    """Spell a pointer. With `old`, the file it replaces, all that did not change stays as it is: order, comments,
    keys this version does not know; the same content gives the same bytes. Raises as `parse_pointer` for `old`.
    """
    fresh = _mapping(pointer)
    if old is None:
        return render(fresh).encode()
    before = parse_pointer(old, name="the old pointer")
    if _mapping(before) == fresh:  # as mappings: the order of `meta` is no content
        return old
    text = edit(
        old.decode("utf-8-sig").replace("\r\n", "\n"), _changes(_mapping(before), fresh), order=_ORDER, typed=TYPED
    ).encode()
    if (
        _mapping(parse_pointer(text, name="the new pointer")) != fresh
    ):  # an old text too odd to edit: right comes before pretty
        return render(fresh).encode()
    return text


def _read(data: bytes, name: str) -> dict[str, Value]:
    if len(data) > LIMIT:
        raise FormatError(f"{show(name)}: too large for a pointer (at most 64 kB)", path=name)
    header = _HEADER.match(data)
    if header is None:
        raise FormatError(f"{show(name)}: not a pointer: its first line is not 'datatool: {VERSION}'", path=name)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(f"{show(name)}: is not UTF-8 text (byte {error.start})", path=name) from None
    values = read_plain(text, typed=TYPED)
    if values is None:
        refuse_conflict(text, name=name)
    if int(header[1]) > VERSION:
        raise NewerFormat(
            f"{show(name)}: written by a newer datatool (format {int(header[1])}, this one reads {VERSION})",
            hint="install a newer datatool",
            path=name,
        )
    if values is None:
        values = read_any(text, name=name, typed=TYPED)
    if values.get("datatool") != VERSION:
        raise FormatError(f"{show(name)}: datatool must be {VERSION}", path=name)
    return values


def _pointer(values: Mapping[str, object], name: str) -> Pointer:
    fields = Fields(values, name)
    source = fields.inner("source")
    pointer = Pointer(
        kind=_required(fields.choice("kind", ArtifactKind), fields, "kind"),
        oid=fields.oid("oid"),
        size=fields.number("size"),
        files=fields.number("files"),
        executable=bool(fields.switch("executable")),
        description=fields.text("description"),
        labels=fields.texts("labels"),
        role=fields.choice("role", Role),
        remote=fields.text("remote"),
        push=fields.switch("push") is not False,
        meta=fields.pairs("meta"),
        source=None if source is None else _source(source),
    )
    if pointer.oid is None and pointer.source is None:
        raise fields.missing("oid")
    if pointer.oid is not None:
        _required(pointer.size, fields, "size")
        if pointer.kind is ArtifactKind.DIRECTORY:
            _required(pointer.files, fields, "files")
    return pointer


def _source(fields: Fields) -> Source:
    commit = fields.text("commit")
    if commit is not None and not _COMMIT.fullmatch(commit):
        raise fields.wrong("commit", "40 or 64 lower-case hex digits")
    return Source(
        repo=fields.text("repo"),
        path=fields.text("path"),
        rev=fields.text("rev"),
        commit=commit,
        origin=fields.text("origin"),
        url=fields.text("url"),
        etag=fields.text("etag"),
        query=fields.text("query"),
        connection=fields.text("connection"),
        run=fields.oid("run", bare=True),
    )


def _required(value: T | None, fields: Fields, key: str) -> T:
    if value is None:
        raise fields.missing(key)
    return value


def _mapping(pointer: Pointer) -> dict[str, Value]:
    source = pointer.source
    from_where = {} if source is None else {key: getattr(source, key) for key in _SOURCE_KEYS}
    every: dict[str, Value] = {
        "datatool": VERSION,
        "kind": str(pointer.kind),
        "oid": None if pointer.oid is None else prefixed(pointer.oid),
        "size": pointer.size,
        "files": pointer.files,
        "executable": pointer.executable or None,
        "description": pointer.description,
        "labels": list(pointer.labels) or None,
        "role": None if pointer.role is None else str(pointer.role),
        "remote": pointer.remote,
        "push": None if pointer.push else False,
        "meta": OneLine(pointer.meta) or None,
        "source": {key: value for key, value in from_where.items() if value is not None} if from_where else None,
    }
    return {key: value for key, value in every.items() if value is not None}


def _changes(before: Mapping[str, Value], after: Mapping[str, Value]) -> dict[tuple[str, ...], Value]:
    """What an edit has to set, or to remove (None); inside a mapping on both sides, key by key."""
    changes: dict[tuple[str, ...], Value] = {}
    for key in (*before, *(key for key in after if key not in before)):
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            changes.update({(key, *path): value for path, value in _changes(old, new).items()})
        else:
            changes[(key,)] = new
    return changes
