"""DVC's pointers: `.dvc` files (and the `Dvcfile` of old), as what they say of each output.

Keys that nobody needs for reading are ignored, whatever their order. Hashes are checked here, before they become part
of any path.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from datatool.errors import FormatError
from datatool.formats.block_yaml import MAX_DEPTH, read_blocks
from datatool.formats.conflict import refuse_conflict
from datatool.formats.plain_yaml import MAX_NUMBER, Value
from datatool.formats.yaml_text import read_any
from datatool.model.paths import show

FILE_LIMIT: Final = 16 << 20
"""Bytes: a larger pointer or lock is not read."""
SLOW_LIMIT: Final = 512 << 10
"""Bytes: a larger one is read only if it is as plain as DVC writes it; a YAML library needs seconds per megabyte."""

_MD5: Final = re.compile(r"([0-9a-f]{32})(\.dir)?", re.ASCII)
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]{1,19}", re.ASCII)
_OUTSIDE: Final = re.compile(r"\w+://|/|\\|[A-Za-z]:[\\/]")


class Md5(Struct, frozen=True, kw_only=True):
    """A hash as DVC has it: 32 lower-case hex digits; of a file, or of a directory's list. `legacy` is what DVC before
    3.0 computed: of text with its line ends converted."""

    digits: str
    directory: bool = False
    legacy: bool = False

    @property
    def name(self) -> str:
        """Where the object lies below a cache or a remote; the two layouts are never mixed."""
        place = f"{self.digits[:2]}/{self.digits[2:]}{'.dir' if self.directory else ''}"
        return place if self.legacy else f"files/md5/{place}"

    def __str__(self) -> str:
        return self.digits + (".dir" if self.directory else "")


class Version(Struct, frozen=True, kw_only=True):
    """Where a remote that keeps versions itself has the bytes: under the data's own path, as this version."""

    remote: str
    id: str | None


class ListedFile(Struct, frozen=True, kw_only=True):
    """One file of a directory whose list stands in the pointer; `path` is relative to the directory."""

    path: str
    md5: Md5
    size: int | None
    executable: bool
    version: Version | None


class DvcOut(Struct, frozen=True, kw_only=True):
    """One output. `path` is as written: relative to the working directory of its file or stage.

    `md5` is None where DVC does not know the content yet; `files` is the count of a directory; `listed` its list where
    the pointer has it; `cached` is false where neither cache nor remote has it; `remote` holds it instead of the
    default one.
    """

    path: str
    md5: Md5 | None = None
    size: int | None = None
    files: int | None = None
    executable: bool = False
    cached: bool = True
    remote: str | None = None
    push: bool = True
    version: Version | None = None
    listed: tuple[ListedFile, ...] | None = None
    description: str | None = None
    labels: tuple[str, ...] = ()


class DvcSource(Struct, frozen=True, kw_only=True):
    """What an import came from: `path` in the repository at `url`. `rev` is as the user typed it, `commit` the one that
    it was."""

    url: str
    path: str
    rev: str | None = None
    commit: str | None = None


class DvcFile(Struct, frozen=True, kw_only=True):
    """A whole pointer file; `source` is set for an import of another repository, `url` for one of a storage URL, whose
    only output is that; `stage` where the file says how to make its outputs."""

    wdir: str = "."
    outs: tuple[DvcOut, ...] = ()
    source: DvcSource | None = None
    url: str | None = None
    etag: str | None = None
    stage: bool = False
    description: str | None = None


def parse_dvc_file(data: bytes, *, name: str) -> DvcFile:
    """Read a `.dvc` file; `name` is its path, for errors. Raises MergeConflict, FormatError.

    Outputs outside of the project (absolute paths and URLs, which DVC 3 no longer knows) are left out.

    >>> parse_dvc_file(b"outs:\\n- hash: md5\\n  path: songs\\n", name="songs.dvc").outs[0].path
    'songs'
    """
    root = Node(read_dvc_yaml(data, name=name), name)
    outs = tuple(out for node in root.items("outs") if (out := parse_out(node)) is not None)
    deps = list(root.items("deps"))
    source = None
    if len(deps) == 1 and not root.text("cmd") and (repo := deps[0].inner("repo")) is not None:
        commit = repo.text("rev_lock")
        if commit is not None and not _COMMIT.fullmatch(commit):
            raise repo.wrong("rev_lock", "a full commit id")
        source = DvcSource(
            url=repo.required("url"), path=deps[0].required("path"), rev=repo.text("rev") or None, commit=commit
        )
    stage = bool(root.text("cmd")) or (bool(deps) and source is None and len(deps) != 1)
    url = deps[0].text("path") if len(deps) == 1 and source is None and not stage else None
    return DvcFile(
        wdir=root.text("wdir") or ".",
        outs=outs,
        source=source,
        url=url if url is not None and "://" in url else None,
        etag=deps[0].text("etag") if url is not None else None,
        stage=stage,
        description=root.loose("desc"),
    )


def read_dvc_yaml(data: bytes, *, name: str) -> dict[str, Value]:
    """The mapping in a YAML file of DVC's, every scalar a string. Raises MergeConflict, FormatError."""
    if len(data) > FILE_LIMIT:
        raise FormatError(f"{show(name)}: too large to be read", path=name)
    try:
        text = data.removeprefix(b"\xef\xbb\xbf").decode()
    except UnicodeDecodeError:
        raise FormatError(f"{show(name)}: not UTF-8", path=name) from None
    found = read_blocks(text)
    if found is not None:
        return found
    refuse_conflict(text, name=name)
    if len(data) > SLOW_LIMIT:
        raise FormatError(f"{show(name)}: too large for the YAML that it is in", path=name)
    return read_any(text, name=name, depth=MAX_DEPTH)


def parse_out(node: Node) -> DvcOut | None:
    """One output of a pointer or lock; None for one outside of the project."""
    path = node.required("path")
    if _OUTSIDE.match(path):
        return None
    legacy = node.text("hash") in (None, "md5-dos2unix")
    listed = None
    if node.values.get("files") is not None:
        listed = tuple(_listed(file) for file in node.items("files"))
    return DvcOut(
        path=path,
        md5=node.md5("md5", legacy=legacy),
        size=node.number("size"),
        files=node.number("nfiles"),
        executable=node.switch("isexec", otherwise=False),
        cached=node.switch("cache", otherwise=True),
        remote=node.text("remote") or None,
        push=node.switch("push", otherwise=True),
        version=_version(node),
        listed=listed,
        description=node.loose("desc"),
        labels=_labels(node.values.get("labels")),
    )


def _labels(value: Value) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _listed(node: Node) -> ListedFile:
    md5 = node.md5("md5", legacy=False)
    if md5 is None or md5.directory:
        raise node.wrong("md5", "32 hex digits")
    return ListedFile(
        path=node.required("relpath"),
        md5=md5,
        size=node.number("size"),
        executable=node.switch("isexec", otherwise=False),
        version=_version(node),
    )


def _version(node: Node) -> Version | None:
    cloud = node.inner("cloud")
    if cloud is None:
        return None
    for remote in cloud.values:
        inner = cloud.inner(remote)
        return Version(remote=remote.lower(), id=None if inner is None else inner.text("version_id") or None)
    return None


class Node(Struct, frozen=True):
    """One mapping of a YAML file whose scalars are all strings; `at` is its place in the file, for errors."""

    values: Mapping[str, Value]
    name: str
    at: str = ""

    def text(self, key: str) -> str | None:
        """A string; None for nothing and for YAML's own words for it."""
        value = self.values.get(key)
        if value is None or value in ("null", "~"):
            return None
        if not isinstance(value, str):
            raise self.wrong(key, "text")
        return value

    def loose(self, key: str) -> str | None:
        """A string that is a note for people; anything else counts as none."""
        value = self.values.get(key)
        return value if isinstance(value, str) else None

    def required(self, key: str) -> str:
        """A string that has to be there."""
        value = self.text(key)
        if not value:
            raise FormatError(f"{show(self.name)}: {show(self.at + key)} is missing", path=self.name)
        return value

    def number(self, key: str) -> int | None:
        """A whole number, zero or more."""
        value = self.text(key)
        if value is None:
            return None
        if not _NUMBER.fullmatch(value) or int(value) > MAX_NUMBER:
            raise self.wrong(key, "a whole number")
        return int(value)

    def switch(self, key: str, *, otherwise: bool) -> bool:
        """True or false, in YAML 1.2's spellings."""
        value = self.text(key)
        if value is None:
            return otherwise
        if value.lower() not in ("true", "false"):
            raise self.wrong(key, "true or false")
        return value.lower() == "true"

    def md5(self, key: str, *, legacy: bool) -> Md5 | None:
        """A hash."""
        value = self.text(key)
        if value is None:
            return None
        found = _MD5.fullmatch(value.lower())
        if found is None:
            raise self.wrong(key, "32 hex digits, .dir behind them for a directory")
        return Md5(digits=found[1], directory=found[2] is not None, legacy=legacy)

    def inner(self, key: str) -> Node | None:
        """A mapping inside this one."""
        value = self.values.get(key)
        if value is None or value in ("null", "~"):
            return None
        if not isinstance(value, dict):
            raise self.wrong(key, "keys with values")
        return Node(value, self.name, f"{self.at}{key}.")

    def items(self, key: str) -> list[Node]:
        """The mappings of a list; none where it is missing."""
        value = self.values.get(key)
        if value is None or value in ("null", "~"):
            return []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.wrong(key, "a list of keys with values")
        return [
            Node(item, self.name, f"{self.at}{key}[{number}].")
            for number, item in enumerate(value)
            if isinstance(item, dict)
        ]

    def wrong(self, key: str, expected: str) -> FormatError:
        """The error for a value that can't be."""
        found = self.values.get(key)
        shown = f"'{show(found[:80])}'" if isinstance(found, str) else "a list" if isinstance(found, list) else "keys"
        return FormatError(f"{show(self.name)}: {show(self.at + key)} must be {expected}, not {shown}", path=self.name)
