"""A long stretch of a remote file, piece by piece, with several requests under way."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future

from asyncssh import SFTPClientFile

from datatool.remote.stores.budget import Budget
from datatool.remote.stores.sftp_files import read_blocks
from datatool.remote.stores.sftp_link import Line
from datatool.remote.stores.sftp_lookahead import Lookahead


def pieces(
    line: Line, file: SFTPClientFile, start: int, stop: int, *, ahead: Lookahead, budget: Budget, where: str
) -> Iterator[bytes]:
    """The bytes from `start` to `stop`; fewer if the file ends before. Raises RemoteError."""
    under_way: deque[tuple[int, Future[bytes]]] = deque()
    asked = got = start
    try:
        while got < stop:
            while asked < stop and (not under_way or asked - got < ahead.window):
                count = min(ahead.piece(line.read_size), stop - asked)
                if not under_way:
                    budget.take(count)
                elif not budget.try_take(count):
                    break
                under_way.append((count, line.start(read_blocks(line, file, asked, count, stop))))
                asked += count
            count, future = under_way[0]
            data = line.wait(future, where)
            ahead.moved(len(data))
            yield data
            under_way.popleft()
            budget.give(count)
            got += count
            if len(data) < count:
                return
    finally:
        for count, future in under_way:
            future.cancel()
            budget.give(count)
