"""Where a Git LFS server is, and what is told to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class LfsPlace:
    """`url` is that of a server's API (it may hold a user and a password that the user typed); `headers` are what an
    ssh login gave for it; `settings` hold `user`, `password` or `token` where the user typed them."""

    url: str = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    settings: Mapping[str, str] = field(default_factory=dict, repr=False)
