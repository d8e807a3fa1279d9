"""Make what targets hold now their new version: save it, point to it, remember it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from datatool.formats.pointer_file import write_pointer
from datatool.localfs.batch import Published
from datatool.model.paths import named
from datatool.model.pointer import ArtifactKind
from datatool.model.settings import LinkMethod
from datatool.operations.publish import locked, may_publish
from datatool.operations.record import Recorded, RecordOptions, Target, record_all
from datatool.operations.relink import relink
from datatool.progress import Progress
from datatool.project.project import Project
from datatool.workspace.pointers import find_artifact

Pointing = tuple[bytes, bytes, bytes | None]
"""An artifact's path, the new text of its pointer, the old text."""


class NewVersion(Struct, frozen=True, kw_only=True):
    """A target as recorded now, with its pointer's text before (None for a new one) and after."""

    recorded: Recorded
    before: bytes | None
    after: bytes

    @property
    def changed(self) -> bool:
        """Whether that is news."""
        return self.before != self.after


def make_versions(
    project: Project,
    targets: Sequence[Target],
    options: RecordOptions,
    write: Callable[[Sequence[Pointing]], None],
    progress: Progress,
) -> list[NewVersion]:
    """Record targets, all of them or none, with `write` to put down their pointers. Raises what `record_all` does."""
    with locked(project, [target.path for target in targets], progress):
        targets = [replace(target, artifact=find_artifact(project.root, target.path)) for target in targets]
        first: bytes | None = None
        count = 0

        def share(published: list[Published]) -> None:
            nonlocal first, count
            names = [item.tag[0] for item in published if isinstance(item.tag, tuple) and item.stat is not None]
            first = first or next(iter(names), None)
            count += len(names)
            project.workspace.remember_published(published)

        shared = project.config.link_methods[:1] == (LinkMethod.HARDLINK,)
        shared = shared and may_publish(project, [target.path for target in targets])
        try:
            saved = record_all(project, targets, options, progress, on_adopted=share if shared else None)
            made = point_to(project, saved, write)
        except BaseException:
            if first is not None:
                _tell_of(first, count, progress)
            raise
    if any(method in (LinkMethod.HARDLINK, LinkMethod.SYMLINK) for method in project.config.link_methods[:1]):
        for item in saved:
            relink(project, item.target.path, item.pointer, item.linkable)
    return made


def _tell_of(first: bytes, count: int, progress: Progress) -> None:
    """Say which files are shared with the cache already when an add fails."""
    more = f" and {count - 1:,} more" if count > 1 else ""
    progress.warn(
        f"{named(first)}{more}: in the cache already, and read-only now, as they share their bytes with it",
        hint=f"the same command again completes it; datatool edit {named(first)} makes a file writable again",
    )


def point_to(
    project: Project, saved: Sequence[Recorded], write: Callable[[Sequence[Pointing]], None]
) -> list[NewVersion]:
    """Make what was saved the artifacts' versions, under their locks: `write` puts down the pointers. Raises what it
    raises."""
    if any(item.pointer.kind is ArtifactKind.DIRECTORY for item in saved):
        stamp = project.cache.stamp()
        for item in saved:
            if item.pointer.kind is ArtifactKind.DIRECTORY and item.base.here == item.base.version:
                project.state.set_complete(item.base.version, stamp)
    made = [_version(item) for item in saved]
    write([(item.recorded.target.path, item.after, item.before) for item in made])
    project.workspace.sweep()
    for item in saved:
        project.state.set_base(item.target.path, item.base)
    return made


def _version(item: Recorded) -> NewVersion:
    before = item.target.artifact.text if item.target.artifact is not None else None
    return NewVersion(recorded=item, before=before, after=write_pointer(item.pointer, old=before))
