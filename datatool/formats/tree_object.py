"""Trees: the immutable listing of one directory, as pages and, where there are several, a root (formats §3).

The text of a tree is canonical: the same entries give the same bytes, hence the same id. So reading is as strict as
writing. Trees have millions of entries: whole pages are checked and converted at once, and only what is unusual
(escapes, links, empty directories, suspicious names) is looked at one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from typing import NamedTuple
from zlib import crc32

from datatool.errors import FormatError, NewerFormat
from datatool.formats.tree_text import (
    MAX_NUMBER,
    check_parents,
    decode_lines,
    decode_ref,
    encode_lines,
    encode_ref,
    keys_of,
    rising,
)
from datatool.model.entry import DIRECTORY, SYMLINK, Entry, sort_key
from datatool.model.oid import ObjectId
from datatool.model.paths import check_escapes, check_link
from datatool.model.tree import PageRef, TreeSummary

MAX_PAGE = 8192
"""A page closes after this many entries at the latest."""
CLOSING = 0x3FF
"""A page closes after an entry whose path's crc32 has none of these bits."""

Load = Callable[[ObjectId], bytes]
"""Gives the bytes of a tree object by its id; what it raises passes through."""

_MAGIC = b"dt-tree "
BEGINNING = len(_MAGIC)
"""Bytes by which a tree object is told from a file."""
_PAGE = b"dt-tree 1 page\n"
_ROOT = b"dt-tree 1 root\n"


class TreeIndex(NamedTuple):
    """A tree's pages, in order. `single` says that the one page is the tree itself and there is no root."""

    oid: ObjectId
    pages: tuple[PageRef, ...]
    single: bool


# Writing


class TreeWriter:
    """Takes entries in order and gives `emit` every page as it closes, then the root.

    Raises PathRefused for a path or link that breaks an escape rule, ValueError for entries out of order or a file
    that is also a parent; both may come with a later `add`, or with `finish`, as entries are handled in bulk.
    `check=False` leaves out the escape rules, to tell the id of a directory that is not going to be stored.

    >>> objects = {}
    >>> TreeWriter(objects.__setitem__).finish().files
    0
    """

    def __init__(self, emit: Callable[[ObjectId, bytes], None], *, check: bool = True) -> None:
        self._emit = emit
        self._check = check
        self._waiting: list[Entry] = []
        self._lines: list[str] = []  # those of the open page
        self._page_first = b""
        self._page_size = 0
        self._pages: list[PageRef] = []
        self._last_key = b""
        self._stack = [b""]
        self._files = 0

    def add(self, entry: Entry) -> None:
        """Take the next entry."""
        waiting = self._waiting
        waiting.append(entry)
        if len(waiting) >= MAX_PAGE:
            self._take()

    def finish(self) -> TreeSummary:
        """Close the last page, emit the root if there is one, and say what the tree is."""
        if self._waiting:
            self._take()
        if self._lines or not self._pages:
            self._close()
        parts = tuple(page.oid for page in self._pages)
        if len(parts) > 1:
            root = encode_root(self._pages)
            oid = ObjectId(sha256(root).hexdigest())
            self._emit(oid, root)
            parts = (oid, *parts)
        return TreeSummary(oid=parts[0], size=sum(page.size for page in self._pages), files=self._files, parts=parts)

    def _take(self) -> None:
        """Turn the entries that wait into lines, and close the pages they fill."""
        entries, self._waiting = self._waiting, []
        kinds, paths, sizes = [entry[0] for entry in entries], [entry[1] for entry in entries], [e[3] for e in entries]
        keys = keys_of(kinds, paths)
        if self._check:
            check_entries(entries, kinds, paths)
        if not (self._last_key < keys[0] and rising(keys)):
            raise ValueError("the entries of a tree are out of order")
        self._last_key = keys[-1]
        check_parents(self._stack, paths, keys)
        lines = encode_lines(entries)
        if SYMLINK in kinds:
            sizes = [0 if entry.kind == SYMLINK else entry.size for entry in entries]
        self._files += len(entries) - kinds.count(DIRECTORY)
        start = 0
        for end in (*page_ends(paths, len(self._lines)), None):
            if not self._lines and start < len(paths):
                self._page_first = paths[start]
            self._lines += lines[start:end]
            self._page_size += sum(sizes[start:end])
            if end is not None:
                self._close()
                start = end

    def _close(self) -> None:
        data = _PAGE + "".join([line + "\n" for line in self._lines]).encode()
        oid = ObjectId(sha256(data).hexdigest())
        if self._page_size > MAX_NUMBER:
            raise ValueError("the files of a tree are too large together")
        self._pages.append(PageRef(oid, len(self._lines), self._page_size, self._page_first))
        self._lines, self._page_size, self._page_first = [], 0, b""
        self._emit(oid, data)


def encode_root(pages: Sequence[PageRef]) -> bytes:
    """The root of a tree of several pages."""
    return _ROOT + "".join([encode_ref(page) + "\n" for page in pages]).encode()


def page_ends(paths: Sequence[bytes], count: int = 0) -> list[int]:
    """After how many of the next paths a page closes, when the open page has `count` entries already."""
    ends: list[int] = []
    start = -count
    closing = [number for number, crc in enumerate(map(crc32, paths), 1) if not crc & CLOSING]
    for end in (*closing, None):
        while (len(paths) if end is None else end) - start >= MAX_PAGE:
            start += MAX_PAGE
            ends.append(start)
        if end is not None and end > start:
            ends.append(end)
            start = end
    return ends


# Reading


def begins_tree(data: bytes) -> bool:
    """Whether the first bytes of an object are those of a tree's page or root, of this version or another."""
    return data.startswith(_MAGIC)


def is_root(data: bytes) -> bool:
    """Whether the bytes of a tree object are a root rather than a page; its first line says which.

    Raises FormatError for anything else, NewerFormat for a version to come.
    """
    if data.startswith(_ROOT):
        return True
    if data.startswith(_PAGE):
        return False
    version = data[len(_MAGIC) : len(_MAGIC) + 20].partition(b" ")[0]
    if data.startswith(_MAGIC) and version.isdigit() and version.lstrip(b"0") not in (b"", b"1"):
        raise NewerFormat("tree: written by a newer datatool", hint="upgrade datatool")
    raise FormatError("tree: doesn't start as a tree does")


def parse_page(data: bytes) -> list[Entry]:
    """The entries of a page, everything about them checked. Raises FormatError."""
    return _parse_page(data, "tree page", [b""], b"")


def parse_root(data: bytes) -> list[PageRef]:
    """The pages that a root names, in order. Raises FormatError."""
    if not is_root(data):
        raise FormatError("tree root: is a page")
    try:
        pages = [decode_ref(line) for line in _lines(data, _ROOT)]
        check_escapes([page.first for page in pages])
        if len(pages) < 2:
            raise ValueError("names fewer than two pages")
        last = b""
        for page in pages:
            if not 1 <= page.entries <= MAX_PAGE:
                raise ValueError(f"a page of {page.entries} entries")
            # Where a page starts with an empty directory the line doesn't say so, but it sorts with `/` appended.
            first = page.first if page.first > last else page.first + b"/"
            if first <= last:
                raise ValueError("the pages are out of order")
            last = first
    except ValueError as error:  # a refused path is one, too
        raise FormatError(f"tree root: {error}") from error
    return pages


def open_tree(oid: ObjectId, load: Load) -> TreeIndex:
    """Read what pages a tree has: its root, or its only page. Raises FormatError, and what `load` raises."""
    data = load(oid)
    if is_root(data):
        return TreeIndex(oid, tuple(parse_root(data)), False)
    return TreeIndex(oid, (_ref(oid, parse_page(data)),), True)


def part_ids(oid: ObjectId, load: Load) -> tuple[ObjectId, ...]:
    """The ids of the objects a tree is made of: root first, then pages in order; or the only page."""
    data = load(oid)
    return (oid, *(page.oid for page in parse_root(data))) if is_root(data) else (oid,)


def entries_in(oid: ObjectId, load: Load) -> int:
    """How many entries a tree has; of one with a single page, no fewer."""
    data = load(oid)
    return sum(page.entries for page in parse_root(data)) if is_root(data) else MAX_PAGE


def read_tree(oid: ObjectId, load: Load, *, within: bytes = b"") -> Iterator[Entry]:
    """The entries of a tree, in order, their paths relative to the tree.

    With `within`, only what is at or under that path; only the pages that can hold some are loaded.
    Raises FormatError, and what `load` raises.
    """
    data = load(oid)
    if is_root(data):
        pages = parse_root(data)
        chosen = _holding(pages, within) if within else pages
        found = _read_pages(pages, chosen, load)
    else:
        found = iter([parse_page(data)])
    for entries in found:
        if within:
            below = within + b"/"
            yield from (entry for entry in entries if entry.path == within or entry.path.startswith(below))
        else:
            yield from entries


def read_lines(oid: ObjectId, load: Load) -> Iterator[list[str]]:
    """The lines of a tree, page by page, for who knows most of them and has read or written it as a whole before: what
    makes lines a tree isn't checked again. No page is empty. Raises FormatError, and what `load` raises."""
    data = load(oid)
    pages = (load(page.oid) for page in parse_root(data)) if is_root(data) else iter([data])
    for page in pages:
        if lines := _page_lines(page, "tree page"):
            yield lines


def parse_lines(lines: Sequence[str]) -> list[Entry]:
    """The entries on some of those lines, in order. Raises FormatError."""
    try:
        entries = decode_lines(lines)
        check_entries(entries, [entry.kind for entry in entries], [entry.path for entry in entries])
    except ValueError as error:
        raise FormatError(f"tree page: {error}") from error
    return entries


def diff_trees(
    left: ObjectId | None, right: ObjectId | None, load: Load
) -> Iterator[tuple[bytes, Entry | None, Entry | None]]:
    """Each path that differs between two trees (None: an empty one), with its entry in the left and the right one.

    Pages that both have are not loaded. What is an empty directory in one tree and a file or link in the other
    counts as two changes, since the two sort apart. Raises FormatError, and what `load` raises.
    """
    if left == right:
        return
    old_pages, new_pages = (_part_pages(oid, load) for oid in (left, right))
    shared = {page.oid for page in old_pages[0]} & {page.oid for page in new_pages[0]}
    olds, news = (_differing(pages, shared, load) for pages in (old_pages, new_pages))
    old, new = next(olds, None), next(news, None)
    while old is not None or new is not None:
        old_key = sort_key(old) if old is not None else None
        new_key = sort_key(new) if new is not None else None
        if new_key is None or (old_key is not None and old_key < new_key):
            assert old is not None
            yield old.path, old, None
            old = next(olds, None)
        elif old_key is None or new_key < old_key:
            assert new is not None
            yield new.path, None, new
            new = next(news, None)
        else:
            assert old is not None
            if old != new:
                yield old.path, old, new
            old, new = next(olds, None), next(news, None)


def check_entries(entries: Sequence[Entry], kinds: Sequence[str], paths: Sequence[bytes]) -> None:
    """Refuse paths and links that break an escape rule. Raises PathRefused."""
    check_escapes(paths)
    if SYMLINK in kinds:
        for entry in entries:
            if entry.target is not None:
                check_link(entry.path, entry.target)


def _lines(data: bytes, header: bytes) -> list[str]:
    """What follows the header, one line per item."""
    text = data[len(header) :].decode()
    if not text:
        return []
    if text[-1] != "\n":
        raise ValueError("the last line is cut off")
    return text[:-1].split("\n")


def _page_lines(data: bytes, name: str) -> list[str]:
    if is_root(data):
        raise FormatError(f"{name}: is a root")
    try:
        return _lines(data, _PAGE)
    except ValueError as error:
        raise FormatError(f"{name}: {error}") from error


def _parse_page(data: bytes, name: str, stack: list[bytes], last_key: bytes) -> list[Entry]:
    """As `parse_page`, for a page that comes after others: `stack` and `last_key` are what they ended with."""
    lines = _page_lines(data, name)
    try:
        entries = decode_lines(lines)
        if entries:
            kinds, paths = [entry[0] for entry in entries], [entry[1] for entry in entries]
            keys = keys_of(kinds, paths)
            check_entries(entries, kinds, paths)
            if not (last_key < keys[0] and rising(keys)):
                raise ValueError("the entries are out of order")
            check_parents(stack, paths, keys)
            if sum([entry[3] for entry in entries]) > MAX_NUMBER:
                raise ValueError("the sizes are too large together")
            if page_ends(paths[:-1]):
                raise ValueError("the page goes on where it should close")
    except ValueError as error:  # a refused path is one, too
        raise FormatError(f"{name}: {error}") from error
    return entries


def _ref(oid: ObjectId, entries: Sequence[Entry]) -> PageRef:
    size = sum([entry.size for entry in entries if entry.oid is not None])
    return PageRef(oid, len(entries), size, entries[0].path if entries else b"")


def _holding(pages: Sequence[PageRef], within: bytes) -> list[PageRef]:
    """The pages that can hold `within` or something under it."""
    past = within + b"0"  # the first name that sorts behind everything under `within`: `0` follows `/`
    return [
        page
        for page, following in zip(pages, (*pages[1:], None), strict=True)
        if page.first < past and (following is None or following.first + b"/" > within)
    ]


def _read_pages(pages: Sequence[PageRef], chosen: Sequence[PageRef], load: Load) -> Iterator[list[Entry]]:
    """The entries of some of a root's pages, which must be what the root says of them."""
    stack = [b""]
    last_key = b""
    for page in chosen:
        name = f"tree page {page.oid}"
        entries = _parse_page(load(page.oid), name, stack, last_key)
        if _ref(page.oid, entries) != page:
            raise FormatError(f"{name}: is not what the root of its tree says")
        if page is not pages[-1] and not page_ends([entry.path for entry in entries[-1:]], len(entries) - 1):
            raise FormatError(f"{name}: closes where it should go on")
        last_key = sort_key(entries[-1])
        yield entries


def _part_pages(oid: ObjectId | None, load: Load) -> tuple[list[PageRef], list[Entry]]:
    """A tree's pages; and the entries of its only page, which had to be read to know that it is one."""
    if oid is None:
        return [], []
    data = load(oid)
    if is_root(data):
        return parse_root(data), []
    entries = parse_page(data)
    return [_ref(oid, entries)], entries


def _differing(parts: tuple[list[PageRef], list[Entry]], shared: set[ObjectId], load: Load) -> Iterator[Entry]:
    """The entries of the pages that only one of two trees has."""
    pages, entries = parts
    if len(pages) < 2:
        yield from (entry for page in pages if page.oid not in shared for entry in entries)
        return
    for some in _read_pages(pages, [page for page in pages if page.oid not in shared], load):
        yield from some
