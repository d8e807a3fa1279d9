"""A single file on a web server: read from its start to its end in one answer, gone on with where that breaks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import unquote_to_bytes

from yarl import URL

from datatool.errors import PathNotFound, RemoteError, UsageError
from datatool.model.entry import FILE
from datatool.remote.plain import Found, PlainFile, changed
from datatool.remote.stores.event_loop import EventLoop, Underway
from datatool.remote.stores.http_answer import Answer
from datatool.remote.stores.http_errors import refusal
from datatool.remote.stores.http_requests import BehindEnd, Requests
from datatool.remote.stores.options import StoreOptions
from datatool.remote.url import RemoteUrl
from datatool.store.protocol import NameMissing
from datatool.store.retry import Retries

_SIZE: Final = re.compile(r"\d{1,18}", re.ASCII)
_WITHOUT_HEAD: Final = frozenset({400, 401, 403, 405, 406, 501})
"""What servers say to HEAD that would answer GET: they do not know it, or the URL is signed for GET alone."""
_PIECE: Final = 1 << 20


def open_plain(url: RemoteUrl, settings: Mapping[str, str], options: StoreOptions) -> HttpFile:
    """The file at an http:// or https:// URL. Nothing is contacted yet. Raises UsageError."""
    return HttpFile(url, settings, options)


class HttpFile:
    """What a URL stands for, whatever the server makes of it."""

    lanes: Final = 1

    def __init__(
        self, url: RemoteUrl, settings: Mapping[str, str], options: StoreOptions, *, retries: Retries | None = None
    ) -> None:
        if "#" in url.path:
            raise UsageError(f"{url.shown}: what stands behind # is never asked for", hint="write %23 in a name")
        directory, self._name = _split(url)
        self._loop = EventLoop()
        self._underway = Underway(self._loop)
        self._requests = Requests(directory, settings, options, self._loop)
        self._label = url.shown
        self._retries = retries or Retries()
        self._distrusts_head = False
        self._open: Answer | None = None
        self._position = 0

    @property
    def label(self) -> str:
        """The URL, without password and query."""
        return self._label

    def look(self) -> Found:
        """One request, HEAD; where a server has none, the first byte."""
        try:
            headers, size = self._retries.call(lambda: self._loop.run(self._look()))
        except NameMissing:
            raise PathNotFound(
                f"{self._label}: no such file on the server (over HTTP only single files can be had, no directories)"
            ) from None
        name = unquote_to_bytes(self._name.rstrip("/").rpartition("/")[2]).rpartition(b"/")[2]
        file = PlainFile(b"", FILE, size, _mark(headers, size), handle=_validator(headers))
        return Found(name=name, directory=False, files=(file,))

    async def _look(self) -> tuple[Mapping[str, str], int | None]:
        if not self._distrusts_head:
            response = await self._requests.head(self._name)
            if response.status == 200:
                return response.headers, _length(response.headers)
            if response.status not in _WITHOUT_HEAD:
                raise refusal(response.status, response.headers, self._requests.place, self._name)
        try:
            answer = await self._requests.get(self._name, 0, 1)
        except BehindEnd as end:
            if end.size:
                raise RemoteError(f"{self._label}: the server refuses to send the first byte") from end
            return {}, 0
        response_headers, total = answer.headers, answer.total
        await answer.close()
        return response_headers, total

    def read(self, file: PlainFile, start: int, length: int) -> bytes:
        """The next range of the file; any but the next costs a request."""
        return self._underway.run(self._read(file, start, length))

    def stop(self) -> None:
        """End the request."""
        self._underway.stop()

    async def _read(self, file: PlainFile, start: int, length: int) -> bytes:
        try:
            if self._open is None or start != self._position:
                await self._close()
                self._open = await self._begin(file, start)
                self._position = start
            pieces: list[bytes] = []
            while length and (piece := await self._open.read(min(length, _PIECE))):
                pieces.append(piece)
                length -= len(piece)
            data = b"".join(pieces)
            self._position += len(data)
            if length or self._position == file.size:
                await self._close()
            return data
        except BaseException:
            await self._close()
            raise

    async def _begin(self, file: PlainFile, start: int) -> Answer:
        """The answer with all from `start` on, of the file that was looked at."""
        mark, validator = file.mark, file.handle if isinstance(file.handle, str) else None
        if start and validator is None:
            raise changed(self._label, b"")  # the rest might be another file's
        try:
            answer = await self._requests.get(self._name, start, None, validator=validator)
        except (NameMissing, BehindEnd):
            raise changed(self._label, b"") from None
        try:
            now = _mark(answer.headers, answer.total)
            differs = None not in (now, mark) and now != mark
            if differs or (None not in (answer.total, file.size) and answer.total != file.size):
                self._distrusts_head = True  # or it says other things than GET does
                raise changed(self._label, b"")
            await answer.skip(start - answer.start)
        except BaseException:
            await answer.close()
            raise
        return answer

    async def _close(self) -> None:
        if self._open is not None:
            answer, self._open = self._open, None
            await answer.close()


def _split(url: RemoteUrl) -> tuple[RemoteUrl, str]:
    """A URL as its directory, and the name in it as it is written there."""
    if any(character < "!" or character == "\x7f" for character in url.path):
        raise UsageError(f"{url.shown}: a URL has no blanks or control characters", hint="write %20 for a blank")
    try:
        whole = URL(url.path)
        path, _, name = whole.raw_path.rpartition("/")
        query = f"?{whole.raw_query_string}" if whole.raw_query_string else ""
        directory = f"{whole.scheme}://{whole.raw_authority}{path}{query}"
    except (ValueError, TypeError) as error:
        raise UsageError(f"{url.shown}: is no URL that can be used") from error
    return RemoteUrl(protocol=url.protocol, path=directory, shown=url.shown), name


def _length(headers: Mapping[str, str]) -> int | None:
    text = headers.get("Content-Length", "")
    coding = headers.get("Content-Encoding", "identity").strip().lower()
    return int(text) if _SIZE.fullmatch(text) and coding in ("", "identity") else None


def _validator(headers: Mapping[str, str]) -> str | None:
    """A strong ETag, with its quotes: what may be asked for by it is that very content."""
    etag = headers.get("ETag", "")
    return etag if etag.startswith('"') and len(etag) > 2 else None


def _mark(headers: Mapping[str, str], size: int | None) -> str | None:
    """A strong ETag without its quotes; else size and date; else a weak ETag."""
    strong = _validator(headers)
    if strong is not None:
        return strong.strip('"')
    etag = headers.get("ETag", "")
    try:
        date = parsedate_to_datetime(headers.get("Last-Modified", "")).timestamp()
    except ValueError:
        return etag or None
    return f"{size}-{date:.0f}"
