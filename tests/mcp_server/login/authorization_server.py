"""An authorization server whose answers a test can bend. Unbent they are those of RFC 6749 and OpenID Connect."""

import asyncio
import hashlib
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2

from mcp_server.auth.prompt import Prompt
from tests import tokens

METADATA = "/.well-known/oauth-protected-resource/mcp"
"""Where those of the MCP endpoint are by RFC 9728 §3.1."""


class AuthorizationServer(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Endpoints)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.mcp_url = f"{self.url}/mcp"
        self.visited: list[str] = []
        """The paths of all documents that were asked for."""
        self.authorizations: list[dict[str, str]] = []
        """What the authorization endpoint was called with."""
        self.token_requests: list[dict[str, str]] = []
        self.authorizations_of_devices: list[dict[str, str]] = []
        self.pages: list[asyncio.Task[httpx2.Response]] = []
        """What the person's browser shows in the end."""
        self.device_answers: list[str] = []
        """What the token endpoint says to a device code, before the person has agreed (RFC 8628 §3.5)."""
        self.refresh_token = "first"
        self.status = self.post_status = 200
        self.expires_in = 3600
        # What a test may bend:
        self.challenge = f'Bearer resource_metadata="{self.url}{METADATA}"'
        """Of the MCP endpoint (RFC 9728 §5.1)."""
        self.resource_metadata: dict[str, Any] = {}
        self.resource_metadata_at = METADATA
        self.metadata: dict[str, Any] = {}
        self.answer: dict[str, str | None] = {}
        self.id_token: dict[str, Any] = {}
        self.id_token_key: Any = None
        self.token_response: dict[str, Any] = {}
        self.device: dict[str, Any] = {}
        self.device_id_token = True

    def documents(self) -> dict[str, dict[str, Any]]:
        return {
            self.resource_metadata_at: {
                "resource": self.mcp_url,
                "authorization_servers": [self.url],
                **self.resource_metadata,
            },
            "/.well-known/oauth-authorization-server": {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/jwks",
                "revocation_endpoint": f"{self.url}/revoke",
                "device_authorization_endpoint": f"{self.url}/device",
                "scopes_supported": ["openid", "offline_access", "mcp", "something/else"],
                "authorization_response_iss_parameter_supported": True,
                **self.metadata,
            },
            "/jwks": tokens.jwks(),
        }

    def browse(self, url: str) -> str:
        """The person says yes: where the browser is sent then (RFC 6749 §4.1.2, RFC 9207)."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        self.authorizations.append(asked)
        answer = {"code": "the-code", "state": asked["state"], "iss": self.url, **self.answer}
        given = {name: value for name, value in answer.items() if value is not None}
        return f"{asked['redirect_uri']}?{urlencode(given)}"

    async def person(self, prompt: Prompt) -> None:
        """A person at a browser, as a login's `show`. The browser's page comes when the login is over."""
        self.pages.append(asyncio.create_task(get(self.browse(prompt.url))))

    async def page(self) -> httpx2.Response:
        """The last."""
        return await self.pages[-1]

    def device_authorization(self) -> dict[str, Any]:
        """RFC 8628 §3.2."""
        given = {
            "device_code": "the-device-code",
            "user_code": "WDJB-MJHT",
            "verification_uri": f"{self.url}/device",
            "verification_uri_complete": f"{self.url}/device?user_code=WDJB-MJHT",
            "expires_in": 600,
            "interval": 5,
            **self.device,
        }
        return {name: value for name, value in given.items() if value is not None}

    def grant(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """RFC 6749 §4.1.3 with PKCE (RFC 7636 §4.6), and §6 with rotation."""
        self.token_requests.append(form)
        if form["grant_type"] == "authorization_code":
            asked = self.authorizations[-1]
            challenge = urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode().rstrip("=")
            good = (form["code"], form["redirect_uri"], challenge) == (
                "the-code",
                asked["redirect_uri"],
                asked["code_challenge"],
            )
        elif form["grant_type"] == "urn:ietf:params:oauth:grant-type:device_code":
            if self.device_answers:
                return 400, {"error": self.device_answers.pop(0)}
            good = form["device_code"] == "the-device-code"
        else:
            good = form["refresh_token"] == self.refresh_token
            self.refresh_token = f"after {self.refresh_token}"
        if not good:
            return 400, {"error": "invalid_grant"}
        claims = tokens.id_claims(**{"iss": self.url, "nonce": self._nonce(), **self.id_token})
        response = {
            "token_type": "Bearer",
            "access_token": f"access-{len(self.token_requests)}",
            "expires_in": self.expires_in,
            "refresh_token": self.refresh_token,
            "id_token": tokens.signed(claims, typ="JWT", key=self.id_token_key),
            **self.token_response,
        }
        if "device_code" in form and not self.device_id_token:
            del response["id_token"]
        return 200, {name: value for name, value in response.items() if value is not None}

    def _nonce(self) -> str | None:
        return self.authorizations[-1]["nonce"] if self.authorizations else None


class _Endpoints(BaseHTTPRequestHandler):
    server: AuthorizationServer

    def do_GET(self) -> None:
        self.server.visited.append(self.path)
        document = self.server.documents().get(self.path)
        self._say(404 if document is None else self.server.status, document)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        status = 503 if self.path == "/mcp" else max(self.server.status, self.server.post_status)
        if self.path == "/mcp" and "Authorization" not in self.headers:
            self._say(401, {}, self.server.challenge)
        elif status != 200:
            self._say(status, {})
        elif self.path == "/token":
            self._say(*self.server.grant(form))
        elif self.path == "/device":
            self.server.authorizations_of_devices.append(form)
            self._say(200, self.server.device_authorization())
        else:
            self.server.token_requests.append(form)
            self._say(200, {})

    def _say(self, status: int, document: Any, challenge: str = "") -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        if challenge:
            self.send_header("WWW-Authenticate", challenge)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def authorization_server() -> Iterator[AuthorizationServer]:
    with AuthorizationServer() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


async def get(url: str) -> httpx2.Response:
    async with httpx2.AsyncClient() as http:
        return await http.get(url)


def soon() -> int:
    """A time that is still to come, and too near for a token to be used."""
    return int(time.time()) + 30
