"""Streamable HTTP: every revision at one endpoint."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

from mcp.server import Server
from mcp.server.transport_security import RequestBodyLimitMiddleware
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from mcp_server.auth.step_up import MAX_READ
from mcp_server.sessions import Sessions
from mcp_server.sessions.memory import Memory
from mcp_server.sessions.store import Limits
from mcp_server.sessions.streams import Stands, always
from mcp_server.settings import HttpService
from mcp_server.transports.exchange import Kernel
from mcp_server.transports.handshake import Handshake
from mcp_server.transports.messages import headers_of
from mcp_server.transports.modern import Modern
from mcp_server.transports.origins import security

_HANDSHAKE = frozenset(version.encode() for version in HANDSHAKE_PROTOCOL_VERSIONS)


class StreamableHttp:
    """MCP messages in, answers out, for requests whose caller the guard has established (ASGI)."""

    def __init__(
        self, server: Server[Any], settings: HttpService, sessions: Sessions | None = None, stands: Stands = always
    ) -> None:
        """Without `sessions` every request stands alone. `stands` is asked for the callers of open streams."""
        kept = sessions or Sessions(Memory(Limits(0, 0, 0)))
        self.kernel = Kernel(server)
        self._sessions = sessions
        self._modern = Modern(self.kernel, security(settings), stands)
        self._handshake = Handshake(self.kernel, security(settings), kept, stands, keeps=sessions is not None)
        self._app = RequestBodyLimitMiddleware(self._by_revision, MAX_READ)

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Requests are served while this is entered; once only."""
        async with AsyncExitStack() as stack:
            server = self.kernel.server
            self.kernel.lifespan_state = await stack.enter_async_context(server.lifespan(server))
            if self._sessions is not None:
                await stack.enter_async_context(self._sessions.run())
            yield

    def end_streams(self) -> None:
        """The service ends: streams that would never end by themselves do now."""
        self._modern.end_streams()
        if self._sessions is not None:
            self._sessions.streams.end("")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(ClientDisconnect):  # amid its body: there is nobody to be told
            await self._app(scope, receive, send)

    async def _by_revision(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = headers_of(scope)
        serving = self._modern if is_modern(headers) else self._handshake
        await serving(scope, headers, receive, send)


def is_modern(headers: Mapping[bytes, bytes]) -> bool:
    """The header tells, and a client that sends none is not a modern one."""
    version = headers.get(b"mcp-protocol-version")
    return version is not None and version not in _HANDSHAKE
