"""What a person writes for files that are no remote: a path, or a URL."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from datatool.errors import UsageError
from datatool.model.paths import show
from datatool.remote.url import DIRECTORY, S3, RemoteUrl, parse_url

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://", re.ASCII)
_SAME: Final = {"s3a": "s3", "sftp": "ssh", "gcs": "gs", "abfs": "az"}


def parse_plain_url(text: str, *, cwd: Path) -> RemoteUrl:
    """Understand a path (relative to `cwd`) or a URL. Raises UsageError.

    What stands behind `s3://BUCKET/` is a key as it is; in other URLs, names are escaped as the web does (`%20`).

    >>> parse_plain_url("s3://bucket/a b#c.csv", cwd=Path("/")).path
    's3://bucket/a b#c.csv'
    """
    if not text.strip() or "\0" in text:
        raise UsageError("an empty URL", hint="a path, s3://BUCKET/KEY, ssh://HOST/PATH, https://HOST/FILE, …")
    scheme = _SCHEME.match(text)
    if scheme is not None and scheme[1].lower() in S3:
        shown = show(re.sub(r"(?<=://)[^/@]*@", "…@", text))  # a password has no place there: it is refused, unseen
        return RemoteUrl(protocol=scheme[1].lower(), path=text, shown=shown)
    if scheme is None and (os.path.lexists(cwd / text) or os.path.isabs(text)):
        path = os.path.normpath(cwd / text)
        return RemoteUrl(protocol=DIRECTORY, path=path, shown=show(path))
    return parse_url(text, root=cwd)


def lies_below(url: RemoteUrl, top: RemoteUrl) -> int | None:
    """How many names deep the place of a remote is, if a URL lies at or below it; None if it does not."""
    if url.protocol == DIRECTORY or _same(url.protocol) != _same(top.protocol):
        return None
    if _host(url) != _host(top):
        return None
    names, around = _names(url), _names(top)
    return len(around) if names[: len(around)] == around else None


def _same(protocol: str) -> str:
    return _SAME.get(protocol, protocol)


def _host(url: RemoteUrl) -> tuple[str, int | None]:
    if _same(url.protocol) == "s3":
        return url.path.partition("://")[2].partition("/")[0], None
    split = urlsplit(url.path)
    return (split.hostname or ""), split.port


def _names(url: RemoteUrl) -> list[str]:
    path = url.path.partition("://")[2].partition("/")[2]
    if _same(url.protocol) != "s3":
        path = re.split(r"[?#]", path)[0]
    return [name for name in path.split("/") if name]
