"""Opening the DVC projects of a registry; loaded only where a commit has one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from datatool.cache.local import Cache
from datatool.registry.access import Access
from datatool.registry.dvc.imports import OpenOther
from datatool.registry.dvc.memory import Md5Memory
from datatool.registry.dvc.projects import Opener
from datatool.registry.dvc.reader import DvcReader
from datatool.registry.view import View


def opener(
    view: View,
    access: Access,
    cache: Cache,
    *,
    memory: Path,
    environ: Mapping[str, str],
    open_other: OpenOther,
    chain: tuple[str, ...],
) -> Opener:
    """What opens the projects of a commit; all share the md5s known in the database at `memory`. The rest is
    `DvcReader`'s."""
    known = Md5Memory(memory)

    def open_project(root: bytes) -> DvcReader:
        return DvcReader(
            view, root, access, cache=cache, memory=known, environ=environ, open_other=open_other, chain=chain
        )

    return open_project
