"""The HTTP door's guard (RFC 6750): a bearer token in, a caller out, or a refusal that says what to do next."""

import re
from collections.abc import Callable
from typing import Any

from mcp.server.context import ServerRequestContext
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.policy.errors import DomainError, InvalidInput, NotAuthenticated, NotVisible, Unavailable
from core.policy.source import address_of
from mcp_server.auth.caller import Caller
from mcp_server.auth.metadata import Resource
from mcp_server.auth.scopes import SCOPE
from mcp_server.auth.step_up import StepUp
from mcp_server.auth.tokens import Tokens
from mcp_server.refusals import refusal

RETRY_SECONDS = 5

_CALLER = "jhe.caller"
_ANSWER = "jhe.answer"
_NOT_QUOTABLE = re.compile(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]")
"""What RFC 6750 §3 does not allow in the values of a challenge."""


class BearerGuard:
    """Lets a request through to `app` with its caller in the scope, or answers 400, 401, 403 or 503.

    The token counts only in the `Authorization` header, never in the URL or a form. The caller's address is what the
    proxy says in `client_ip_header`, or, where that is empty, the other end of the connection.
    """

    def __init__(
        self, app: ASGIApp, *, resource: Resource, tokens: Tokens, step_up: StepUp, client_ip_header: str
    ) -> None:
        self._app = app
        self._resource = resource
        self._tokens = tokens
        self._step_up = step_up
        self._client_ip_header = client_ip_header

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            token = _bearer(scope)
            if token is None:
                await self._challenge(401)(scope, receive, send)
                return
            caller = await self._tokens.caller(token, self._resource.audiences, self._address(scope))
        except (InvalidInput, NotAuthenticated, Unavailable) as error:
            await self.response(error)(scope, receive, send)
            return
        granted = caller.principal.scopes
        if SCOPE not in granted:
            await self._lacks(SCOPE, granted)(scope, receive, send)
            return
        lacking, receive = await self._step_up.lacking(granted, receive)
        if lacking:
            await self._lacks(lacking, granted)(scope, receive, send)
            return
        answer = _Answer(scope, receive, send, self.response)
        scope[_CALLER], scope[_ANSWER] = caller, answer
        await self._app(scope, receive, answer)

    def _address(self, scope: Scope) -> str:
        if self._client_ip_header:
            return address_of(",".join(Headers(scope=scope).getlist(self._client_ip_header)))
        client = scope.get("client")
        return address_of(client[0]) if client else ""

    def response(self, error: DomainError) -> Response:
        """What stands before any answer: a wrong header, a token that is no good, a part that is away."""
        if isinstance(error, Unavailable):
            return refusal(503, str(error), retry_after=RETRY_SECONDS)
        if isinstance(error, NotVisible):
            return refusal(404, str(error))
        if isinstance(error, InvalidInput):
            return self._challenge(400, "invalid_request", str(error))
        return self._challenge(401, "invalid_token", str(error))

    def _lacks(self, needed: str, granted: frozenset[str]) -> Response:
        sentence = f"The token lacks the scope {needed}."
        return self._challenge(403, "insufficient_scope", sentence, self._step_up.to_ask_for(granted, needed))

    def _challenge(self, status: int, error: str = "", sentence: str = "", scopes: str = SCOPE) -> Response:
        """RFC 6750 §3, RFC 9728 §5.1. A request without a token is told where to get one, not that one was wrong."""
        fields = {"resource_metadata": self._resource.metadata_url, "scope": scopes}
        if error:
            fields |= {"error": error, "error_description": sentence}
        challenge = ", ".join(f'{name}="{_NOT_QUOTABLE.sub("?", value)}"' for name, value in fields.items())
        body = {"error": error or "unauthorized", "error_description": sentence or "Log in to use this endpoint."}
        return JSONResponse(body, status, {"WWW-Authenticate": f"Bearer {challenge}"})


class _Answer:
    """Sends what the application answers, unless a question has found meanwhile what stands before any answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, response: Callable[[DomainError], Response]) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self.response = response
        self._instead: Response | None = None
        self._started = False

    def refuse(self, error: DomainError) -> None:
        """Answer this instead, if the answer has not begun."""
        if not self._started:
            self._instead = self.response(error)

    async def __call__(self, message: Message) -> None:
        if self._instead is None:
            self._started = True
            await self._send(message)
        elif message["type"] == "http.response.start":
            await self._instead(self._scope, self._receive, self._send)


def caller_of(scope: Scope) -> Caller:
    """Whom the guard has let through."""
    caller: Caller = scope[_CALLER]
    return caller


def known_caller(scope: Scope) -> Caller | None:
    """The same; None where nobody logs in, and no guard stands."""
    return scope.get(_CALLER)


def narrow(scope: Scope, caller: Caller) -> None:
    """From here on the request is this caller's, who reaches less than the one that the guard has let through."""
    scope[_CALLER] = caller


async def refuse_instead(scope: Scope, receive: Receive, send: Send, error: DomainError) -> None:
    """Answer a request that the guard has let through as the guard would have."""
    response: Callable[[DomainError], Response] = scope[_ANSWER].response
    await response(error)(scope, receive, send)


async def find_caller(context: ServerRequestContext[Any]) -> Caller:
    """The caller that the guard put into the request's scope."""
    request = context.request
    if request is None:
        raise NotAuthenticated("This request came past the login.")
    return caller_of(request.scope)


def find_token(context: ServerRequestContext[Any]) -> str:
    """The token that the guard has checked, for the authorization server that issued it and for nobody else."""
    return (context.request and _bearer(context.request.scope)) or ""


def refuse(context: ServerRequestContext[Any], _: Caller, error: DomainError) -> None:
    """A token that stands no more is answered 401, a database that is away 503."""
    request = context.request
    if request is not None:
        request.scope[_ANSWER].refuse(error)


def _bearer(scope: Scope) -> str | None:
    """Raises InvalidInput for more than one header: two readers might each believe another one."""
    given = Headers(scope=scope).getlist("authorization")
    if len(given) > 1:
        raise InvalidInput("Send one Authorization header.")
    scheme, _, token = "".join(given).strip(" \t").partition(" ")
    return token.strip(" \t") or None if scheme.lower() == "bearer" else None
