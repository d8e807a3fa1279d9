"""Which versions a command means: the work tree's, a revision's, or those of many commits."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """`rev`: one revision instead of the work tree; `branches`, `tags`: every tip; `commits`: every commit there is."""

    rev: str | None = None
    branches: bool = False
    tags: bool = False
    commits: bool = False

    @property
    def many(self) -> bool:
        """Whether more than one commit is meant."""
        return self.branches or self.tags or self.commits
