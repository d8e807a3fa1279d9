"""What every store behind a URL is told, whatever its protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from msgspec import Struct

from datatool.store.retry import Retries

PART_RETRIES: Final = Retries(patience=90.0, stalls=2)
"""For one part of many: what was sent of the others is worth more patience, but a service that is silent twice in a row
is told within the 30 seconds of cli.md."""

SLOW: Final = "try again; if it is always that slow, datatool remote set NAME timeout=60 waits longer"
"""What to do where nothing came for too long."""


class StoreOptions(Struct, frozen=True, kw_only=True):
    """How a store is to behave.

    `scratch` is a directory of this clone that outlives the process, for what an interrupted upload needs to be
    resumed. `timeout` is how many seconds without a single byte are a stall; `connect_timeout` how long a connection
    may take. `jobs` is how many requests may be under way.
    """

    scratch: Path
    timeout: float = 12.0
    connect_timeout: float = 10.0
    jobs: int = 8
