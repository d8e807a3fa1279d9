"""New directories: filled under a temporary name, they get their own in one rename, and with it all that is in them.

That saves a link, an unlink and a look for each file, which is a third of what writing many small ones costs.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Collection

from datatool.localfs.safe_paths import Directories
from datatool.localfs.temps import temp_name

POSSIBLE = os.rename in os.supports_dir_fd
"""Whether this system has what it takes."""

_TAKEN = frozenset({errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR, errno.EISDIR})
"""What rename(2) says where somebody else has made something of that name meanwhile."""


class NewDirectories:
    """The directories that one batch makes; paths are raw bytes relative to the top of `directories`."""

    def __init__(self, directories: Directories) -> None:
        self._directories = directories
        self._homes: dict[bytes, bytes] = {}
        self._temps: dict[bytes, bytes] = {}
        """Of each directory that is to get its name by a rename, the one it has until then."""

    def home(self, directory: bytes) -> bytes:
        """Where a directory is until `publish`: itself, if it is there already. Raises as `Directories.at` does."""
        home = self._homes.get(directory)
        if home is None:
            home = self._homes[directory] = self._find(directory)
        return home

    def publish(self) -> dict[bytes, bytes]:
        """Give all their names: from where each directory was to where it is. What is in the way of one keeps its
        place: then the files are still in `home`, and are to be moved one by one."""
        moved: dict[bytes, bytes] = {}
        tops = {directory: temp for directory, temp in self._temps.items() if self._rename(temp, directory)}
        for directory, home in self._homes.items():
            if _around(directory, tops) is not None:
                moved[home] = directory
            elif home != directory:
                self._directories.at(directory, create=True)
        self._homes = {directory: home for directory, home in self._homes.items() if home not in moved}
        self._temps.clear()
        return moved

    @property
    def left(self) -> set[bytes]:
        """Where directories are that did not get their names."""
        return {home for directory, home in self._homes.items() if home != directory}

    def give_up(self) -> None:
        """Delete those that did not get their names, as far as nothing is in them."""
        for directory, home in reversed(self._homes.items()):
            if home != directory:
                self._directories.remove_directory(home)
        self._homes.clear()
        self._temps.clear()

    def _find(self, directory: bytes) -> bytes:
        around, _, name = directory.rpartition(b"/")
        if _around(around, self._temps) is not None:
            return self.home(around) + b"/" + name
        if not directory or self._is_there(directory):
            return directory
        temp = around + b"/" + temp_name() if around else temp_name()
        self._directories.at(temp, create=True)
        self._temps[directory] = temp
        return temp

    def _is_there(self, directory: bytes) -> bool:
        try:
            self._directories.lstat(directory)
        except FileNotFoundError:
            return False
        return True

    def _rename(self, temp: bytes, directory: bytes) -> bool:
        around, _, name = directory.rpartition(b"/")
        fd, prefix = self._directories.at(around)
        self._directories.forget(temp)
        try:
            os.rename(prefix + temp.rpartition(b"/")[2], prefix + name, src_dir_fd=fd, dst_dir_fd=fd)
        except OSError as error:
            if error.errno not in _TAKEN:
                raise
            return False
        return True


def _around(directory: bytes, some: Collection[bytes]) -> bytes | None:
    """The directory, or the one around it, that is among some."""
    while directory and directory not in some:
        directory = directory.rpartition(b"/")[0]
    return directory or None
