"""What any exception of any filesystem means for a remote, as far as it lets itself be understood."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import wraps
from typing import Any, Final, TypeVar, cast

from datatool.errors import DatatoolError, RemoteBusy, RemoteDenied, RemoteError, RemoteUnreachable
from datatool.store.protocol import NameMissing, NameTaken, WrongBytes

Method = TypeVar("Method", bound=Callable[..., Any])

_DATES: Final = ("mtime", "last_modified", "LastModified", "modified", "updated", "created")
"""What filesystems call the date of a file, the date of its bytes before that of its making."""
_DENIED: Final = ("auth", "credential", "denied", "forbidden", "permission", "refresherror")
_BROKEN: Final = (
    *("timeout", "timedout", "disconnect", "connection", "network"),
    *("protocolerror", "readerror", "badgateway"),
)


def translating(method: Method) -> Method:
    """Let nothing foreign out of a method of a store: what the filesystem raises becomes an error of ours."""

    @wraps(method)
    def wrapped(self: Any, *args: Any, **options: Any) -> Any:
        try:
            return method(self, *args, **options)
        except (DatatoolError, NameMissing, NameTaken, WrongBytes):
            raise
        except Exception as error:
            raise translate(error, self.label) from error

    return cast(Method, wrapped)


def translate(error: Exception, label: str) -> RemoteError | NameMissing:
    """The error of ours for an exception, by its class, its HTTP status, or its name; its text, which may hold
    anything, is not shown.

    >>> str(translate(PermissionError(13, "secret"), "gs://bucket"))
    'gs://bucket: access denied (PermissionError)'
    """
    if isinstance(error, FileNotFoundError | IsADirectoryError | NotADirectoryError):
        return NameMissing(error.filename or "")
    status = _status(error)
    name = type(error).__name__
    told = f"HTTP {status}" if status is not None else name
    if isinstance(error, OSError) and error.errno is not None and status is None and not _says(name, _DENIED):
        told = os.strerror(error.errno).lower() if error.errno > 0 else name
    if status in (404, 410):
        return NameMissing("")
    if status in (401, 403) or isinstance(error, PermissionError) or (status is None and _says(name, _DENIED)):
        return RemoteDenied(
            f"{label}: access denied ({name if status is None else told})",
            hint="set credentials that may: datatool remote set NAME user=… password=… (or token=…)",
        )
    if isinstance(error, ConnectionRefusedError) or _says(name, ("connecterror", "connectionrefused", "gaierror")):
        return RemoteUnreachable(f"{label}: can't be reached ({told})", hint="check the address and the network")
    busy = status is not None and (status in (408, 425, 429) or status >= 500)
    if busy or isinstance(error, TimeoutError | ConnectionError) or (status is None and _says(name, _BROKEN)):
        return RemoteBusy(f"{label}: the connection broke, or the server is busy ({told})")
    return RemoteError(f"{label}: the request failed ({told})", hint="run it again with -vv to see all that was said")


def date_of(entry: Mapping[str, Any]) -> float | None:
    """When a file was written, in seconds since 1970, from what a filesystem tells of it.

    >>> date_of({"name": "x", "mtime": "1970-01-01T00:01:00Z"})
    60.0
    """
    found = next((entry[key] for key in _DATES if entry.get(key) is not None), None)
    if isinstance(found, bool) or found is None:
        return None
    if isinstance(found, int | float):
        return float(found)
    if isinstance(found, str):
        try:
            found = datetime.fromisoformat(found)
        except ValueError:
            return None
    if isinstance(found, datetime):
        return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()
    return None


def _status(error: Exception) -> int | None:
    """An HTTP status that an exception carries, under one of the names that libraries use."""
    response = getattr(error, "response", None)
    values = [getattr(error, key, None) for key in ("status_code", "status", "code")]
    values += [getattr(response, key, None) for key in ("status_code", "status")]
    for value in values:
        if isinstance(value, str) and value.isdigit():
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and 400 <= value < 600:
            return int(value)
    return None


def _says(name: str, words: tuple[str, ...]) -> bool:
    return any(word in name.lower() for word in words)
