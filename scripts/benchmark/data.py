"""The data that is versioned: made once, copied into every project."""

from __future__ import annotations

import os
import random
from pathlib import Path


class DataSets:
    """Makes data below one directory."""

    def __init__(self, top: Path) -> None:
        self._top = top

    def big_file(self, mib: int) -> Path:
        """One file that can't be compressed."""
        path = self._top / f"set-{mib}-mib" / "big.bin"
        if not path.exists():
            path.parent.mkdir(parents=True)
            with path.open("wb") as file:
                for _ in range(mib):
                    file.write(os.urandom(1 << 20))
        return path

    def files(self, name: str, count: int, low: int, high: int) -> Path:
        """A directory of `count` files of `low` to `high` bytes, the same ones in every run."""
        top = self._top / f"set-{name}" / "data"
        if not top.exists():
            noise = random.Random(name)
            for i in range(count):
                directory = top / f"d{i // 2000:03}" / f"e{i // 200:04}"
                if i % 200 == 0:
                    directory.mkdir(parents=True)
                (directory / f"f{i:06}.bin").write_bytes(noise.randbytes(noise.randint(low, high)))
        return top


def change_some(directory: Path) -> None:
    """Give a hundred of the files other content."""
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    for i, path in enumerate(files[:: max(1, len(files) // 100)][:100]):
        path.unlink()
        path.write_bytes(os.urandom(9000 + i))
