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
