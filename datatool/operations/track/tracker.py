"""One project, kept open while a program tracks file after file in it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from datatool.errors import DatatoolError, Locked, PartlyDone, UsageError
from datatool.index.stamp import Stamp, stamp_of
from datatool.localfs.temps import sweep_temps
from datatool.model.entry import DIRECTORY
from datatool.model.paths import named, see_from
from datatool.model.run import RunFile
from datatool.model.settings import LinkMethod
from datatool.operations.open_project import open_project
from datatool.operations.targets import project_path
from datatool.operations.track.aside import Committed, aside
from datatool.operations.track.beside import comes_beside
from datatool.operations.track.damage import not_brought
from datatool.operations.track.marks import is_unfinished, unsorted
from datatool.operations.track.refusals import refusal
from datatool.operations.track.run_files import as_input, file_here, pinned_file
from datatool.operations.track.stage_inputs import content_here, input_now, link_pinned
from datatool.operations.track.state import (
    Action,
    Condition,
    Found,
    OnChange,
    Rule,
    Trees,
    decide,
    is_below_a_file,
    look,
)
from datatool.progress import Progress
from datatool.project.project import CONFIG, FOLDER, Project
from datatool.workspace.pointers import Artifact, owner

if TYPE_CHECKING:
    from datatool.operations.new_version import NewVersion
    from datatool.operations.track.recording import Recording

T = TypeVar("T")
Bring = Callable[[Project, Sequence[str], Progress], Sequence[DatatoolError]]
BringList = Callable[[Project, Artifact, Progress], None]
BringRest = Callable[[Project, Artifact, bytes, Progress], Sequence[DatatoolError]]
Record = Callable[[Project, Progress], "Recording"]


class Tracked(Struct, frozen=True, kw_only=True):
    """What became of one path (raw bytes, from the root). `file` is what the program gets to read, where that is known;
    `version` is what its artifact was recorded as."""

    path: bytes
    action: Action
    file: RunFile | None = None
    version: NewVersion | None = None


class Tracker:
    """The project at `root`. Any thread may call; they wait for each other."""

    def __init__(
        self,
        root: Path,
        *,
        environ: Mapping[str, str],
        bring: Bring,
        bring_list: BringList,
        bring_rest: BringRest,
        record: Record,
        progress: Progress,
    ) -> None:
        """`bring` fetches what is pinned, as `pull PATH` does, `bring_list` only what lists a directory, `bring_rest`
        what was never here of one that changed; `record` makes a `Recording`. Each loads what it needs when it is
        called first, and in most programs nothing calls it."""
        self.root = root
        self._bring = bring
        self._bring_list = bring_list
        self._bring_rest = bring_rest
        self._progress = progress
        self._lock = threading.RLock()
        self._stack = ExitStack()
        self._project = self._stack.enter_context(open_project(os.fspath(root), flags={}, environ=environ))
        self._record_with = record
        self._opened_recording: Recording | None = None
        self._swept: set[bytes] = set()
        self._trees = Trees(self._project)
        self._committed = Committed(self._project)
        self._outputs: dict[bytes, Stamp | None] = {}
        self._seen_from: tuple[str, bytes] = ("", b"")
        self._config, self._around = os.path.join(root, FOLDER, CONFIG), os.fspath(self._project.local.parent)
        self._opened_as = self._identity()

    @property
    def local(self) -> Path:
        """The directory of what belongs to this clone alone."""
        return self._project.local

    def is_current(self) -> bool:
        """Whether this is still the project at that place: not made anew, nor configured otherwise."""
        return self._identity() == self._opened_as

    def _identity(self) -> tuple[int, ...]:
        try:
            config, around = os.stat(self._config), os.stat(self._around)
        except OSError:
            return ()
        return config.st_mtime_ns, config.st_size, config.st_ino, around.st_ino, around.st_dev

    @property
    def _recording(self) -> Recording:
        if self._opened_recording is None:
            self._opened_recording = self._record_with(self._project, self._progress)
        return self._opened_recording

    @property
    def _links(self) -> bool:
        """Whether files may be links into the cache."""
        return self._project.config.link_methods[:1] in ((LinkMethod.HARDLINK,), (LinkMethod.SYMLINK,))

    @contextmanager
    def _working(self) -> Iterator[None]:
        """Alone in this process; afterwards, others may write what they remember, however long the program goes on."""
        with self._lock:
            try:
                yield
            finally:
                self._project.state.commit()

    def path(self, full: str, cwd: str) -> bytes:
        """An absolute path as one of this project's; from now on, messages name paths as seen from `cwd`. Raises
        PathNotFound for one outside, Refused for one that belongs to another repository, UsageError for the top."""
        if cwd != self._seen_from[0]:
            place = os.path.relpath(os.path.realpath(cwd), self.root)
            inside = place != os.curdir and not place.startswith(os.pardir)
            self._seen_from = cwd, os.fsencode(place) if inside else b""
        see_from(self._seen_from[1])
        path = project_path(self._project, full, self.root)
        if not path:
            raise UsageError(
                f"{full}: the whole project can't be one artifact", hint="name the files and directories to track"
            )
        return path

    # Tracking

    def track(
        self, paths: Sequence[bytes], rule: Rule, *, make: Callable[[bytes], None] | None = None
    ) -> list[Tracked]:
        """Make what is pinned present, or record what is there, by the table of `decide`; in order of `paths`.

        Nothing is changed where one of them is refused. `make` writes a file that is nowhere and not pinned; without
        it, that is an error. What is pinned is never made anew: where it can't be fetched, that is raised. Raises
        Refused, PathNotFound, and what `pull` and `add` raise.
        """
        with self._working():
            found = self._look(paths)
            unfinished = [
                item.path for item in found if not item.at_a_glance and is_unfinished(self._project, item.path)
            ]
            results = [] if unfinished else self._track(paths, found, rule, may_lack=make is not None)
        if unfinished:
            for path in unfinished:
                self._set_unfinished_aside(path, wait=make is not None)
            results = self._track_now(paths, rule, may_lack=make is not None)
        for number, item in enumerate(results):
            if item.action is Action.LACK and make is not None:
                results[number] = self._make(item.path, rule, make)
        return results

    def _look(self, paths: Sequence[bytes]) -> list[Found]:
        return [look(self._project, self._trees, path) for path in dict.fromkeys(paths)]

    def _track_now(self, paths: Sequence[bytes], rule: Rule, *, may_lack: bool) -> list[Tracked]:
        with self._working():
            return self._track(paths, self._look(paths), rule, may_lack=may_lack)

    def _track(self, paths: Sequence[bytes], found: Sequence[Found], rule: Rule, *, may_lack: bool) -> list[Tracked]:
        self._sweep(item.path for item in found if not item.at_a_glance)
        found = [self._judged(item, rule) for item in found]
        self._refuse(found, rule, may_lack)
        self._complete(item for item in found if decide(item.condition, rule) in (Action.RECORD, Action.NOTHING))
        results: dict[bytes, Tracked] = {}
        wanted = [item for item in found if decide(item.condition, rule) is Action.FETCH]
        if wanted:
            unnamed = [item.path for item in wanted if item.condition is Condition.UNNAMED]
            for path in unnamed if self._links else ():
                self._recording.release(path)
            with aside(self._project, unnamed, self._progress):
                self._fetch(wanted)
            fetched = [self._fetched(item) for item in wanted]
            results |= {
                item.path: Tracked(path=item.path, action=Action.FETCH, file=pinned_file(self._trees, item))
                for item in fetched
                if item.condition is Condition.EQUAL
            }
            found = [item for item in found if item not in wanted] + fetched
            self._refuse(found, rule, may_lack)
        results |= self._record([item for item in found if decide(item.condition, rule) is Action.RECORD])
        results |= {item.path: self._untouched(item) for item in found if item.path not in results}
        return [results[path] for path in paths]

    def _judged(self, item: Found, rule: Rule) -> Found:
        """What takes more than a look: of an outdated path, whether some commit names what lies there; of one that
        nothing tracks, whether git does; of a changed one, whether what is pinned can come beside that."""
        if item.condition is Condition.OUTDATED and item.artifact and not self._committed.names(item.artifact):
            return replace(item, condition=Condition.UNNAMED)
        if item.condition is Condition.UNKNOWN and not item.artifact and self._recording.is_of_git(item.path):
            return replace(item, condition=Condition.OF_GIT)
        may_come = item.condition is Condition.CHANGED and decide(Condition.BESIDE, rule) is Action.FETCH
        if may_come and comes_beside(self._project, self._trees, self._committed, item, self._bring_its_list):
            return replace(item, condition=Condition.BESIDE)
        return item

    def _bring_its_list(self, artifact: Artifact) -> None:
        self._bring_list(self._project, artifact, self._progress)

    def _sweep(self, paths: Iterable[bytes]) -> None:
        """Delete what killed processes left unfinished beside some paths; once in each directory."""
        for directory in {os.path.dirname(path) for path in paths} - self._swept:
            self._swept.add(directory)
            sweep_temps(Path(os.fsdecode(self._project.workspace.full(directory))))

    def _refuse(self, found: Sequence[Found], rule: Rule, may_lack: bool) -> None:
        lack_is_fine = may_lack and (not rule.frozen or rule.on_change is OnChange.ADD)
        for item in found:
            action = decide(item.condition, rule)
            may_be_made = may_lack and not is_below_a_file(item)
            if action is Action.REFUSE or (action is Action.LACK and not (lack_is_fine and may_be_made)):
                raise refusal(self._project, item, frozen=rule.frozen, makes=may_be_made)

    def _untouched(self, item: Found) -> Tracked:
        if item.condition is Condition.NOWHERE:
            return Tracked(path=item.path, action=Action.LACK)
        equal = item.condition is Condition.EQUAL
        file = pinned_file(self._trees, item) if equal else content_here(self._project, item.path)
        return Tracked(path=item.path, action=Action.NOTHING, file=file)

    # Fetching

    def _fetch(self, wanted: Sequence[Found]) -> None:
        """Bring what is pinned, as `pull PATH` does. Raises what that fails with, and DamageFound where the cache had
        only damaged bytes."""
        left, damaged = self._recording.restore(wanted)
        if not left:
            return
        targets = [os.fsdecode(self._project.workspace.full(item.path)) for item in left]
        try:
            errors = self._bring(self._project, targets, self._progress)
        except DatatoolError as error:
            errors = [error]
        if errors:
            raise not_brought(self._project, damaged, errors)

    def _complete(self, used: Iterable[Found]) -> None:
        """Bring what was never here of directories that are used as their user left them. Raises what that fails
        with."""
        for item in used:
            artifact, path = item.artifact, item.path
            if artifact is None or item.condition is Condition.EQUAL or self._project.workspace.kind(path) != DIRECTORY:
                continue
            base = self._project.state.base(artifact.path)
            if base is None or base.here == base.version:
                continue
            errors = self._bring_rest(self._project, artifact, item.within, self._progress)
            if errors:
                raise errors[0]

    def _fetched(self, item: Found) -> Found:
        now = look(self._project, self._trees, item.path)
        if now.condition in (Condition.MISSING, Condition.OUTDATED):
            raise PartlyDone(
                f"{named(item.path)}: was fetched, and still is not what its pointer names",
                hint=f"datatool status {named(item.path)}",
                path=os.fsdecode(item.path),
            )
        return now

    # Stages

    @contextmanager
    def using(self) -> Iterator[Project]:
        """The project itself, alone in this process, for one who does more than track."""
        with self._working():
            yield self._project

    def input(self, path: bytes) -> tuple[RunFile | None, bool]:
        """What a stage is going to read at a path, and whether datatool tracks that. Nothing is recorded; all that is
        fetched is what lists a tracked directory. Raises PathNotFound where that can't be had."""
        with self._working():
            found, file = self._with_list(path, input_now)
            return file, found.condition is not Condition.UNKNOWN

    def link(self, path: bytes) -> bytes | None:
        """Where a link in a tracked directory leads, as it is pinned: a path of the project. None for anything else.
        Raises PathNotFound as `input`."""
        with self._working():
            return self._with_list(path, link_pinned)[1]

    def _with_list(self, path: bytes, ask: Callable[[Project, Trees, Found], T]) -> tuple[Found, T]:
        """Ask something of a path, with what lists the directory that it is in, if that takes it."""
        found = look(self._project, self._trees, path)
        try:
            return found, ask(self._project, self._trees, found)
        except KeyError:
            assert found.artifact is not None
            self._bring_its_list(found.artifact)
        found = look(self._project, self._trees, path)
        return found, ask(self._project, self._trees, found)

    def sync_later(self, paths: Iterable[Path]) -> None:
        """Remember files that were written without a sync."""
        self._recording.sync_later(paths)

    # Recording

    def _record(self, todo: Sequence[Found], *, force: bool = False) -> dict[bytes, Tracked]:
        made = self._recording.record(todo, force=force) if todo else {}
        return {path: self._recorded(path, version) for path, version in made.items()}

    def _recorded(self, path: bytes, version: NewVersion) -> Tracked:
        artifact = version.recorded.target.path
        is_whole = path == artifact or self._project.workspace.kind(path) == DIRECTORY
        return Tracked(
            path=path,
            action=Action.RECORD if version.changed else Action.NOTHING,
            file=as_input(artifact, version.recorded.pointer) if is_whole else file_here(self._project, path),
            version=version,
        )

    def line(self, tracked: Tracked) -> str | None:
        """What a user should know of what was recorded; None where nothing was."""
        if tracked.action is not Action.RECORD or tracked.version is None:
            return None
        return self._recording.line(tracked.version)

    # What is nowhere

    def _make(self, path: bytes, rule: Rule, make: Callable[[bytes], None]) -> Tracked:
        """Have a file made, once however many threads and processes want it. No lock of this tracker is held meanwhile,
        as whoever makes it may track other files."""
        with self._recording.making(path) as making:
            result = self._track_now([path], rule, may_lack=True)[0]
            if result.action is Action.LACK:
                with self._working():
                    self._recording.refuse(path)
                with making.begun():
                    make(path)
                    making.finished()
                    result = self._track_now([path], rule, may_lack=False)[0]
        return result

    def _set_unfinished_aside(self, path: bytes, *, wait: bool) -> None:
        """Move away what a killed process left of a file that it was making. Without `wait`, what somebody makes right
        now is left to him: it may be that he waits for this very call."""
        if not is_unfinished(self._project, path):
            return
        with suppress(Locked), self._recording.making(path, wait=wait) as making:
            if is_unfinished(self._project, path):  # not by somebody who made it meanwhile
                with self._working():
                    if look(self._project, self._trees, path).condition is not Condition.EQUAL:
                        making.set_aside()
                making.clear()

    # What a program is going to write

    def expect(self, path: bytes, *, recorded: bool) -> None:
        """An output: what is there now is remembered, to tell later whether it was written; a link into the cache
        becomes a copy that may be written to. Where it is going to be `recorded`, raises what `add` would."""
        if recorded:
            with self._working():
                self._recording.refuse(path)
        self._set_unfinished_aside(path, wait=False)
        with self._working():
            self._outputs.setdefault(path, self._stamp(path))
            if self._links and self._outputs[path] is not None and owner(self.root, path) is not None:
                self._recording.release(path)

    def is_written(self, path: bytes) -> bool:
        """Whether what lies at an output is the program's: not if it is still what datatool put there before the
        pointer moved on. What was written anew with the content of an older version is."""
        with self._working():
            if self._project.workspace.kind(path) is None:
                return True
            found = look(self._project, self._trees, path)
            return found.condition is not Condition.OUTDATED or self._outputs.get(path) != self._stamp(path)

    def _stamp(self, path: bytes) -> Stamp | None:
        try:
            return stamp_of(os.lstat(self._project.workspace.full(path)))
        except OSError:
            return None

    # Ending

    def settle(self) -> None:
        """Make durable what was recorded, and let others write what they remember. Raises LocalError."""
        with self._working():
            self._settle()

    def close(self) -> None:
        """Settle, and let go of the project's files."""
        with self._lock, self._stack:
            self._settle()

    def _settle(self) -> None:
        if self._opened_recording is not None or unsorted(self._project):
            self._recording.settle()
        else:
            self._project.state.commit(patient=True)
