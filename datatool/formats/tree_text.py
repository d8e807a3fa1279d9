"""The text of trees: one entry or page per line, with escapes, in a single spelling (formats §3).

Converts thousands of lines at once. What a line may hold is checked here; what makes lines a page is checked in
`tree_object`. Errors are bare ValueErrors, to which the caller adds where.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import repeat
from operator import lt
from typing import Final, cast

from datatool.model.entry import DIRECTORY, EXECUTABLE, FILE, SYMLINK, Entry
from datatool.model.oid import ObjectId, parse_oid
from datatool.model.paths import show_bytes
from datatool.model.tree import PageRef

MAX_NUMBER: Final = (1 << 63) - 1
"""No size or count is larger: every language and database at hand can hold it."""

_ESCAPED = "[\x00-\x20%\x7f\udc80-\udcff]"
_RARE = "[\x00-\x09\x0b-\x1f\x7f\udc80-\udcff]"
_CONTROLS = bytes((*range(0x0A), *range(0x0B, 0x20), 0x7F))
"""The bytes among those."""
_NOT_SPELLED = bytes((*range(0x0A), *range(0x0B, 0x21), 0x7F))
"""What no field holds as it is, but for bytes that are no text; the newline is between fields."""
_ESCAPE = re.compile(rb"%([0-9A-F]{2})")
_HEX = b"0123456789abcdef"
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_SPELLED = {
    **{chr(byte): f"%{byte:02X}" for byte in (*range(0x21), ord("%"), 0x7F)},
    **{chr(0xDC00 + byte): f"%{byte:02X}" for byte in range(0x80, 0x100)},
}

# Skips the named tuple's own constructor, which costs three times as much.
_make_entry = cast("Callable[[tuple[object, ...]], Entry]", partial(tuple.__new__, Entry))


def escape(raw: bytes) -> str:
    """Spell raw bytes as a field: what is not visible UTF-8 text, and `%`, as `%XX`."""
    return re.sub(_ESCAPED, _spelled, raw.decode("utf-8", "surrogateescape"))


def escape_many(paths: Sequence[bytes]) -> list[str]:
    """`escape` for each of many paths."""
    blob = b"\n".join(paths)
    if blob.count(b"\n") != len(paths) - 1:  # a name with a newline in it
        return [escape(path) for path in paths]
    try:
        text = blob.decode()
        rare = len(blob.translate(None, _CONTROLS)) != len(blob)  # a search for a pattern takes five times as long
    except UnicodeDecodeError:
        text, rare = blob.decode("utf-8", "surrogateescape"), True
    text = text.replace("%", "%25").replace(" ", "%20")
    if rare:
        text = re.sub(_RARE, _spelled, text)
    return text.split("\n")


def unescape(field: str) -> bytes:
    """The raw bytes of a field; ValueError unless it is spelled exactly as `escape` spells them."""
    raw = _ESCAPE.sub(_byte, field.encode())
    if not field or escape(raw) != field:
        raise ValueError(f"bad escape in {field!r:.120}")
    return raw


def unescape_many(fields: list[str]) -> list[bytes]:
    """`unescape` for each of many fields, none of which contains a newline."""
    blob = "\n".join(fields).encode()
    if "" in fields or len(blob.translate(None, _NOT_SPELLED)) != len(blob):
        return [unescape(field) for field in fields]
    if b"%" not in blob:
        return blob.split(b"\n")
    raws = _ESCAPE.sub(_byte, blob.replace(b"%20", b" ")).split(b"\n")
    return raws if len(raws) == len(fields) and escape_many(raws) == fields else list(map(unescape, fields))


def number(text: str) -> int:
    """A decimal number in its only spelling; ValueError otherwise."""
    if not _NUMBER.fullmatch(text) or (value := int(text)) > MAX_NUMBER:
        raise ValueError(f"not a number: {text!r:.40}")
    return value


def numbers(texts: Sequence[str]) -> list[int]:
    """`number` for each of many texts."""
    digits = "".join(texts)
    if max(map(len, texts)) > 18 or not (digits.isdecimal() and digits.isascii()) or " 0" in " " + " ".join(texts):
        return [number(text) for text in texts]
    return list(map(int, texts))


# Entries


def encode_lines(entries: Sequence[Entry]) -> list[str]:
    """The line of each entry, without its end."""
    if not entries:
        return []
    kinds, paths, oids, sizes, targets = zip(*entries, strict=True)
    if not {FILE, EXECUTABLE}.issuperset(kinds):
        return [_encode_line(entry, field) for entry, field in zip(entries, escape_many(paths), strict=True)]
    if None in oids or min(sizes) < 0 or set(targets) != {None}:
        raise ValueError("a file in a tree has an id, a size and no target")
    return encode_files(kinds, paths, oids, sizes)


def encode_files(
    kinds: Iterable[str], paths: Sequence[bytes], oids: Iterable[ObjectId], sizes: Iterable[int]
) -> list[str]:
    """The same for files, which are FILE or EXECUTABLE."""
    fields = escape_many(paths)
    return [
        f"{kind} {oid} {size} - {field}" for kind, oid, size, field in zip(kinds, oids, sizes, fields, strict=False)
    ]


def decode_lines(lines: Sequence[str]) -> list[Entry]:
    """The entry on each line of a page; their order and their paths' safety are not checked here."""
    if not lines:
        return []
    if set(map(str.count, lines, repeat(" "))) != {4}:
        return [_decode_line(line) for line in lines]
    words = " ".join(lines).split(" ")  # one list: a list for every line would cost as much as all the rest
    kinds, oids, sizes, fields = words[0::5], words[1::5], words[2::5], words[4::5]
    hexes = "".join(oids)
    if (
        not {FILE, EXECUTABLE}.issuperset(kinds)
        or set(map(len, oids)) != {64}
        or hexes.encode().translate(None, _HEX)  # ten times as fast as a pattern
        or set(words[3::5]) != {"-"}
    ):
        return [_decode_line(line) for line in lines]
    return list(map(_make_entry, zip(kinds, unescape_many(fields), oids, numbers(sizes), repeat(None))))


def paths_of_files(lines: Sequence[str]) -> list[bytes] | None:
    """The path on each line of a page; None where one is not that of a file, or is badly spelled. Nothing else is
    checked."""
    words = " ".join(lines).split(" ")
    if len(words) != 5 * len(lines) or set(words[3::5]) != {"-"} or not {FILE, EXECUTABLE}.issuperset(words[0::5]):
        return None
    try:
        return unescape_many(words[4::5])
    except ValueError:
        return None


def _encode_line(entry: Entry, field: str) -> str:
    kind, _, oid, size, target = entry
    if kind in (FILE, EXECUTABLE) and oid is not None and target is None and size >= 0:
        return f"{kind} {oid} {size} - {field}"
    if kind == SYMLINK and oid is None and target is not None and size == len(target):
        return f"l - {size} - {field} {escape(target)}"
    if kind == DIRECTORY and oid is None and target is None and size == 0:
        return f"d - 0 - {field}"
    raise ValueError(f"{show_bytes(entry.path)}: not an entry: {entry!r:.200}")


def _decode_line(line: str) -> Entry:
    match line.split(" "):
        case ["f" | "x" as kind, oid, size, "-", path]:
            return Entry(kind, unescape(path), parse_oid(oid), number(size))
        case ["l", "-", size, "-", path, target]:
            raw = unescape(target)
            if number(size) != len(raw):
                raise ValueError(f"the link {path!r:.120} has another length than its target")
            return Entry(SYMLINK, unescape(path), None, len(raw), raw)
        case ["d", "-", "0", "-", path]:
            return Entry(DIRECTORY, unescape(path), None, 0)
    raise ValueError(f"not an entry: {line!r:.200}")


# Pages


def encode_ref(page: PageRef) -> str:
    """The line of one page in a root, without its end."""
    return f"p {page.oid} {page.entries} {page.size} {escape(page.first)}"


def decode_ref(line: str) -> PageRef:
    """The page on one line of a root."""
    match line.split(" "):
        case ["p", oid, entries, size, first]:
            return PageRef(parse_oid(oid), number(entries), number(size), unescape(first))
    raise ValueError(f"not a page: {line!r:.200}")


# Order


def keys_of(kinds: Sequence[str], paths: Sequence[bytes]) -> Sequence[bytes]:
    """What entries are ordered by: their path, an empty directory's with `/` appended."""
    if DIRECTORY not in kinds:
        return paths
    return [path + b"/" if kind == DIRECTORY else path for kind, path in zip(kinds, paths, strict=True)]


def rising(keys: Sequence[bytes]) -> bool:
    """Whether keys are strictly increasing."""
    return all(map(lt, keys, keys[1:]))


def check_parents(stack: list[bytes], paths: Sequence[bytes], keys: Sequence[bytes]) -> None:
    """Refuse what lies under a path that is no directory: `a`, `a.txt`, `a/b`.

    `stack` holds the paths so far that are a prefix of the last one, each of the next, with an empty one at the
    bottom, and is carried from page to page. Looking at the line before alone would miss it: `a.txt` lies between.
    """
    if not any(map(bytes.startswith, keys[1:], keys)):  # no path but those carried is a prefix of a later one
        while not keys[0].startswith(stack[-1]):
            stack.pop()
        if len(stack) == 1:
            stack.append(paths[-1])
            return
    top = stack[-1]
    for path, key in zip(paths, keys, strict=True):
        while not key.startswith(top):
            stack.pop()
            top = stack[-1]
        if top and key[len(top)] == 0x2F:
            raise ValueError(f"{show_bytes(path)}: lies under {show_bytes(top)}, which is no directory with content")
        stack.append(path)
        top = path


def _spelled(match: re.Match[str]) -> str:
    return _SPELLED[match[0]]


def _byte(match: re.Match[bytes]) -> bytes:
    return bytes((int(match[1], 16),))
