"""Giving a finished file at an SFTP server its name, and taking names away."""

from __future__ import annotations

import os
from contextlib import suppress

import asyncssh
from asyncssh import SFTPClient
from msgspec import Struct

from datatool.remote.stores.sftp_directories import RemoteDirectories
from datatool.remote.stores.sftp_errors import MISSING
from datatool.store.protocol import NameTaken


class Destination(Struct, frozen=True, kw_only=True):
    """What a file is to become. `temp` and `path` are the server's paths, `name` is the store's, `where` the URL;
    with `resumable`, what an earlier attempt left under `temp` is gone on with."""

    name: str
    path: bytes
    temp: bytes
    where: str
    resumable: bool
    exclusive: bool


class Publisher:
    """Publishes at one server, and knows what that server can do. Used in the event loop's thread only."""

    def __init__(self, directories: RemoteDirectories) -> None:
        self._directories = directories
        self.links: bool | None = None
        """Whether names can be published by link(2), which fails if one is taken; None while nobody knows."""

    async def publish(self, sftp: SFTPClient, to: Destination) -> None:
        """Turn the temporary file into what it is to become. Raises NameTaken, SFTPError."""
        try:
            await self._publish(sftp, to)
        except MISSING:  # somebody removed a directory that was there a moment ago
            self._directories.forget()
            await self._directories.prepare(sftp, os.path.dirname(to.path))
            await self._publish(sftp, to)

    async def _publish(self, sftp: SFTPClient, to: Destination) -> None:
        if to.exclusive:
            await self._publish_new(sftp, to)
            return
        try:
            await sftp.posix_rename(to.temp, to.path)
        except asyncssh.SFTPOpUnsupported:
            await _replace(sftp, to)

    async def _publish_new(self, sftp: SFTPClient, to: Destination) -> None:
        if self.links is not False:
            try:
                await sftp.link(to.temp, to.path)
            except MISSING:
                raise
            except asyncssh.SFTPError as error:
                if await is_there(sftp, to.path):
                    raise NameTaken(to.name) from error
                self.links = False  # the protocol's extension, or the filesystem, has none
            else:
                self.links = True
                await remove(sftp, to.temp)
                return
        # By the protocol a rename fails where there is such a name. Not every server has read that.
        if await is_there(sftp, to.path):
            raise NameTaken(to.name)
        try:
            await sftp.rename(to.temp, to.path)
        except MISSING:
            raise
        except asyncssh.SFTPError as error:
            if await is_there(sftp, to.path):
                raise NameTaken(to.name) from error
            raise


async def _replace(sftp: SFTPClient, to: Destination) -> None:
    """For servers that can't rename onto a name: for a moment, nothing has it."""
    try:
        await sftp.rename(to.temp, to.path)
    except MISSING:
        raise
    except asyncssh.SFTPError:
        if not await is_there(sftp, to.path):
            raise
        await sftp.remove(to.path)
        await sftp.rename(to.temp, to.path)


async def remove(sftp: SFTPClient, path: bytes) -> None:
    """Delete a file; one that is not there is no error."""
    with suppress(*MISSING):
        await sftp.remove(path)


async def is_there(sftp: SFTPClient, path: bytes) -> bool:
    """Whether anything has this name."""
    try:
        await sftp.lstat(path)
    except MISSING:
        return False
    return True
