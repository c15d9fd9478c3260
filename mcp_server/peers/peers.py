"""The tools of other MCP servers, for whoever may see these here: listed under their prefixes, and called there."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Self

import anyio
from mcp.server.context import ServerRequestContext
from mcp.shared.subscriptions import ToolsListChanged
from mcp_types import CallToolRequestParams, CallToolResult, ListToolsResult, PaginatedRequestParams

from core.policy.errors import DomainError, NotAuthenticated, PermissionDenied, Unavailable
from core.policy.peers import opens_peers
from mcp_server import errors
from mcp_server.auth.bearer import find_caller, find_token, refuse
from mcp_server.auth.caller import Caller
from mcp_server.database import Database
from mcp_server.features.alongside import alongside
from mcp_server.features.tool_changes import ToolChanges
from mcp_server.peers import shown
from mcp_server.peers.changes import PeerChanges
from mcp_server.peers.directory import Directory
from mcp_server.peers.gateway import Token
from mcp_server.peers.link import Link
from mcp_server.peers.peer import PEERS, VIA, Peer, parts_of
from mcp_server.peers.tokens import PeerTokens
from mcp_server.settings import HttpService

_TTL_MS = 60_000
_log = logging.getLogger(__name__)


class Peers:
    """Who sees no peer pays for a look at their principal when they list tools, and for nothing when they call one."""

    def __init__(
        self,
        database: Database,
        tokens: PeerTokens,
        *,
        own_url: str,
        issuer: str,
        call_seconds: float,
        changes: ToolChanges,
        interval: float,
    ) -> None:
        """`issuer` is the authorization server that is asked for tokens: only what it issued itself is shown to it.
        `changes` hears that there are other tools, and not whose; administrators' are looked for every `interval` s.
        """
        self._directory = Directory(database)
        self._changes = changes
        self._watch = PeerChanges(database, changes, interval)
        self._tokens = tokens
        self._own_url, self._issuer, self._call_seconds = own_url, issuer, call_seconds
        self._links: dict[int, Link] = {}
        self._former: list[Link] = []

    @classmethod
    def of(cls, settings: HttpService, database: Database, changes: ToolChanges) -> Self | None:
        """None where the server has no secret to show: then there is nothing but this exchange."""
        if not settings.client_secret:
            return None
        return cls(
            database,
            PeerTokens(settings.token_url, settings.client_secret.get_secret_value()),
            own_url=settings.mcp_url,
            issuer=settings.issuer,
            call_seconds=settings.peer_seconds,
            changes=changes,
            interval=settings.watch_interval,
        )

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        try:
            async with alongside(self._watch.tell()):
                yield
        finally:
            for link in (*self._links.values(), *self._former):
                await link.aclose()
            await self._tokens.aclose()

    async def added(
        self, context: ServerRequestContext[Any], params: PaginatedRequestParams | None, own: ListToolsResult
    ) -> ListToolsResult:
        """The list with the tools of the caller's peers. It never waits long, and never fails for them."""
        caller = await find_caller(context)
        if not self._may_go_on(caller, params):
            return own
        try:
            peers = await self._directory.visible(caller)
        except Unavailable:
            return own
        if not peers:
            return own
        listings = await asyncio.gather(
            *(
                self._link(peer).listing(caller.principal.user_id, peer.stamp, self._token(caller, context, peer))
                for peer in peers
            )
        )
        states = [
            {"prefix": peer.prefix, "name": peer.name, **({"problem": found.problem} if found.problem else {})}
            for peer, found in zip(peers, listings, strict=True)
        ]
        return ListToolsResult(
            tools=[*own.tools, *(tool for found in listings for tool in found.tools)],
            ttl_ms=_TTL_MS if not any(found.problem for found in listings) else 0,
            cache_scope="private",
            _meta={PEERS: states},
        )

    async def call(self, context: ServerRequestContext[Any], params: CallToolRequestParams) -> CallToolResult | None:
        """None where there is no such tool for this caller, whether there is such a peer or not."""
        parts = parts_of(params.name)
        if parts is None:
            return None
        caller = await find_caller(context)
        try:
            return await self._recorded(caller, parts, context, params)
        except (NotAuthenticated, Unavailable) as error:
            refuse(context, caller, error)
            return errors.refusal(error)

    async def _recorded(
        self,
        caller: Caller,
        parts: tuple[str, str],
        context: ServerRequestContext[Any],
        params: CallToolRequestParams,
    ) -> CallToolResult | None:
        """One audit row, however it ends, and before the answer goes out."""
        outcome, result = "refused", None
        try:
            peers = await self._directory.visible(caller, parts[0]) if self._may_go_on(caller, params) else []
            if peers:
                outcome = "failed"
                result, outcome = await self._answer(peers[0], parts[1], caller, context, params)
        except BaseException:
            with anyio.move_on_after(5, shield=True), suppress(DomainError):
                await self._directory.record(caller, params.name, outcome)
            raise
        await self._directory.record(caller, params.name, outcome)
        return result

    async def _answer(
        self,
        peer: Peer,
        tool: str,
        caller: Caller,
        context: ServerRequestContext[Any],
        params: CallToolRequestParams,
    ) -> tuple[CallToolResult, str]:
        async def tell(progress: float, total: float | None, message: str | None) -> None:
            said = message and f"{peer.name}: {shown.quoted(message)}"
            await context.session.report_progress(progress, total, said)

        token = self._token(caller, context, peer)
        try:
            result = await self._link(peer).call(tool, params, caller.principal.user_id, token, tell)
        except DomainError as error:
            others = " Your other tools work." if isinstance(error, Unavailable) else ""
            outcome = "refused" if isinstance(error, PermissionDenied) else "failed"
            return errors.said(f"{error}{others}"), outcome
        return result, "failed" if result.is_error else "success"

    def may_be_seen_by(self, caller: Caller) -> bool:
        return opens_peers(issuer=caller.issuer, own_issuer=self._issuer, is_id_token=caller.is_id_token)

    def answers(self, caller: Caller, peer_id: int) -> bool | None:
        """As `Link.answers`."""
        link = self._links.get(peer_id)
        return None if link is None else link.answers(caller.principal.user_id)

    def _may_go_on(self, caller: Caller, params: Any) -> bool:
        """Not for another exchange, which would lead round in circles."""
        return self.may_be_seen_by(caller) and VIA not in ((params and params.meta) or {})

    def _token(self, caller: Caller, context: ServerRequestContext[Any], peer: Peer) -> Token:
        inbound = find_token(context)

        async def get(refused: str) -> str:
            return await self._tokens.get(caller, inbound, peer, refused)

        return get

    def _link(self, peer: Peer) -> Link:
        """By its address: what was learned of one that has moved is worth nothing."""
        link = self._links.get(peer.id)
        if link is None or (link.peer.url, link.peer.name, link.peer.prefix) != (peer.url, peer.name, peer.prefix):
            self._former += [link] if link else []
            link = self._links[peer.id] = Link(peer, self._own_url, self._call_seconds, self._tell_of_change)
        return link

    async def _tell_of_change(self) -> None:
        await self._changes.publish(ToolsListChanged())
