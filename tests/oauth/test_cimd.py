"""Clients known by a metadata document: what is fetched, from where, when, and what of it counts."""

import json
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.core.cache import caches
from django.test import Client
from django.utils import timezone
from oauth2_provider import cimd
from oauth2_provider.models import Application

from core.models import User
from tests.oauth import flow

HOST = "assistant.example.org"
CALLBACK = "http://localhost:33418/callback"

Answer = Callable[[BaseHTTPRequestHandler], None]


class Site(HTTPServer):
    """An https site whose certificate is good, as far as this test run is concerned."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        certificate = _certificate(folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.requested: list[str] = []
        self.answer: Answer = lambda _handler: None

    @property
    def client_id(self) -> str:
        return f"https://{HOST}:{self.server_port}/client.json"

    def serves(self, body: Any = None, *, status: int = 200, **headers: str) -> None:
        """Answer everything with this, by default a document such as MCP clients have."""
        text = json.dumps(self.document() if body is None else body).encode() if not isinstance(body, bytes) else body

        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                handler.send_header(name.replace("_", "-"), value)
            handler.send_header("Content-Length", str(len(text)))
            handler.end_headers()
            handler.wfile.write(text)

        self.answer = answer

    def document(self, **changes: Any) -> dict[str, Any]:
        document = {
            "client_id": self.client_id,
            "client_name": "Research Assistant",
            "client_uri": f"https://{HOST}",
            "redirect_uris": [CALLBACK, "http://127.0.0.1/callback"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
            "jwks": {"keys": []},
        }
        return {name: value for name, value in {**document, **changes}.items() if value is not None}

    def handle_error(self, *_: Any) -> None:
        """A client that goes away is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        self.server.requested.append(self.path)
        self.server.answer(self)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


def _certificate(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "site.pem"
    path.write_bytes(
        certificate.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return path


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Names lead to it whatever they are; that addresses are checked is tested without it."""
    with Site(tmp_path) as server:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "site.pem"))
        monkeypatch.setattr(cimd, "_resolve_and_validate", lambda _host, _port: ["127.0.0.1"])
        server.serves()
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def nothing_has_failed_yet(db: None) -> Iterator[None]:
    for cache in caches.all():
        cache.clear()
    yield
    for cache in caches.all():
        cache.clear()


@pytest.fixture
def browser(somebody: User) -> Client:
    client = Client()
    client.force_login(somebody)
    return client


def is_asked(browser: Client, client_id: str, redirect_uri: str = CALLBACK) -> bool:
    """Whether the person sees the consent page, and not that the client is not known."""
    page = flow.ask(browser, client_id=client_id, redirect_uri=redirect_uri)
    return page.status_code == 200 and b'name="allow"' in page.content


def known(client_id: str) -> bool:
    return Application.objects.filter(client_id=client_id).exists()


def make_stale() -> None:
    Application.objects.filter(registration_source="cimd").update(cimd_expires_at=timezone.now() - timedelta(1))


def test_somebody_lets_a_client_in_that_nobody_has_registered(browser: Client, site: Site) -> None:
    page = flow.ask(browser, client_id=site.client_id, redirect_uri="http://localhost:50999/callback")
    assert "Research Assistant" in page.content.decode()
    said = flow.answer(page)
    code = said["Location"].partition("code=")[2].partition("&")[0]
    tokens = flow.redeem(code, client_id=site.client_id, redirect_uri="http://localhost:50999/callback").json()
    again = flow.refresh(tokens["refresh_token"], client_id=site.client_id)
    assert again.status_code == 200
    row = Application.objects.get(client_id=site.client_id)
    assert (row.registration_source, row.client_type, row.user) == ("cimd", "public", None)
    assert site.requested == ["/client.json"]


def test_a_document_is_kept_for_as_long_as_it_says_and_then_fetched_again(browser: Client, site: Site) -> None:
    site.serves(Cache_Control="max-age=600")
    assert is_asked(browser, site.client_id)
    assert is_asked(browser, site.client_id)
    assert len(site.requested) == 1
    make_stale()
    site.serves(site.document(client_name="Another"))
    assert is_asked(browser, site.client_id)
    assert Application.objects.get(client_id=site.client_id).name == "Another"


def test_where_the_answer_goes_changes_with_the_document_and_what_was_left_out_is_refused(
    browser: Client, site: Site
) -> None:
    assert is_asked(browser, site.client_id)
    make_stale()
    site.serves(site.document(redirect_uris=["https://elsewhere.example.org/callback"]))
    assert not is_asked(browser, site.client_id)
    assert is_asked(browser, site.client_id, "https://elsewhere.example.org/callback")


def test_a_site_that_is_away_does_not_end_what_was_known(browser: Client, site: Site) -> None:
    assert is_asked(browser, site.client_id)
    make_stale()
    site.serves(b"", status=503)
    assert is_asked(browser, site.client_id)


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "https://evil.example.org/client.json"},
        {"client_id": None},
        {"client_secret": "mine"},
        {"client_secret_expires_at": 0},
        {"token_endpoint_auth_method": "client_secret_basic"},
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"redirect_uris": ["http://evil.example.org/callback", CALLBACK]},
        {"redirect_uris": ["assistant://callback", CALLBACK]},
        {"redirect_uris": []},
        {"redirect_uris": CALLBACK},
        {"grant_types": ["password"]},
        {"grant_types": ["authorization_code", "implicit"]},
        {"response_types": ["token"]},
        {"client_name": "JupyterHealth Exchange"},
        {"client_name": 7},
    ],
)
def test_a_document_that_says_what_cannot_be_is_refused(browser: Client, site: Site, changes: dict[str, Any]) -> None:
    site.serves(site.document(**changes))
    assert not is_asked(browser, site.client_id)
    assert not known(site.client_id)


@pytest.mark.parametrize(
    "served",
    [
        {"body": b"<html>", "Content_Type": "text/html"},
        {"body": b"not json"},
        {"body": b"[]"},
        {"body": b"\xff\xfe"},
        {"body": b"[" * 16_000},
        {"body": b" " * 17_000 + b"{}"},
        {"body": b"{}", "status": 404},
        {"body": b"", "status": 302, "Location": "https://127.0.0.1/client.json"},
    ],
    ids=["html", "no json", "a list", "no text", "deep", "too long", "not there", "a redirect"],
)
def test_what_is_no_document_is_refused(browser: Client, site: Site, served: dict[str, Any]) -> None:
    site.serves(**served)
    assert not is_asked(browser, site.client_id)
    assert not known(site.client_id)
    assert len(site.requested) == 1


def test_a_site_that_does_not_get_to_the_end_is_given_up(browser: Client, site: Site, settings) -> None:
    settings.OAUTH2_PROVIDER = {**settings.OAUTH2_PROVIDER, "CIMD_FETCH_TIMEOUT_SECONDS": 0.2}
    given_up = Event()
    site.answer = lambda _handler: given_up.wait(10) and None
    assert not is_asked(browser, site.client_id)
    given_up.set()


def test_a_site_that_failed_is_left_alone_for_a_while(browser: Client, site: Site) -> None:
    site.serves(b"", status=500)
    assert not is_asked(browser, site.client_id)
    site.serves()
    assert not is_asked(browser, site.client_id)
    assert len(site.requested) == 1


def test_a_certificate_for_another_name_is_refused(browser: Client, site: Site) -> None:
    other = site.client_id.replace(HOST, "other.example.org")
    site.serves(site.document(client_id=other))
    assert not is_asked(browser, other)
    assert site.requested == []


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "0.0.0.0",  # noqa: S104 - nobody listens
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "[fe80::1]",
        "[fc00::1]",
        "[::ffff:10.0.0.1]",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:7f00:1::]",
        "2130706433",
        "0x7f.1",
        "017700000001",
    ],
)
def test_nothing_is_fetched_from_an_address_that_is_not_public(
    browser: Client, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(*_: Any, **__: Any) -> None:
        pytest.fail("It connected.")

    monkeypatch.setattr(cimd.urllib3, "HTTPSConnectionPool", connect)
    client_id = f"https://{host}/client.json"
    assert not is_asked(browser, client_id)
    assert not known(client_id)


@pytest.mark.parametrize(
    "client_id",
    [
        "http://{}/client.json",
        "https://{}",
        "https://{}/client.json#fragment",
        "https://somebody@{}/client.json",
        "https://{}/a/../client.json",
        "https://{}/./client.json",
        "ftp://{}/client.json",
        "file:///etc/passwd",
        "https:///client.json",
        "https://{}:99999/client.json",
        "https://{}/" + "x" * 300,
    ],
)
def test_a_client_id_that_is_no_url_of_a_document_is_just_not_known(
    browser: Client, site: Site, client_id: str
) -> None:
    asked = client_id.format(f"{HOST}:{site.server_port}") if "99999" not in client_id else client_id.format(HOST)
    assert not is_asked(browser, asked)
    assert site.requested == []


def test_a_stranger_does_not_make_us_fetch_anything(site: Site, db: None) -> None:
    credentials = {"client_id": site.client_id, "client_secret": "x"}
    assert flow.ask(Client(), client_id=site.client_id).status_code == 302
    for path in ("/o/token/", "/o/introspect/", "/o/revoke_token/"):
        Client().post(path, {**credentials, "grant_type": "refresh_token", "refresh_token": "x", "token": "x"})
        Client().post(path + "?response_type=code", {**credentials, "token": "x"})
    assert site.requested == []


def test_a_document_takes_over_no_client_that_was_registered_otherwise(browser: Client, site: Site) -> None:
    Application.objects.create(
        client_id=site.client_id,
        client_type="confidential",
        authorization_grant_type="authorization-code",
        redirect_uris="https://known.example.org/callback",
    )
    assert not is_asked(browser, site.client_id)
    assert Application.objects.get(client_id=site.client_id).client_type == "confidential"


def test_documents_can_be_switched_off(browser: Client, site: Site, settings) -> None:
    settings.OAUTH2_PROVIDER = {**settings.OAUTH2_PROVIDER, "CIMD_ENABLED": False}
    assert not is_asked(browser, site.client_id)
    assert site.requested == []
    assert Client().get("/.well-known/openid-configuration").json()["client_id_metadata_document_supported"] is False
