"""The conformance suite for both engines of the S3 store, on each kind of server."""

from __future__ import annotations

from pathlib import Path

import pytest
from conformance import Conformance
from s3_stores import s3_store

from datatool.remote.stores import s3, s3_obstore
from datatool.store.protocol import Store
from servers.fixtures import S3Server


class OnRclone(Conformance):
    clock_resolution = 1.0
    exclusive_is_atomic = False


class OnCeph(Conformance):
    clock_resolution = 1.0


class TestS3StoreOnRclone(OnRclone):
    @pytest.fixture
    def store(self, s3_server: S3Server, tmp_path: Path) -> Store:
        return s3_store(s3_server.settings(), s3_server.bucket(), tmp_path)


class TestS3StoreOnCeph(OnCeph):
    @pytest.fixture
    def store(self, radosgw: S3Server, tmp_path: Path) -> Store:
        return s3_store(radosgw.settings(), radosgw.bucket(), tmp_path)


class TestObstoreOnRclone(OnRclone):
    @pytest.fixture
    def store(self, s3_server: S3Server, tmp_path: Path) -> Store:
        return s3_store(s3_server.settings(), s3_server.bucket(), tmp_path, engine=s3_obstore)


class TestObstoreOnCeph(OnCeph):
    @pytest.fixture
    def store(self, radosgw: S3Server, tmp_path: Path) -> Store:
        return s3_store(radosgw.settings(), radosgw.bucket(), tmp_path, engine=s3_obstore)


@pytest.mark.parametrize("engine", [s3, s3_obstore], ids=["s3fs", "obstore"])
class TestRangesWithTheStatusOfTheWhole(OnRclone):
    """rclone as it is: it answers a range with 200, which one engine reads and the other asks again for."""

    @pytest.fixture
    def store(self, s3_server: S3Server, tmp_path: Path, engine: object) -> Store:
        settings = {**s3_server.settings(), "endpoint_url": f"http://127.0.0.1:{s3_server.direct_port}"}
        return s3_store(settings, s3_server.bucket(), tmp_path, engine=engine)  # type: ignore[arg-type]
