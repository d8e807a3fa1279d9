"""`datatool doctor`: check git, links, cache and remotes, for a bug report."""

from __future__ import annotations

from collections.abc import Iterator

from datatool.cli.command import command
from datatool.cli.screen import aligned
from datatool.cli.session import Session
from datatool.model.paths import show
from datatool.operations import doctor as operation

_COLOURS = {"ok": "green", "warning": "yellow", "failed": "red"}


@command("datatool doctor", "datatool doctor --offline --json")
def doctor(session: Session) -> int:
    """Check git, links, cache and remotes, for a bug report.

    Exits with 0 unless a check fails; warnings do not count. What it prints holds no credentials.
    """
    result = operation.doctor(session.cwd, session.environ, offline=session.offline)

    def lines() -> Iterator[str]:
        rows = [(str(check.status), check.name, show(check.detail)) for check in result.checks]
        for check, line in zip(result.checks, aligned(rows), strict=True):
            status = str(check.status)
            yield session.paint(status, _COLOURS.get(status, "dim")) + line[len(status) :]
            if check.hint and check.status == "warning":
                yield f"         {show(check.hint)}"
        yield ""
        yield from aligned((name, show(version)) for name, version in result.versions.items())

    return session.finish(result, lines)
