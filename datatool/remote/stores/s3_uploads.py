"""The unfinished uploads of a bucket, and the parts that they have."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Any, Final, NamedTuple

from msgspec import Struct

from datatool.remote.stores.s3_answers import Refused
from datatool.remote.stores.s3_client import S3Client

_MOST_PAGES: Final = 1000
"""A server that says there is more for ever is not believed for ever."""
_ENDED: Final = frozenset({"NoSuchUpload", "InvalidPart", "InvalidPartOrder"})


class Ended(Exception):
    """An upload is not there any more, or not as it was: somebody else finished, ended or changed it."""


class Held(NamedTuple):
    """A part that the server has."""

    size: int
    etag: str
    sha256: str | None

    def matches(self, size: int, checksum: str, *, sha256: bool) -> bool:
        """Whether it has bytes of this size and checksum (a sha256 or an md5, as S3 spells it)."""
        if self.size != size:
            return False
        if sha256:
            return self.sha256 == checksum
        return self.etag.strip('"') == base64.b64decode(checksum).hex()


class Unfinished(Struct, frozen=True, kw_only=True):
    """An upload that was begun, by this call (`ours`) or an earlier one; its parts go with a sha256, or with an md5."""

    id: str
    sha256: bool
    parts: Mapping[int, Held]
    ours: bool


async def call(client: S3Client, operation: str, name: str, **parameters: Any) -> dict[str, Any]:
    """A request about an upload of `name`. Raises Ended where there is no such upload, else as `S3Client.call`."""
    try:
        return await client.call(operation, name, Key=client.place.key(name), **parameters)
    except Refused as refused:
        # Some servers can't replace a part with another: an upload that has a wrong one is of no use then.
        if refused.code in _ENDED or (operation == "upload_part" and refused.code == "NotImplemented"):
            raise Ended(name) from refused
        raise


async def list_uploads(client: S3Client, prefix: str) -> AsyncIterator[dict[str, Any]]:
    """The unfinished uploads of keys that start with `prefix`, as S3 describes them: Key, UploadId, Initiated, …"""
    markers: dict[str, str] = {}
    for _ in range(_MOST_PAGES):
        try:
            page = await client.patiently(partial(client.call, "list_multipart_uploads", Prefix=prefix, **markers))
        except Refused as refused:
            if refused.code in _ENDED:  # what rclone says where there are none
                return
            raise
        for item in page.get("Uploads") or ():
            yield item
        markers = {name: page[f"Next{name}"] for name in ("KeyMarker", "UploadIdMarker") if page.get(f"Next{name}")}
        if not page.get("IsTruncated") or not markers:
            return


async def list_parts(client: S3Client, name: str, upload_id: str) -> tuple[dict[int, Held], str | None]:
    """The parts of an upload by number, and the algorithm of their checksums where the server has one. Raises Ended, or
    NameMissing, where the upload is gone."""
    found: dict[int, Held] = {}
    algorithm: str | None = None
    marker: dict[str, int] = {}
    for _ in range(_MOST_PAGES):
        page = await client.patiently(partial(call, client, "list_parts", name, UploadId=upload_id, **marker))
        algorithm = algorithm or page.get("ChecksumAlgorithm")
        for part in page.get("Parts") or ():
            found[part["PartNumber"]] = Held(part["Size"], part.get("ETag") or "", part.get("ChecksumSHA256"))
        marker = {"PartNumberMarker": page.get("NextPartNumberMarker") or 0}
        if not page.get("IsTruncated") or not marker["PartNumberMarker"]:
            break
    return found, algorithm
