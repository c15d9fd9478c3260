"""Answers from an exchange elsewhere, over its MCP endpoint: no database access on a person's own machine."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx2
from mcp import Client, MCPError
from mcp.client.session import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.client.subscriptions import SubscriptionLost
from mcp.server.context import ServerRequestContext
from mcp.shared.dispatcher import ProgressFnT
from mcp.shared.subscriptions import ServerEvent, ToolsListChanged
from mcp_types import (
    INTERNAL_ERROR,
    SERVER_INFO_META_KEY,
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    ClientCapabilities,
    CompleteRequest,
    CompleteRequestParams,
    CompleteResult,
    ErrorData,
    InputRequiredResult,
    JSONRPCError,
    Request,
    SubscriptionFilter,
)
from mcp_types.version import LATEST_MODERN_VERSION
from pydantic import BaseModel

from core.policy.errors import DomainError, InvalidInput, Unavailable
from mcp_server import errors
from mcp_server.auth.discovery import only_encrypted
from mcp_server.auth.login import AccessTokens
from mcp_server.backends import Watching, questions
from mcp_server.backends.listening import listening
from mcp_server.features import progress as told
from mcp_server.features.asking import InputRequired, calling
from mcp_server.tool import Tool

ResultT = TypeVar("ResultT", bound=BaseModel)

_IN_WORDS = -32050
"""Marks an error that the gateway put into words for the person (JSON-RPC 2.0 §5.1 leaves -32000 to -32099 to us)."""
_NO_SUBSCRIPTIONS = "The exchange takes no subscriptions now: try again in a minute."
_TIMEOUT = httpx2.Timeout(15, read=120)
_NOTHING = ClientCapabilities()


class Forward:
    """The backend of a server that has a login instead of a database. Connections are kept between calls."""

    def __init__(self, mcp_url: str, login: AccessTokens) -> None:
        only_encrypted(mcp_url)
        self._mcp_url = mcp_url
        self._login = login
        self._http = httpx2.AsyncClient(transport=_Gateway(mcp_url, login), timeout=_TIMEOUT)

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.__aexit__(kind, error, trace)

    async def admit(self, context: ServerRequestContext[Any]) -> None:
        """As in `Waiting`."""

    async def call(
        self,
        tool: Tool[Any],
        arguments: Mapping[str, Any] | None,
        context: ServerRequestContext[Any],
    ) -> CallToolResult:
        params, host = CallToolRequestParams(name=tool.name, arguments=dict(arguments or {})), calling(context)

        async def tell(progress: float, total: float | None, message: str | None) -> None:  # noqa: ARG001
            await told.tell(context, message or "")

        on_progress = tell if told.is_wanted(context) else None

        async def ask(session: ClientSession) -> CallToolResult:
            async def send(asked: CallToolRequestParams) -> CallToolResult | InputRequiredResult:
                request = CallToolRequest(params=asked)
                return await session.send_request(request, questions.ANSWER, progress_callback=on_progress)

            return await questions.answered(params, host, send)

        try:
            return _as_ours(await self._asked(ask, host.capabilities))
        except MCPError as error:
            if self.is_in_words(error):
                return errors.said(error.error.message)
            raise

    async def complete(
        self,
        completion: Tool[Any],  # noqa: ARG002
        arguments: Mapping[str, Any],  # noqa: ARG002
        params: CompleteRequestParams,
        context: ServerRequestContext[Any],  # noqa: ARG002
    ) -> CallToolResult:
        asked = CompleteRequestParams(ref=params.ref, argument=params.argument, context=params.context)
        found = (await self.answer(CompleteRequest(params=asked), CompleteResult)).completion
        total = len(found.values) if found.total is None else found.total
        return CallToolResult(content=[], structured_content={"values": found.values, "total": total})

    @asynccontextmanager
    async def watch(
        self,
        wanted: SubscriptionFilter,
        _: ServerRequestContext[Any] | None = None,
    ) -> AsyncIterator[Watching]:
        """Whoever had to log in first may have been listed fewer tools before."""
        was_there, refused = self._login.given.is_set(), None
        async with self._endpoint() as client:
            try:
                async with listening(client, wanted) as watching:
                    yield watching if was_there else replace(watching, changes=_from_the_login_on(wanted, watching))
            except MCPError as error:
                refused = error
            except SubscriptionLost:
                refused = MCPError(code=INTERNAL_ERROR, message=_NO_SUBSCRIPTIONS)
        if refused is not None:
            raise refused

    async def answer(
        self, request: Request[Any, Any], result: type[ResultT], on_progress: ProgressFnT | None = None
    ) -> ResultT:
        """The exchange's. Raises MCPError."""
        return await self._asked(lambda session: session.send_request(request, result, progress_callback=on_progress))

    @staticmethod
    def is_in_words(error: MCPError) -> bool:
        """Whether it is a sentence for the person: why the exchange was not even asked."""
        return error.error.code == _IN_WORDS

    async def _asked(
        self, ask: Callable[[ClientSession], Awaitable[ResultT]], offered: ClientCapabilities = _NOTHING
    ) -> ResultT:
        """One conversation, on behalf of a host that offers so much."""
        async with self._endpoint(**questions.callbacks(offered)) as client:
            try:
                return await ask(client.session)
            except (MCPError, InputRequired) as error:
                refused = error
        raise refused

    def _endpoint(self, **options: Any) -> Client:
        transport = streamable_http_client(self._mcp_url, http_client=self._http)
        return Client(transport, mode=LATEST_MODERN_VERSION, cache=None, **options)


async def _from_the_login_on(wanted: SubscriptionFilter, watching: Watching) -> AsyncIterator[ServerEvent]:
    if wanted.tools_list_changed:
        yield ToolsListChanged()
    async for event in watching.changes:
        yield event


def _as_ours(answer: CallToolResult) -> CallToolResult:
    """The host is told who answers by the server that it speaks with, in the revisions that tell it."""
    meta = {name: value for name, value in (answer.meta or {}).items() if name != SERVER_INFO_META_KEY}
    return answer.model_copy(update={"meta": meta or None})


class _Gateway(httpx2.AsyncBaseTransport):
    """Adds the token, for the one address that it is for, and renews it when it is refused.

    What cannot be helped becomes an error that says what to do.
    """

    def __init__(self, mcp_url: str, login: AccessTokens) -> None:
        self._url = httpx2.URL(mcp_url)
        self._login = login
        self._transport = httpx2.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        try:
            return await self._with_token(request)
        except DomainError as error:
            return _in_words(str(error))
        except httpx2.TransportError:
            return _in_words("The exchange cannot be reached: check the network and try again.")

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def _with_token(self, request: httpx2.Request) -> httpx2.Response:
        if request.url != self._url:
            raise InvalidInput("The token of one exchange is not sent to another address.")
        token = await self._login.access_token()
        response = await self._send(request, token)
        if response.status_code == httpx2.codes.UNAUTHORIZED:
            await response.aclose()
            response = await self._send(request, await self._login.access_token(refused=token))
        if response.is_redirect:  # a token goes where the person said, and nowhere else
            await response.aclose()
            raise InvalidInput(
                "The exchange says that it has moved: ask its administrator for its address, and log in."
            )
        if response.status_code in (401, 403, 429) or response.is_server_error:
            await response.aread()
            await response.aclose()
            raise Unavailable(_reason(response))
        if not response.headers.get("Content-Type", "").startswith("text/event-stream"):
            await response.aread()  # so that a connection lost half-way is met here, too
        return response

    async def _send(self, request: httpx2.Request, token: str) -> httpx2.Response:
        request.headers["Authorization"] = f"Bearer {token}"
        return await self._transport.handle_async_request(request)


def _reason(response: httpx2.Response) -> str:
    try:
        return str(response.json()["error_description"])
    except (ValueError, KeyError, TypeError):
        return f"The exchange is not ready (HTTP {response.status_code}): try again in a minute."


def _in_words(sentence: str) -> httpx2.Response:
    error = JSONRPCError(jsonrpc="2.0", id=None, error=ErrorData(code=_IN_WORDS, message=sentence))
    return httpx2.Response(
        503, content=error.model_dump_json(by_alias=True), headers={"Content-Type": "application/json"}
    )
