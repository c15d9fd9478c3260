from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BYTES = 10 * 1024 * 1024
"""Ten times a bundle of a thousand observations."""


class BodyLimit:
    """Refuses a larger request body with 413, whoever sends it.

    Django under ASGI writes a body to disk, all of it, before it looks at the request. The MCP SDK's
    RequestBodyLimitMiddleware would keep it in memory instead.
    """

    def __init__(self, app: ASGIApp, max_bytes: int = MAX_BYTES) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        declared = int(Headers(scope=scope).get("content-length", 0))  # the server refuses what is no number
        if declared > self._max_bytes:
            await self._refusal()(scope, receive, send)
            return
        left = self._max_bytes

        async def bounded() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            return message if left >= 0 else {"type": "http.disconnect"}

        await self._app(scope, bounded, send)
        if left < 0:  # Django has answered nothing: to it the client went away while it was still reading
            await self._refusal()(scope, receive, send)

    def _refusal(self) -> PlainTextResponse:
        """Nobody reads the rest of the body, so the connection cannot be used again."""
        return PlainTextResponse(
            f"A request has at most {self._max_bytes:,} bytes: send it in parts.\n", 413, {"Connection": "close"}
        )
