"""How many files this process may have open."""

from __future__ import annotations

import sys
from contextlib import suppress

_OTHERS = 160
"""Files that are open besides: a batch, a database, packs, pipes."""

if sys.platform == "win32":

    def room_for_files(wanted: int) -> int:
        """How many files can be kept open at once, up to `wanted`."""
        return wanted

else:
    import resource

    def room_for_files(wanted: int) -> int:
        """How many files can be kept open at once, up to `wanted`; the limit is raised for that where the system lets.

        Shells start programs with a limit of 256 or 1,024, and let them raise it.
        """
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        needed = wanted + _OTHERS
        if soft == resource.RLIM_INFINITY or soft >= needed:
            return wanted
        raised = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        with suppress(OSError, ValueError):  # macOS has one more limit, which it tells only so
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
            soft = raised
        return max(1, soft - _OTHERS)
