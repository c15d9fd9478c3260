"""The HTTP service: the MCP endpoint at the path of the public URL, and what stands around it."""

import gc
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_server.app import build_server
from mcp_server.auth.bearer import BearerGuard, find_caller, refuse
from mcp_server.auth.mcp_tokens import McpTokens
from mcp_server.auth.metadata import Resource, metadata_routes
from mcp_server.auth.step_up import StepUp
from mcp_server.auth.tokens import Tokens
from mcp_server.auth.verifier import Verifier
from mcp_server.backends.direct import Direct
from mcp_server.database import Database
from mcp_server.settings import HttpService
from mcp_server.tools import TOOLS
from mcp_server.transports.streamable_http import StreamableHttp, web_origins

_LOOPBACK_ORIGIN = r"http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?"
_METHODS = ("GET", "POST", "DELETE")


def serve(settings: HttpService) -> None:
    """Serve until SIGINT or SIGTERM; requests under way are finished first."""
    app = http_app(settings)
    _spare_the_collector()
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        http="httptools",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=10,
    )


def http_app(settings: HttpService) -> Starlette:
    """The whole service as an ASGI application. Nothing is connected to before its lifespan begins."""
    database = Database.of(settings)
    tokens = Tokens(Verifier.of(settings), McpTokens(database, settings.issuer))
    step_up = StepUp({name: tool.scope for name, tool in TOOLS.items()})
    mcp = StreamableHttp(build_server(Direct(database, find_caller, refuse)), settings)
    resources = resources_of(settings, step_up.scopes)

    def endpoint(resource: Resource) -> ASGIApp:
        guarded = BearerGuard(
            mcp, resource=resource, tokens=tokens, step_up=step_up, client_ip_header=settings.client_ip_header
        )
        return for_browsers(guarded, settings)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with database, mcp.run():
            yield

    return Service(
        endpoints={path: endpoint(resource) for path, resource in resources.items()},
        routes=[Route("/healthz", healthz), *metadata_routes(*resources.values())],
        lifespan=lifespan,
    )


class Service(Starlette):
    """Starlette, and past it straight to the endpoint: its layers around a route take a twentieth of a call."""

    def __init__(self, endpoints: Mapping[str, ASGIApp], **others: Any) -> None:
        """`endpoints` by their exact paths."""
        super().__init__(**others)
        self.router.redirect_slashes = False  # it would redirect to whatever host the request names
        self._endpoints = endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._endpoints.get(scope["path"]) if scope["type"] == "http" else None
        await (endpoint or super().__call__)(scope, receive, send)


def _spare_the_collector() -> None:
    """What is here stays, and what a call makes goes when it ends: looking for cycles took a seventh of its time."""
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


def for_browsers(app: ASGIApp, settings: HttpService) -> ASGIApp:
    """CORS (Fetch §3.2), and the OPTIONS request that is no preflight (RFC 9110 §9.3.7)."""

    async def with_options(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "OPTIONS":
            await Response(status_code=204, headers={"Allow": ", ".join((*_METHODS, "OPTIONS"))})(scope, receive, send)
        else:
            await app(scope, receive, send)

    return CORSMiddleware(
        with_options,
        allow_origins=web_origins(settings),
        allow_origin_regex=_LOOPBACK_ORIGIN,
        allow_methods=_METHODS,
        allow_headers=["*"],
        expose_headers=["WWW-Authenticate", "Retry-After", "Mcp-Session-Id", "MCP-Protocol-Version"],
        max_age=600,
    )


async def healthz(_: Request) -> Response:
    """The process is alive. It says nothing of the database, so that an outage there restarts nothing here."""
    return JSONResponse({"status": "ok"})


def resources_of(settings: HttpService, scopes: tuple[str, ...]) -> dict[str, Resource]:
    """The endpoint by its path, spelled as it is configured and, after it, as clients who add or drop a final slash do.

    A client may only believe metadata that spell the resource as it does (RFC 9728 §3.3).
    """
    servers = tuple(issuer.issuer for issuer in settings.issuers if issuer.access_tokens)
    url, bare = settings.mcp_url, settings.mcp_url.rstrip("/")
    spelled = (url, bare, f"{bare}/") if urlsplit(bare).path else (url,)
    return {
        urlsplit(spelling).path or "/": Resource(spelling, url, servers, scopes) for spelling in dict.fromkeys(spelled)
    }
