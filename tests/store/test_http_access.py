"""Who may read from a web server, and where a request may be led: credentials, redirects, proxies, certificates."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from collections.abc import Iterator
from inspect import getmembers, isclass
from pathlib import Path

import aiohttp
import pytest
from aiohttp import client_exceptions, http_exceptions
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from test_http_store import serving, store_at

from datatool.errors import RemoteBusy, RemoteDenied, RemoteError, RemoteUnreachable, UsageError
from datatool.remote.stores.http_errors import MEANINGS, Place, refusal, retry_after, translate
from datatool.remote.stores.http_identity import Identity, basic, find_identity
from datatool.store.protocol import NameMissing
from servers.fixtures import WebServer
from servers.scripted_http import Asked, ScriptedServer, Speaker


def denied(speaker: Speaker, asked: Asked) -> None:
    speaker.answer(status="401 Unauthorized")


def hello(speaker: Speaker, asked: Asked) -> None:
    speaker.answer(b"hello")


# Credentials


def test_a_user_with_a_password_gets_in(web_server: WebServer, tmp_path: Path) -> None:
    (web_server.directory / "a").write_bytes(b"abc")
    url = web_server.url_with_password
    store = store_at(url, tmp_path, user=web_server.user, password=web_server.password)
    assert store.get("a") == b"abc"
    inside = url.replace("//", f"//{web_server.user}:open%20sesame@")
    assert store_at(inside, tmp_path).get("a") == b"abc"


def test_a_line_in_netrc_gets_in(web_server: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (web_server.directory / "a").write_bytes(b"abc")
    netrc = tmp_path / "my-netrc"
    netrc.write_text(f'machine 127.0.0.1 login {web_server.user} password "{web_server.password}"\n')
    monkeypatch.setenv("NETRC", str(netrc))
    assert store_at(web_server.url_with_password, tmp_path).get("a") == b"abc"


@pytest.mark.parametrize(
    ("settings", "tried"),
    [
        ({}, "without credentials"),
        ({"user": "me"}, "as me, without a password"),
        ({"user": "me", "password": "wrong-secret"}, "as me"),
        ({"token": "wrong-secret"}, "with the remote's token"),
    ],
)
def test_who_is_not_let_in_is_told_as_whom(
    web_server: WebServer, tmp_path: Path, settings: dict[str, str], tried: str
) -> None:
    with pytest.raises(RemoteDenied) as refused:
        store_at(web_server.url_with_password, tmp_path, **settings).get("a")
    message = f"{refused.value}\n{refused.value.hint}"
    assert f"access denied {tried} (HTTP 401)" in message and web_server.url_with_password in message
    assert "secret" not in message
    assert ("datatool remote set" in message) == ("secret" not in str(settings))


def test_a_token_is_sent_as_a_bearer(tmp_path: Path) -> None:
    with serving(hello) as server:
        store_at(server.url, tmp_path, token="abc").get("a")
        assert server.asked[0].headers["authorization"] == "Bearer abc"


def test_what_is_set_comes_before_what_stands_in_files(tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine h login me password of-netrc\ndefault login you password x\n")
    env = {"NETRC": str(netrc)}
    assert find_identity("http://h/", {}, env).shown == f"as me, by {netrc}"
    assert find_identity("http://elsewhere/", {}, env).shown == f"as you, by {netrc}"
    assert find_identity("http://h/", {"user": "me"}, env).shown == f"as me, by {netrc}"
    assert find_identity("http://h/", {"user": "other"}, env).shown == "as other, without a password"
    assert find_identity("http://a:b@h/", {}, env).shown == "as a"
    assert find_identity("http://a:b@h/", {"user": "c", "password": "d"}, env).shown == "as c"
    assert (
        find_identity("http://h/", {"user": "c", "password": "d", "token": "t"}, env).shown == "with the remote's token"
    )


def test_a_netrc_that_does_not_read_is_told_without_what_it_holds(tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine h login me\nsecret\n")
    found = find_identity("http://h/", {}, {"NETRC": str(netrc)})
    assert found.header is None and str(netrc) in found.shown and "secret" not in found.shown
    assert find_identity("http://h/", {}, {"NETRC": str(tmp_path)}).header is None


def test_a_credential_with_a_line_break_is_refused(tmp_path: Path) -> None:
    for settings in ({"token": "a\r\nX: y"}, {"user": "a\n", "password": "b"}):
        with pytest.raises(UsageError):
            store_at("http://h/", tmp_path, **settings)


def test_an_identity_never_shows_its_secret() -> None:
    assert "secret" not in repr(find_identity("http://h/", {"token": "secret"}, {}))


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_is_asked_too_much_is_busy(status: int) -> None:
    place = Place(label="http://h/data", host="h", identity=find_identity("http://h/", {}, {}))
    error = refusal(status, {"Retry-After": "3"}, place, "a")
    assert isinstance(error, RemoteBusy) and error.retry_after == 3.0 and f"HTTP {status}" in error.message
    assert ("-j 2" in (error.hint or "")) == (status == 429)


# Redirects


def test_redirects_are_followed_with_credentials_only_to_the_same_place(tmp_path: Path) -> None:
    with serving(hello) as other:

        def script(speaker: Speaker, asked: Asked) -> None:
            if asked.path.startswith("/data"):
                speaker.redirect("/moved/a?x=1")
            else:
                speaker.redirect(f"http://somebody:password@127.0.0.1:{other.port}/elsewhere")

        with serving(script) as server:
            assert store_at(server.url, tmp_path, token="secret").get("a", 0, 3) == b"hel"
            assert [asked.path for asked in server.asked] == ["/data/a", "/moved/a?x=1"]
            assert all(asked.headers["authorization"] == "Bearer secret" for asked in server.asked)
        assert [asked.path for asked in other.asked] == ["/elsewhere"]
        assert "authorization" not in other.asked[0].headers
        assert other.asked[0].headers["range"] == "bytes=0-2"


@pytest.mark.parametrize("status", [401, 403])
def test_where_a_redirect_leads_to_a_server_that_wants_credentials_that_server_is_named(
    status: int, tmp_path: Path
) -> None:
    with (
        serving(lambda speaker, asked: speaker.answer(b"", status=status)) as other,
        serving(lambda speaker, asked: speaker.redirect(f"{other.url}/elsewhere")) as server,
        pytest.raises(RemoteDenied, match=f"redirects to http://127.0.0.1:{other.port}, which denies") as caught,
    ):
        store_at(server.url, tmp_path, token="secret").get("a")
    assert "own server only" in str(caught.value.hint)


def test_five_redirects_are_enough(tmp_path: Path) -> None:
    def script(speaker: Speaker, asked: Asked) -> None:
        steps = int(asked.path.rpartition("/")[2])
        speaker.redirect(str(steps - 1)) if steps else speaker.answer(b"there")

    with serving(script) as server:
        store = store_at(server.url, tmp_path)
        assert store.get("5") == b"there"
        with pytest.raises(RemoteError, match="more than 5 redirects"):
            store.get("6")


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://h/x", "", "http://", "http://[bad", "http://h:99999/"])
def test_a_redirect_to_what_is_no_web_address_is_refused(tmp_path: Path, to: str) -> None:
    with serving(lambda speaker, asked: speaker.redirect(to)) as server, pytest.raises(RemoteError):
        store_at(server.url, tmp_path).get("a")


def test_a_directory_is_not_a_name(tmp_path: Path) -> None:
    with serving(lambda speaker, asked: speaker.redirect(asked.path + "/")) as server, pytest.raises(NameMissing):
        store_at(server.url, tmp_path).get("index")


# Certificates


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that signs itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + built.public_bytes(serialization.Encoding.PEM))
    return path


def encrypted(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def trusting(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    yield


def test_https_reads_where_the_certificate_is_trusted(certificate: Path, tmp_path: Path, trusting: None) -> None:
    with ScriptedServer(hello, tls=encrypted(certificate)) as server:
        assert store_at(server.url, tmp_path).get("a") == b"hello"


def test_a_certificate_that_nobody_vouches_for_is_refused(certificate: Path, tmp_path: Path) -> None:
    with ScriptedServer(hello, tls=encrypted(certificate)) as server:
        with pytest.raises(RemoteDenied, match="certificate is not trusted") as refused:
            store_at(server.url, tmp_path).get("a")
        assert "SSL_CERT_FILE" in (refused.value.hint or "")
        assert server.asked == []


def test_https_to_a_server_without_it_is_told(tmp_path: Path) -> None:
    deaf = serving(lambda speaker, asked: speaker.answer(b"what?", "400 Bad Request"), deaf=True)
    with deaf as server, pytest.raises(RemoteError, match="no encrypted connection") as refused:
        store_at(server.url.replace("http:", "https:"), tmp_path).get("a")
    assert "url=http://127.0.0.1" in (refused.value.hint or "")


def test_https_is_never_left_for_http(certificate: Path, tmp_path: Path, trusting: None) -> None:
    with serving(hello) as plain:
        to = f"{plain.url}/a"
        secure = ScriptedServer(lambda speaker, asked: speaker.redirect(to), tls=encrypted(certificate))
        with secure as server, pytest.raises(RemoteDenied, match="from https to http"):
            store_at(server.url, tmp_path).get("a")
        assert plain.asked == []


# Proxies


def test_the_proxy_of_the_environment_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(hello) as proxy:
        monkeypatch.setenv("http_proxy", f"http://me:p%20w@127.0.0.1:{proxy.port}")
        assert store_at("http://data.example/x", tmp_path).get("a") == b"hello"
        assert proxy.asked[0].path == "http://data.example/x/a"
        assert proxy.asked[0].headers["proxy-authorization"] == basic("me", "p w")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        with serving(hello) as server:
            assert store_at(server.url, tmp_path).get("a") == b"hello"
            assert len(server.asked) == len(proxy.asked) == 1


def test_a_proxy_that_is_of_no_use_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "socks5://127.0.0.1:1080")
    with pytest.raises(RemoteError, match="socks5 proxy"):
        store_at("http://data.example/x", tmp_path).get("a")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with pytest.raises(RemoteUnreachable, match="proxy"):
        store_at("http://data.example/x", tmp_path).get("a")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with serving(lambda speaker, asked: speaker.answer(status="407 Say who you are")) as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(RemoteDenied, match="proxy wants credentials"):
            store_at("https://data.example/x", tmp_path).get("a")


# Errors

PLACE = Place(label="https://host/x", host="host", identity=Identity(shown="without credentials"))


def foreign() -> list[type[Exception]]:
    modules = (client_exceptions, http_exceptions, aiohttp)
    found = {kind for module in modules for _, kind in getmembers(module, isclass) if issubclass(kind, Exception)}
    own = {kind for kind in found if kind.__module__.startswith("aiohttp") and not issubclass(kind, Warning)}
    return sorted(own, key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", foreign(), ids=lambda kind: kind.__name__)
def test_every_exception_of_the_library_has_a_meaning(kind: type[Exception]) -> None:
    websockets = {"WebSocketError", "WSMessageTypeError", "WSServerHandshakeError", "EofStream"}
    if kind.__name__ in websockets:
        return  # of parts of the library that are not used
    meaning = next((row for row in MEANINGS if issubclass(kind, row[0])), None)
    assert meaning is not None
    general = {aiohttp.ClientError, OSError, ValueError, RuntimeError}
    named = {"ClientError", "UploadAbortedError", "RedirectClientError", "NonHttpUrlClientError"}
    assert meaning[0] not in general or kind.__name__ in named | {"NonHttpUrlRedirectClientError"}


def test_a_system_error_is_told_in_the_systems_words() -> None:
    assert str(translate(OSError(113, "Connect call failed ('1.2.3.4', 80)"), PLACE)).endswith("(no route to host)")
    assert isinstance(translate(ConnectionResetError(104, "x"), PLACE), RemoteBusy)
    assert isinstance(translate(TimeoutError(), PLACE), RemoteBusy)


def test_a_server_that_is_too_slow_comes_with_what_to_do() -> None:
    for error in (TimeoutError(), aiohttp.ServerTimeoutError()):
        assert "timeout=60" in (translate(error, PLACE).hint or "")


def test_the_wait_that_a_server_asks_for_is_a_number_or_a_date() -> None:
    assert retry_after(None, now=0.0) is None
    assert retry_after("120", now=0.0) == 120.0
    assert retry_after("Thu, 01 Jan 1970 00:01:00 GMT", now=50.0) == 10.0
    assert retry_after("Thu, 01 Jan 1970 00:01:00 GMT", now=100.0) == 0.0
    assert retry_after("soon", now=0.0) is None
