"""Logins of the AWS tools that are no use: expired, never made, refused. Told in one line, as what they are."""

from __future__ import annotations

import logging
from pathlib import Path
from types import ModuleType

import pytest
from s3_stores import ENGINES, s3_store

from datatool.errors import RemoteDenied
from servers.fixtures import S3Server

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
EXPIRED = (
    '{"Version": 1, "AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": "' + SECRET + '", "SessionToken": "x",'
    ' "Expiration": "2020-01-01T00:00:00Z"}'
)
CONFIG = """\
[profile expired]
region = us-east-1
credential_process = cat {top}/expired.json
[profile broken]
region = us-east-1
credential_process = sh -c 'echo the vault is shut >&2; exit 3'
[profile sso]
region = us-east-1
sso_start_url = https://nobody.invalid/start
sso_region = us-east-1
sso_account_id = 123456789012
sso_role_name = reader
[profile base]
aws_access_key_id = AKIAIOSFODNN7EXAMPLE
aws_secret_access_key = {secret}
[profile role]
region = us-east-1
role_arn = arn:aws:iam::123456789012:role/lab
source_profile = base
"""
PROFILES = {
    "expired": ("have expired", "aws sso login --profile expired"),
    "broken": ("the vault is shut", "profile="),
    "sso": ("SSO|Token", "aws sso login --profile sso"),
    "role": ("AssumeRole was refused", "aws sso login --profile role"),
}


@pytest.fixture(params=list(ENGINES.values()), ids=list(ENGINES))
def engine(request: pytest.FixtureRequest) -> ModuleType:
    found: ModuleType = request.param
    return found


@pytest.fixture(autouse=True)
def _profiles(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "expired.json").write_text(EXPIRED)
    (tmp_path / "config").write_text(CONFIG.format(top=tmp_path, secret=SECRET))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))


@pytest.mark.parametrize("way", ["setting", "environment"])
@pytest.mark.parametrize("profile", PROFILES)
def test_a_login_that_is_no_use_is_denied_in_one_line(
    profile: str,
    way: str,
    engine: ModuleType,
    s3_server: S3Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server.endpoint)  # where the role is asked for, too
    settings = {"profile": profile} if way == "setting" else {}
    if way == "environment":
        monkeypatch.setenv("AWS_PROFILE", profile)
    # pytest's handlers would keep Python from printing what nobody handles.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    with pytest.raises(RemoteDenied) as caught:
        s3_store(settings, s3_server.bucket(), tmp_path, engine=engine).get("index/a")
    words, advice = PROFILES[profile]
    assert s3_server.endpoint in caught.value.message and f"profile {profile}" in caught.value.message
    caught.match(words)
    assert advice in (caught.value.hint or "") and SECRET not in str(caught.value)
    assert "\n" not in caught.value.message and capfd.readouterr().err == ""


def test_keys_in_the_environment_come_before_its_profile(
    engine: ModuleType, s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "base")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_server.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_server.secret_access_key)
    settings = {"endpoint_url": s3_server.endpoint}
    bucket = s3_server.bucket()
    s3_store(settings, bucket, tmp_path, engine=engine).put("index/a", b"data")
    with pytest.raises(RemoteDenied, match="profile base"):
        s3_store({**settings, "profile": "base"}, bucket, tmp_path, engine=engine).get("index/a")
