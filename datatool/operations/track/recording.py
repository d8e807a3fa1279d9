"""Whatever a program that tracks files changes: nothing is staged in git, and all of it is synced once, at the end."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from datatool.errors import LocalError
from datatool.formats.pack import object_path
from datatool.git.memory import GitMemory
from datatool.localfs.syncing import sync_written
from datatool.model.entry import FILE
from datatool.model.settings import Durability
from datatool.operations.edit import edit
from datatool.operations.new_version import NewVersion, Pointing, make_versions
from datatool.operations.publish import write_pointers
from datatool.operations.record import RecordOptions, Target
from datatool.operations.track.ignoring import Ignoring
from datatool.operations.track.lines import line_of
from datatool.operations.track.making import Making
from datatool.operations.track.restoring import restore_file
from datatool.operations.track.state import Found
from datatool.operations.trackable import refuse_untrackable
from datatool.progress import Progress
from datatool.project.project import Project
from datatool.workspace.pointers import SUFFIX, owner

FEW = 64
"""From so many files on, the usual way is the faster one: packs, and one sync for all of them at once."""


class Recording:
    """Records new versions in a project, puts older ones there, and knows what is left to do for them."""

    def __init__(self, project: Project, progress: Progress) -> None:
        self._project = project
        self._progress = progress
        self._memory = GitMemory(project.worktree) if project.worktree is not None else None
        self._ignoring = Ignoring(project)
        self._unsynced: set[str] = set()
        self._young: set[bytes] = set()

    def record(self, found: Sequence[Found], *, force: bool = False) -> Mapping[bytes, NewVersion]:
        """Record what lies at some paths, all of it or none; the version that each path is in now. `force` records
        what an older version holds, too. Raises what `add` does."""
        targets = _targets(found)
        refuse_untrackable(self._project, targets, force=False, memory=self._memory)
        hurried = self._hurried(targets)
        others = [target for target in targets if target not in hurried]
        made: list[NewVersion] = []
        if hurried:
            made += self._versions(hurried, RecordOptions(hurry=True, force=force))
            self._note(made)
        if others:
            made += self._versions(others, RecordOptions(force=force))
        self._project.state.commit()
        return {item.path: next(one for one in made if _holds(one.recorded.target.path, item.path)) for item in found}

    def refuse(self, path: bytes) -> None:
        """Raise what `record` would, as far as that can be told before there is anything at a path."""
        artifact = owner(self._project.root, path)
        target = Target(path=path if artifact is None else artifact.path, artifact=artifact, withins=())
        refuse_untrackable(self._project, [target], force=False, new=True, memory=self._memory)

    def is_of_git(self, path: bytes) -> bool:
        """Whether git tracks a file that lies at a path."""
        is_file = self._project.workspace.kind(path) == FILE
        return is_file and self._memory is not None and self._memory.tracked_under(path) == [path]

    def restore(self, found: Iterable[Found]) -> tuple[list[Found], list[Found]]:
        """Put small files there from the cache; what takes a pull instead, and of that what was damaged in the cache,
        and is now set aside."""
        left: list[Found] = []
        damaged: list[Found] = []
        for item in found:
            outcome = restore_file(self._project, item, self._progress)
            if outcome.written:
                self._young.add(item.path)
                self._project.state.commit()
            else:
                left.append(item)
            if outcome.damaged:
                damaged.append(item)
        return left, damaged

    def release(self, path: bytes) -> None:
        """Make a file that is a link into the cache one that may be written to."""
        edit(self._project, [self._full(path)], cwd=self._project.root)

    def making(self, path: bytes, *, wait: bool = True) -> Making:
        """To be held while a file is made; see there."""
        return Making(self._project, path, self._progress, wait=wait)

    def line(self, version: NewVersion) -> str:
        """What a user should know of a version that was recorded."""
        return line_of(self._project, version)

    def _hurried(self, targets: Sequence[Target]) -> list[Target]:
        """The targets that are worth a hurry: single files, and few of them."""
        if self._project.config.durability is Durability.FULL:
            return []
        files = [target for target in targets if self._project.workspace.kind(target.path) == FILE]
        return files if len(files) < FEW else []

    def _versions(self, targets: Sequence[Target], options: RecordOptions) -> list[NewVersion]:
        is_full = self._project.config.durability is Durability.FULL
        durability = Durability.FULL if is_full else Durability.NONE

        def write(pointers: Sequence[Pointing]) -> None:
            if not options.hurry:
                self._project.state.commit()
            lines = self._ignoring.write([path for path, _, _ in pointers], durability)
            write_pointers(self._project, pointers, durability)
            if not is_full:
                self._unsynced.update(self._full(path) for path in lines)
                self._unsynced.update(self._full(path + SUFFIX) for path, _, _ in pointers)

        return make_versions(self._project, targets, options, write, self._progress)

    def _note(self, made: Iterable[NewVersion]) -> None:
        for item in made:
            path, oid = item.recorded.target.path, item.recorded.pointer.oid
            assert oid is not None
            self._young.add(path)
            self._unsynced.add(os.path.join(self._project.cache.top, object_path(oid)))

    def sync_later(self, paths: Iterable[Path]) -> None:
        """Remember files that were written without a sync."""
        self._unsynced.update(map(os.fspath, paths))

    def _full(self, path: bytes) -> str:
        return os.fsdecode(self._project.workspace.full(path))

    def settle(self) -> None:
        """Make everything durable, and remember the hashes of files that were too young for that. Raises LocalError."""
        self._unsynced.update(self._full(path) for path in self._ignoring.settle())
        unsynced, self._unsynced = self._unsynced, set()
        young, self._young = self._young, set()
        if self._project.config.durability is not Durability.NONE:
            try:
                sync_written([Path(path) for path in unsynced])
            except OSError as error:
                raise LocalError(f"{self._project.root}: can't be synced: {error.strerror}") from error
        workspace = self._project.workspace
        for path in sorted(young):
            if workspace.kind(path) == FILE:
                seen = workspace.look_at_file(path)
                if seen.oid is None:
                    workspace.clock(path, seen.found.stat.st_ctime_ns, wait=True)
                    workspace.hash(path)
        self._project.state.commit(patient=True)


def _targets(found: Iterable[Found]) -> list[Target]:
    """What to record: each artifact once, and what lies in another target with that one."""
    chosen: dict[bytes, Target] = {}
    for item in sorted(found, key=lambda item: item.path):
        path = item.path if item.artifact is None else item.artifact.path
        if any(_holds(other, path) and other != path for other in chosen):
            continue
        before = chosen.get(path)
        withins: tuple[bytes, ...] = (item.within,) if item.within else ()
        if before is not None:
            withins = (*before.withins, *withins) if before.withins and withins else ()
        chosen[path] = Target(path=path, artifact=item.artifact, withins=withins)
    return list(chosen.values())


def _holds(around: bytes, path: bytes) -> bool:
    return path == around or path.startswith(around + b"/")
