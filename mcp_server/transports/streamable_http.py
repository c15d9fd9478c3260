"""Streamable HTTP: every revision, JSON answers, no session."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from mcp.server import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.types import Receive, Scope, Send

from mcp_server.auth.step_up import MAX_READ
from mcp_server.settings import HttpService

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


class StreamableHttp:
    """MCP messages in, answers out, for requests whose caller the guard has established (ASGI)."""

    def __init__(self, server: Server[Any], settings: HttpService) -> None:
        self._manager = StreamableHTTPSessionManager(
            server,
            json_response=True,
            stateless=True,
            max_request_body_size=MAX_READ,
            security_settings=_security(settings),
        )

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Requests are served while this is entered; once only."""
        async with self._manager.run():
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._manager.asgi_app(scope, receive, send)


def _security(settings: HttpService) -> TransportSecuritySettings:
    """Hosts and origins, against DNS rebinding."""
    public = urlsplit(settings.mcp_url)
    return TransportSecuritySettings(
        allowed_hosts=[public.netloc, *_LOOPBACK, *(f"{host}:*" for host in _LOOPBACK)],
        allowed_origins=[
            *web_origins(settings),
            *(f"http://{host}{port}" for host in _LOOPBACK for port in ("", ":*")),
        ],
    )


def web_origins(settings: HttpService) -> list[str]:
    """Whose pages may call from a browser; loopback may besides."""
    public = urlsplit(settings.mcp_url)
    return [f"{public.scheme}://{public.netloc}", settings.issuer, *sorted(settings.allowed_origins)]
