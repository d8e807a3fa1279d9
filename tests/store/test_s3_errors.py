"""What the S3 store says when it is refused: which service, as whom, and what to do. Never a secret."""

from __future__ import annotations

import datetime
import inspect
import os
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType, SimpleNamespace

import aiohttp
import botocore.exceptions
import obstore.exceptions
import pytest
from aiohttp import http_exceptions
from botocore.parsers import ResponseParserError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from s3_stores import ENGINES, s3_store

from datatool.errors import DatatoolError, NotARemote, RemoteBusy, RemoteDenied, RemoteError, RemoteUnreachable
from datatool.remote.stores import s3, s3_errors, s3_obstore, s3_obstore_errors
from datatool.remote.stores.s3_answers import Caller
from datatool.remote.stores.s3_place import Place
from datatool.store.protocol import NameMissing, Store
from datatool.store.retry import Stalled
from servers.fixtures import S3Server
from servers.ports import free_port

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
TOKEN = "FwoGZXIvYXdzEXAMPLETOKEN"
KEYS = {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": SECRET, "token": TOKEN}

OPERATIONS: dict[str, Callable[[Store], object]] = {
    "get": lambda store: store.get("index/a"),
    "list": lambda store: list(store.list("index/")),
    "put": lambda store: store.put("index/a", b"data"),
    "delete": lambda store: store.delete_many(["index/a"]),
}


@pytest.fixture(params=list(ENGINES.values()), ids=list(ENGINES))
def engine(request: pytest.FixtureRequest) -> ModuleType:
    found: ModuleType = request.param
    return found


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))


def told(error: DatatoolError) -> str:
    """The message and the hint, which must be fit to be shown."""
    text = f"{error.message}\n{error.hint or ''}"
    for secret in (SECRET, TOKEN, "testsecret", "Signature="):
        assert secret not in text
    assert "\n" not in error.message
    return text


@pytest.mark.parametrize("name", ["s3_server", "radosgw"])
@pytest.mark.parametrize("do", OPERATIONS.values(), ids=OPERATIONS)
def test_an_unknown_key_is_named_in_short(
    name: str, do: Callable[[Store], object], engine: ModuleType, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    server: S3Server = request.getfixturevalue(name)
    store = s3_store({**server.settings(), **KEYS}, server.bucket(), tmp_path, engine=engine)
    with pytest.raises(RemoteDenied) as caught:
        do(store)
    text = told(caught.value)
    assert "AKIA…MPLE" in text and server.endpoint in text and "profile=" in text


@pytest.mark.parametrize("do", OPERATIONS.values(), ids=OPERATIONS)
def test_a_secret_that_does_not_fit_is_told_as_that(
    do: Callable[[Store], object], engine: ModuleType, s3_server: S3Server, tmp_path: Path
) -> None:
    settings = {**s3_server.settings(), "secret_access_key": SECRET}
    with pytest.raises(RemoteDenied, match="secret key does not belong to access key te…") as caught:
        do(s3_store(settings, s3_server.bucket(), tmp_path, engine=engine))
    told(caught.value)


@pytest.mark.parametrize("name", ["s3_server", "radosgw"])
@pytest.mark.parametrize("do", OPERATIONS.values(), ids=OPERATIONS)
def test_a_missing_bucket_is_to_be_made(
    name: str, do: Callable[[Store], object], engine: ModuleType, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    server: S3Server = request.getfixturevalue(name)
    with pytest.raises(RemoteError, match="no bucket not-made-yet") as caught:
        do(s3_store(server.settings(), "not-made-yet", tmp_path, engine=engine))
    assert not isinstance(caught.value, RemoteBusy | RemoteDenied)
    assert "create the bucket" in told(caught.value)


@pytest.mark.parametrize("answer", ["denied", "nobody knows the key", "no bucket", "busy", "no S3"])
def test_the_address_of_a_service_stands_once_in_a_message(
    answer: str, engine: ModuleType, s3_server: S3Server, tmp_path: Path
) -> None:
    status, body = {
        "denied": (403, document("AccessDenied")),
        "nobody knows the key": (403, document("InvalidAccessKeyId")),
        "no bucket": (404, document("NoSuchBucket")),
        "busy": (503, document("SlowDown")),
        "no S3": (404, b""),
    }[answer]
    s3_server.proxy.fault("answer", status=status, body=body, times=None)
    with pytest.raises(RemoteError) as caught:
        s3_store({**s3_server.settings(), **KEYS}, s3_server.bucket(), tmp_path, engine=engine).get("index/a")
    assert caught.value.message.count(s3_server.endpoint) == 1


def document(code: str, more: str = "") -> bytes:
    return f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>words</Message>{more}</Error>'.encode()


ANSWERS: dict[str, tuple[int, bytes, type[DatatoolError], str]] = {
    "denied": (403, document("AccessDenied"), RemoteDenied, "may not read"),
    "expired": (400, document("ExpiredToken"), RemoteDenied, "session of access key AKIA…MPLE has expired"),
    "clock": (403, document("RequestTimeTooSkewed"), RemoteDenied, "clock is wrong"),
    "region": (400, document("AuthorizationHeaderMalformed", "<Region>eu-north-1</Region>"), RemoteError, "eu-north-1"),
    "moved": (301, document("PermanentRedirect"), RemoteError, "another region"),
    "slow": (503, document("SlowDown"), RemoteBusy, "SlowDown"),
    "internal": (500, document("InternalError"), RemoteBusy, "InternalError"),
    "odd": (400, document("SomethingElse"), RemoteError, "SomethingElse: words"),
    "forbidden": (403, b"", RemoteDenied, "may not read"),
    "gateway": (502, b"<html>Bad Gateway</html>", RemoteBusy, "502"),
    "control characters": (400, document("Some\x1b[2JCode"), RemoteError, r"Some|refused"),
}


@pytest.mark.parametrize(("status", "body", "kind", "words"), ANSWERS.values(), ids=ANSWERS)
def test_what_a_service_refuses_is_told_in_words(
    status: int,
    body: bytes,
    kind: type[DatatoolError],
    words: str,
    engine: ModuleType,
    s3_server: S3Server,
    tmp_path: Path,
) -> None:
    store = s3_store({**s3_server.settings(), **KEYS}, s3_server.bucket(), tmp_path, engine=engine)
    s3_server.proxy.fault("answer", status=status, body=body, times=None)
    with pytest.raises(kind, match=words) as caught:
        store.get("index/a")
    assert "\x1b" not in told(caught.value)
    if kind is RemoteError:
        assert not isinstance(caught.value, RemoteBusy | RemoteDenied)


NOT_HERE = {"nothing": b"", "text": b"not here", "a page": b"<!doctype html><html><body>404</body></html>"}


@pytest.mark.parametrize("body", NOT_HERE.values(), ids=NOT_HERE)
@pytest.mark.parametrize("do", OPERATIONS.values(), ids=OPERATIONS)
def test_a_web_server_that_has_nothing_is_no_empty_remote(
    do: Callable[[Store], object], body: bytes, engine: ModuleType, s3_server: S3Server, tmp_path: Path
) -> None:
    store = s3_store({**s3_server.settings(), **KEYS}, s3_server.bucket(), tmp_path, engine=engine)
    s3_server.proxy.fault("answer", status=404, body=body, times=None)
    with pytest.raises(NotARemote, match="S3") as caught:
        do(store)
    assert "endpoint_url" in told(caught.value)


def test_a_wrong_clock_is_told_with_how_wrong_it_is(s3_server: S3Server, tmp_path: Path) -> None:
    store = s3_store(s3_server.settings(), s3_server.bucket(), tmp_path)
    late = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=90)
    s3_server.proxy.fault(
        "answer",
        status=403,
        body=document("RequestTimeTooSkewed"),
        headers={"Date": late.strftime("%a, %d %b %Y %H:%M:%S GMT")},
    )
    with pytest.raises(RemoteDenied, match="90 minutes behind"):
        store.get("index/a")


# Credentials


def test_without_credentials_it_is_told_where_they_were_looked_for(
    engine: ModuleType, s3_server: S3Server, tmp_path: Path
) -> None:
    settings = {"endpoint_url": s3_server.endpoint}
    with pytest.raises(RemoteDenied, match=r"no credentials.*AWS_ACCESS_KEY_ID.*~/\.aws") as caught:
        s3_store(settings, s3_server.bucket(), tmp_path, engine=engine).get("index/a")
    text = told(caught.value)
    assert s3_server.endpoint in text and "aws configure" in text and "anonymous=true" in text


def test_the_environment_has_credentials(
    engine: ModuleType, s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_server.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_server.secret_access_key)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_server.endpoint)
    store = s3_store({}, s3_server.bucket(), tmp_path, engine=engine)
    store.put("index/a", b"data")
    assert store.get("index/a") == b"data" and s3_server.endpoint in store.label
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEYS["access_key_id"])
    with pytest.raises(RemoteDenied, match=r"AKIA…MPLE \(from the environment\)"):
        s3_store({}, s3_server.buckets[-1], tmp_path, engine=engine).get("index/a")


def test_a_profile_has_credentials(engine: ModuleType, s3_server: S3Server, tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text(
        f"[lab]\naws_access_key_id = {s3_server.access_key_id}\naws_secret_access_key = {s3_server.secret_access_key}\n"
        f"[wrong]\naws_access_key_id = {KEYS['access_key_id']}\naws_secret_access_key = {SECRET}\n"
    )
    bucket = s3_server.bucket()
    settings = {"endpoint_url": s3_server.endpoint}
    s3_store({**settings, "profile": "lab"}, bucket, tmp_path, engine=engine).put("index/a", b"data")
    with pytest.raises(RemoteDenied, match="profile wrong") as caught:
        s3_store({**settings, "profile": "wrong"}, bucket, tmp_path, engine=engine).get("index/a")
    told(caught.value)
    for name in ("none", "…"):
        with pytest.raises(RemoteDenied, match=f"no profile {name} in {tmp_path}/config or {tmp_path}/cred") as caught:
            s3_store({**settings, "profile": name}, bucket, tmp_path, engine=engine).get("index/a")
        assert "aws configure list-profiles" in told(caught.value)


def test_anonymous_is_nobody(engine: ModuleType, radosgw: S3Server, tmp_path: Path) -> None:
    settings = {"endpoint_url": radosgw.endpoint, "anonymous": "true"}
    with pytest.raises(RemoteDenied, match="nobody"):
        s3_store(settings, radosgw.bucket(), tmp_path, engine=engine).get("index/a")
    assert not radosgw.requests[-1].header("authorization")


# No service


def test_nobody_at_the_endpoint_is_told_at_once(engine: ModuleType, tmp_path: Path) -> None:
    endpoint = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(RemoteUnreachable, match="nobody answers") as caught:
        s3_store({**KEYS, "endpoint_url": endpoint}, "bucket", tmp_path, engine=engine).get("index/a")
    assert not isinstance(caught.value, RemoteBusy) and told(caught.value).count(endpoint) == 1


def test_a_name_that_nobody_knows_is_told(engine: ModuleType, tmp_path: Path) -> None:
    settings = {**KEYS, "endpoint_url": "http://no-such-host.invalid"}
    with pytest.raises(RemoteUnreachable, match="name of the service"):
        s3_store(settings, "bucket", tmp_path, engine=engine).get("index/a")


def test_a_proxy_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://user:pass@127.0.0.1:{free_port()}")
    monkeypatch.setenv("http_proxy", os.environ["HTTP_PROXY"])
    settings = {**KEYS, "endpoint_url": "http://storage.example.org"}
    with pytest.raises(RemoteUnreachable, match="proxy") as caught:
        s3_store(settings, "bucket", tmp_path).get("index/a")
    assert "user:pass" not in told(caught.value)


def test_a_plain_service_has_no_secure_connection(engine: ModuleType, s3_server: S3Server, tmp_path: Path) -> None:
    settings = {**s3_server.settings(), "endpoint_url": f"https://127.0.0.1:{s3_server.direct_port}"}
    with pytest.raises(RemoteError, match="no secure connection") as caught:
        s3_store(settings, "bucket", tmp_path, engine=engine).get("index/a")
    told(caught.value)


@contextmanager
def secure_server(directory: Path) -> Iterator[tuple[str, Path]]:
    """A server whose certificate an authority of its own has signed; gives its URL and that authority's certificate."""
    authority, private = _certificate("authority", None)
    leaf, key = _certificate("localhost", (authority, private))
    pem = serialization.Encoding.PEM
    (directory / "authority.pem").write_bytes(authority.public_bytes(pem))
    chain = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (directory / "server.pem").write_bytes(chain + leaf.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "server.pem")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Nothing)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"https://localhost:{server.server_port}", directory / "authority.pem"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


_Signed = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def _certificate(name: str, signer: _Signed | None) -> _Signed:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    issuer, signing = (signer[0].subject, signer[1]) if signer else (subject, key)
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(
        issuer, subject, key.public_key(), x509.random_serial_number(), now, now + datetime.timedelta(days=1)
    )
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=signer is None, path_length=None), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    if signer is not None:
        known_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key())
        builder = builder.add_extension(known_by, critical=False)
    return builder.sign(signing, hashes.SHA256()), key


class _Nothing(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = document("NoSuchKey")
        self.send_response(404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_certificate_has_to_be_trusted(engine: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with secure_server(tmp_path) as (endpoint, pem):
        settings = {**KEYS, "endpoint_url": endpoint}
        with pytest.raises(RemoteDenied, match="certificate") as caught:
            s3_store(settings, "bucket", tmp_path, engine=engine).get("index/a")
        assert "AWS_CA_BUNDLE" in told(caught.value)
        monkeypatch.setenv("AWS_CA_BUNDLE", str(pem))
        with pytest.raises(NameMissing):
            s3_store(settings, "bucket", tmp_path, engine=engine).get("index/a")


# Every exception of the libraries has a meaning of ours

CALLER = Caller(place=Place(bucket="b", prefix="", endpoint=None, label="s3://b"), login="access key te…")


def exceptions_of(module: ModuleType, base: type[BaseException]) -> list[type[BaseException]]:
    return [kind for _, kind in inspect.getmembers(module, inspect.isclass) if issubclass(kind, base)]


def made(kind: type[BaseException]) -> BaseException:
    """An instance, made without its constructor, which may want anything, unless its words depend on that."""
    host = SimpleNamespace(host="host", port=443, ssl=True, is_ssl=True)
    if issubclass(kind, aiohttp.ClientConnectorCertificateError):
        return kind(host, ssl.SSLCertVerificationError("self-signed"))  # type: ignore[arg-type]
    if issubclass(kind, aiohttp.ClientConnectorError):
        return kind(host, OSError(111, "refused"))  # type: ignore[arg-type]
    if issubclass(kind, aiohttp.ClientResponseError):
        return kind(SimpleNamespace(real_url="http://host/"), ())  # type: ignore[arg-type]
    if issubclass(kind, aiohttp.ServerFingerprintMismatch):
        return kind(b"a", b"b", "host", 443)
    error = kind.__new__(kind)
    BaseException.__init__(error, "words")
    if issubclass(kind, botocore.exceptions.ClientError):
        error.response = {"Error": {"Code": "Odd"}, "ResponseMetadata": {"HTTPStatusCode": 400}}  # type: ignore[attr-defined]
    return error


@pytest.mark.parametrize(
    "kind",
    [
        *exceptions_of(botocore.exceptions, botocore.exceptions.BotoCoreError),
        *exceptions_of(botocore.exceptions, botocore.exceptions.ClientError),
        *exceptions_of(aiohttp, aiohttp.ClientError),
        *exceptions_of(http_exceptions, http_exceptions.HttpProcessingError),
        *(ResponseParserError, TimeoutError, ConnectionResetError, BrokenPipeError, OSError, ValueError, KeyError),
        s3_errors.NotS3,
    ],
    ids=lambda kind: kind.__name__,
)
def test_every_error_below_s3fs_has_a_meaning(kind: type[BaseException]) -> None:
    assert issubclass(kind, (*s3_errors.FOREIGN, s3_errors.NotS3)), "it would leave the store as it is"
    error = s3_errors.translate(made(kind), CALLER, "get_object", "index/a", timeout=20.0)
    assert isinstance(error, RemoteError) and error.message.startswith("s3://b")


@pytest.mark.parametrize(
    ("kind", "meaning"),
    [
        (botocore.exceptions.NoCredentialsError, RemoteDenied),
        (botocore.exceptions.UnauthorizedSSOTokenError, RemoteDenied),
        (botocore.exceptions.CredentialRetrievalError, RemoteDenied),
        (botocore.exceptions.ConnectTimeoutError, RemoteBusy),
        (botocore.exceptions.ReadTimeoutError, Stalled),
        (botocore.exceptions.ConnectionClosedError, RemoteBusy),
        (botocore.exceptions.IncompleteReadError, RemoteBusy),
        (aiohttp.ClientPayloadError, RemoteBusy),
        (botocore.exceptions.ProxyConnectionError, RemoteUnreachable),
        (ResponseParserError, NotARemote),
        (s3_errors.NotS3, NotARemote),
    ],
)
def test_families_of_errors_keep_their_meaning(kind: type[BaseException], meaning: type[RemoteError]) -> None:
    assert type(s3_errors.translate(made(kind), CALLER, "get_object", None, timeout=20.0)) is meaning


@pytest.mark.parametrize(
    "kind",
    [*exceptions_of(obstore.exceptions, Exception), FileNotFoundError, ValueError, OSError],
    ids=lambda kind: kind.__name__,
)
def test_every_error_of_obstore_has_a_meaning(kind: type[BaseException]) -> None:
    assert issubclass(kind, s3_obstore_errors.FOREIGN), "it would leave the store as it is"
    error = s3_obstore_errors.translate(kind("words"), CALLER, "get_object", "index/a")
    assert isinstance(error, RemoteError | NameMissing)


def test_the_engines_are_two() -> None:
    assert {s3, s3_obstore} == set(ENGINES.values())
