"""datatool without long waits between attempts, as a process: python -m network.hurried push

With PART=… in the environment, the sizes too are lowered from which it does things in parts; a part is so large then.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from importlib import import_module
from pathlib import Path

from datatool.cli.main import entry
from datatool.formats.remote_format import RemoteFormat
from datatool.store.retry import Retries
from world import World

PART = 1 << 19
"""The size of a part."""
LOOSE_FROM = 1 << 19
"""From here on an object is a file of its own."""
PATIENCE = {"tries": 3, "base": 0.002, "longest": 0.02}
"""Of attempts that follow each other, in place of what each `Retries` has."""
USUAL = partial(RemoteFormat, loose_min=LOOSE_FROM)
"""What a remote is that is made."""
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


HURRIED = [sys.executable, "-P", "-m", "network.hurried"]
"""The command."""


def environment(world: World, *, part: int | None = PART) -> dict[str, str]:
    """What the command needs to know; None leaves the sizes as they are."""
    path = os.pathsep.join([str(Path(__file__).parents[1]), world.env["PYTHONPATH"]])
    return {**world.env, "PYTHONPATH": path, **({} if part is None else {"PART": str(part)})}


def begin(world: World, *words: str, part: int = PART) -> subprocess.Popen[str]:
    """Start a command, with lowered sizes."""
    return subprocess.Popen(
        [*HURRIED, *words],
        cwd=world.root,
        env=environment(world, part=part),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def main() -> None:
    """The command line, after that."""
    for name, value in PATIENCE.items():
        setattr(Retries, name, value)
    if "PART" in os.environ:
        import_module("datatool.remote.format_file").RemoteFormat = USUAL
        for name, value in lowered(int(os.environ["PART"])).items():
            module, _, constant = name.rpartition(".")
            assert hasattr(import_module(module), constant), name
            setattr(import_module(module), constant, value)
    sys.exit(entry())


if __name__ == "__main__":
    main()
