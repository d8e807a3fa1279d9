"""What the pointers in the work tree name: the pinned content, whatever the files beside them hold by now.

Files that git tracks have no pinned content of their own; they are read as they lie in the work tree.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from datatool.cache.local import Cache
from datatool.errors import IsDirectory, PathNotFound, UrlNotFound
from datatool.formats.tree_object import read_tree
from datatool.git.ignore import tracked_under
from datatool.localfs.atomic import local_error
from datatool.model.entry import DIRECTORY, EXECUTABLE, FILE, SYMLINK, Entry
from datatool.model.oid import prefixed
from datatool.model.paths import named
from datatool.model.pointer import ArtifactKind
from datatool.operations.contents.content import Held, below, directory_entry, reader_by, tree_of, wanted_of
from datatool.operations.contents.pinned import Pinned, pinned_oid
from datatool.operations.list_ import list_entries
from datatool.operations.listed import DATATOOL, GIT, ListEntry
from datatool.operations.targets import chosen_from, not_found, pointer_paths
from datatool.progress import Progress
from datatool.project.project import FOLDER, Project
from datatool.store.objects import Wanted
from datatool.workspace.pointers import SUFFIX, Artifact, owner

KINDS: Final[Mapping[str, str]] = {SYMLINK: "symlink", DIRECTORY: "directory"}
_SERVES: Final = frozenset({b".gitignore", b".gitattributes", b".gitmodules", b".datatoolignore"})
_READ: Final = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)


class WorkTreeContent:
    """The project's content as its work tree names it; see `datatool.operations.contents.content`."""

    commit: str | None = None

    def __init__(
        self, project: Project, *, near: Callable[[], Cache | None], remote: str | None, progress: Progress
    ) -> None:
        """See `Pinned`."""
        self._project = project
        self._pinned = Pinned(project, near=near, remote=remote, progress=progress)

    def entries(self, path: bytes, *, recursive: bool) -> Sequence[ListEntry]:
        """As `datatool list` shows them."""
        where = os.fsdecode(path) if path else None
        return list_entries(self._project, where, cwd=self._project.root, recursive=recursive).entries

    def look(self, path: bytes) -> ListEntry | None:
        """What a path is: by its pointer, by the list of the artifact around it, or by git."""
        if not path:
            return directory_entry(path, GIT)
        artifact = owner(self._project.root, path)
        if artifact is None:
            return self._look_in_git(path)
        pointer = artifact.pointer
        if artifact.path == path:
            if pointer.kind is ArtifactKind.DIRECTORY:
                return directory_entry(path, DATATOOL)
            oid = prefixed(pointer.oid) if pointer.oid is not None else None
            return _entry(path, "file", DATATOOL, pointer.size, oid, pointer.executable)
        within = path[len(artifact.path) + 1 :]
        found = next(self._pinned.listed(artifact, within), None)
        if found is None:
            return None
        if found.path != within or found.kind == DIRECTORY:
            return directory_entry(path, DATATOOL)
        oid = prefixed(found.oid) if found.oid is not None else None
        return _entry(path, KINDS.get(found.kind, "file"), DATATOOL, found.size, oid, found.kind == EXECUTABLE)

    def link(self, path: bytes) -> bytes:
        """The text of a symlink."""
        artifact = owner(self._project.root, path)
        if artifact is None:
            return os.readlink(self._project.workspace.full(path))
        within = path[len(artifact.path) + 1 :]
        return next(self._pinned.listed(artifact, within)).target or b""

    def hold(self, path: bytes) -> Held:
        """Have what a path names in the project's cache."""
        artifact = owner(self._project.root, path) if path else None
        if artifact is None:
            return self._hold_others(path)
        cache, pointer = self._project.cache, artifact.pointer
        oid, within = pinned_oid(artifact), path[len(artifact.path) + 1 :]
        if pointer.kind is ArtifactKind.FILE:
            if within:
                raise self.not_found(path)
            self._pinned.bring([path], [Wanted(oid, pointer.size or 0, path)])
            return Held(cache=cache, oid=oid, size=pointer.size or 0, executable=pointer.executable)
        entries = list(self._pinned.listed(artifact, within))
        if within and not entries:
            raise self.not_found(path)
        self._pinned.bring([path], wanted_of(entries, artifact.path + b"/"))
        if not within:
            return Held(cache=cache, oid=oid, size=pointer.size or 0, directory=True)
        if entries[0].path == within and entries[0].oid is not None:
            only = entries[0]
            assert only.oid is not None
            return Held(cache=cache, oid=only.oid, size=only.size, executable=only.kind == EXECUTABLE)
        part, size, pages = tree_of(below(entries, within))
        return Held(cache=cache, oid=part, size=size, directory=True, pages=pages)

    def gather(self, paths: Sequence[bytes]) -> None:
        """Have many files of artifacts in the project's cache."""
        groups: dict[bytes, tuple[Artifact, list[bytes]]] = {}
        for path in paths:
            artifact = owner(self._project.root, path)
            if artifact is not None and artifact.pointer.oid is not None:
                groups.setdefault(artifact.path, (artifact, []))[1].append(path)
        for artifact, some in groups.values():
            self._pinned.gather(artifact, some)

    def reader(self, path: bytes) -> io.FileIO | io.BytesIO:
        """A file, from the cache; one that git tracks, from the work tree."""
        if owner(self._project.root, path) is not None:
            return reader_by(self.hold, path)
        full = self._project.workspace.full(path)
        try:
            return io.FileIO(os.open(full, _READ))
        except FileNotFoundError as error:
            raise self.not_found(path) from error
        except OSError as error:
            raise local_error(error, os.fsdecode(path)) from error

    def url(self, path: bytes) -> str:
        """Where a file's bytes lie on the first remote that has them as a file of their own."""
        artifact = owner(self._project.root, path)
        found = self.look(path)
        if artifact is None or found is None or found.oid is None:
            raise UrlNotFound(
                f"{named(path)}: is kept by git: its bytes have no URL of their own",
                hint="datatool.open and datatool.path read it",
                path=os.fsdecode(path),
            )
        return self._pinned.url(artifact, path)

    def changed(self, path: bytes) -> float:
        """The time of the pointer file that names what is there, or of the file itself."""
        artifact = owner(self._project.root, path) if path else None
        try:
            return os.lstat(self._project.workspace.full(path if artifact is None else artifact.pointer_path)).st_mtime
        except OSError:
            return os.lstat(self._project.root).st_mtime

    def not_found(self, path: bytes) -> PathNotFound:
        """The error for a path where there is nothing."""
        return not_found(self._project, named(path), path)

    # What git tracks, and directories around artifacts

    def _look_in_git(self, path: bytes) -> ListEntry | None:
        tracked = self._tracked(path)
        if tracked == [path]:
            try:
                found = os.lstat(self._project.workspace.full(path))
            except OSError:
                return None  # deleted in the work tree
            if stat.S_ISDIR(found.st_mode):
                return None  # a submodule
            link = stat.S_ISLNK(found.st_mode)
            executable = not link and bool(found.st_mode & 0o111)
            return _entry(path, "symlink" if link else "file", GIT, found.st_size, None, executable)
        if tracked or pointer_paths(self._project, path):
            return directory_entry(path, GIT)
        return None

    def _tracked(self, path: bytes) -> list[bytes]:
        return tracked_under(self._project.worktree, path) if self._project.worktree is not None else []

    def _hold_others(self, path: bytes) -> Held:
        """A file that git tracks, or a directory around artifacts and such files."""
        tracked = self._tracked(path)
        if tracked == [path]:
            entry = self._saved(path, path)
            assert entry.oid is not None
            executable = entry.kind == EXECUTABLE
            return Held(cache=self._project.cache, oid=entry.oid, size=entry.size, executable=executable)
        selections, broken = chosen_from(self._project, pointer_paths(self._project, path))
        if broken:
            raise broken[0]
        skip = len(path) + 1 if path else 0
        entries: list[Entry] = []
        for artifact in (item.artifact for item in selections):
            held = self.hold(artifact.path)
            if not held.directory:
                kind = EXECUTABLE if held.executable else FILE
                entries.append(Entry(kind, artifact.path[skip:], held.oid, held.size))
                continue
            inner = list(read_tree(held.oid, held.load)) or [Entry(DIRECTORY, b"", None, 0)]
            top = artifact.path[skip:]
            entries += [each._replace(path=top + b"/" + each.path if each.path else top) for each in inner]
        entries += [self._saved(file, file[skip:]) for file in tracked if not _serves(file)]
        if not entries:
            raise self.not_found(path)
        oid, size, pages = tree_of(entries)
        return Held(cache=self._project.cache, oid=oid, size=size, directory=True, pages=pages)

    def _saved(self, path: bytes, name: bytes) -> Entry:
        """The entry of a file or link that git tracks, once its bytes are in the cache."""
        full = self._project.workspace.full(path)
        try:
            found = os.lstat(full)
            if stat.S_ISLNK(found.st_mode):
                target = os.readlink(full)
                return Entry(SYMLINK, name, None, len(target), target)
            if stat.S_ISDIR(found.st_mode):
                raise IsDirectory(f"{named(path)}: is a git submodule, which is another project's")
            fd = os.open(full, _READ)
        except OSError as error:
            raise local_error(error, os.fsdecode(path)) from error
        try:
            with self._project.cache.writer() as writer:
                oid = writer.save(fd, found.st_size)
        finally:
            os.close(fd)
        return Entry(EXECUTABLE if found.st_mode & 0o111 else FILE, name, oid, found.st_size)


def _serves(path: bytes) -> bool:
    """Whether a git-tracked file only serves git or datatool."""
    parts = path.split(b"/")
    return parts[-1].endswith(SUFFIX) or parts[-1] in _SERVES or FOLDER.encode() in parts


def _entry(path: bytes, kind: str, origin: str, size: int | None, oid: str | None, executable: bool) -> ListEntry:
    return ListEntry(path=os.fsdecode(path), kind=kind, origin=origin, size=size, oid=oid, executable=executable)
