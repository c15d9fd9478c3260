"""One request of a handshake-era client, from its message to its answer, on the SDK's kernel."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

import anyio
from mcp.server import Server
from mcp.server.connection import Connection
from mcp.server.runner import ServerRunner, modern_error_data, serve_one
from mcp.server.streamable_http import REQUEST_CANCELLED
from mcp.shared.dispatcher import CallOptions
from mcp.shared.exceptions import NoBackChannelError
from mcp.shared.jsonrpc_dispatcher import cancelled_request_id_from_params, progress_token_from_params
from mcp.shared.message import ServerMessageMetadata
from mcp.shared.transport_context import TransportContext

from core.policy.errors import Unavailable
from mcp_server.sessions import Sessions, notification
from mcp_server.sessions.questions import Emit
from mcp_server.sessions.session import Session

_DUPLEX = TransportContext(kind="streamable-http", can_send_request=True)
_ANSWERS_ONLY = TransportContext(kind="streamable-http", can_send_request=False)

Ask = Callable[[str, Mapping[str, Any] | None, CallOptions | None], Awaitable[dict[str, Any]]]


class Exchange:
    """What a handler has of the request that it answers (`mcp.shared.dispatcher.DispatchContext`)."""

    def __init__(
        self,
        message: Mapping[str, Any],
        metadata: ServerMessageMetadata,
        emit: Emit | None = None,
        ask: Ask | None = None,
    ) -> None:
        """`emit` sends something before the answer, and `ask` waits for the client's; None where that cannot be."""
        self.request_id = message.get("id")
        self.message_metadata = metadata
        self.transport = _ANSWERS_ONLY if ask is None else _DUPLEX
        self.can_send_request = ask is not None
        self.cancel_requested = anyio.Event()
        self._progress_token = progress_token_from_params(message.get("params"))
        self._emit = emit
        self._ask = ask

    async def notify(self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None) -> None:  # noqa: ARG002
        if self._emit is not None:
            with suppress(Unavailable):
                await self._emit(notification(method, params))

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> dict[str, Any]:
        if self._ask is None:
            raise NoBackChannelError(method)
        return await self._ask(method, params, opts)

    async def progress(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        if self._progress_token is None:
            return
        said = {"progressToken": self._progress_token, "progress": progress, "total": total, "message": message}
        await self.notify("notifications/progress", {name: value for name, value in said.items() if value is not None})


def connected(sessions: Sessions, session: Session) -> Connection:
    """The client of a session, as the SDK's handlers know it. It may ask for anything once it has said who it is."""
    connection = Connection(
        sessions.standalone(session),
        protocol_version=session.protocol_version,
        session_id=session.id,
        client_params=session.client,
    )
    if session.client is not None:
        connection.initialized.set()
    return connection


class Kernel:
    """The server, with what its lifespan gave."""

    def __init__(self, server: Server[Any]) -> None:
        self.server = server
        self.lifespan_state: Any = None

    async def answer(
        self, message: Mapping[str, Any], exchange: Exchange, connection: Connection, scope: anyio.CancelScope
    ) -> dict[str, Any]:
        """The JSON-RPC response to a request; an error when `scope` is cancelled meanwhile."""
        answer = {"jsonrpc": "2.0", "id": message["id"]}
        with scope:
            try:
                result = await serve_one(
                    self.server,
                    exchange,
                    message["method"],
                    message.get("params"),
                    connection=connection,
                    lifespan_state=self.lifespan_state,
                )
            except Exception as error:  # noqa: BLE001 - the outermost line: the SDK puts it into words, or logs it
                said = modern_error_data(error).model_dump(by_alias=True, exclude_none=True)
                return {**answer, "error": said}
            return {**answer, "result": result}
        return {**answer, "error": {"code": REQUEST_CANCELLED, "message": "Request cancelled"}}

    async def take(self, message: Mapping[str, Any], exchange: Exchange, connection: Connection) -> None:
        """A notification, for whoever handles it."""
        runner: ServerRunner[Any] = ServerRunner(self.server, connection, self.lifespan_state)
        await runner.on_notify(exchange, message["method"], message.get("params"))


async def heard(
    kernel: Kernel, sessions: Sessions, session: Session, message: Mapping[str, Any], metadata: ServerMessageMetadata
) -> None:
    """A message of a session that has no answer: one to a question of ours, a cancellation, another notification."""
    if "method" not in message:
        await sessions.answered(session, message)
    elif message["method"] == "notifications/cancelled":
        request_id = cancelled_request_id_from_params(message.get("params"))
        if request_id is not None:
            await sessions.cancel(session, request_id)
    else:
        await kernel.take(message, Exchange(message, metadata), connected(sessions, session))
