"""Tells a host, while a call waits for the person to log in, what the call is waiting for."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any
from uuid import uuid4

import anyio
from mcp import MCPError
from mcp.server.context import ServerRequestContext
from mcp_types import CallToolResult, CompleteRequestParams, SubscriptionFilter
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from mcp_server.auth.browser import has_display
from mcp_server.auth.login import Login
from mcp_server.auth.prompt import Prompt
from mcp_server.backends import Backend, Watching
from mcp_server.features import progress
from mcp_server.features.alongside import alongside
from mcp_server.tool import Tool

_EVERY_SECONDS = 1


class Waiting:
    """A backend whose calls may wait for `login`. Progress says so, to hosts that asked for it; so does a URL-mode
    elicitation, to hosts that can show one, where this machine has no browser of its own.
    """

    def __init__(self, backend: Backend, login: Login) -> None:
        self._backend = backend
        self._login = login

    async def admit(self, context: ServerRequestContext[Any]) -> None:
        """What there is to ask is the same for everybody: the exchange asks who, once it is asked something."""

    async def call(
        self, tool: Tool[Any], arguments: Mapping[str, Any] | None, context: ServerRequestContext[Any]
    ) -> CallToolResult:
        async with alongside(self._tell(context)):
            return await self._backend.call(tool, arguments, context)

    async def complete(
        self,
        completion: Tool[Any],
        arguments: Mapping[str, Any],
        params: CompleteRequestParams,
        context: ServerRequestContext[Any],
    ) -> CallToolResult:
        return await self._backend.complete(completion, arguments, params, context)

    def watch(
        self, wanted: SubscriptionFilter, context: ServerRequestContext[Any]
    ) -> AbstractAsyncContextManager[Watching]:
        return self._backend.watch(wanted, context)

    async def _tell(self, context: ServerRequestContext[Any]) -> None:
        shown: Prompt | None = None
        while True:
            await anyio.sleep(_EVERY_SECONDS)
            prompt = self._login.prompt
            if prompt is None:
                continue
            await progress.tell(context, f"Waiting for you. {prompt.sentence}")
            if prompt is not shown and not has_display() and _shows_urls(context):
                shown = prompt
                await self._elicit(context, prompt)

    async def _elicit(self, context: ServerRequestContext[Any], prompt: Prompt) -> None:
        code = f" The page asks for this code: {prompt.user_code}." if prompt.user_code else ""
        with suppress(MCPError):  # a host that cannot after all
            answer = await context.session.elicit_url(
                f"Log in to JupyterHealth Exchange, so that your question can be answered.{code}",
                prompt.url,
                str(uuid4()),
                related_request_id=context.request_id,
            )
            if answer.action != "accept":
                self._login.give_up()


def _shows_urls(context: ServerRequestContext[Any]) -> bool:
    """MCP 2025-11-25. Since 2026-07-28 a server sends no requests: there the answer to the call says where to go."""
    capabilities = context.session.client_capabilities
    elicitation = capabilities.elicitation if capabilities else None
    return (
        context.session.protocol_version not in MODERN_PROTOCOL_VERSIONS
        and elicitation is not None
        and elicitation.url is not None
    )
