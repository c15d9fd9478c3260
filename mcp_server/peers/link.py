"""One peer, spoken to for many people: bounded in time and in number, and left alone when it does not answer."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import anyio
import httpx2
import mcp_types as types
from mcp import Client, MCPError
from mcp.client.session import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.dispatcher import ProgressFnT
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from core.policy.errors import DomainError, InvalidInput, Unavailable
from mcp_server.peers import shown, turns
from mcp_server.peers.gateway import Gateway, Pinned, Token
from mcp_server.peers.peer import VIA, Peer
from mcp_server.peers.turns import Turns

FRESH_SECONDS = 300
PATIENCE_SECONDS = 2
"""How long a list of tools waits for a peer."""
_LIST_SECONDS = 10
_MAX_PAGES = 4
_MAX_LISTS = 1_000

_log = logging.getLogger(__name__)
Given = TypeVar("Given")
_Ask: TypeAlias = Callable[[ClientSession, Gateway], Awaitable[Given]]
Changed = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Listing:
    tools: list[types.Tool]
    until: float
    """When it is to be asked for again (monotonic)."""
    problem: str = ""
    """Why it is not the peer's list of this moment."""


class Link:
    def __init__(self, peer: Peer, own_url: str, call_seconds: float, changed: Changed) -> None:
        """`own_url` is the exchange that asks; `call_seconds` is how long one call may take. `changed` is called when
        there are other tools than were listed.
        """
        self.peer = peer
        self._via = [own_url]
        self._call_seconds = call_seconds
        self._transport = Pinned(trust_env=False)
        self._mode = "auto"
        self._turns = Turns(peer.name)
        self._listings: OrderedDict[tuple[int, str], Listing] = OrderedDict()
        self._fetching: dict[tuple[int, str], asyncio.Task[None]] = {}
        self._changed = changed
        self._late: set[tuple[int, str]] = set()

    async def aclose(self) -> None:
        for task in self._fetching.values():
            task.cancel()
        await self._transport.aclose()

    async def listing(self, user_id: int, stamp: str, token: Token) -> Listing:
        """The last known list, renewed in the background when it is old; only the first one is waited for, shortly."""
        key = (user_id, stamp)
        known = self._listings.get(key)
        if known is None or time.monotonic() >= known.until:
            task = self._fetching.get(key)
            if task is None:
                task = self._fetching[key] = asyncio.create_task(self._fetch(key, token))
                task.add_done_callback(lambda _: self._fetching.pop(key, None))
            if known is None:
                await asyncio.wait({task}, timeout=PATIENCE_SECONDS)
        found = self._listings.get(key)
        if found is None:
            self._late.add(key)
            return Listing([], 0.0, f"{self.peer.name} takes long to say what it offers.")
        return found

    def answers(self, user_id: int) -> bool | None:
        """Whether it did when it was last asked for this person; None where it has not been. Nothing is asked now."""
        known = [found for (person, _), found in self._listings.items() if person == user_id]
        if self._turns.is_paused(user_id):
            return False
        return not known[-1].problem if known else None

    async def call(
        self, tool: str, params: types.CallToolRequestParams, user_id: int, token: Token, tell: ProgressFnT
    ) -> types.CallToolResult:
        """The peer's answer as it is passed on. Raises a DomainError with a sentence for the caller."""
        request = types.CallToolRequest(
            params=types.CallToolRequestParams(
                name=tool, arguments=params.arguments, _meta={**shown.outgoing_meta(params.meta), VIA: self._via}
            )
        )
        is_told = params.meta is not None and "progress_token" in params.meta

        async def ask(session: ClientSession, gateway: Gateway) -> types.CallToolResult:
            async def hear(progress: float, total: float | None, message: str | None) -> None:
                await tell(progress, total, None if gateway.is_token_in(message) else message)

            return await session.send_request(
                request, types.CallToolResult, progress_callback=hear if is_told else None
            )

        result = shown.answer(self.peer, await self._ask(user_id, token, ask, self._call_seconds))
        if result is None:
            raise InvalidInput(f"{self.peer.name} answered too much to pass on: ask it for less.")
        return result

    async def _fetch(self, key: tuple[int, str], token: Token) -> None:
        before = self._listings.get(key)
        try:
            found = Listing(await self._tools(key[0], token), time.monotonic() + FRESH_SECONDS)
        except DomainError as error:
            found = Listing(before.tools if before else [], time.monotonic() + turns.PAUSE_SECONDS, str(error))
        except Exception:  # noqa: BLE001 - nobody waits for a task: this is its outermost line
            _log.exception("The tools of a peer could not be listed")
            found = Listing([], time.monotonic() + turns.PAUSE_SECONDS, f"{self.peer.name} cannot be understood.")
        self._listings[key] = found
        if len(self._listings) > _MAX_LISTS:
            self._listings.popitem(last=False)
        told = [] if key in self._late else (before or found).tools
        self._late.discard(key)
        if found.tools != told:
            await self._changed()

    async def _tools(self, user_id: int, token: Token) -> list[types.Tool]:
        async def ask(session: ClientSession, __: Gateway) -> list[types.Tool]:
            offered: list[types.Tool] = []
            cursor: str | None = None
            for _ in range(_MAX_PAGES):
                params = types.PaginatedRequestParams(cursor=cursor, _meta={VIA: self._via})
                page = await session.send_request(types.ListToolsRequest(params=params), types.ListToolsResult)
                offered += page.tools
                cursor = page.next_cursor
                if cursor is None:
                    break
            return offered

        return shown.tools(self.peer, await self._ask(user_id, token, ask, _LIST_SECONDS))

    async def _ask(self, user_id: int, token: Token, ask: _Ask[Given], seconds: float) -> Given:
        with self._turns.turn(user_id):
            return await self._conversation(token, ask, seconds)

    async def _conversation(self, token: Token, ask: _Ask[Given], seconds: float) -> Given:
        """Errors leave the SDK's client in groups: what goes wrong is carried out of it by hand."""
        name, gateway = self.peer.name, Gateway(self.peer, self._transport, token)
        timeout = httpx2.Timeout(seconds, connect=3)
        answer: Given | DomainError | None = None
        try:
            with anyio.fail_after(seconds):
                async with (
                    httpx2.AsyncClient(transport=gateway, timeout=timeout, trust_env=False) as http,
                    Client(
                        streamable_http_client(self.peer.url, http_client=http), mode=self._mode, cache=None
                    ) as client,
                ):
                    version = client.session.protocol_version
                    self._mode = version if version in MODERN_PROTOCOL_VERSIONS else "legacy"
                    answer = await _said(ask(client.session, gateway), gateway, name)
        except TimeoutError:
            answer = Unavailable(f"{name} took more than {seconds:g} s.")
        except (MCPError, ExceptionGroup) as error:
            if answer is None:  # the question was not even put
                self._mode = "auto"
                answer = gateway.fault or _not_understood(name, gateway, error)
        if answer is None or isinstance(answer, DomainError):
            raise answer or _not_understood(name, gateway)
        return answer


async def _said(answer: Awaitable[Given], gateway: Gateway, name: str) -> Given | DomainError:
    try:
        said = await answer
    except (MCPError, ValueError, RuntimeError) as error:  # pydantic's ValidationError is a ValueError
        return gateway.fault or _not_understood(name, gateway, error)
    return _token_told(name) if gateway.is_token_in(said) else said


def _not_understood(name: str, gateway: Gateway, error: Exception | None = None) -> DomainError:
    if not isinstance(error, MCPError):
        return InvalidInput(f"{name} answered what is no MCP.")
    if gateway.is_token_in(error.error.message):
        return _token_told(name)
    return InvalidInput(f"{name} refused this. It says: {shown.quoted(error.error.message)}")


def _token_told(name: str) -> DomainError:
    return InvalidInput(f"{name} answered with the token that it was asked with: this is not passed on.")
