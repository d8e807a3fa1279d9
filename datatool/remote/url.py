"""Where a remote is: a directory's path, or a URL. Nothing is contacted here.

../data, /mnt/data, C:\\data, file:///mnt/data      a directory (relative ones to the project's root)
s3://bucket/prefix, sftp://host/path, https://…     a store of that protocol
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote, urlsplit, urlunsplit

from msgspec import Struct

from datatool.errors import UsageError
from datatool.forks import load_module
from datatool.model.urls import without_secrets

DIRECTORY: Final = "file"
"""The protocol of a directory."""
S3: Final = frozenset({"s3", "s3a"})
"""The protocols of S3, whose URLs name a bucket and no service."""

_AWS_FILES: Final = MappingProxyType(
    {"AWS_CONFIG_FILE": "~/.aws/config", "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials"}
)
_SCHEME: Final = r"([A-Za-z][A-Za-z0-9+.-]+):"  # two letters at least: `C:` is a drive
_ADDRESS: Final = r"(?<=[/@])\[[0-9A-Fa-f:.]+\](?=[:/]|$)"  # IPv6, as in ssh://[::1]/path
_SCP: Final = r"(?:[^/\\:@]+@)?[^/\\:@]{2,}:(?!//)"


_COMMON: Final = frozenset({"s3", "ssh", "sftp", "http", "https", "file", "gs", "az"})
"""Protocols that nobody calls a host."""


class RemoteUrl(Struct, frozen=True, kw_only=True):
    """A remote's place. `protocol` is lower case, `file` for a directory; `path` is an absolute directory, or the
    whole URL for other protocols; `shown` is what messages may print: without a password."""

    protocol: str
    path: str
    shown: str


def parse_url(url: str, *, root: Path) -> RemoteUrl:
    """Understand what stands in `remotes.NAME.url`; a relative directory is relative to `root`.

    Raises UsageError for what is neither a directory nor a URL.

    >>> parse_url("../store", root=Path("/home/me/project")).path
    '/home/me/store'
    >>> parse_url("s3://bucket/data", root=Path("/")).protocol
    's3'
    """
    if not url.strip() or "\0" in url or "\n" in url:
        raise UsageError("a remote needs a URL or the path of a directory", hint="datatool remote add NAME URL")
    if "::" in re.sub(_ADDRESS, "", url):
        raise UsageError(f"{_escaped(url)}: chained URLs are not supported", hint="give the URL of the store itself")
    scheme = re.match(_SCHEME, url)
    if scheme is not None and url[scheme.end() : scheme.end() + 2] == "//":
        protocol = scheme[1].lower()
        return _file_url(url, root) if protocol == DIRECTORY else _store_url(url, protocol)
    if re.match(_SCP, url) and not (root / url).exists():
        raise UsageError(f"{_escaped(url)}: is neither a directory nor a URL", hint=_meant(url))
    return _directory(url, root)


def label_of(settings: Mapping[str, str], root: Path, environ: Mapping[str, str]) -> str:
    """What a configured remote is called in what this machine remembers of it: its URL without secrets, and the service
    that has it, which the environment may name too: the same bucket elsewhere is another remote. Raises UsageError."""
    url = parse_url(settings.get("url", ""), root=root)
    endpoint = settings.get("endpoint_url") or (s3_endpoint(settings, environ) if url.protocol in S3 else None)
    return url.shown if endpoint is None else f"{url.shown} at {without_secrets(endpoint)}"


def s3_endpoint(settings: Mapping[str, str], environ: Mapping[str, str]) -> str | None:
    """The S3 service that the environment names, or the profile that goes with a remote's settings, as the AWS tools
    understand them; `settings` name none."""
    if environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        return None
    named = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL")
    if named:
        return named
    texts = [_text_of(environ.get(key) or usual) for key, usual in _AWS_FILES.items()]
    if not any("endpoint_url" in text for text in texts):
        return None
    chosen = None if "access_key_id" in settings else settings.get("profile")  # as `read_login` does
    module = load_module("datatool.remote.aws_profile")
    endpoint: str | None = module.endpoint_of(chosen or aws_profile(environ), *texts)
    return endpoint


def _text_of(path: str) -> str:
    try:
        return Path(os.path.expanduser(os.path.expandvars(path))).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def aws_profile(environ: Mapping[str, str]) -> str | None:
    """The profile that the environment chooses, as the AWS tools understand it."""
    return environ.get("AWS_DEFAULT_PROFILE") or environ.get("AWS_PROFILE") or None


def _meant(url: str) -> str:
    """What somebody probably meant who wrote `s3:/bucket`, or `host:path` as for scp."""
    host, _, path = url.partition(":")
    if host.lower() in _COMMON:
        return f"did you mean {host}://{'/' if host == 'file' else ''}{_escaped(path.lstrip('/'))}?"
    place = path if path.startswith("/") else f"/~/{path.removeprefix('~/')}"
    return f"for ssh: ssh://{_escaped(host)}{_escaped(place)}"


def _directory(text: str, root: Path) -> RemoteUrl:
    path = Path(text)
    if text == "~" or text.startswith(("~/", "~\\")):
        path = path.expanduser()
    # Not resolved through links: a mount point or link may lead elsewhere tomorrow, and the user knows this name.
    absolute = Path(_normal(root / path))
    return RemoteUrl(protocol=DIRECTORY, path=str(absolute), shown=str(absolute))


def _normal(path: Path) -> str:
    """Without `.` and `..`, by the text alone."""
    parts: list[str] = []
    for part in path.parts:
        if part == ".." and len(parts) > 1:
            parts.pop()
        elif part not in (".", ".."):
            parts.append(part)
    return str(Path(*parts))


def _file_url(url: str, root: Path) -> RemoteUrl:
    split = urlsplit(url)
    if split.netloc not in ("", "localhost"):
        raise UsageError(
            f"{_escaped(url)}: a file URL names no host", hint="write file:///path, or the path of the directory alone"
        )
    path = unquote(split.path)
    if not path.startswith("/"):
        raise UsageError(f"{_escaped(url)}: a file URL needs an absolute path", hint="file:///path")
    if re.match(r"/[A-Za-z]:", path):
        path = path[1:]
    return _directory(path, root)


def _store_url(url: str, protocol: str) -> RemoteUrl:
    try:
        split = urlsplit(url)
        host = split.hostname
        port = f":{split.port}" if split.port is not None else ""
    except ValueError as error:
        raise UsageError(f"{_escaped(url)}: is no URL: {error}") from error
    if not host:
        raise UsageError(f"{_escaped(url)}: names no host or bucket")
    user = f"{split.username}@" if split.username else ""
    place = split.netloc.rpartition("@")[2].rpartition(":")[0] if port else split.netloc.rpartition("@")[2]
    # A query may carry a signature or a token: it is not shown either.
    shown = urlunsplit((protocol, f"{user}{place}{port}", split.path.rstrip("/"), "", ""))
    return RemoteUrl(protocol=protocol, path=url, shown=shown)


def _escaped(text: str) -> str:
    """A URL for a message, without a password in it."""
    return re.sub(r"(?<=//)[^/@]*@", "…@", text)
