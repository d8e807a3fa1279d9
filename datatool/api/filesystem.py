"""The `datatool://` filesystem of fsspec: versioned data by URL, for pandas, DuckDB, Dask, pyarrow, xarray, …

Read-only. A file that is opened is brought into a cache on this machine and checked as a whole, so a range costs the
file once and nothing after that. See `datatool.api.addresses` for the URLs.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar, NoReturn

from fsspec.spec import AbstractFileSystem

from datatool.api.addresses import PROTOCOL, Address
from datatool.api.files import DataFile
from datatool.api.pool import Pool
from datatool.api.words import Where, opening
from datatool.errors import IsDirectory, Refused
from datatool.operations.contents.content import resolve
from datatool.operations.contents.open_content import Opened
from datatool.operations.listed import ListEntry

Info = dict[str, Any]


class DatatoolFileSystem(AbstractFileSystem):  # type: ignore[misc]  # fsspec has no types
    """Data of this project and of registries, by `datatool://REGISTRY@REV/PATH`.

    `project` is a directory of the project that an empty REGISTRY means and whose configuration has the aliases (the
    current directory, whenever it is used, without one); `remote` is where the data is to be read from, as for
    `datatool.open`; `pins` are commits by REGISTRY@REV, to read those whatever the revision names by now.

    >>> fs = fsspec.filesystem("datatool")
    >>> fs.ls("datatool://songs@v1.0/1999", detail=False)
    ['songs@v1.0/1999/a.ogg', 'songs@v1.0/1999/b.ogg']
    >>> pandas.read_csv("datatool:///data/table.csv")

    A branch of a registry elsewhere is looked up again after ten seconds; a pickled filesystem reads the commits that
    the original has read, wherever it goes.
    """

    protocol = PROTOCOL
    root_marker = "/"
    cachable: ClassVar[bool] = True

    def __init__(
        self,
        project: Where | None = None,
        remote: str | None = None,
        pins: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._project = None if project is None else os.path.abspath(project)
        self._remote = remote
        self._pins = dict(pins or {})
        self._seen: dict[str, str] = {}
        self._pool = Pool(self._open_one)

    # Names

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, list):
            return [cls._strip_protocol(each) for each in path]
        text = os.fspath(path) if isinstance(path, os.PathLike) else str(path)
        text = re.sub(f"^{PROTOCOL}:(//|:)", "", text).rstrip("/")
        return text or cls.root_marker

    @classmethod
    def _parent(cls, path: Any) -> str:
        name: str = cls._strip_protocol(path)
        host, slash, inside = name.partition("/")
        return f"{host}{slash}{inside.rpartition('/')[0]}".rstrip("/") or cls.root_marker

    # Looking

    def ls(self, path: Any, detail: bool = True, **kwargs: Any) -> list[Any]:
        """What lies directly in a directory; a file's own entry for a file."""
        address = Address.parse(self._strip_protocol(path))
        with self._content(address) as found:
            at, entry = resolve(found.content, os.fsencode(address.path))
            if entry.kind == "directory":
                entries = found.content.entries(at, recursive=False)
                infos = [_info(address, _below(address, at, each), each) for each in entries]
            else:
                infos = [_exact(found, address, at, entry)]
        return infos if detail else [info["name"] for info in infos]

    def info(self, path: Any, **kwargs: Any) -> Info:
        """What is at a path: `name`, `size`, `type`, and more: `origin`, `oid`, `executable`. Links are followed."""
        address = Address.parse(self._strip_protocol(path))
        with self._content(address) as found:
            at, entry = resolve(found.content, os.fsencode(address.path))
            return _exact(found, address, at, entry)

    def find(
        self, path: Any, maxdepth: int | None = None, withdirs: bool = False, detail: bool = False, **kwargs: Any
    ) -> Any:
        """Every file below a path, with the directories if `withdirs`; nothing where there is nothing."""
        address = Address.parse(self._strip_protocol(path))
        try:
            with self._content(address) as found:
                at, entry = resolve(found.content, os.fsencode(address.path))
                if entry.kind == "directory":
                    entries = found.content.entries(at, recursive=True)
                    infos = _with_directories(address, at, entries)
                else:
                    infos = [_exact(found, address, at, entry)]
        except FileNotFoundError:
            infos = []
        top = len(address.path.split("/")) if address.path else 0
        chosen = {
            info["name"]: info
            for info in infos
            if (withdirs or info["type"] != "directory")
            and (maxdepth is None or len(Address.parse(info["name"]).path.split("/")) - top <= maxdepth)
        }
        if withdirs and infos and address.name not in chosen:
            chosen[address.name] = _directory(address)
        return dict(sorted(chosen.items())) if detail else sorted(chosen)

    def walk(
        self, path: Any, maxdepth: int | None = None, topdown: bool = True, on_error: Any = "omit", **kwargs: Any
    ) -> Iterator[Any]:
        """Directory by directory, as `os.walk`. What is not there is empty; a remote that can't be reached is an error,
        not an empty directory."""
        if on_error == "omit":
            on_error = _raise_unless_missing
        yield from super().walk(path, maxdepth=maxdepth, topdown=topdown, on_error=on_error, **kwargs)

    def exists(self, path: Any, **kwargs: Any) -> bool:
        """Whether there is anything at a path. What can't be told is an error, not an absence."""
        return self._type(path) is not None

    def isdir(self, path: Any) -> bool:
        """Whether a path is a directory."""
        return self._type(path) == "directory"

    def isfile(self, path: Any) -> bool:
        """Whether a path is a file."""
        return self._type(path) == "file"

    def modified(self, path: Any) -> datetime:
        """The date of the commit that is read; of the work tree's content, the time of the pointer that names it."""
        address = Address.parse(self._strip_protocol(path))
        with self._content(address) as found:
            at, _ = resolve(found.content, os.fsencode(address.path))
            return datetime.fromtimestamp(found.content.changed(at), UTC)

    def ukey(self, path: Any) -> str:
        """A text that is another one for other content."""
        address = Address.parse(self._strip_protocol(path))
        with self._content(address) as found:
            at, entry = resolve(found.content, os.fsencode(address.path))
            what = entry.oid or (address.name, found.content.commit, entry.size, found.content.changed(at))
            return sha256(repr(what).encode("utf-8", "surrogateescape")).hexdigest()

    def checksum(self, path: Any) -> int:
        """A number that is another one for other content."""
        return int(self.ukey(path), 16)

    def sign(self, path: Any, expiration: int = 100, **kwargs: Any) -> str:
        """Where the bytes lie: `datatool.get_url`. Nothing is signed."""
        address = Address.parse(self._strip_protocol(path))
        with self._content(address) as found:
            at, _ = resolve(found.content, os.fsencode(address.path))
            return found.content.url(at)

    # Reading

    def _open(self, path: Any, mode: str = "rb", **kwargs: Any) -> DataFile:
        if mode != "rb":
            self._refuse(path)
        address = Address.parse(self._strip_protocol(path))
        with self._content(address) as found:
            at, entry = resolve(found.content, os.fsencode(address.path))
            if entry.kind == "directory":
                raise IsDirectory(f"{address}: is a directory", path=address.path)
            return DataFile(found.content.reader(at), address.name)

    def cat(self, path: Any, recursive: bool = False, on_error: str = "raise", **kwargs: Any) -> Any:
        """The bytes of one file, or of many by name; many come in few requests."""
        names = self.expand_path(path, recursive=recursive)
        self._gather(names)
        return super().cat([n for n in names if self.isfile(n)] if recursive else path, on_error=on_error, **kwargs)

    def get(self, rpath: Any, lpath: Any, recursive: bool = False, **kwargs: Any) -> Any:
        """Copy files to this machine; many come in few requests."""
        self._gather(self.expand_path(rpath, recursive=recursive))
        return super().get(rpath, lpath, recursive=recursive, **kwargs)

    def _gather(self, names: Sequence[str]) -> None:
        by_host: dict[str, list[Address]] = {}
        for address in map(Address.parse, names):
            by_host.setdefault(address.host, []).append(address)
        for some in by_host.values():
            if len(some) > 1:
                with self._content(some[0]) as found:
                    found.content.gather([os.fsencode(address.path) for address in some])

    # Refusing

    def _refuse(self, *paths: Any, **kwargs: Any) -> NoReturn:
        where = f"{PROTOCOL}://{self._strip_protocol(paths[0])}" if paths and isinstance(paths[0], str) else PROTOCOL
        raise Refused(
            f"{where}: versioned data can only be read",
            hint="write to the file in the work tree, then datatool add records it",
        )

    mkdir = makedirs = rmdir = rm = rm_file = _rm = cp_file = mv = put = put_file = pipe = pipe_file = touch = _refuse
    copy = _refuse

    # What is open

    def invalidate_cache(self, path: Any = None) -> None:
        """Look again what every revision names."""
        self._pool.clear()
        self._seen.clear()
        super().invalidate_cache(path)

    def __reduce__(self) -> tuple[Callable[..., DatatoolFileSystem], tuple[Any, ...]]:
        """What is pickled knows the project, and reads the commits that this one has read."""
        options = {**self.storage_options, "project": self._place(), "pins": {**self._pins, **self._seen}}
        if self._remote is not None:
            options["remote"] = self._remote
        return _make, (type(self), options)

    def _place(self) -> str:
        return self._project or os.getcwd()

    @contextmanager
    def _content(self, address: Address) -> Iterator[Opened]:
        with self._pool.use((self._place(), address.host), address) as found:
            yield found

    def _open_one(self, stack: ExitStack, address: Address) -> Opened:
        rev = self._pins.get(address.host, address.rev)
        opened = stack.enter_context(opening(address.repo, rev, self._remote, cwd=Path(self._place())))
        if opened.content.commit is not None:
            self._seen[address.host] = opened.content.commit
        return opened

    def _type(self, path: Any) -> str | None:
        try:
            found: str = self.info(path)["type"]
        except FileNotFoundError:
            return None
        return found


def _make(kind: type[DatatoolFileSystem], options: dict[str, Any]) -> DatatoolFileSystem:
    return kind(**options)


def _below(address: Address, at: bytes, entry: ListEntry) -> str:
    """The path of an entry of a directory as the caller sees it, who may have come to it through a link."""
    inside = entry.path[len(os.fsdecode(at)) :].lstrip("/")
    return f"{address.path}/{inside}" if address.path and inside else address.path or inside


def _exact(found: Opened, address: Address, at: bytes, entry: ListEntry) -> Info:
    """What is known of one path, with the size of what must be brought here to know it."""
    info = _info(address, address.path, entry)
    if info["size"] is None:
        info["size"] = found.content.hold(at).size
    if os.fsencode(address.path) != at:
        info["islink"] = True
    return info


def _info(address: Address, path: str, entry: ListEntry) -> Info:
    at = Address(repo=address.repo, rev=address.rev, path=path)
    if entry.kind == "directory":
        return _directory(at, origin=entry.origin, problem=entry.problem)
    link = entry.kind == "symlink"
    return {
        "name": at.name,
        "size": None if link else entry.size,
        "type": "file",
        "origin": entry.origin,
        "oid": entry.oid,
        "executable": entry.executable,
        "islink": link,
        **({"problem": entry.problem} if entry.problem else {}),
    }


def _directory(address: Address, *, origin: str | None = None, problem: str | None = None) -> Info:
    info: Info = {"name": address.name, "size": 0, "type": "directory"}
    if origin is not None:
        info["origin"] = origin
    if problem is not None:
        info["problem"] = problem
    return info


def _with_directories(address: Address, at: bytes, entries: Sequence[ListEntry]) -> list[Info]:
    """Entries of everything below, and the directories that only these imply."""
    infos: dict[str, Info] = {}
    for entry in entries:
        path = _below(address, at, entry)
        parts = path.split("/")
        for depth in range(len(address.path.split("/")) if address.path else 0, len(parts)):
            if depth:
                above = Address(repo=address.repo, rev=address.rev, path="/".join(parts[:depth]))
                infos.setdefault(above.name, _directory(above))
        info = _info(address, path, entry)
        infos[info["name"]] = info
    return list(infos.values())


def _raise_unless_missing(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
