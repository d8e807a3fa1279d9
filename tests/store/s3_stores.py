"""S3 stores for tests: either engine, on any of the servers."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from datatool.remote.stores import s3, s3_obstore
from datatool.remote.stores.options import StoreOptions
from datatool.remote.url import parse_url
from datatool.store.protocol import Store
from servers.fixtures import S3Server

ENGINES = {"s3fs": s3, "obstore": s3_obstore}
PREFIX = "some/prefix"


def s3_store(
    settings: dict[str, str],
    bucket: str,
    scratch: Path,
    *,
    engine: ModuleType = s3,
    timeout: float = 20.0,
    jobs: int = 8,
) -> Store:
    options = StoreOptions(scratch=scratch, timeout=timeout, connect_timeout=5.0, jobs=jobs)
    store: Store = engine.open_store(parse_url(f"s3://{bucket}/{PREFIX}", root=scratch), settings, options)
    return store


def opened_on(server: S3Server, scratch: Path, *, timeout: float = 20.0, jobs: int = 8) -> Store:
    """A store in a fresh bucket."""
    return s3_store(server.settings(), server.bucket(), scratch, timeout=timeout, jobs=jobs)
