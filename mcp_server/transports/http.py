"""The HTTP service: the MCP endpoint at the path of the public URL, one for each study, and what stands around them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import lru_cache

from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp

from mcp_server.app import build_server
from mcp_server.auth.bearer import BearerGuard, find_caller, refuse
from mcp_server.auth.mcp_tokens import McpTokens
from mcp_server.auth.metadata import Resource, metadata_routes, study_metadata_route
from mcp_server.auth.step_up import StepUp
from mcp_server.auth.study import StudyDoor
from mcp_server.auth.tokens import Tokens
from mcp_server.auth.verifier import Verifier
from mcp_server.backends.direct import Direct
from mcp_server.backends.session_watches import SessionWatches
from mcp_server.database import Database
from mcp_server.features.tool_changes import ToolChanges
from mcp_server.health import Readiness, healthz
from mcp_server.metrics import Measured, published
from mcp_server.peers.peers import Peers
from mcp_server.sessions.stores import sessions_of
from mcp_server.settings import HttpService
from mcp_server.tools import TOOLS
from mcp_server.tools.capabilities import CAPABILITIES, of_a_service
from mcp_server.tracing import Traced, collected, is_collected
from mcp_server.transports.bounds import Bounds, is_get
from mcp_server.transports.browsers import for_browsers
from mcp_server.transports.readings import readings
from mcp_server.transports.remembering import remembering
from mcp_server.transports.resources import resources_of, sse_resource, study_resource
from mcp_server.transports.service import Service
from mcp_server.transports.sse import Sse, sse_paths
from mcp_server.transports.streamable_http import StreamableHttp

_STUDIES_KEPT = 1_000
"""Endpoints of studies that are kept ready; making one takes some microseconds."""


def http_app(settings: HttpService) -> Service:
    """The whole service as an ASGI application. Nothing is connected to before its lifespan begins."""
    database = Database.of(settings)
    verifier = Verifier.of(settings)
    tokens = Tokens(verifier, McpTokens(database, settings.issuer))
    step_up = StepUp({name: tool.scope for name, tool in TOOLS.items()})
    sessions = sessions_of(settings)
    tool_changes = ToolChanges(sessions)
    peers = Peers.of(settings, database, tool_changes)
    backend = Direct(database, find_caller, refuse, watch_interval=settings.watch_interval)
    watches = None if sessions is None else SessionWatches(backend.look, sessions, settings.watch_interval)
    server = build_server(
        backend,
        {**TOOLS, CAPABILITIES: of_a_service(peers, has_sse=sessions is not None and settings.sse)},
        sessions=sessions,
        is_stateless=sessions is None,
        elsewhere=peers,
        bus=tool_changes,
        watches=watches,
        remembering=remembering(settings),
    )
    server.middleware[:0] = [*([Traced()] if is_collected() else []), Measured(TOOLS)]
    mcp = StreamableHttp(server, settings, sessions, backend.stands)
    bounds = Bounds.of(settings)
    checks = {"database": database.check, "keys": verifier.check_keys, **bounds.checks}
    readiness = Readiness(checks if sessions is None else {**checks, "sessions": sessions.ready})
    bounded, of_a_study = bounds.around(mcp), bounds.around(StudyDoor(mcp, database))
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
        async with AsyncExitStack() as stack:
            if is_collected():
                stack.enter_context(collected())
            await stack.enter_async_context(database)
            await stack.enter_async_context(published(*readings(database, verifier, bounds, sessions)))
            await stack.enter_async_context(mcp.run())
            if watches is not None:
                await stack.enter_async_context(watches.run())
            if peers is not None:
                await stack.enter_async_context(peers.run())
            yield

    def end_streams() -> None:
        bounds.streams.close()
        mcp.end_streams()

    endpoints = {path: endpoint(resource, bounded) for path, resource in resources.items()}
    described = list(resources.values())
    if sessions is not None and settings.sse:
        sse, resource = Sse(mcp.kernel, settings, sessions, backend.stands), sse_resource(settings, step_up.scopes)
        described.append(resource)
        for path, app in zip(sse_paths(settings), (sse.stream, sse.message), strict=True):
            endpoints[path] = endpoint(resource, bounds.around(app, is_stream=is_get))

    return Service(
        endpoints=endpoints,
        study_endpoint=study_endpoint,
        drain=readiness.drain,
        end_streams=end_streams,
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", readiness.show),
            study_metadata_route(study),
            *metadata_routes(*described),
        ],
        lifespan=lifespan,
    )
