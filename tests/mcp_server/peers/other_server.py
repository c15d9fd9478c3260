"""An MCP server of somebody else's with an authorization server of its own, on a port of this machine.

It remembers every request, so that a test can say what never reached it, and it can be told to misbehave.
"""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import mcp_types as types
import uvicorn
from mcp.server import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tests.ports import free_ports

COUNT = types.Tool(
    name="count_trials",
    title="Count trials",
    description="How many trials there are.",
    input_schema={"type": "object", "properties": {"country": {"type": "string"}}},
    output_schema={"type": "object", "properties": {"trials": {"type": "integer"}}, "required": ["trials"]},
)


def counted(params: types.CallToolRequestParams) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text="Seven.")], structured_content={"trials": 7})


@dataclass
class Received:
    path: str
    headers: dict[str, str]
    body: str

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body))


@dataclass
class OtherServer:
    origin: str
    tools: list[types.Tool] = field(default_factory=lambda: [COUNT])
    answer: Callable[[types.CallToolRequestParams], types.CallToolResult] = counted
    instead: Response | None = None
    """Of any answer at the MCP endpoint."""
    token_answer: Callable[[dict[str, str]], Response] | None = None
    seconds_to_answer: float = 0
    progress: list[tuple[float, str]] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    good_tokens: set[str] = field(default_factory=set)
    calls: list[types.CallToolRequestParams] = field(default_factory=list)
    cancelled: int = 0
    lives: int = 3600
    names_itself: str = ""
    is_of_the_handshake: bool = False
    """Knows no revision without `initialize`."""

    @property
    def url(self) -> str:
        return f"{self.origin}/mcp"

    def at(self, path: str) -> list[Received]:
        return [received for received in self.received if received.path == path]

    def new_token(self, **more: Any) -> dict[str, Any]:
        token = f"{self.origin}-token-{len(self.at('/token'))}-{time.monotonic_ns()}"
        self.good_tokens.add(token)
        return {"access_token": token, "token_type": "Bearer", "expires_in": self.lives, **more}

    def reset(self) -> None:
        fresh = OtherServer(self.origin)
        self.__dict__.update(fresh.__dict__)


@contextmanager
def other_server() -> Iterator[OtherServer]:
    port = free_ports()[0]
    other = OtherServer(f"http://127.0.0.1:{port}")
    server = uvicorn.Server(
        uvicorn.Config(_app(other), host="127.0.0.1", port=port, log_config=None, timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield other
    finally:
        server.should_exit = True
        thread.join()


def _app(other: OtherServer) -> Starlette:
    async def list_tools(*_: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=other.tools)

    async def call_tool(context: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        other.calls.append(params)
        for done, message in other.progress:
            await context.session.report_progress(done, None, message)
        try:
            await asyncio.sleep(other.seconds_to_answer)
        except asyncio.CancelledError:
            other.cancelled += 1
            raise
        return other.answer(params)

    server: Server[Any] = Server("other", on_list_tools=list_tools, on_call_tool=call_tool)
    manager = StreamableHTTPSessionManager(server, stateless=True)

    async def mcp(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        messages = [await receive()]
        other.received.append(Received("/mcp", dict(request.headers), messages[0].get("body", b"").decode()))

        async def again() -> Any:
            return messages.pop() if messages else await receive()

        if other.is_of_the_handshake and "server/discover" in other.received[-1].body:
            await Response(status_code=400)(scope, again, send)
        elif other.instead is not None:
            await other.instead(scope, again, send)
        elif token not in other.good_tokens:
            await Response(status_code=401)(scope, again, send)
        else:
            await manager.handle_request(scope, again, send)

    async def token(request: Request) -> Response:
        form = await _remember(other, request)
        return other.token_answer(form) if other.token_answer else JSONResponse(other.new_token())

    async def register(request: Request) -> Response:
        await _remember(other, request)
        return JSONResponse({"client_id": "registered-itself"}, 201)

    async def revoke(request: Request) -> Response:
        await _remember(other, request)
        return Response()

    async def metadata(_: Request) -> Response:
        return JSONResponse(
            {
                "issuer": other.names_itself or other.origin,
                "authorization_endpoint": f"{other.origin}/authorize",
                "token_endpoint": f"{other.origin}/token",
                "registration_endpoint": f"{other.origin}/register",
                "revocation_endpoint": f"{other.origin}/revoke",
                "authorization_response_iss_parameter_supported": True,
            }
        )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with manager.run():
            yield

    class Endpoint:
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await mcp(scope, receive, send)

    return Starlette(
        routes=[
            Route("/mcp", Endpoint()),
            Route("/token", token, methods=["POST"]),
            Route("/register", register, methods=["POST"]),
            Route("/revoke", revoke, methods=["POST"]),
            Route("/.well-known/oauth-authorization-server", metadata),
        ],
        lifespan=lifespan,
    )


async def _remember(other: OtherServer, request: Request) -> dict[str, str]:
    body = (await request.body()).decode()
    other.received.append(Received(request.url.path, dict(request.headers), body))
    return dict(parse_qsl(body))


def refused(error: str, description: str, status: int = 400) -> Callable[[dict[str, str]], Response]:
    return lambda _: JSONResponse({"error": error, "error_description": description}, status)


def moved(to: str) -> Response:
    return RedirectResponse(to, 307)


def said(text: str, **more: Any) -> Callable[[types.CallToolRequestParams], types.CallToolResult]:
    return lambda _: types.CallToolResult(content=[types.TextContent(text=text)], **more)


def as_json(result: Any) -> str:
    return json.dumps(result.model_dump(by_alias=True, mode="json", exclude_none=True), ensure_ascii=False)
