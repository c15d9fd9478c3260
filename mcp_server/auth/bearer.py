"""The HTTP door's guard (RFC 6750): a bearer token in, a caller out, or a refusal that says what to do next."""

from collections.abc import Callable
from typing import Any

from mcp.server.context import ServerRequestContext
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.policy.errors import NotAuthenticated, Unavailable
from core.policy.source import address_of
from mcp_server.auth.caller import Caller
from mcp_server.auth.verifier import SCOPE, Verifier

_CALLER = "jhe.caller"


class BearerGuard:
    """Lets a request through to `app` with its caller in the scope, or answers 401, 403 or 503.

    The token counts only in the `Authorization` header, never in the URL or a form. The caller's address is what the
    proxy says in `client_ip_header`, or, where that is empty, the other end of the connection.
    """

    def __init__(self, app: ASGIApp, verifier: Verifier, metadata_url: str, client_ip_header: str) -> None:
        self._app = app
        self._verifier = verifier
        self._metadata_url = metadata_url
        self._client_ip_header = client_ip_header

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        token = _bearer(scope)
        if token is None:
            await self._challenge(401)(scope, receive, send)
            return
        try:
            principal = (await self._verifier.verify(token)).principal
        except NotAuthenticated as error:
            await self._challenge(401, "invalid_token", str(error))(scope, receive, send)
            return
        except Unavailable as error:
            await _unavailable(str(error))(scope, receive, send)
            return
        if SCOPE not in principal.scopes:
            sentence = f"The token lacks the scope {SCOPE}."
            await self._challenge(403, "insufficient_scope", sentence)(scope, receive, send)
            return
        answer = _Answer(scope, receive, send, self.challenge)
        scope[_CALLER] = Caller(principal, self._address(scope), answer.lapse)
        await self._app(scope, receive, answer)

    def _address(self, scope: Scope) -> str:
        if self._client_ip_header:
            return address_of(",".join(Headers(scope=scope).getlist(self._client_ip_header)))
        client = scope.get("client")
        return address_of(client[0]) if client else ""

    def challenge(self, sentence: str) -> Response:
        return self._challenge(401, "invalid_token", sentence)

    def _challenge(self, status: int, error: str = "", sentence: str = "") -> Response:
        """RFC 6750 §3, RFC 9728 §5.1. A request without a token is told where to get one, not that one was wrong."""
        fields = {"resource_metadata": self._metadata_url, "scope": SCOPE}
        if error:
            fields |= {"error": error, "error_description": sentence}
        challenge = ", ".join(f'{name}="{value}"' for name, value in fields.items())
        body = {"error": error or "unauthorized", "error_description": sentence or "Log in to use this endpoint."}
        return JSONResponse(body, status, {"WWW-Authenticate": f"Bearer {challenge}"})


class _Answer:
    """Sends what the application answers, unless a question has found meanwhile that the token stands no more."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, challenge: Callable[[str], Response]) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._challenge = challenge
        self._lapsed: Response | None = None
        self._started = False

    def lapse(self, sentence: str) -> None:
        """Answer 401 instead, if the answer has not begun."""
        if not self._started:
            self._lapsed = self._challenge(sentence)

    async def __call__(self, message: Message) -> None:
        if self._lapsed is None:
            self._started = True
            await self._send(message)
        elif message["type"] == "http.response.start":
            await self._lapsed(self._scope, self._receive, self._send)


async def find_caller(context: ServerRequestContext[Any]) -> Caller:
    """The caller that the guard put into the request's scope."""
    request = context.request
    if request is None:
        raise NotAuthenticated("This request came past the login.")
    caller: Caller = request.scope[_CALLER]
    return caller


def _bearer(scope: Scope) -> str | None:
    scheme, _, token = Headers(scope=scope).get("authorization", "").strip().partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def _unavailable(sentence: str) -> Response:
    return JSONResponse({"error": "temporarily_unavailable", "error_description": sentence}, 503, {"Retry-After": "5"})
