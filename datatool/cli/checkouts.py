"""What checkout did, as JSON and as text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from datatool.cli.session import Session
from datatool.cli.summary import up_to_date
from datatool.model.figures import counted
from datatool.model.paths import show
from datatool.operations.checkout import CheckoutResult


def checkout_lines(session: Session, root: Path, result: CheckoutResult) -> Iterator[str]:
    """What checkout did, artifact by artifact, and a summary."""
    for item in result.artifacts:
        path = session.see(root, item.path)
        figures = [counted(item.written, "file") + " written"] if item.written else []
        figures += [counted(item.deleted, "file") + " deleted"] if item.deleted else []
        if item.changed and (figures or item.error is None):
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
