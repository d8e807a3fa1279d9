"""What checkout did, as JSON and as text, and how many artifacts are as they should be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from datatool.cli.screen import counted
from datatool.cli.session import Session, failure_fields
from datatool.errors import PartlyDone, Refused
from datatool.model.paths import show
from datatool.operations.checkout import CheckedOut, CheckoutResult
from datatool.operations.failures import Failure


def artifact_fields(path: str, error: Failure | None) -> dict[str, object]:
    """`{"path", "ok", "error"?}`."""
    return {"path": path, "ok": error is None, **failure_fields(error)}


def checked_out_fields(item: CheckedOut) -> dict[str, object]:
    """What checkout did to one artifact."""
    return {
        **artifact_fields(item.path, item.error),
        "changed": item.changed,
        "written": item.written,
        "deleted": item.deleted,
        "kept": list(item.kept),
        "missing": list(item.missing),
        "saved_to": item.saved_to,
    }


def checkout_lines(session: Session, root: Path, result: CheckoutResult) -> Iterator[str]:
    """What checkout did, artifact by artifact, and a summary."""
    for item in result.artifacts:
        path = session.see(root, item.path)
        if item.changed:
            figures = [counted(item.written, "file") + " written"] if item.written else []
            figures += [counted(item.deleted, "file") + " deleted"] if item.deleted else []
            yield f"checked out  {path}" + (f"  {', '.join(figures)}" if figures else "")
        if item.kept:
            yield f"kept  {counted(len(item.kept), 'file')} in {path} that the new version does not name"
            yield from (f"    {session.see(root, kept)}" for kept in item.kept if session.verbose)
        for missing in item.missing if session.verbose else item.missing[:10]:
            yield f"missing  {session.see(root, missing)}"
        if len(item.missing) > 10 and not session.verbose:
            yield f"missing  {len(item.missing) - 10:,} more in {path} (-v names them)"
        if item.saved_to:
            yield f"saved  unsaved files of {path} in {show(item.saved_to)}"
    yield up_to_date([item.error for item in result.artifacts])


def up_to_date(errors: Sequence[Failure | None]) -> str:
    """How many artifacts are as they should be.

    >>> up_to_date([None, None])
    '2 artifacts up to date'
    """
    failed = [failure.error for failure in errors if failure]
    if not failed:
        return f"{counted(len(errors), 'artifact')} up to date"
    counts = {
        "refused": sum(isinstance(error, Refused) for error in failed),
        "incomplete": sum(isinstance(error, PartlyDone) for error in failed),
    }
    counts["failed"] = len(failed) - sum(counts.values())
    rest = ", ".join(f"{number:,} {word}" for word, number in counts.items() if number)
    return f"{len(errors) - len(failed):,} of {counted(len(errors), 'artifact')} up to date, {rest}"
