"""DVC's remotes in datatool's words: where they are goes into the committed configuration, who we are into this
clone's own."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct, field

from datatool.config.edit import set_values
from datatool.config.keys import is_name
from datatool.errors import DatatoolError
from datatool.model.paths import show
from datatool.project.project import CONFIG, FOLDER, Project
from datatool.registry.dvc.levels import Level
from datatool.registry.dvc.settings import PRIVATE, PUBLIC

_PLACED: Final = re.compile(r"\w+://|[\\/]|[A-Za-z]:[\\/]|~")


class RemoteSettings(Struct):
    """Settings by their whole key (`remotes.NAME.url`), for the two files; `skipped` is what has no word of ours."""

    project: dict[str, str] = field(default_factory=dict)
    local: dict[str, str] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """The remotes that there will be."""
        return sorted({key.split(".")[1] for key in (*self.project, *self.local) if key.startswith("remotes.")})


def remote_settings(levels: Sequence[Level], root: bytes) -> RemoteSettings:
    """What the committed and the local level of a DVC project at `root` say of its remotes."""
    found = RemoteSettings()
    for level in levels:
        if level.directory is None or level.directory.name != ".dvc":
            continue  # the user's own files serve other projects too
        into = found.local if level.mine else found.project
        for name, settings in level.config.remotes.items():
            if not is_name(name):
                found.skipped.append(f"remote {show(name)}: such a name can't be")
                continue
            for key, value in settings.items():
                ours = PUBLIC.get(key) or (PRIVATE.get(key) if level.mine else None)
                if ours is None:
                    found.skipped.append(f"remote {name}: {key}")
                else:
                    into[f"remotes.{name}.{ours}"] = _from_root(value, level, root) if ours == "url" else value
        default = level.config.setting("core", "remote")
        if default is not None and is_name(default.lower()):
            into["remote"] = default.lower()
    return found


def _from_root(url: str, level: Level, root: bytes) -> str:
    """A relative path, which DVC takes from its own directory, from the project's root."""
    if _PLACED.match(url):
        return url
    place = posixpath.join(os.fsdecode(root), ".dvc", url)
    return posixpath.normpath(place)


def write_remotes(project: Project, found: RemoteSettings) -> list[str]:
    """Write what is not configured yet; gives the committed files that changed. What can't be set is skipped."""
    known = set(project.config.settings)
    changed: list[str] = []
    for values, path in (
        (found.project, project.root / FOLDER / CONFIG),
        (found.local, project.local / CONFIG),
    ):
        for key, value in sorted(values.items()):
            if key not in known and _set(path, key, value, found) and path.parent.name == FOLDER:
                changed.append(f"{FOLDER}/{CONFIG}")
    return sorted(set(changed))


def _set(path: Path, key: str, value: str, found: RemoteSettings) -> bool:
    try:
        return set_values(path, {key: value})
    except DatatoolError as error:
        found.skipped.append(error.message)
        return False
