"""A second copy of a file that is still being written, made behind whoever writes it."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import Final

from datatool.localfs.copying import start_writing
from datatool.localfs.positions import cut, read_at, write_at
from datatool.localfs.stretches import merged
from datatool.threads import started

_STEP: Final = 8 << 20
_BUFFER: Final = 1 << 20


class Following:
    """Copies an open file into an empty one, of the same bytes at the same places, in a thread of its own.

    Only what `wrote` says is read before `finish`. What is written once more, or cut off, is copied once more: so the
    copy is right in the end if every byte was told of after it was last written, or never. Not for Windows, where
    reading at a position moves the one at which the file is written.
    """

    def __init__(self, source: int, target: int, *, have: int = 0) -> None:
        """`have` bytes are in the source already. Raises OSError."""
        # Its own, so that none is ever written to that is closed, and another file's by then.
        self._source = os.dup(source)
        try:
            self._target = os.dup(target)
        except OSError:
            os.close(self._source)
            raise
        self._written = [(0, have)] if have > 0 else []
        self._at = 0
        """Up to where it is copied, or being copied."""
        self._done = False
        self._whole = False
        self._stopped = False
        self._failure: BaseException | None = None
        self._in_kernel = hasattr(os, "copy_file_range")
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="datatool-follow", daemon=True)
        self._beside = started(self._thread)

    def wrote(self, start: int, end: int) -> None:
        """These bytes of the source are in place now; none at all (`start` is `end`), that it was cut there. Any thread
        may tell."""
        with self._changed:
            if start == end:
                self._cut(end)
            else:
                self._written = merged([*self._written, (start, end)])
                self._at = min(self._at, start)
            self._changed.notify()

    def finish(self) -> None:
        """The source is complete: return when the copy is. Raises OSError, whatever was in the way."""
        with self._changed:
            size = 0 if self._done else os.fstat(self._source).st_size
            self._cut(size)
            self._written = [(0, size)]
            self._whole = True
            self._changed.notify()
        self._end()
        if self._failure is not None:
            raise OSError(f"could not be copied: {self._failure}") from self._failure
        if self._stopped:
            raise OSError("was given up")

    def stop(self) -> None:
        """The source will not be complete, or nobody wants the copy: return when nothing is read or written any more.
        After `finish` it does nothing."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._end()

    def _end(self) -> None:
        if self._beside:
            self._thread.join()
        elif not self._done:
            self._run()

    def _run(self) -> None:
        try:
            while (step := self._next()) is not None:
                self._copy(*step)
            if not self._stopped:
                size = os.fstat(self._source).st_size
                if self._at != size:
                    raise OSError(f"ends after {self._at} of {size} bytes")
                if os.fstat(self._target).st_size != size:
                    cut(self._target, size)
        except BaseException as error:  # noqa: BLE001 - raised by `finish`
            self._failure = error
            with suppress(OSError):
                cut(self._target, 0)  # what it takes may be what the source lacks
        finally:
            with self._changed:
                self._done = True
            os.close(self._source)
            os.close(self._target)

    def _next(self) -> tuple[int, int] | None:
        """What to copy now; None when there is nothing more."""
        with self._changed:
            while not self._stopped:
                reached = next((end for start, end in self._written if start <= self._at < end), self._at)
                if reached > self._at:
                    begin, self._at = self._at, min(reached, self._at + _STEP)
                    return begin, self._at
                if self._whole:
                    return None
                self._changed.wait()
            return None

    def _copy(self, start: int, end: int) -> None:
        at = start
        while at < end and not self._stopped:
            count = self._copy_some(at, end - at)
            if not count:  # cut while it was copied
                with self._changed:
                    self._cut(at)
                return
            at += count
        start_writing(self._target, start, end - start)

    def _copy_some(self, at: int, count: int) -> int:
        if self._in_kernel:
            try:
                copied = os.copy_file_range(self._source, self._target, count, at, at)
            except OSError:
                copied = 0  # another filesystem, or one that can't; a real error comes again below
            if copied:
                return copied
            self._in_kernel = False  # some special filesystems say 0 though there is more
        data = read_at(self._source, min(count, _BUFFER), at)
        write_at(self._target, data, at)
        return len(data)

    def _cut(self, size: int) -> None:
        self._written = [(start, min(end, size)) for start, end in self._written if start < size]
        self._at = min(self._at, size)
