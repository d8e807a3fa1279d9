"""After an add: let the workspace share the bytes that the cache now has, where links are configured."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress

from datatool.localfs.batch import Batch
from datatool.localfs.leases import is_written_to, seal
from datatool.localfs.mounts import on_own_disk
from datatool.model.oid import EMPTY
from datatool.model.pointer import Pointer
from datatool.model.settings import LinkMethod
from datatool.project.project import Project
from datatool.workspace.placing import link


def relink(project: Project, artifact: bytes, pointer: Pointer, paths: Sequence[bytes]) -> int:
    """Replace files of an artifact by links to their objects; how many. A file whose remembered hash no longer
    holds, an executable, what lies in a pack, and what somebody has open for writing stay as they are."""
    workspace = project.workspace
    methods = [method for method in project.config.link_methods if method in (LinkMethod.HARDLINK, LinkMethod.SYMLINK)]

    count = 0
    with Batch(project.root, durability=project.config.durability, on_published=workspace.remember_published) as batch:
        for path in paths:
            whole = artifact + b"/" + path if path else artifact
            seen = workspace.look_at_file(whole)
            mode = seen.found.stat.st_mode
            if seen.oid is None and seen.found.target is None and not mode & 0o222:
                seen = seen._replace(oid=workspace.hash(whole)[0])  # another command has just saved the same
            if seen.oid is None or seen.oid == EMPTY or seen.found.target is not None:
                continue
            if workspace.modes_bind and mode & 0o111:
                continue
            source = project.cache.linkable(seen.oid)
            full = workspace.full(whole)
            if source is None:
                continue
            if os.path.samefile(source, full):
                if mode & 0o222:  # a command that was stopped left it so, or somebody's chmod did
                    with suppress(OSError):  # it is gone meanwhile
                        seal(full)
                continue
            if is_written_to(full) and on_own_disk(project.root):  # what is written then would be lost with the file
                continue
            if link(batch, source, whole, seen.oid, methods, replace=True):
                count += 1
    return count
