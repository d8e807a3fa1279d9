"""Reading data by its name: as an open file, as text or bytes, as a path for other libraries, as a URL."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import IO, Literal, overload

from datatool.api.files import DataFile
from datatool.api.words import Named, Where
from datatool.errors import IsDirectory, Refused, UsageError
from datatool.operations.contents.content import resolve_first
from datatool.operations.contents.open_content import Opened
from datatool.operations.views import view

TextMode = Literal["r", "rt"]
BinaryMode = Literal["rb"]


@overload
def open(
    path: Where,
    repo: Where | None = None,
    rev: str | None = None,
    remote: str | None = None,
    mode: TextMode = "r",
    encoding: str | None = None,
) -> io.TextIOWrapper: ...
@overload
def open(
    path: Where,
    repo: Where | None = None,
    rev: str | None = None,
    remote: str | None = None,
    *,
    mode: BinaryMode,
    encoding: None = None,
) -> DataFile: ...
@overload
def open(
    path: Where,
    repo: Where | None = None,
    rev: str | None = None,
    remote: str | None = None,
    mode: str = "r",
    encoding: str | None = None,
) -> IO[str] | IO[bytes]: ...
def open(
    path: Where,
    repo: Where | None = None,
    rev: str | None = None,
    remote: str | None = None,
    mode: str = "r",
    encoding: str | None = None,
) -> IO[str] | IO[bytes]:
    """Open a file of this project, or of a registry, to read it: text with `mode="r"`, bytes with `"rb"`.

    >>> with datatool.open("data/points.csv") as file:
    ...     header = file.readline()
    >>> with datatool.open("songs/1.ogg", repo="https://example.org/music.git", rev="v1.0", mode="rb") as file:
    ...     start = file.read(4)

    Without `repo`, the project around the current directory (or around an absolute path): a relative path is looked
    for from there and then from the project's top. What is read is the content that the pointers of the work tree name,
    not edits that nobody has recorded with `datatool add`; files that git tracks are read as they lie there. With
    `rev`, all is read as of that branch, tag or commit. `repo` is a registry: its alias, a path, or a URL that git
    understands; its paths start at its top, and without `rev` its default branch is meant.

    The whole file is brought into a cache on this machine and checked before its first byte is given: from the
    project's cache, the user's, a remote, or where an import came from. `remote` names the one to use: a remote of
    this project's, or with `repo` the URL of one. It is never held in memory. The file object needs no `with`.

    `encoding` and line ends are treated as by the builtin `open`.

    Raises PathNotFound (a FileNotFoundError), ProjectNotFound, RevisionNotFound, IsDirectory (an IsADirectoryError),
    Refused (a PermissionError) for a mode that writes, RemoteError (a ConnectionError), DamageFound.
    """
    return _opened(Named(path, repo, rev, remote), mode, encoding)


@overload
def read(
    path: Where,
    repo: Where | None = None,
    rev: str | None = None,
    remote: str | None = None,
    mode: TextMode = "r",
    encoding: str | None = None,
) -> str: ...
@overload
def read(
    path: Where,
    repo: Where | None = None,
    rev: str | None = None,
    remote: str | None = None,
    *,
    mode: BinaryMode,
    encoding: None = None,
) -> bytes: ...
@overload
def read(
    path: Where,
    repo: Where | None = None,
    rev: str | None = None,
    remote: str | None = None,
    mode: str = "r",
    encoding: str | None = None,
) -> str | bytes: ...
def read(
    path: Where,
    repo: Where | None = None,
    rev: str | None = None,
    remote: str | None = None,
    mode: str = "r",
    encoding: str | None = None,
) -> str | bytes:
    """The whole content of a file: text with `mode="r"`, bytes with `"rb"`. Arguments and errors are those of `open`.

    >>> datatool.read("labels.txt", encoding="utf-8").splitlines()
    >>> datatool.read("model.bin", repo="models", rev="v2", mode="rb")
    """
    with _opened(Named(path, repo, rev, remote), mode, encoding) as file:
        return file.read()


def path(path: Where = "", repo: Where | None = None, rev: str | None = None, remote: str | None = None) -> Path:
    """A file or directory of this project, or of a registry, as a path that any program can open.

    >>> frame = polars.read_parquet(datatool.path("table.parquet"))
    >>> images = datatool.path("images/train", repo="https://example.org/pictures.git", rev="v1.0")

    It lies in the user's own cache, is read-only, keeps its name (so that the ending tells the format), and holds one
    version for ever: another version has another path. It shares its bytes with the cache where the disk can do that.
    A directory comes whole, without git's and datatool's own files. Where from, and errors, as for `open`.
    """
    named = Named(path, repo, rev, remote)
    with named.opened() as found:
        at, _ = resolve_first(found.content, found.paths(named.name))
        return view(found.content.hold(at), at, environ=os.environ)


def get_url(path: Where, repo: Where | None = None, rev: str | None = None, remote: str | None = None) -> str:
    """Where the bytes of a file lie, for programs that read there themselves.

    >>> datatool.get_url("video.mp4")
    's3://bucket/data/objects/3f/9a0c…'

    The URL of the object on the first remote that has it, as `s3://…`, `https://…` or `ssh://…`; of a remote in a
    directory, the path. It never holds a password. Nobody checks what is read there.

    Raises UrlNotFound (a FileNotFoundError) for what has no URL of its own: small files, which share a pack with
    others; files that git itself keeps; what was never pushed. Else as `open`.
    """
    named = Named(path, repo, rev, remote)
    with named.opened() as found:
        return found.content.url(_file(found, named.name))


def _opened(named: Named, mode: str, encoding: str | None) -> IO[str] | IO[bytes]:
    encoding = _encoding(mode, encoding)
    binary = _is_binary(mode)
    with named.opened() as found:
        at = _file(found, named.name)
        file = DataFile(found.content.reader(at), os.fsdecode(at))
    return file if binary else io.TextIOWrapper(file, encoding)


def _file(found: Opened, name: str) -> bytes:
    at, entry = resolve_first(found.content, found.paths(name))
    if entry.kind == "directory":
        raise IsDirectory(
            f"{name or '.'}: is a directory",
            hint="datatool.path gives directories, datatool.list what is in them",
            path=os.fsdecode(at),
        )
    return at


def _is_binary(mode: str) -> bool:
    if set(mode) & set("wax+"):
        raise Refused(
            f"mode {mode!r}: versioned data can only be read",
            hint="write to the file in the work tree, then datatool add records it",
        )
    if mode not in ("r", "rt", "tr", "rb", "br"):
        raise UsageError(f"mode {mode!r}: must be 'r' for text or 'rb' for bytes")
    return "b" in mode


def _encoding(mode: str, encoding: str | None) -> str | None:
    """What the builtin would use."""
    if "b" in mode and encoding is not None:
        raise UsageError(f"mode {mode!r}: bytes have no encoding")
    return None if "b" in mode else io.text_encoding(encoding, 4)
