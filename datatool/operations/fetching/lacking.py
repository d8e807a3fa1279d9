"""What of a version did not come from a remote, and why, in words."""

from __future__ import annotations

from collections.abc import Sequence

from datatool.errors import DamageFound, DatatoolError, LocalError, PartlyDone, RemoteError
from datatool.model.figures import counted
from datatool.model.paths import named
from datatool.operations.failures import failure_of
from datatool.operations.fetching.plan import Wish
from datatool.operations.remote_access import Connection, not_readable
from datatool.operations.transfer_result import Transferred
from datatool.store.objects import Absent


def transferred(wish: Wish, connection: Connection | None) -> Transferred:
    """What became of a wish at the remote that was asked last; None for one that could not be connected to."""
    name = wish.version.name
    if wish.error is not None:
        return Transferred(path=name, ok=False, error=wish.error)
    if not wish.absent or connection is None:
        return Transferred(path=name, ok=True)
    if wish.may_stay and not any(item.damaged or item.refused for item in wish.absent):
        return Transferred(path=name, ok=True, stays=True)
    return Transferred(path=name, ok=False, error=failure_of(_what_is_absent(wish, connection)))


def _what_is_absent(wish: Wish, connection: Connection) -> DatatoolError:
    remote = connection.remote
    absent = wish.absent
    what, path = _objects(absent) if not absent[0].wanted.metadata else _list_of(wish)
    heals = (
        "whoever has the data runs datatool push, which heals it; then run this again"
        if remote.store.capabilities.write
        else "a fresh clone that pulls from the remote behind that address notes the damage there; "
        "then a datatool push of whoever has the data heals it, as does datatool push --verify at once"
    )
    if any(item.damaged for item in absent):
        return DamageFound(
            f"{what} on the remote {connection.name} is damaged; nothing wrong was kept",
            hint=heals,
            path=path,
        )
    local = [item.refused for item in sorted(absent, key=_label) if isinstance(item.refused, LocalError)]
    if local:
        return local[0]
    refused = [item for item in absent if item.refused is not None]
    if refused:
        message, cause = what_is_refused(refused, connection.name)
        alone = len(refused) == len(absent)
        return not_readable(message, cause, connection.name, alone=alone, path=_objects(refused)[1])
    if remote.format is None:
        return PartlyDone(
            f"{what} is not on the remote {connection.name}: nothing was ever pushed to {remote.label}",
            hint="check that address; whoever has the data runs datatool push; then run this again",
            path=path,
        )
    if remote.damaged_records:
        return DamageFound(
            f"{what} can't be found on the remote {connection.name}: {remote.damaged_records[0]} is damaged or gone",
            hint=heals
            if remote.damaged_records[0] in remote.state.condemned
            else "whoever has the data runs datatool push --verify, which heals it; then run this again",
            path=path,
        )
    return PartlyDone(
        f"{what} is not on the remote {connection.name}",
        hint="whoever has the data runs datatool push (or push --verify); then run this again",
        path=path,
    )


def what_is_refused(refused: Sequence[Absent], remote: str) -> tuple[str, RemoteError]:
    """What a remote has and does not let read, in words, and the error that it gave for the first."""
    cause = min(refused, key=_label).refused
    assert isinstance(cause, RemoteError)
    return f"{_objects(refused)[0]} can't be read on the remote {remote}: {cause.message}", cause


def _objects(absent: Sequence[Absent]) -> tuple[str, str]:
    """Objects in words: their paths, and the id of the first; and the first path."""
    labels = sorted({_label(item) for item in absent})
    shown = ", ".join(named(label) for label in labels[:5]) + (
        f" and {len(labels) - 5} more" if len(labels) > 5 else ""
    )
    oid = min(absent, key=_label).wanted.oid
    return f"{shown}: object {oid[:12]}…", labels[0].decode("utf-8", "surrogateescape")


def _list_of(wish: Wish) -> tuple[str, str]:
    """What lists a directory, in words: without it nobody knows the paths of its files. And its own path."""
    version = wish.version
    files = version.pointer.files
    count = "files" if files is None else counted(files, "file")
    oid = wish.absent[0].wanted.oid
    return f"{named(version.path)}: the list of its {count} (object {oid[:12]}…)", version.name


def _label(item: Absent) -> bytes:
    return item.wanted.label
