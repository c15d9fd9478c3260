"""What browsers need of an endpoint (Fetch §3.2)."""

from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_server.settings import HttpService
from mcp_server.transports.origins import web_origins

_LOOPBACK_ORIGIN = r"http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?"
_METHODS = ("GET", "POST", "DELETE")


def for_browsers(app: ASGIApp, settings: HttpService) -> ASGIApp:
    """CORS, and the OPTIONS request that is no preflight (RFC 9110 §9.3.7)."""

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
