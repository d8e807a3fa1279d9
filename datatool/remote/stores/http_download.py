"""The bytes of a name from some byte on, gone on with where a connection breaks."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final, Protocol

from datatool.errors import RemoteBusy
from datatool.remote.stores.http_answer import Answer
from datatool.remote.stores.http_errors import Changed, Cut, Place, WithoutRanges
from datatool.remote.stores.http_requests import BehindEnd
from datatool.store.protocol import WrongBytes
from datatool.store.retry import Retries

PROGRESS: Final = 1 << 20
"""Bytes after which a connection that breaks has earned another round of attempts: a long file over a bad line needs
many, and a server that gives a byte at a time does not get them."""
SAME_CUTS: Final = 3
"""A file that ends this often at the same byte, before it should, is taken for shorter than the server says."""


class Asks(Protocol):
    """Asks a server for what has a name, as `http_requests.Requests` does."""

    @property
    def place(self) -> Place:
        """Who is asked, for messages."""

    async def get(self, name: str, start: int = 0, stop: int | None = None, *, validator: str | None = None) -> Answer:
        """Ask for a name from byte `start` to `stop`, or its end."""

    async def date(self, name: str) -> str | None:
        """The server's `Date`."""


class Download:
    """Reads `name` from `start` to `stop`, asking again from where it stands when it has to.

    `size` is the name's. `parted` asks for just that part, and raises WithoutRanges where the server has no parts;
    else it begins with a plain request for the whole. After a failure it waits as `retries` says.
    """

    def __init__(
        self,
        requests: Asks,
        name: str,
        *,
        start: int,
        stop: int,
        size: int,
        parted: bool,
        validator: str | None,
        retries: Retries,
    ) -> None:
        self.position = start
        self.validator = validator
        """What tells this content from another; known with the first answer, if the server says it."""
        self._requests = requests
        self._name = name
        self._stop = stop
        self._size = size
        self._parted = parted
        self._retries = retries
        self._answer: Answer | None = None
        self._failures = 0
        self._cuts = 0
        self._failed_at = start
        self._failing_from = start
        self._failing_since = 0.0

    async def read(self, most: int) -> bytes:
        """The next bytes: `most`, fewer only at the end.

        Raises WrongBytes where the name is not of the size it should be, Changed where it became another while it
        was read, and the last RemoteBusy when patience is over.
        """
        pieces: list[bytes] = []
        left = min(most, self._stop - self.position)
        while left:
            answer = await self.begin()
            try:
                data = await answer.read(left)
            except RemoteBusy as error:
                await self.close()
                await self._wait(error)
                continue
            if not data:
                raise WrongBytes(self._name)
            pieces.append(data)
            self.position += len(data)
            left -= len(data)
        return b"".join(pieces)

    async def begin(self) -> Answer:
        """The answer that is being read, asked for until there is one."""
        while self._answer is None:
            try:
                self._answer = await self._ask()
            except Changed:
                raise
            except RemoteBusy as error:
                await self._wait(error)
        return self._answer

    async def finish(self) -> None:
        """Raise WrongBytes if the name goes on behind its size."""
        answer = await self.begin() if self._size == 0 else self._answer
        if answer is not None and answer.whole and answer.length is None:
            with suppress(RemoteBusy):  # all that counts was there
                if await answer.read(1):
                    raise WrongBytes(self._name)

    async def close(self) -> None:
        """Done with it."""
        if self._answer is not None:
            answer, self._answer = self._answer, None
            await answer.close()

    async def _ask(self) -> Answer:
        begun = self.position
        parted = self._parted or begun > 0
        try:
            answer = await self._requests.get(
                self._name,
                begun,
                self._stop if parted else None,
                validator=self.validator if parted else None,
            )
        except BehindEnd as end:
            raise WrongBytes(self._name) from end
        try:
            if answer.total is not None and answer.total != self._size:
                raise WrongBytes(self._name)
            if None not in (self.validator, answer.validator) and answer.validator != self.validator:
                raise Changed(f"{self._requests.place.label}: {self._name} changed while it was read")
            if answer.whole and self._parted:
                raise WithoutRanges
            if answer.whole:
                await answer.skip(begun)
        except BaseException:
            await answer.close()
            raise
        self.validator = self.validator or answer.validator
        return answer

    async def _wait(self, error: RemoteBusy) -> None:
        """Until the next attempt; raises when there is to be none."""
        now = asyncio.get_running_loop().time()
        if self.position - self._failing_from >= PROGRESS:
            self._failures = 0
        cut = isinstance(error, Cut) and self.position > 0
        self._cuts = self._cuts + 1 if cut and self.position == self._failed_at else int(cut)
        self._failed_at = self.position
        if not self._failures:
            self._failing_since = now
            self._failing_from = self.position
        self._failures += 1
        if self._cuts >= SAME_CUTS:
            raise WrongBytes(self._name) from error
        pause = self._retries.wait(self._failures, error.retry_after)
        if self._failures >= self._retries.tries or now - self._failing_since + pause > self._retries.patience:
            raise error
        await asyncio.sleep(pause)
