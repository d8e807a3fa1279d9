"""Which versions a command means: the work tree's, a revision's, or those of many commits."""

from __future__ import annotations

from msgspec import Struct

from datatool.errors import UsageError


class Scope(Struct, frozen=True, kw_only=True):
    """`rev`: one revision instead of the work tree; `branches`, `tags`: every tip; `commits`: every commit there is."""

    rev: str | None = None
    branches: bool = False
    tags: bool = False
    commits: bool = False

    @property
    def many(self) -> bool:
        """Whether more than one commit is meant."""
        return self.branches or self.tags or self.commits


def one_scope(*, rev: str | None, branches: bool, tags: bool, commits: bool) -> Scope:
    """The versions meant; UsageError where one revision meets one of the others."""
    if rev is not None and (branches or tags or commits):
        raise UsageError("--rev can't be combined with --all-branches, --all-tags or --all-commits", hint="choose one")
    return Scope(rev=rev, branches=branches, tags=tags, commits=commits)
