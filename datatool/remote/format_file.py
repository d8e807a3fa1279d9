"""The format file of a remote: read, made once, remembered by the place that it was read at (formats §5)."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Final

from datatool.errors import FormatError, NewerFormat, NotARemote, RemoteDenied, RemoteUnreachable
from datatool.formats.remote_format import RemoteFormat, decode_remote_format, encode_remote_format
from datatool.remote.memory import FormatMemory
from datatool.store.protocol import NameTaken, Store

FORMAT_NAME: Final = "datatool-remote.json"


_BUCKETS: Final = ("s3://", "gs://", "az://", "http://", "https://")
"""What nobody mounts."""


def where_to_look(label: str) -> str:
    """What to do where a remote is gone from the place of this label."""
    if label.startswith(_BUCKETS):
        return "check the remote's URL and settings, and what is served there"
    return "mount it and try again"


class RemoteGone(RemoteUnreachable):
    """A remote that this machine has used is no longer at its place."""


class FormatFile:
    """The format file at a store's place."""

    def __init__(self, store: Store, memory_dir: Path) -> None:
        self.made = False
        """Whether this process made it."""
        self.unsettled = False
        """Whether another process may have replaced it since it was made: the store has no conditional write."""
        self._store = store
        self._memory = FormatMemory(memory_dir)

    @property
    def seen(self) -> bool:
        """Whether this machine ever saw one here."""
        return self._memory.recall(self._store.label) is not None

    def recall(self) -> RemoteFormat | None:
        """What was last read here."""
        data = self._memory.recall(self._store.label)
        return None if data is None else self._understood(data)

    def read(self) -> RemoteFormat:
        """Read it. Raises NameMissing, NotARemote, NewerFormat."""
        return self._taken(self._store.get(FORMAT_NAME))

    def make(self) -> RemoteFormat:
        """Make one; where another process was faster, its is used."""
        store = self._store
        if not store.capabilities.write:
            raise RemoteDenied(f"{store.label}: read only, no remote can be made there", path=store.label)
        data = encode_remote_format(RemoteFormat(id=str(uuid.uuid4())))
        try:
            store.put(FORMAT_NAME, data, exclusive=store.capabilities.conditional)
        except NameTaken:
            return self.read()
        self.made = True
        self.unsettled = not store.capabilities.conditional
        return self._taken(data, settled=False)

    def restore(self) -> None:
        """Write what was last read here once more: it is the one file with a fixed name and content."""
        data = self._memory.recall(self._store.label)
        if data is not None:
            self._store.put(FORMAT_NAME, data)

    def gone(self) -> RemoteGone:
        """The error where this machine has used a remote, and there is none."""
        label = self._store.label
        anew = "; if it was deleted on purpose, datatool push --force makes it anew"
        return RemoteGone(
            f"{label}: there is no remote any more{':' if label.startswith(_BUCKETS) else '; is it mounted?'}"
            " this machine has used one there",
            hint=where_to_look(label) + (anew if self._store.capabilities.write else ""),
        )

    def lost(self) -> NotARemote:
        """The error where only this file is gone."""
        return NotARemote(
            f"{self._store.label}: its {FORMAT_NAME} is gone; what it held is still there",
            hint="whoever has pushed there runs datatool push --verify, which restores it",
        )

    def _taken(self, data: bytes, *, settled: bool = True) -> RemoteFormat:
        found = self._understood(data)
        self._memory.remember(self._store.label, data)
        if settled:
            self.unsettled = False
        return found

    def _understood(self, data: bytes) -> RemoteFormat:
        label = self._store.label
        try:
            found = decode_remote_format(data)
        except NewerFormat as error:
            raise NewerFormat(f"{label}: {error}", hint=error.hint) from error
        except FormatError as error:
            if data.lstrip()[:1] == b"<":
                raise NotARemote(
                    f"{label}: what lies there is a web page, and no datatool remote: a login page?",
                    hint="check the remote's URL, and whether the server or the network wants you to log in first",
                ) from error
            raise NotARemote(
                f"{label}: what lies there is no datatool remote ({error})",
                hint=f"check the remote's URL; if only {FORMAT_NAME} is damaged, datatool push --verify where it was "
                "pushed from restores it",
            ) from error
        if found.features_read:
            wanted = ", ".join(found.features_read)
            raise NewerFormat(f"{label}: needs a newer datatool (the remote uses: {wanted})")
        return found
