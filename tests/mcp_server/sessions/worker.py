"""A worker of the service, in this process and on a port of its own: the transport and the guard, with tools that say
something before they answer. Several of them share a store as processes would.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import mcp_types as types
import uvicorn
from mcp.server import Server
from mcp.server.context import ServerRequestContext
from mcp.shared.message import ServerMessageMetadata
from starlette.applications import Starlette
from starlette.routing import Route

from mcp_server.auth.bearer import BearerGuard
from mcp_server.auth.mcp_tokens import McpTokens
from mcp_server.auth.metadata import Resource
from mcp_server.auth.step_up import StepUp
from mcp_server.auth.tokens import Tokens
from mcp_server.auth.verifier import Verifier
from mcp_server.database import Database
from mcp_server.sessions import Sessions
from mcp_server.sessions.session import session_of
from mcp_server.sessions.store import Store
from mcp_server.sessions.streams import Stands, always
from mcp_server.settings import HttpService
from mcp_server.transports.sse import Sse
from mcp_server.transports.streamable_http import StreamableHttp

Context = ServerRequestContext[Any]


class Worker:
    def __init__(self, store: Store | None) -> None:
        """Without a store there are no sessions."""
        self.sessions = None if store is None else Sessions(store)
        self.url = ""
        self.under_way = asyncio.Event()
        self.may_go_on = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.finished = asyncio.Event()
        self.heard: list[str] = []
        self._tools: Mapping[str, Callable[[Context, Mapping[str, Any]], Awaitable[str]]] = {
            "say": self._say,
            "steps": self._steps,
            "ask": self._ask,
            "wait": self._wait,
            "hang_up": self._hang_up,
            "tell": self._tell,
            "session": self._session,
        }

    def server(self) -> Server[Any]:
        server: Server[Any] = Server("worker", on_call_tool=self._call, on_list_tools=self._list)
        server.add_notification_handler("notifications/initialized", types.NotificationParams, self._hear)
        server.middleware.clear()
        return server

    async def _hear(self, context: Context, _: types.NotificationParams) -> None:
        self.heard.append(context.method)

    async def _list(self, _: Context, __: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return types.ListToolsResult(
            tools=[types.Tool(name=name, input_schema={"type": "object"}) for name in self._tools]
        )

    async def _call(self, context: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        text = await self._tools[params.name](context, params.arguments or {})
        return types.CallToolResult(content=[types.TextContent(text=text)])

    async def _say(self, _: Context, arguments: Mapping[str, Any]) -> str:
        return str(arguments.get("text", ""))

    async def _steps(self, context: Context, arguments: Mapping[str, Any]) -> str:
        for step in range(arguments["steps"]):
            await context.session.report_progress(step, arguments["steps"])
        return "done"

    async def _ask(self, context: Context, arguments: Mapping[str, Any]) -> str:
        request = types.ElicitRequest(
            params=types.ElicitRequestFormParams(
                message="Which?", requested_schema={"type": "object", "properties": {"which": {"type": "string"}}}
            )
        )
        answer = await context.session.send_request(
            request,
            types.ElicitResult,
            request_read_timeout_seconds=arguments.get("seconds"),
            metadata=ServerMessageMetadata(related_request_id=context.request_id),
        )
        return f"{answer.action} {answer.content}"

    async def _wait(self, context: Context, _: Mapping[str, Any]) -> str:
        await context.session.report_progress(0, 1)
        self.under_way.set()
        try:
            await self.may_go_on.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        self.finished.set()
        return "waited"

    async def _hang_up(self, context: Context, _: Mapping[str, Any]) -> str:
        assert context.close_sse_stream is not None
        await context.close_sse_stream()
        await self.may_go_on.wait()
        return "hung up"

    async def _tell(self, context: Context, arguments: Mapping[str, Any]) -> str:
        await context.session.send_resource_updated(arguments["uri"])
        return "told"

    async def _session(self, context: Context, _: Mapping[str, Any]) -> str:
        session = session_of(context)
        return "none" if session is None else f"{session.protocol_version} {session.log_level}"


@asynccontextmanager
async def worker(settings: HttpService, store: Store | None, stands: Stands = always) -> AsyncIterator[Worker]:
    made = Worker(store)
    mcp = StreamableHttp(made.server(), settings, made.sessions, stands)
    tokens = Tokens(Verifier.of(settings), McpTokens(Database.of(settings), settings.issuer))
    resource = Resource(settings.mcp_url, settings.mcp_url, (settings.issuer,), ("mcp",))

    def guarded(app: Any) -> BearerGuard:
        return BearerGuard(app, resource=resource, tokens=tokens, step_up=StepUp({}), client_ip_header="")

    routes = [Route("/mcp", guarded(mcp))]
    if made.sessions is not None:
        sse = Sse(mcp.kernel, settings, made.sessions, stands)
        routes += [Route("/sse", guarded(sse.stream)), Route("/messages", guarded(sse.message))]
    app = Starlette(routes=routes, lifespan=lambda _: mcp.run())
    async with listening(app) as url:
        made.url = url
        yield made


@asynccontextmanager
async def listening(app: Any, port: int = 0) -> AsyncIterator[str]:
    """The address of an application that uvicorn serves meanwhile, at any port if none is given."""
    config = uvicorn.Config(app, "127.0.0.1", port, http="httptools", log_config=None, timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving
