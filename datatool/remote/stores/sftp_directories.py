"""Directories at an SFTP server, made when something is to lie in them, and shared as the remote's top directory is.

What is created takes group and permission bits from the top, whatever the umask there (formats §5), as far as the
server lets a client say so.
"""

from __future__ import annotations

import asyncio
import posixpath
import stat
from collections.abc import Collection, Coroutine
from contextlib import suppress
from typing import Any

import asyncssh
from asyncssh import SFTPAttrs, SFTPClient, SFTPClientFile
from msgspec import Struct

from datatool.remote.stores.sftp_errors import MISSING
from datatool.remote.stores.sftp_files import is_directory


class RemoteSharing(Struct, frozen=True, kw_only=True):
    """Who may use what is created. Numbers are the server's."""

    mask: int
    setgid: int
    gid: int | None
    uid: int | None

    @classmethod
    def of(cls, found: SFTPAttrs) -> RemoteSharing | None:
        """As this directory is shared; None where the server's umask is to decide: where anybody may put things
        (sticky), a directory says nothing about who may read them."""
        mode = found.permissions
        if mode is None or mode & stat.S_ISVTX:
            return None
        return cls(mask=mode & 0o777, setgid=mode & stat.S_ISGID, gid=found.gid, uid=found.uid)

    def owner(self, made: SFTPAttrs) -> SFTPAttrs | None:
        """The owner and group to give to something that was made; None if it has them. Only root gives away."""
        if made.uid is None or made.gid is None:
            return None
        uid = self.uid if made.uid == 0 and self.uid is not None else made.uid
        gid = made.gid if self.gid is None else self.gid
        return None if (uid, gid) == (made.uid, made.gid) else SFTPAttrs(uid=uid, gid=gid)


class RemoteDirectories:
    """Those around and below `top`. Used in the event loop's thread only."""

    def __init__(self, top: bytes) -> None:
        self._top = top
        self._known: set[bytes] = set()
        self._made: list[bytes] = []
        """Those that were made here, the outer before the inner."""
        self._sharing: RemoteSharing | None = None
        self._looked = False
        self._settable = True

    async def sharing(self, sftp: SFTPClient) -> RemoteSharing | None:
        """How the top is shared. Raises SFTPNoSuchFile while there is none."""
        if not self._looked:
            self._sharing = RemoteSharing.of(await sftp.stat(self._top or b"/"))
            self._looked = True
        return self._sharing

    async def prepare(self, sftp: SFTPClient, *directories: bytes) -> None:
        """Make directories and those around them, unless they are known to be there. Raises SFTPError."""
        for directory in directories:
            if directory not in self._known:
                await self._make(sftp, directory)

    async def prepare_again(self, sftp: SFTPClient, directory: bytes) -> None:
        """Make a directory that is not there, though it may have been a moment ago. Raises SFTPError."""
        self._known.discard(directory)
        await self.prepare(sftp, directory)

    async def nearest(self, sftp: SFTPClient, path: bytes) -> tuple[bytes, bool]:
        """What is there of a path, or around it, as far down as anything is; and whether that is a directory."""
        while path not in (b"", b"/", b"."):
            with suppress(asyncssh.SFTPError):  # beneath a file, OpenSSH says no more than "Failure"
                await sftp.stat(path)
                return path, await is_directory(sftp, path)
            path = posixpath.dirname(path)
        return path, True

    def forget(self) -> None:
        """Somebody deleted directories: none counts as known."""
        self._known.clear()
        self._looked = False

    async def tidy(self, sftp: SFTPClient, emptied: Collection[bytes]) -> None:
        """Where files were deleted that had directories made here, delete what is empty of all that was made here: who
        only tries a place leaves nothing there. Nothing happens while any of `emptied` still holds something."""
        ours = [directory for directory in self._made if directory in emptied]
        if not ours or not all([await self._remove(sftp, directory) for directory in ours]):
            return
        for directory in reversed(self._made.copy()):
            await self._remove(sftp, directory)
        self.forget()

    async def _remove(self, sftp: SFTPClient, directory: bytes) -> bool:
        try:
            await sftp.rmdir(directory)
        except asyncssh.SFTPError:
            return False
        self._made.remove(directory)
        self._known.discard(directory)
        return True

    async def _make(self, sftp: SFTPClient, directory: bytes) -> None:
        try:
            await sftp.mkdir(directory or b"/")
        except MISSING:
            around = posixpath.dirname(directory)
            if around in (directory, b""):
                raise
            await self.prepare_again(sftp, around)
            await self._make_inside(sftp, directory)
        except asyncssh.SFTPError:
            if not await is_directory(sftp, directory):
                raise
        else:
            self._made.append(directory)
            await self._dress(sftp, directory)
        self._known.add(directory)

    async def _make_inside(self, sftp: SFTPClient, directory: bytes) -> None:
        try:
            await sftp.mkdir(directory)
        except asyncssh.SFTPError:
            if not await is_directory(sftp, directory):  # else another was quicker
                raise
        else:
            self._made.append(directory)
            await self._dress(sftp, directory)

    async def _dress(self, sftp: SFTPClient, directory: bytes) -> None:
        """Share a directory that was made as the top is; the top itself, and what is around it, as the nearest one."""
        inside = directory.startswith(self._top + b"/")
        with suppress(asyncssh.SFTPError):
            sharing = await (self.sharing(sftp) if inside else _sharing_around(sftp, directory))
            if sharing is None or not self._settable:
                return
            mode = SFTPAttrs(permissions=sharing.mask | sharing.setgid)
            _, made = await asyncio.gather(self._set(sftp, directory, mode), sftp.lstat(directory))
            owner = sharing.owner(made)
            if owner is not None and await self._set(sftp, directory, owner):
                await self._set(sftp, directory, mode)  # a change of group takes the setgid bit away

    async def _set(self, sftp: SFTPClient, directory: bytes, attrs: SFTPAttrs) -> bool:
        try:
            await sftp.setstat(directory, attrs)
        except asyncssh.SFTPOpUnsupported:
            self._settable = False
            return False
        except asyncssh.SFTPError:
            return False  # it is not allowed, or a group that the user isn't in: as well shared as can be
        return True

    async def finish(self, sftp: SFTPClient, file: SFTPClientFile, path: bytes, *, cut: int | None = None) -> SFTPAttrs:
        """Share a file that was written as the top is shared, put it on disk and close it; what the server says of it.

        With `cut` it ends there. All of this is sent at once, behind the writes that are still under way.
        """
        sharing = await self.sharing(sftp)
        steps: list[Coroutine[Any, Any, Any]] = []
        if cut is not None:
            steps.append(file.setstat(SFTPAttrs(size=cut)))
        if sharing is not None and self._settable:
            steps.append(self._set_file(file, SFTPAttrs(permissions=0o666 & sharing.mask)))
        answers = await asyncio.gather(*steps, file.stat(), where_offered(file.fsync()), file.close())
        found: SFTPAttrs = answers[-3]
        owner = None if sharing is None else sharing.owner(found)
        if owner is not None and self._settable:
            await self._set(sftp, path, owner)
        return found

    async def _set_file(self, file: SFTPClientFile, attrs: SFTPAttrs) -> None:
        try:
            await file.setstat(attrs)
        except asyncssh.SFTPOpUnsupported:
            self._settable = False
        except asyncssh.SFTPError:
            return  # as above


async def where_offered(request: Coroutine[Any, Any, None]) -> None:
    """Wait for a request that not every server knows."""
    with suppress(asyncssh.SFTPOpUnsupported):
        await request


async def _sharing_around(sftp: SFTPClient, directory: bytes) -> RemoteSharing | None:
    return RemoteSharing.of(await sftp.stat(posixpath.dirname(directory) or b"/"))
