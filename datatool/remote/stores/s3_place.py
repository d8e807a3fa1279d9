"""Where an S3 remote is: the bucket and the prefix of its URL, and the service that has them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

from datatool.errors import UsageError
from datatool.model.paths import show
from datatool.remote.url import RemoteUrl, s3_endpoint

_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]", re.ASCII)
"""What Amazon allows today, and what it and others once did."""
_PREFIX: Final = re.compile(r"[A-Za-z0-9!_.'()=+@,-]+(?:/[A-Za-z0-9!_.'()=+@,-]+)*", re.ASCII)
"""Amazon's safe characters and a few more: they mean the same to every server, in a URL and in a signature."""
_HOST: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:.]+", re.ASCII)
_PATH: Final = re.compile(r"(?:/[A-Za-z0-9._~-]+)*/?", re.ASCII)
_REGION: Final = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)", re.ASCII)
"""What the AWS library takes: a region becomes part of a host's name."""
_AMAZON: Final = re.compile(r"(?:.+\.)?amazonaws\.com(?:\.cn)?", re.ASCII | re.IGNORECASE)


class Place(Struct, frozen=True, kw_only=True):
    """A bucket, a `prefix` that is empty or ends in `/`, and the URL of the service, None for Amazon's own."""

    bucket: str
    prefix: str
    endpoint: str | None
    label: str
    """What to call it in messages; the endpoint belongs to it, as the same bucket elsewhere is another remote."""

    @property
    def is_amazon(self) -> bool:
        """Whether it is Amazon's own service, whose abilities are known."""
        return self.endpoint is None or _AMAZON.fullmatch(urlsplit(self.endpoint).hostname or "") is not None

    @property
    def service(self) -> str:
        """What to call the service in messages that begin with the label, which has its URL where it has one."""
        return "Amazon S3" if self.endpoint is None else "the service"

    @property
    def at(self) -> str:
        """The same, for who is sought there."""
        return "at Amazon S3" if self.endpoint is None else "there"

    def key(self, name: str) -> str:
        """The key of a name in this remote."""
        return self.prefix + name


def parse_place(url: RemoteUrl, settings: Mapping[str, str], environ: Mapping[str, str] | None) -> Place:
    """The place that a remote's URL and `endpoint_url` mean; without it the one of the environment or of the profile
    counts, as for the AWS tools, unless `environ` is None.

    Raises UsageError for what is no bucket, no prefix or no endpoint.
    """
    split = urlsplit(url.path)
    if split.query or split.fragment or "?" in url.path or "#" in url.path:
        raise UsageError(f"{url.shown}: an S3 URL has no ? or #", hint="write s3://BUCKET/PREFIX")
    if "@" in split.netloc or ":" in split.netloc:
        raise UsageError(
            f"{url.shown}: an S3 URL names a bucket, no user, password or port",
            hint="datatool remote set NAME endpoint_url=http://HOST:PORT names the service",
        )
    bucket, prefix = _bucket(split.netloc, url), split.path.strip("/")
    if prefix and (not _PREFIX.fullmatch(prefix) or any(part in (".", "..") for part in prefix.split("/"))):
        raise UsageError(
            f"{url.shown}: a prefix may have letters, digits and !_.'()=+@,- between single slashes",
            hint="choose another prefix in the bucket",
        )
    return _place(bucket, prefix + "/" if prefix else "", f"s3://{bucket}/{prefix}".rstrip("/"), settings, environ)


def parse_object(url: RemoteUrl, settings: Mapping[str, str], environ: Mapping[str, str] | None) -> tuple[Place, str]:
    """The bucket of a URL, as a place without a prefix, and the key behind it, as it is: `#`, `?` or `%` in it mean
    nothing to S3. Raises UsageError."""
    netloc, _, key = url.path.partition("://")[2].partition("/")
    if "@" in netloc or ":" in netloc:
        raise UsageError(
            f"{url.shown}: an S3 URL names a bucket, no user, password or port",
            hint="the setting endpoint_url=http://HOST:PORT names the service",
        )
    bucket = _bucket(netloc, url)
    return _place(bucket, "", f"s3://{bucket}/{show(key)}".rstrip("/"), settings, environ), key


def _bucket(name: str, url: RemoteUrl) -> str:
    if not _BUCKET.fullmatch(name) or ".." in name:
        raise UsageError(f"{url.shown}: not a bucket's name: {show(name)}", hint="write s3://BUCKET/PREFIX")
    return name


def _place(
    bucket: str, prefix: str, shown: str, settings: Mapping[str, str], environ: Mapping[str, str] | None
) -> Place:
    region = settings.get("region")
    if region and not _REGION.fullmatch(region):
        raise UsageError(
            f"region: not the name of a region: {show(region[:60])}",
            hint="letters, digits and -, such as region=eu-west-1; an empty value removes the setting",
        )
    endpoint = settings.get("endpoint_url") or (None if environ is None else s3_endpoint(settings, environ))
    if endpoint is not None:
        endpoint = check_endpoint(endpoint)
    label = shown if endpoint is None else f"{shown} at {endpoint}"
    return Place(bucket=bucket, prefix=prefix, endpoint=endpoint, label=label)


def check_place(url: RemoteUrl, settings: Mapping[str, str]) -> None:
    """Raise UsageError as `parse_place` does, by what is configured alone."""
    parse_place(url, settings, None)


def check_endpoint(url: str) -> str:
    """The URL of a service, without a slash at its end. Raises UsageError for what can be none.

    >>> check_endpoint("https://storage.example.org/")
    'https://storage.example.org'
    """
    split = _split(url)
    if split is None or split.scheme not in ("http", "https") or not _HOST.fullmatch(split.hostname or ""):
        raise UsageError(
            f"endpoint_url: not the URL of a service: {_without_secrets(url)}",
            hint="write https://HOST or http://HOST:PORT",
        )
    if "@" in split.netloc or "?" in url or "#" in url or not _PATH.fullmatch(split.path):
        raise UsageError(
            f"endpoint_url: a user, password, query or odd character is in it: {_without_secrets(url)}",
            hint="credentials have settings of their own: access_key_id, secret_access_key, profile",
        )
    return url.rstrip("/")


def _split(url: str) -> SplitResult | None:
    if not url.isascii() or not url.isprintable() or " " in url:
        return None
    try:
        split = urlsplit(url)
        split.port  # noqa: B018 - raises ValueError for what is no port
    except ValueError:
        return None
    return split


def _without_secrets(url: str) -> str:
    """A URL for a message: nothing before an `@` or behind a `?`."""
    return show(re.sub(r"//[^/]*@", "//…@", url).partition("?")[0].partition("#")[0][:200])
