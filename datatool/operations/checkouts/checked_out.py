"""What checking out one artifact came to, and the errors that say what is in its way or lacks."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from datatool.errors import DamageFound, DatatoolError, PartlyDone, Unsaved
from datatool.model.oid import ObjectId
from datatool.model.paths import named, show
from datatool.operations.failures import Failure, failure_of
from datatool.operations.result import Part, fields_of
from datatool.operations.targets import Selection
from datatool.project.project import Project
from datatool.workspace.pointers import Artifact

_PLAIN: Final = re.compile(r"[\w@%+=:,./~^-]+", re.ASCII)
"""A revision that needs no quotes in a shell, such as `HEAD~1`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckedOut(Part):
    """One artifact. `kept` are paths datatool doesn't know and left; `missing` those whose object the cache lacks;
    `saved_to` where `force` moved unsaved files. Paths are relative to the project's root."""

    path: str
    changed: bool
    written: int = 0
    deleted: int = 0
    kept: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    saved_to: str | None = None
    error: Failure | None = None

    @property
    def ok(self) -> bool:
        """Whether it is as it should be now."""
        return self.error is None

    def to_dict(self) -> dict[str, object]:
        """As `--json` prints it."""
        return {"path": self.path, "ok": self.ok, **fields_of(self, "path")}


def by_artifact(results: Iterable[CheckedOut]) -> list[CheckedOut]:
    """Results of parts of one artifact as one result; what failed stays on its own, as each has an error to tell."""
    whole: dict[str, CheckedOut] = {}
    errors = []
    for one in results:
        before = whole.get(one.path)
        if one.error is not None:
            errors.append(one)
        elif before is None:
            whole[one.path] = one
        else:
            whole[one.path] = CheckedOut(
                path=one.path,
                changed=before.changed or one.changed,
                written=before.written + one.written,
                deleted=before.deleted + one.deleted,
                kept=tuple(dict.fromkeys(before.kept + one.kept)),
                missing=tuple(dict.fromkeys(before.missing + one.missing)),
                saved_to=before.saved_to or one.saved_to,
            )
    return [*whole.values(), *errors]


def failed(artifact: Artifact, error: DatatoolError, *, saved_to: str | None = None) -> CheckedOut:
    """One that an error stopped; `saved_to` is where unsaved files are that `force` had moved and that are not back."""
    error.path = error.path or artifact.name
    return CheckedOut(path=artifact.name, changed=saved_to is not None, saved_to=saved_to, error=failure_of(error))


def unsaved(artifact: bytes, paths: Sequence[bytes], *, through: bytes | None = None, is_link: bool = False) -> Unsaved:
    """Paths would be overwritten that are saved nowhere. `through` is one of them whose object in the cache is the same
    file; `is_link` says that a link lies in the place of the artifact, which `add` would refuse."""
    name = named(artifact)
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    hint = f"datatool add {name} keeps them; --force moves them to lost+found"
    if is_link:
        hint = "move the link away; or --force moves it to lost+found"
    if through is not None:
        hint += (
            f"; {named(through)} is a link to its object in the cache, which was changed with it: after --force, "
            f"datatool fetch {name} gets that again from the remote"
        )
    return Unsaved(
        f"{named(paths[0])}{more}: unsaved changes; nothing in {name} was touched",
        hint=hint,
        path=os.fsdecode(paths[0]),
    )


def written_through(project: Project, path: bytes, oid: ObjectId | None) -> bool:
    """Whether what lies at a path is the very file that the cache has, or had, as an object."""
    try:
        return oid is not None and os.path.samefile(project.workspace.full(path), project.cache.loose_path(oid))
    except OSError:
        return False


def lacking(
    item: Selection, missing: Sequence[bytes], damaged: Sequence[bytes], *, whole: bytes = b""
) -> DatatoolError:
    """Objects the cache does not have, or had damaged."""
    name = _named_for(item)
    if damaged:
        path = whole + b"/" + damaged[0] if whole else damaged[0]
        more = f" and {len(damaged) - 1} more" if len(damaged) > 1 else ""
        return DamageFound(
            f"{named(path)}{more}: its object in the cache was damaged, and was set aside",
            hint=f"datatool fetch {name} gets it again from the remote",
            path=os.fsdecode(path),
        )
    path = whole + b"/" + missing[0] if whole else missing[0]
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    return PartlyDone(
        f"{named(path)}{more}: not in the cache",
        hint=f"datatool pull {name} gets it from the remote",
        path=os.fsdecode(path),
    )


def _named_for(item: Selection) -> str:
    """What to type behind `pull` or `fetch` for the version that is meant. Of an old one the part is named that was
    asked for, as the rest stays as it is."""
    if item.rev is None:
        return named(item.artifact.path)
    path = item.artifact.path + b"/" + item.within if item.within else item.artifact.path
    return f"{named(path)} --rev {typed_revision(item.rev)}"


def typed_revision(revision: str) -> str:
    """A revision as it is typed in a shell."""
    return revision if _PLAIN.fullmatch(revision) else shlex.quote(show(revision))
