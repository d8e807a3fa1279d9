"""One object of S3, or a range of it, as it arrives: what was asked for and nothing else."""

from __future__ import annotations

import asyncio
import re
from types import TracebackType
from typing import Any, Final

from datatool.errors import RemoteBusy, RemoteError
from datatool.model.paths import show
from datatool.remote.stores.pace import LEAST
from datatool.remote.stores.s3_answers import Refused
from datatool.remote.stores.s3_client import S3Client
from datatool.remote.stores.s3_errors import FOREIGN

_STEP: Final = 1 << 20
_RANGE: Final = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(?:(\d{1,19})|\*)", re.ASCII)
_PLAIN: Final = frozenset({"", "identity", "aws-chunked"})
"""Encodings that leave the bytes as they are; the last is what some servers keep of how they were sent."""

_ENDLESS: Final = 1 << 62


class Changed(Exception):
    """The object is another one than that whose ETag was given."""


class Reading:
    """The answer to one GET, to be used with `async with`; leaving it early closes the connection.

    Without `start` and `length` no range is asked for; `length` None means to the end. A server that ignores ranges is
    put up with: what lies before `start` is read and dropped, what lies behind the range is not read. Raises what
    `S3Client.call` does, RemoteBusy where the answer is cut, Changed where `etag` is not the object's any more.
    """

    def __init__(
        self,
        client: S3Client,
        name: str,
        start: int = 0,
        length: int | None = None,
        *,
        etag: str | None = None,
        as_stored: bool = False,
        version: str | None = None,
    ) -> None:
        """`as_stored` takes the bytes of an object that was stored compressed; none of ours is. `version` is a former
        one of the object, in a bucket that keeps them."""
        self._client = client
        self._name = name
        self._start = start
        self._length = length
        self._if_match = etag
        self._version = version
        self._as_stored = as_stored
        self._body: Any = None
        self._skip = 0
        self._left = 0
        """Bytes to come."""
        self._endless = False
        """The server did not say how long its answer is: `_left` is the most that is wanted of it."""
        self._patience = client.timeout
        self._owed = LEAST * client.timeout
        self.etag: str | None = None
        self.total: int | None = None
        """The size of the whole object, where the server tells it."""
        self.ignored_range = False
        """The server sends the whole object though a range was asked for."""

    async def __aenter__(self) -> Reading:
        await self._client.slots.acquire()
        try:
            await self._open()
        except BaseException:
            self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    async def read(self) -> bytes:
        """The next bytes, at most 1 MiB; empty at the end."""
        while self._skip:
            dropped = await self._some(min(self._skip, _STEP))
            if not dropped:
                self._left = self._ended()
                self._skip = 0
            self._skip -= len(dropped)
        if self._left == 0:
            return b""
        piece = await self._some(min(self._left, _STEP))
        self._left = self._left - len(piece) if piece else self._ended()
        return piece

    async def _open(self) -> None:
        parameters: dict[str, Any] = {"Key": self._client.place.key(self._name)}
        if self._length is not None:
            parameters["Range"] = f"bytes={self._start}-{self._start + self._length - 1}"
        elif self._start:
            parameters["Range"] = f"bytes={self._start}-"
        if self._version is not None:
            parameters["VersionId"] = self._version
        if self._if_match is not None:
            parameters["IfMatch"] = self._if_match
        try:
            answer = await self._client.request("get_object", self._name, **parameters)
        except Refused as refused:
            if refused.code == "InvalidRange" or refused.status == 416:
                self._left = 0
                return
            if refused.code == "PreconditionFailed" or refused.status == 412:
                raise Changed(self._name) from refused
            raise
        self._body = answer["Body"]
        self.etag = answer.get("ETag")
        encoding = str(answer.get("ContentEncoding") or "").lower()
        if encoding not in _PLAIN and not self._as_stored:
            raise RemoteError(
                f"{self._client.place.label}: {self._name} is stored with the encoding {show(encoding)[:40]}",
                path=self._client.place.label,
            )
        if answer.get("ContentRange"):
            self._ranged(str(answer["ContentRange"]))
        else:
            self._unranged(answer.get("ContentLength"), asked="Range" in parameters)

    def _ranged(self, text: str) -> None:
        found = _RANGE.fullmatch(text)
        if found is None or int(found[1]) != self._start:
            raise self._busy("it answered with another range")
        self.total = int(found[3]) if found[3] else None
        self._left = int(found[2]) + 1 - self._start
        expected = None if self.total is None else self.total - self._start
        if self._length is not None:
            expected = self._length if expected is None else min(self._length, expected)
        if expected is not None and self._left != expected:
            raise self._busy("it answered with another range")

    def _unranged(self, size: int | None, *, asked: bool) -> None:
        self.total = size
        self.ignored_range = asked
        self._endless = size is None
        self._skip = self._start if size is None else min(self._start, size)
        self._left = _ENDLESS if size is None else size - self._skip
        if self._length is not None:
            self._left = min(self._left, self._length)

    async def _some(self, most: int) -> bytes:
        """Some bytes of the answer, within the patience that is left; what happens between two reads costs none."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(self._patience):
                piece: bytes = await self._body.read(most)
        except FOREIGN as error:
            raise self._client.explained(error, "get_object", self._name) from error
        self._patience -= loop.time() - began
        self._owed -= len(piece)
        if self._owed <= 0:
            self._owed, self._patience = LEAST * self._client.timeout, self._client.timeout
        return piece

    def _ended(self) -> int:
        """The answer has ended; what is left then."""
        if not self._endless:
            raise self._busy("the connection broke")
        return 0

    def _busy(self, what: str) -> RemoteBusy:
        label = self._client.place.label
        return RemoteBusy(f"{label}: {self._name}: {what}", hint="try again", path=label)

    def _close(self) -> None:
        if self._body is not None:
            self._body.close()
        self._client.slots.release()
