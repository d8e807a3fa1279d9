"""Permission bits, group and owner that new files and directories take from a directory they belong to."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from msgspec import Struct

from datatool.localfs.umask import umask

_HAS_FCHMOD = hasattr(os, "fchmod") and os.name != "nt"
_HAS_CHOWN = hasattr(os, "chown")


class Sharing(Struct, frozen=True, kw_only=True):
    """Who may use what is created: `mask` for permission bits, `gid` and `uid` to give it to (None: as it comes).

    With a model directory the bits are that directory's whatever the umask, as with git's
    `core.sharedRepository`; root gives what it creates to the directory's owner (formats §5).
    """

    mask: int
    setgid: int = 0
    gid: int | None = None
    uid: int | None = None

    @classmethod
    def by_umask(cls) -> Sharing:
        """As any other program creates files."""
        return cls(mask=0o777 & ~umask())

    @classmethod
    def like(cls, directory: Path | str | None) -> Sharing:
        """As `directory` is shared, or the nearest one around it that exists; without one, by the umask.

        A directory that anybody may put things in, such as `/tmp` (sticky), says nothing about who may read them.
        """
        if directory is None or not _HAS_CHOWN or os.name == "nt":
            return cls.by_umask()
        while True:
            try:
                found = os.stat(directory)
                break
            except (FileNotFoundError, NotADirectoryError):
                around = os.path.dirname(directory) or os.curdir
                if around == os.fspath(directory):
                    return cls.by_umask()
                directory = around
            except OSError:
                return cls.by_umask()
        if found.st_mode & stat.S_ISVTX:
            return cls.by_umask()
        return cls(
            mask=found.st_mode & 0o777,
            setgid=found.st_mode & stat.S_ISGID,
            gid=found.st_gid,
            uid=found.st_uid if os.geteuid() == 0 and found.st_uid != 0 else None,
        )

    def file_mode(self, mode: int) -> int:
        """The permission bits of a new file that asks for `mode`."""
        return mode & self.mask

    def first_mode(self, mode: int) -> int:
        """The bits to make a file with that asks for `mode`: those that it will have, but private where it gets another
        group before, or where it could not be written to."""
        bits = mode & self.mask
        return bits if self.gid is None and bits & 0o200 else 0o600

    def is_dressed(self, found: os.stat_result, mode: int) -> bool:
        """Whether a file that asks for `mode` has what it should have."""
        return self.gid is None and found.st_mode & 0o7777 == mode & self.mask

    def dress_file(self, fd: int, mode: int) -> None:
        """Give a new, open file its permission bits, group and owner."""
        if not _HAS_FCHMOD:
            return
        if self.gid is not None:
            self._give(fd, os.fstat(fd))
        os.fchmod(fd, mode & self.mask)

    def give_file(self, path: Path | str) -> None:
        """Give a file that another library made to the owner that root's files go to; its mode stays."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def dress_directory(self, fd: int) -> None:
        """Give a new, open directory its permission bits, group and owner."""
        if not _HAS_FCHMOD or self.gid is None:
            return
        found = os.fstat(fd)
        self._give(fd, found)
        mode = self.mask | self.setgid
        if found.st_mode & 0o2777 != mode:
            os.fchmod(fd, mode)

    def _give(self, fd: int, found: os.stat_result) -> None:
        gid = self.gid if self.gid != found.st_gid else -1
        uid = self.uid if self.uid is not None and self.uid != found.st_uid else -1
        if gid != -1 or uid != -1:
            try:
                os.fchown(fd, uid, -1 if gid is None else gid)
            except OSError:
                return  # a group this user isn't in, or a filesystem without owners: as well shared as can be
