"""The HTTP service: the MCP endpoint at the path of the public URL, one for each study, and what stands around them."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_server.app import build_server
from mcp_server.auth.bearer import BearerGuard, find_caller, refuse
from mcp_server.auth.mcp_tokens import McpTokens
from mcp_server.auth.metadata import Resource, metadata_routes, study_metadata_route
from mcp_server.auth.step_up import StepUp
from mcp_server.auth.study import StudyDoor, study_at
from mcp_server.auth.tokens import Tokens
from mcp_server.auth.verifier import Verifier
from mcp_server.backends.direct import Direct
from mcp_server.database import Database
from mcp_server.settings import HttpService
from mcp_server.tools import TOOLS
from mcp_server.transports.browsers import for_browsers
from mcp_server.transports.resources import resources_of, study_resource
from mcp_server.transports.streamable_http import StreamableHttp

_STUDIES_KEPT = 1_000
"""Endpoints of studies that are kept ready; making one takes some microseconds."""


def http_app(settings: HttpService) -> Starlette:
    """The whole service as an ASGI application. Nothing is connected to before its lifespan begins."""
    database = Database.of(settings)
    tokens = Tokens(Verifier.of(settings), McpTokens(database, settings.issuer))
    step_up = StepUp({name: tool.scope for name, tool in TOOLS.items()})
    mcp = StreamableHttp(build_server(Direct(database, find_caller, refuse)), settings)
    of_a_study = StudyDoor(mcp, database)
    resources = resources_of(settings, step_up.scopes)

    def endpoint(resource: Resource, app: ASGIApp) -> ASGIApp:
        guarded = BearerGuard(
            app, resource=resource, tokens=tokens, step_up=step_up, client_ip_header=settings.client_ip_header
        )
        return for_browsers(guarded, settings)

    def study(study_id: int) -> Resource:
        return study_resource(settings, step_up.scopes, study_id)

    @lru_cache(_STUDIES_KEPT)
    def study_endpoint(study_id: int) -> ASGIApp:
        return endpoint(study(study_id), of_a_study)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with database, mcp.run():
            yield

    return Service(
        endpoints={path: endpoint(resource, mcp) for path, resource in resources.items()},
        study_endpoint=study_endpoint,
        routes=[Route("/healthz", healthz), study_metadata_route(study), *metadata_routes(*resources.values())],
        lifespan=lifespan,
    )


class Service(Starlette):
    """Starlette, and past it straight to the endpoint: its layers around a route take a twentieth of a call."""

    def __init__(
        self, endpoints: Mapping[str, ASGIApp], study_endpoint: Callable[[int], ASGIApp], **others: Any
    ) -> None:
        """`endpoints` by their exact paths."""
        super().__init__(**others)
        self.router.redirect_slashes = False  # it would redirect to whatever host the request names
        self._endpoints = endpoints
        self._study_endpoint = study_endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._endpoint(scope) if scope["type"] == "http" else None
        await (endpoint or super().__call__)(scope, receive, send)

    def _endpoint(self, scope: Scope) -> ASGIApp | None:
        exact = self._endpoints.get(scope["path"])
        if exact is not None:
            return exact
        study_id = study_at(scope)
        return None if study_id is None else self._study_endpoint(study_id)


async def healthz(_: Request) -> Response:
    """The process is alive. It says nothing of the database, so that an outage there restarts nothing here."""
    return JSONResponse({"status": "ok"})
