"""How large a file this process may write."""

from __future__ import annotations

import sys

if sys.platform == "win32":

    def file_size_limit() -> int | None:
        """None: there is no such limit."""
        return None

else:
    import resource

    def file_size_limit() -> int | None:
        """The bytes that `ulimit -f` allows; None where it sets no limit."""
        soft, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
        return None if soft == resource.RLIM_INFINITY else soft
