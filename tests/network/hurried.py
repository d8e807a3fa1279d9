"""datatool with the sizes lowered from which it does things in parts, as a process: python -m network.hurried push

With PART=… in the environment, for servers that take no part smaller than that.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

from datatool.cli.main import entry
from datatool.formats.remote_format import RemoteFormat
from world import World

PART = 1 << 19
"""The size of a part."""
LOOSE_FROM = 1 << 19
"""From here on an object is a file of its own."""
LARGE_FROM = (1 << 20) + (1 << 18)
"""From here on it is copied file to file, in parts, and gone on with where it broke."""


def lowered(part: int = PART) -> dict[str, float]:
    """The constants that say so, and what they are for a test; and how long S3 may take to put parts together."""
    return {
        "datatool.cache.local.SMALL": LARGE_FROM,
        "datatool.cache.writer.RESUMED_FROM": LARGE_FROM,
        "datatool.cache.writer.AHEAD": 0,
        "datatool.remote.source.LARGE": LARGE_FROM,
        "datatool.remote.damage.LARGE": LARGE_FROM,
        "datatool.remote.stores.http.PART": part,
        "datatool.remote.stores.http.PARTED_FROM": LARGE_FROM,
        "datatool.remote.stores.s3.SINGLE": LARGE_FROM,
        "datatool.remote.stores.s3_multipart.SMALLEST": part,
        "datatool.remote.stores.s3_download.RANGE": part,
        "datatool.remote.stores.s3_wire.LONGEST": 2.0,
        "datatool.remote.stores.sftp._RESUMED": LARGE_FROM,
    }


def begin(world: World, *words: str, part: int = PART) -> subprocess.Popen[str]:
    """Start a command as such a process."""
    path = os.pathsep.join([str(Path(__file__).parents[1]), world.env["PYTHONPATH"]])
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "network.hurried", *words],
        cwd=world.root,
        env={**world.env, "PYTHONPATH": path, "PART": str(part)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def main() -> None:
    """The command line, after that."""
    for name, value in lowered(int(os.environ.get("PART", PART))).items():
        module, _, constant = name.rpartition(".")
        assert hasattr(import_module(module), constant), name
        setattr(import_module(module), constant, value)
    RemoteFormat.__init__.__kwdefaults__["loose_min"] = LOOSE_FROM
    sys.exit(entry())


if __name__ == "__main__":
    main()
