"""The S3 store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conformance import Conformance

from datatool.remote.stores import s3, s3_obstore
from datatool.remote.stores.options import StoreOptions
from datatool.remote.url import parse_url
from datatool.store.protocol import Store
from servers.fixtures import S3Server


def opened(server: S3Server, bucket: str, tmp_path: Path, module: Any = s3) -> Store:
    url = parse_url(f"s3://{bucket}/some/prefix", root=tmp_path)
    store: Store = module.open_store(url, server.settings(), StoreOptions(scratch=tmp_path))
    return store


class TestS3StoreOnRclone(Conformance):
    clock_resolution = 1.0
    exclusive_is_atomic = False

    @pytest.fixture
    def store(self, s3_server: S3Server, tmp_path: Path) -> Store:
        return opened(s3_server, s3_server.bucket(), tmp_path)


class TestS3StoreOnCeph(Conformance):
    clock_resolution = 1.0

    @pytest.fixture
    def store(self, radosgw: S3Server, tmp_path: Path) -> Store:
        return opened(radosgw, radosgw.bucket(), tmp_path)


class TestObstoreOnRclone(Conformance):
    clock_resolution = 1.0
    exclusive_is_atomic = False

    @pytest.fixture
    def store(self, s3_server: S3Server, tmp_path: Path) -> Store:
        return opened(s3_server, s3_server.bucket(), tmp_path, s3_obstore)


class TestObstoreOnCeph(Conformance):
    clock_resolution = 1.0

    @pytest.fixture
    def store(self, radosgw: S3Server, tmp_path: Path) -> Store:
        return opened(radosgw, radosgw.bucket(), tmp_path, s3_obstore)
