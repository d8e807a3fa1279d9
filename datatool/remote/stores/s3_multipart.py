"""Putting one large file into S3: in parts side by side, and going on with what an earlier attempt left.

A part that the server has counts only if its checksum is that of the bytes here. Before the object is published the
whole file has been read once, in order, and has the hash that was promised.
"""

from __future__ import annotations

import base64
import hashlib
from contextlib import suppress
from functools import partial
from typing import Any, Final, NoReturn

from datatool.errors import NotARemote, RemoteBusy, RemoteDenied, RemoteError
from datatool.hashing import Hasher
from datatool.localfs.positions import read_at
from datatool.model.oid import ObjectId
from datatool.remote.stores.budget import Budget
from datatool.remote.stores.s3_answers import Refused
from datatool.remote.stores.s3_body import Body, Checks, md5_base64, sha256_base64
from datatool.remote.stores.s3_client import S3Client
from datatool.remote.stores.s3_uploads import Ended, Unfinished, call, list_parts, list_uploads
from datatool.remote.stores.transfer import Transfer, in_thread
from datatool.store.protocol import Advance, NameMissing, WrongBytes

SMALLEST: Final = 16 << 20
_MOST_PARTS: Final = 9000
_CANDIDATES: Final = 5
"""Unfinished uploads of one name that are looked at, the newest first."""
_MIB: Final = 1 << 20


def part_size(size: int) -> int:
    """How large the parts of a file are: the same for everybody, so that anybody can go on.

    >>> part_size(100 << 20) >> 20, part_size(1 << 40) >> 20
    (16, 117)
    """
    return max(SMALLEST, -(-size // _MOST_PARTS // _MIB) * _MIB)


class Multipart:
    """One call of `put_file`; `run` does it, in the caller's thread. `file` is open for reading."""

    def __init__(
        self, client: S3Client, budget: Budget, name: str, file: int, sha256: ObjectId, size: int, *, checks: Checks
    ) -> None:
        self._client = client
        self._budget = budget
        self._name = name
        self._key = client.place.key(name)
        self._file = file
        self._sha256 = sha256
        self._size = size
        self._part = part_size(size)
        self._checks = checks
        self._others = False
        """Whether there may be unfinished uploads of this name that nobody goes on with."""

    def run(self, advance: Advance | None) -> None:
        """Send what is missing and publish; WrongBytes, and nothing published, unless the file is what was promised."""
        earlier = self._client.run(self._earlier())
        for upload in (earlier, None):
            current = upload or self._client.run(self._begin())
            try:
                self._publish(current, self._send(current, advance))
            except Ended:
                # Another machine that pushes the same object was faster, most likely.
                if not self._published(current):
                    continue
            if self._others:
                self._client.run(self._end_others())
            return
        label = self._client.place.label
        raise RemoteBusy(f"{label}: somebody else ends the uploads of {self._name}", hint="try again", path=label)

    # In the caller's thread

    def _send(self, upload: Unfinished, advance: Advance | None) -> list[dict[str, Any]]:
        """Send the parts that the server lacks, and hash all of them in order; what to publish."""
        hasher = Hasher()
        sent: dict[int, dict[str, Any]] = {}
        with Transfer(self._client.loop, advance, self._budget.changed) as transfer:
            for number in range(1, self._parts + 1):
                length = self._length(number)
                transfer.wait(partial(self._budget.try_take, length, first=True))
                try:
                    data = self._read(number)
                    work = self._send_part(upload, number, data, transfer, sent)
                except BaseException:
                    self._budget.give(length)
                    raise
                transfer.begin(work, partial(self._budget.give, length))
                hasher.update(data)
                del data, work
            transfer.wait(lambda: not transfer.running)
        if hasher.oid != self._sha256:
            self._give_up(upload)
        return [sent[number] for number in sorted(sent)]

    def _publish(self, upload: Unfinished, parts: list[dict[str, Any]]) -> None:
        complete = partial(
            call,
            self._client,
            "complete_multipart_upload",
            self._name,
            UploadId=upload.id,
            MultipartUpload={"Parts": parts},
        )
        answer = self._client.run(self._client.patiently(complete))
        if not (answer.get("Key") or answer.get("ETag") or answer.get("Location")):
            label = self._client.place.label
            raise RemoteError(f"{label}: {self._name} was not published: the answer means nothing", path=label)

    def _published(self, upload: Unfinished) -> bool:
        """Whether just this file lies under the name already, as far as the server's checksums can tell."""
        try:
            found = self._client.run(call(self._client, "head_object", self._name, ChecksumMode="ENABLED"))
        except (NameMissing, Refused):
            return False
        if found.get("ContentLength") != self._size:
            return False
        hasher, whole = Hasher(), hashlib.md5(usedforsecurity=False)
        digests = hashlib.sha256(usedforsecurity=False) if upload.sha256 else hashlib.md5(usedforsecurity=False)
        for number in range(1, self._parts + 1):
            data = self._read(number)
            hasher.update(data)
            whole.update(data)
            digests.update(base64.b64decode(sha256_base64(data) if upload.sha256 else md5_base64(data)))
        if hasher.oid != self._sha256:
            raise WrongBytes(self._name)
        if upload.sha256:
            expected = base64.b64encode(digests.digest()).decode()
            return str(found.get("ChecksumSHA256")) == f"{expected}-{self._parts}"
        etags = (f"{digests.hexdigest()}-{self._parts}", whole.hexdigest())  # Amazon's way, and the plain one
        return str(found.get("ETag")).strip('"') in etags

    def _give_up(self, upload: Unfinished) -> NoReturn:
        if upload.ours:
            try:
                self._client.run(call(self._client, "abort_multipart_upload", self._name, UploadId=upload.id))
            except (Ended, NameMissing, RemoteError):
                pass  # it costs room only, and `leftovers` lists it
        raise WrongBytes(self._name)

    @property
    def _parts(self) -> int:
        return -(-self._size // self._part)

    def _length(self, number: int) -> int:
        return min(self._part, self._size - (number - 1) * self._part)

    def _read(self, number: int) -> bytes:
        length = self._length(number)
        data = read_at(self._file, length, (number - 1) * self._part)
        if len(data) != length:
            raise WrongBytes(self._name)
        return data

    # In the loop's thread

    async def _begin(self) -> Unfinished:
        tries = 0

        async def attempt() -> dict[str, Any]:
            nonlocal tries
            tries += 1
            asked = {} if self._checks.sha256 is False else {"ChecksumAlgorithm": "SHA256"}
            return await call(self._client, "create_multipart_upload", self._name, **asked)

        answer = await self._client.patiently(attempt)
        self._others |= tries > 1  # of which only the answer may have been lost
        if not answer.get("UploadId"):
            label = self._client.place.label
            raise NotARemote(f"{label}: begins no upload: the answer is not that of an S3 service", path=label)
        return Unfinished(
            id=answer["UploadId"], sha256=answer.get("ChecksumAlgorithm") == "SHA256", parts={}, ours=True
        )

    async def _send_part(
        self, upload: Unfinished, number: int, data: bytes, transfer: Transfer, sent: dict[int, dict[str, Any]]
    ) -> None:
        checksum = await in_thread(partial(sha256_base64 if upload.sha256 else md5_base64, data))
        held = upload.parts.get(number)
        if held is not None and held.matches(len(data), checksum, sha256=upload.sha256):
            etag = held.etag
            await transfer.moved(len(data), spared=True)
        else:
            body = Body(data, transfer)
            where: dict[str, Any] = {"UploadId": upload.id, "PartNumber": number}
            check = {"ChecksumSHA256" if upload.sha256 else "ContentMD5": checksum}
            answer = await self._client.patiently(
                partial(call, self._client, "upload_part", self._name, **where, **check, Body=body)
            )
            etag = answer.get("ETag") or ""
        part: dict[str, Any] = {"PartNumber": number, "ETag": etag}
        if upload.sha256:
            part["ChecksumSHA256"] = checksum
        sent[number] = part

    async def _earlier(self) -> Unfinished | None:
        """The newest unfinished upload of this name that has parts of this file; None too where nobody can tell."""
        try:
            found = [item async for item in list_uploads(self._client, self._key) if item["Key"] == self._key]
        except (Refused, RemoteDenied):
            return None
        found.sort(key=lambda item: item["Initiated"], reverse=True)
        self._others = bool(found)
        for item in found[:_CANDIDATES]:
            upload = await self._usable(item["UploadId"], item.get("ChecksumAlgorithm"))
            if upload is not None:
                self._others = len(found) > 1
                return upload
        return None

    async def _end_others(self) -> None:
        """The name is there, so nobody needs an upload of it any more: who is at one finds that it is published."""
        with suppress(RemoteError):  # they cost room only, and `leftovers` lists them
            async for item in list_uploads(self._client, self._key):
                if item["Key"] == self._key:
                    with suppress(Ended, NameMissing):
                        await call(self._client, "abort_multipart_upload", self._name, UploadId=item["UploadId"])

    async def _usable(self, upload_id: str, algorithm: str | None) -> Unfinished | None:
        """An unfinished upload, if its parts are as large as those of this file and one of them has its bytes."""
        try:
            parts, listed = await list_parts(self._client, self._name, upload_id)
        except (Ended, NameMissing, Refused, RemoteDenied):
            return None
        algorithm = algorithm or listed
        if algorithm not in (None, "SHA256") or (self._checks.sha256 is True and algorithm is None):
            return None
        if not parts or any(
            number > self._parts or held.size != self._length(number) for number, held in parts.items()
        ):
            return None
        upload = Unfinished(id=upload_id, sha256=algorithm is not None, parts=parts, ours=False)
        return upload if await in_thread(partial(self._has_our_bytes, upload)) else None

    def _has_our_bytes(self, upload: Unfinished) -> bool:
        number = min(upload.parts)
        data = self._read(number)
        checksum = sha256_base64(data) if upload.sha256 else md5_base64(data)
        return upload.parts[number].matches(len(data), checksum, sha256=upload.sha256)
