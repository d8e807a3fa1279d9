"""The seals of this machine's user: one proves that a pickle was made here, as only such a one may be read; another
tells apart runs with secrets, and nobody what these are."""

from __future__ import annotations

import hmac
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from datatool.config.places import user_cache_dir
from datatool.errors import LocalError
from datatool.formats.run_record import canonical
from datatool.localfs.atomic import write_file
from datatool.model.oid import ObjectId
from datatool.model.settings import Durability

_KEY: Final = "stage.key"
_BYTES: Final = 32


def seal(fingerprint: str, result: ObjectId, environ: Mapping[str, str]) -> str:
    """The seal (64 hex digits) that binds a result to what determined it. Raises LocalError where the key, which is
    made at the first use, can't be kept."""
    return _sealed(_key(environ, make=True) or b"", fingerprint, result)


def is_ours(said: str | None, fingerprint: str, result: ObjectId, environ: Mapping[str, str]) -> bool:
    """Whether a seal was made by this user on this machine, for this result."""
    key = _key(environ, make=False)
    return said is not None and key is not None and hmac.compare_digest(said, _sealed(key, fingerprint, result))


def seal_of_secrets(
    real: Mapping[str, object], visible: Mapping[str, object], environ: Mapping[str, str]
) -> str | None:
    """What tells values with secrets from others that look the same without them (64 hex digits); None where nothing is
    hidden. A plain hash would let anybody try what a short secret is; this one needs the user's key, so on another
    machine it is another. Where no key can be kept, no two are the same. Raises FormatError for values that JSON has
    not."""
    data = canonical(real)
    if data == canonical(visible):
        return None
    try:
        key = _key(environ, make=True)
    except LocalError:
        key = None
    return hmac.digest(key or os.urandom(_BYTES), b"datatool secrets 1 " + data, "sha256").hex()


def _sealed(key: bytes, fingerprint: str, result: ObjectId) -> str:
    return hmac.digest(key, f"datatool pickle 1 {fingerprint} {result}".encode(), "sha256").hex()


def _key(environ: Mapping[str, str], *, make: bool) -> bytes | None:
    path = user_cache_dir(environ) / _KEY
    found = _read(path)
    if found is None and make:
        write_file(path, os.urandom(_BYTES), durability=Durability.BATCH, mode=0o600)
        found = _read(path)
    return found


def _read(path: Path) -> bytes | None:
    """The key, if nobody else can have written it."""
    try:
        status = os.stat(path)
        data = path.read_bytes()
    except OSError:
        return None
    private = os.name == "nt" or (status.st_uid == os.geteuid() and not status.st_mode & 0o077)
    return data if len(data) == _BYTES and private else None
