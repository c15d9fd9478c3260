"""A client that is named by the URL of its own description (CIMD), described by a server on this machine.

The library's fetcher refuses addresses that are not public, so the web service of these tests has one that trusts the
certificate of that server and nothing else. What it does with the answer is the exchange's.
"""

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import urllib3
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings

from core.oauth.metadata_documents import MetadataFetcher

HOST = "localhost"


class Fetcher(MetadataFetcher):
    def retrieve(self, client_id: str) -> tuple[dict[str, Any], int]:
        with urllib3.PoolManager(ca_certs=str(settings.CLIENTS_CERTIFICATE)) as pool:
            return self._read_document(pool.urlopen("GET", client_id, redirect=False, preload_content=False))


@contextmanager
def published(description: dict[str, Any], certificate: Path) -> Iterator[str]:
    """Serves it over https, with the `client_id` under which it is found and which is given; writes `certificate`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    key = certificate.with_name("clients.key")
    _certify(key, certificate)
    context.load_cert_chain(certificate, key)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({**description, "client_id": client_id}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        client_id = f"https://{HOST}:{server.server_port}/client.json"
        serving = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1})
        serving.start()
        try:
            yield client_id
        finally:
            server.shutdown()
            serving.join()


def _certify(key_file: Path, certificate_file: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key_file.touch(mode=0o600)
    key_file.write_bytes(private)
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
