"""The peers of an exchange elsewhere, for the host of a server on a person's own machine (docs/federation.md)."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import anyio
from anyio.abc import TaskGroup
from mcp import MCPError
from mcp.server.context import ServerRequestContext
from mcp.server.session import ServerSession
from mcp_types import (
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    ListToolsRequest,
    ListToolsResult,
    PaginatedRequestParams,
    SubscriptionFilter,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from mcp_server import errors
from mcp_server.auth.login import GivenToken, Login
from mcp_server.backends.forward import Forward
from mcp_server.peers.peer import PEER, PEERS, parts_of
from mcp_server.peers.shown import outgoing_meta

_PATIENCE_SECONDS = 5
"""How long a list waits for the exchange, which itself waits two seconds for a peer."""

_log = logging.getLogger(__name__)


class ForwardedPeers:
    """What the exchange lists beside its own tools, and calls of that, passed on with all that they carry.

    For a list nobody is asked to log in: until somebody has, it has this server's own tools, and then the host is told
    that there may be more.
    """

    def __init__(self, mcp_url: str, login: Login | GivenToken, group: TaskGroup) -> None:
        """`group` runs what tells the host of other tools."""
        self._login = login
        self._calls, self._lists = Forward(mcp_url, login), Forward(mcp_url, login.quiet())
        self._group = group
        self._is_telling = False
        self._was_left_out = False

    @classmethod
    @asynccontextmanager
    async def of(cls, mcp_url: str, login: Login | GivenToken) -> AsyncIterator[Self]:
        async with anyio.create_task_group() as group:
            peers = cls(mcp_url, login, group)
            async with peers._calls, peers._lists:
                yield peers
                group.cancel_scope.cancel()

    async def added(
        self, context: ServerRequestContext[Any], params: PaginatedRequestParams | None, own: ListToolsResult
    ) -> ListToolsResult:
        listed = await self._listed(params)
        self._was_left_out |= listed is None
        if not self._is_telling and context.protocol_version not in MODERN_PROTOCOL_VERSIONS:
            self._is_telling = True
            self._group.start_soon(self._tell, context.session)
        if listed is None:
            return own.model_copy(update={"ttl_ms": 0, "cache_scope": "private"})
        meta = listed.meta or {}
        if PEERS not in meta:
            return own
        return ListToolsResult(
            tools=[*own.tools, *(tool for tool in listed.tools if PEER in (tool.meta or {}))],
            ttl_ms=listed.ttl_ms,
            cache_scope="private",
            _meta={PEERS: meta[PEERS]},
        )

    async def call(self, context: ServerRequestContext[Any], params: CallToolRequestParams) -> CallToolResult | None:
        if parts_of(params.name) is None:
            return None
        request = CallToolRequest(
            params=CallToolRequestParams(
                name=params.name, arguments=params.arguments, _meta=outgoing_meta(params.meta) or None
            )
        )

        async def tell(progress: float, total: float | None, message: str | None) -> None:
            await context.session.report_progress(progress, total, message)

        wanted = tell if "progress_token" in (params.meta or {}) else None
        try:
            return await self._calls.answer(request, CallToolResult, wanted)
        except MCPError as error:
            if Forward.is_in_words(error):
                return errors.said(error.error.message)
            raise

    async def _listed(self, params: PaginatedRequestParams | None) -> ListToolsResult | None:
        """None where nobody is logged in, or the exchange cannot say."""
        meta = (outgoing_meta(params.meta) or None) if params else None
        request = ListToolsRequest(params=PaginatedRequestParams(_meta=meta))
        with anyio.move_on_after(_PATIENCE_SECONDS):
            try:
                return await self._lists.answer(request, ListToolsResult)
            except MCPError:
                return None
        return None

    async def _tell(self, host: ServerSession) -> None:
        """That there may be more than the host was told, when there is a login; then each change.

        A host of 2026-07-28 listens by a stream of its own, which the exchange answers.
        """
        try:
            await self._login.given.wait()
            if self._was_left_out:
                await host.send_tool_list_changed()
            async with self._lists.watch(SubscriptionFilter(tools_list_changed=True)) as watching:
                async for _ in watching.changes:
                    await host.send_tool_list_changed()
        except MCPError as error:
            _log.warning("The exchange does not tell of other tools: %s", error.error.message)
        except Exception:  # noqa: BLE001 - the outermost line of this task: the log keeps where, never with what
            _log.exception("Telling of other tools failed")
