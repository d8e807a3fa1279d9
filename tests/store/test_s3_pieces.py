"""The pieces of the S3 store that need no server: places, logins, clocks, budgets, patience."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from botocore.session import Session

from datatool.errors import RemoteError, UsageError
from datatool.model.settings import Durability
from datatool.remote.connect import connect
from datatool.remote.stores.budget import Budget
from datatool.remote.stores.pace import LEAST, Pace
from datatool.remote.stores.s3_login import Keys, read_login
from datatool.remote.stores.s3_multipart import SMALLEST, part_size
from datatool.remote.stores.s3_place import Place, check_endpoint, check_place, parse_place
from datatool.remote.stores.server_clock import ServerClock
from datatool.remote.stores.transfer import Transfer
from datatool.remote.url import parse_url


def place(url: str, environ: dict[str, str] | None = None, **settings: str) -> Place:
    return parse_place(parse_url(url, root=Path("/")), settings, environ or {})


# Places


@pytest.mark.parametrize(
    ("url", "bucket", "prefix"),
    [
        ("s3://bucket", "bucket", ""),
        ("s3://bucket/", "bucket", ""),
        ("s3://my.bucket-1/a/b/", "my.bucket-1", "a/b/"),
        ("s3a://Old_Bucket/year=2024/x+y@z", "Old_Bucket", "year=2024/x+y@z/"),
    ],
)
def test_a_url_names_a_bucket_and_a_prefix(url: str, bucket: str, prefix: str) -> None:
    found = place(url)
    assert (found.bucket, found.prefix, found.endpoint) == (bucket, prefix, None)
    assert found.is_amazon and found.key("index/a") == f"{prefix}index/a"


@pytest.mark.parametrize(
    "url",
    [
        *("s3://b", "s3://-bucket", "s3://bu..cket/x", "s3://bucket:9000/x", "s3://user:secret@bucket/x"),
        *("s3://bucket/a//b", "s3://bucket/../x", "s3://bucket/a/./b", "s3://bucket/a b", "s3://bucket/ä"),
        *("s3://bucket/a?versionId=1", "s3://bucket/a#b", "s3://bucket/%2e%2e/x", "s3://bucket/a\\b", "s3://bucket/*"),
        *("s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/x", "s3://${AWS_SECRET_ACCESS_KEY}/x", "s3://bucket/~"),
    ],
)
def test_what_is_no_bucket_or_prefix_is_refused(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        place(url)
    assert "secret@" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        *("", "ftp://host", "file:///etc", "http://", "http://user:secret@host", "http://host:port", "http://ho st"),
        *("http://host/?a=b", "http://host/#x", "http://host\n", "http://host/../x y", "zip://x::http://host"),
    ],
)
def test_what_is_no_service_is_refused(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_endpoint(url)
    assert "secret" not in caught.value.message


@pytest.mark.parametrize("region", ["eu west", "eu_west", "-eu", "eu-", "eu/west", "é", "x" * 64, "eu-west-1\n"])
def test_a_region_that_can_be_none_is_refused_when_it_is_set(region: str) -> None:
    with pytest.raises(UsageError, match="region"):
        check_place(parse_url("s3://bucket/x", root=Path("/")), {"region": region})


@pytest.mark.parametrize("region", ["eu-west-1", "us-gov-east-1", "default", "auto", "RegionOne"])
def test_a_region_may_be_that_of_any_service(region: str) -> None:
    check_place(parse_url("s3://bucket/x", root=Path("/")), {"region": region})


def test_the_same_bucket_elsewhere_is_another_remote() -> None:
    labels = {place("s3://bucket/x").label, place("s3://bucket/x", endpoint_url="http://127.0.0.1:9000").label}
    assert labels == {"s3://bucket/x", "s3://bucket/x at http://127.0.0.1:9000"}


def test_the_environment_may_name_the_service_as_for_the_aws_tools() -> None:
    environ = {"AWS_ENDPOINT_URL": "https://a.example.org", "AWS_ENDPOINT_URL_S3": "https://b.example.org"}
    assert place("s3://bucket", environ).endpoint == "https://b.example.org"
    assert place("s3://bucket", environ, endpoint_url="https://c.example.org").endpoint == "https://c.example.org"
    assert place("s3://bucket", {**environ, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}).endpoint is None


CONFIG = """\
[default]
endpoint_url = https://default.example.org
[profile lab]
endpoint_url = https://lab.example.org
[profile parts]
endpoint_url = https://all.example.org
services = mine
[profile "two words"]
endpoint_url = https://words.example.org
[profile plain]
region = eu-west-1
[profile unwilling]
endpoint_url = https://lab.example.org
ignore_configured_endpoint_urls = true
[profile elsewhere]
services = other
[services mine]
s3 =
  endpoint_url = https://own.example.org
[services other]
dynamodb =
  endpoint_url = https://tables.example.org
"""
CREDENTIALS = "[held]\nendpoint_url = https://held.example.org\n[plain]\naws_access_key_id = a\n"


@pytest.mark.parametrize(
    "profile", [None, "default", "lab", "parts", "two words", "plain", "unwilling", "elsewhere", "held"]
)
def test_the_profile_may_name_the_service_as_for_the_aws_tools(
    profile: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text(CONFIG)
    (tmp_path / "credentials").write_text(CREDENTIALS)
    environ = {"AWS_CONFIG_FILE": f"{tmp_path}/config", "AWS_SHARED_CREDENTIALS_FILE": f"{tmp_path}/credentials"}
    for key, value in environ.items():
        monkeypatch.setenv(key, value)
    session = Session(profile=profile)
    client = session.create_client("s3", "us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    expected = None if "amazonaws.com" in client.meta.endpoint_url else client.meta.endpoint_url
    assert place("s3://bucket", {**environ, "AWS_PROFILE": profile or ""}).endpoint == expected
    if profile is not None:
        assert place("s3://bucket", {**environ, "AWS_PROFILE": "none"}, profile=profile).endpoint == expected
        assert place("s3://bucket", environ, profile=profile, endpoint_url="http://set:1").endpoint == "http://set:1"


@pytest.mark.parametrize("text", ["endpoint_url = no section", "[default]\nendpoint_url", "[a]\n[a]\nendpoint_url = x"])
def test_a_broken_file_of_the_aws_tools_names_no_service(text: str, tmp_path: Path) -> None:
    (tmp_path / "config").write_text(text)
    environ = {"AWS_CONFIG_FILE": f"{tmp_path}/config", "AWS_SHARED_CREDENTIALS_FILE": "/nowhere"}
    assert place("s3://bucket", environ).endpoint is None


def test_amazon_is_known_by_its_hosts() -> None:
    assert place("s3://bucket", endpoint_url="https://s3.eu-west-1.amazonaws.com").is_amazon
    assert not place("s3://bucket", endpoint_url="https://amazonaws.com.example.org").is_amazon


# Logins


@pytest.mark.parametrize(
    "settings",
    [
        {"access_key_id": "a"},
        {"secret_access_key": "b"},
        {"token": "t"},
        {"anonymous": "true", "profile": "lab"},
        {"anonymous": "true", "access_key_id": "a", "secret_access_key": "b"},
    ],
)
def test_half_a_login_is_refused(settings: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        read_login(settings)


def test_a_login_never_shows_its_secret() -> None:
    login = read_login({"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "hidden", "token": "unseen"})
    assert login.shown == "access key AKIA…MPLE"
    for text in (repr(login), str(login), repr(Keys(access_key_id="a", secret_access_key="hidden", token="unseen"))):
        assert "hidden" not in text and "unseen" not in text


# Engines


def test_an_engine_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    settings = {"url": "s3://bucket/x", "engine": "boto"}
    with pytest.raises(UsageError, match="s3fs or obstore"):
        connect(settings, root=tmp_path, offline=False, durability=Durability.NONE, scratch=tmp_path)


def test_an_engine_that_is_not_installed_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("obstore", "datatool.remote.stores.s3_obstore"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "obstore", None)
    settings = {"url": "s3://bucket/x", "engine": "obstore"}
    with pytest.raises(RemoteError, match="extra 'fast'") as caught:
        connect(settings, root=tmp_path, offline=False, durability=Durability.NONE, scratch=tmp_path)
    assert "pip install '.[fast]'" in (caught.value.hint or "") and "pip install datatool" not in (
        caught.value.hint or ""
    )


def test_one_engine_does_not_load_the_other() -> None:
    script = "import sys, datatool.remote.stores.{0}\nprint(*(name for name in {1!r} if name in sys.modules))"
    for module, others in (("s3", ["obstore"]), ("s3_obstore", ["s3fs", "botocore", "aiohttp", "fsspec", "asyncio"])):
        command = [sys.executable, "-c", script.format(module, others)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == ""


def test_certificates_that_are_read_late_are_those_that_were_read_early() -> None:
    script = """
import ssl, sys
import datatool.remote.stores.late_certificates
import aiohttp.connector as connector
late = connector._SSL_CONTEXT_VERIFIED
assert type(late).__name__ == "LateContext" and connector._SSL_CONTEXT_UNVERIFIED.verify_mode is ssl.CERT_NONE
usual = ssl.create_default_context()
assert type(usual) is ssl.SSLContext
assert (late.verify_mode, late.check_hostname, late.verify_flags) == (ssl.CERT_REQUIRED, True, usual.verify_flags)
late.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="example.org")
assert type(late) is ssl.SSLContext
assert late.get_ca_certs() == usual.get_ca_certs()
assert "set_default_verify_paths" not in ssl.SSLContext.__dict__
"""
    subprocess.run([sys.executable, "-c", script], check=True)


# Clocks


def dated(seconds: int) -> str:
    return f"Thu, 01 Jan 1970 00:{seconds // 60:02}:{seconds % 60:02} GMT"


def test_a_clock_is_as_right_as_the_best_answer_so_far() -> None:
    now = 0.0
    clock = ServerClock(tick=lambda: now)
    assert clock.now() is None
    clock.heard(0.0, 0.1, None)
    clock.heard(0.0, 0.1, "yesterday, or so")
    assert clock.now() is None
    now = 10.0
    clock.heard(9.9, 10.0, dated(100))  # really 100.0 at best
    clock.heard(10.0, 10.9, dated(100))  # a later answer with the same date promises less
    now = 20.0
    assert clock.now() == 110.0


def test_a_clock_that_was_set_back_is_believed() -> None:
    now = 10.0
    clock = ServerClock(tick=lambda: now)
    clock.heard(9.9, 10.0, dated(100))
    now = 20.0
    clock.heard(19.9, 20.0, dated(50))
    assert clock.now() == 50.0


# Budgets and patience


def test_parked_bytes_are_not_waited_for() -> None:
    budget = Budget(100)
    budget.take(80)
    assert not budget.try_take(30)
    budget.park(80)
    assert not budget.try_take(30)
    budget.take(30)  # nothing is under way, so that this one goes ahead
    assert not budget.try_take(1)
    budget.give(80, parked=True)
    assert budget.try_take(70)


def test_who_waits_for_room_goes_on_when_there_is_some() -> None:
    budget = Budget(100)
    budget.take(80)
    waiter = threading.Thread(target=budget.take, args=(50,))
    waiter.start()
    budget.give(80)
    waiter.join(30)
    assert not waiter.is_alive()


def test_a_transfer_that_moves_too_little_is_ended() -> None:
    async def crawl(count: int, seconds: float) -> None:
        async with Pace(seconds) as pace:
            for _ in range(1000):
                await asyncio.sleep(0.001)
                pace.moved(count)
        pace.moved(count)  # what comes late does no harm

    asyncio.run(crawl(60 * LEAST, 60))
    with pytest.raises(TimeoutError):
        asyncio.run(crawl(0, 0.2))


def test_a_pause_is_not_counted() -> None:
    async def wait() -> None:
        async with Pace(0.05) as pace:
            pace.pause()
            await asyncio.sleep(0.1)
            pace.restart()

    asyncio.run(wait())


def test_what_goes_wrong_in_a_transfer_is_raised_where_it_is_waited_for() -> None:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    ended: list[str] = []

    async def fail() -> None:
        raise RemoteError("broken")

    async def last_for_ever() -> None:
        await asyncio.Event().wait()

    try:
        with pytest.raises(RemoteError, match="broken"), Transfer(loop, None) as transfer:
            transfer.begin(last_for_ever(), lambda: ended.append("cancelled"))
            transfer.begin(fail(), lambda: ended.append("failed"))
            transfer.wait(lambda: False)
        assert sorted(ended) == ["cancelled", "failed"]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_parts_are_few_enough_and_the_same_for_everybody() -> None:
    for size in (1, 64 << 20, 150 << 30, 5 << 40):
        part = part_size(size)
        assert part >= SMALLEST and part % (1 << 20) == 0
        assert -(-size // part) <= 9000
