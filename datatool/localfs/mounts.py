"""Whether a directory is on this machine's own disk: a database must not lie on any other (formats §4)."""

from __future__ import annotations

import os
from pathlib import Path

_SHARED = (
    "nfs",
    "cifs",
    "smb",
    "fuse",
    "9p",
    "virtiofs",
    "afs",
    "ceph",
    "lustre",
    "gpfs",
    "beegfs",
    "glusterfs",
    "ncpfs",
)
"""Kinds of filesystem, by the start of their name, whose locks or shared memory a database can't rely on."""


def on_own_disk(directory: Path, mounts: str | None = None) -> bool:
    """Whether a directory, or its nearest parent that exists, is on a local filesystem; True where nobody can tell.

    `mounts` is the text of Linux's `/proc/self/mountinfo`.
    """
    if mounts is None:
        try:
            with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
                mounts = file.read()
        except OSError:
            return True
    real = os.path.realpath(directory)
    best, kind = "", ""
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) < 5 or not after:
            continue
        point = fields[4].replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
        if len(point) >= len(best) and (real == point or real.startswith(point.rstrip("/") + "/")):
            best, kind = point, after.split(" ", 1)[0]
    return not kind.startswith(_SHARED)
