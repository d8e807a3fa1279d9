"""The S3 store."""

from __future__ import annotations

from pathlib import Path

import pytest
from conformance import Conformance

from datatool.remote.stores.options import StoreOptions
from datatool.remote.stores.s3 import open_store
from datatool.remote.url import parse_url
from datatool.store.protocol import Store
from servers.fixtures import S3Server


def opened(server: S3Server, bucket: str, tmp_path: Path) -> Store:
    return open_store(
        parse_url(f"s3://{bucket}/some/prefix", root=tmp_path), server.settings(), StoreOptions(scratch=tmp_path)
    )


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
