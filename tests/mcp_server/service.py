"""Ways to ask the service: by plain HTTP, or with the SDK's client."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx2
from django.utils import timezone
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types.version import LATEST_MODERN_VERSION
from oauth2_provider.models import AccessToken

from core.models import User
from mcp_server.settings import HttpService
from mcp_server.transports.http import http_app
from tests import tokens

_META = {
    "io.modelcontextprotocol/protocolVersion": LATEST_MODERN_VERSION,
    "io.modelcontextprotocol/clientCapabilities": {},
}


def standing_token(user: User, granted: str = "openid mcp", **claims: Any) -> str:
    """An access token that the issuer remembers, with the scope that was granted."""
    token = tokens.access_token(user.pk, **claims)
    expires = timezone.now() + timedelta(hours=1)
    AccessToken.objects.create(user=user, token=token, expires=expires, scope=granted, resource=[tokens.RESOURCE])
    return token


@asynccontextmanager
async def served(settings: HttpService) -> AsyncIterator[httpx2.AsyncClient]:
    """The service, started; requests go to its public address."""
    app = http_app(settings)
    transport = httpx2.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx2.AsyncClient(transport=transport) as http:
        yield http


@asynccontextmanager
async def asking(http: httpx2.AsyncClient, token: str, mode: str = LATEST_MODERN_VERSION) -> AsyncIterator[Client]:
    """The SDK's client with this token; `mode="legacy"` speaks the handshake revisions."""
    http.headers["Authorization"] = f"Bearer {token}"
    async with Client(streamable_http_client(tokens.RESOURCE, http_client=http), mode=mode) as client:
        yield client


async def called(
    http: httpx2.AsyncClient,
    tool: str,
    arguments: dict[str, Any] | None = None,
    *,
    token: str | None,
    url: str = tokens.RESOURCE,
    meta: dict[str, str] | None = None,
    **headers: str,
) -> httpx2.Response:
    """One `tools/call` of the newest revision, as it goes over the wire."""
    sent = {
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": LATEST_MODERN_VERSION,
        "Mcp-Method": "tools/call",
        "Mcp-Name": tool,
        **({} if token is None else {"Authorization": f"Bearer {token}"}),
        **headers,
    }
    params = {"name": tool, "arguments": arguments or {}, "_meta": {**_META, **(meta or {})}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    return await http.post(url, json=body, headers=sent)
