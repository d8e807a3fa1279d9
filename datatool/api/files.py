"""An open file of a project or registry: one that nobody can write to, with a size and a name."""

from __future__ import annotations

import io
import os


class DataFile(io.BufferedReader):
    """Bytes that were checked; everything that a file opened with `open(…, "rb")` can do. `size` is in bytes."""

    def __init__(self, raw: io.FileIO | io.BytesIO, name: str) -> None:
        self.size = os.fstat(raw.fileno()).st_size if isinstance(raw, io.FileIO) else raw.getbuffer().nbytes
        raw.name = name
        super().__init__(raw)

    # pyarrow, DuckDB and others let go of files without closing them: that is no mistake of whoever asked for data.

    def __del__(self) -> None:
        self.close()

    def _dealloc_warn(self, source: object) -> None:
        """Say nothing when a text file that wraps this one is let go of."""
