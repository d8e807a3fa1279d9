"""The way from a store to its server, which outlives a connection: it is made when it is needed, and made again when
it broke. Also after a fork: the child never touches the parent's.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Coroutine, Iterator, Mapping
from concurrent.futures import Future, wait
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from asyncssh import SFTPClient, SFTPError

from datatool.errors import DatatoolError, RemoteBusy, RemoteError
from datatool.remote.stores.options import SLOW, StoreOptions
from datatool.remote.stores.pace import LEAST
from datatool.remote.stores.sftp_connection import Connection
from datatool.remote.stores.sftp_errors import FOREIGN, Kind, kind_of, remote_error
from datatool.remote.stores.sftp_login import find_login
from datatool.remote.stores.sftp_place import Place
from datatool.store.protocol import NameMissing, NameTaken, WrongBytes

T = TypeVar("T")

_PATIENCE: Final = 15
"""Times `timeout` that one request may take while others on the same connection go on."""


class Line:
    """A channel of a live connection, borrowed for one operation. Used by the thread that borrowed it."""

    def __init__(self, connection: Connection, sftp: SFTPClient, *, timeout: float) -> None:
        self.sftp = sftp
        self._connection = connection
        self._timeout = timeout

    @property
    def read_size(self) -> int:
        """The most bytes that one request may ask for."""
        return _usable(self.sftp.limits.max_read_len)

    @property
    def offers_links(self) -> bool:
        """Whether the server can give a file a second name."""
        return bool(getattr(self.sftp._handler, "_supports_hardlink", False))

    @property
    def write_size(self) -> int:
        """The most bytes that one request may bring."""
        return _usable(self.sftp.limits.max_write_len)

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Let something begin; `wait` for it later."""
        return self._connection.start(work)

    def run(self, work: Coroutine[Any, Any, T], where: str) -> T:
        """Do something and wait for it; `where` names it in errors."""
        return self.wait(self.start(work), where)

    def wait(self, future: Future[T], where: str, *, working: bool = False) -> T:
        """What `future` gives. Raises what the work raised if it is ours, else the RemoteError that it means;
        RemoteBusy if nothing comes for too long. A server that is `working`, such as on a full cache of its disk, may
        take its time as long as it answers signs of life."""
        if not self._comes(future, working):
            future.cancel()
            raise RemoteBusy(f"{where}: no answer for {self._timeout:.0f} s", hint=SLOW, path=where)
        try:
            return future.result()
        except (DatatoolError, NameMissing, NameTaken, WrongBytes):
            raise
        except FOREIGN as error:
            if kind_of(error) in (Kind.BUSY, Kind.UNREACHABLE):
                self._broken(error)
            raise remote_error(error, where) from error

    def _comes(self, future: Future[Any], working: bool) -> bool:
        """Wait; False if there is nothing to wait for any more. A connection on which nothing moves is given up."""
        if future.done():
            return True
        for _ in range(_PATIENCE):
            moved = self._connection.moved
            rest = self._timeout
            if working:
                if wait((future,), rest / 2).done:
                    return True
                rest /= 2
                self._connection.ask_for_life()
            if wait((future,), rest).done:
                return True
            if self._connection.moved - moved < LEAST * self._timeout:
                self._connection.close()
                return False
        return False

    def moved(self, count: int) -> None:
        """Take note of bytes that arrived, in the event loop's thread."""
        self._connection.note(count)

    def answered(self) -> None:
        """Take note of an answer without payload, in the event loop's thread."""
        self._connection.answered()

    def _broken(self, error: BaseException) -> None:
        """The channel is dead, and unless only that was said, so is the connection."""
        if isinstance(error, SFTPError):
            self._connection.drop(self.sftp)
        else:
            self._connection.close()


class Link:
    """Borrow a line with `with link.line() as line`."""

    def __init__(self, place: Place, settings: Mapping[str, str], options: StoreOptions) -> None:
        self._place = place
        self._settings = settings
        self._options = options
        self._seen = False
        self.offers_links = False
        """Whether the server of the last connection can give a file a second name."""
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._live: Connection | None = None
        self._attempt: Future[Connection] | None = None

    @contextmanager
    def line(self, *, bulk: bool = False) -> Iterator[Line]:
        """A channel to use, of its own for much data. Raises RemoteError and its kin."""
        connection = self._connection()
        channel = connection.borrow(bulk=bulk)
        try:
            line = Line(connection, channel, timeout=self._options.timeout)
            self.offers_links = line.offers_links
            yield line
        finally:
            connection.give_back(channel)

    def close(self) -> None:
        """End the connection, if there is one; the next operation makes another."""
        if self._pid == os.getpid() and self._live is not None:
            self._live.close()

    def _connection(self) -> Connection:
        """The connection of now. Who finds another thread connecting waits for that attempt, and shares its end."""
        if self._pid != os.getpid():
            _of_parents.append(self._live)
            self._reset()
        with self._lock:
            if self._live is not None and not self._live.lost:
                return self._live
            attempt = self._attempt
            if mine := attempt is None:
                attempt = self._attempt = Future()
        assert attempt is not None
        if not mine:
            return attempt.result()
        try:
            made = Connection(
                find_login(self._place, self._settings), self._options, shown=self._place.shown, seen=self._seen
            )
        except RemoteError as error:
            self._over(attempt, None)
            attempt.set_exception(error)
            raise
        except BaseException:
            self._over(attempt, None)
            attempt.set_exception(RemoteBusy(f"{self._place.shown}: interrupted while connecting"))
            raise
        self._seen = True
        # A program that pushes every hour keeps no connection for each; a short command just ends.
        weakref.finalize(self, _close, made, os.getpid()).atexit = False
        self._over(attempt, made)
        attempt.set_result(made)
        return made

    def _over(self, attempt: Future[Connection], made: Connection | None) -> None:
        with self._lock:
            self._live, self._attempt = made, None


def _close(connection: Connection, made_in: int) -> None:
    """Nobody has the link of this connection any more; what a parent process made is its own to close. Garbage is
    collected in whatever thread, also in the event loop's, which must not wait for itself."""
    if os.getpid() == made_in:
        connection.begin_close()


_of_parents: Final[list[Connection | None]] = []
"""Connections that this process was forked with. They are kept, so that none of their ends is closed by being
forgotten: the parent goes on to use them."""


def _usable(limit: int) -> int:
    return max(1 << 12, min(limit, 1 << 18))
