"""Answers from the database: who asks, and each of their calls (call.py)."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
from mcp.server.context import ServerRequestContext
from mcp.shared.subscriptions import ServerEvent
from mcp_types import CallToolResult, CompleteRequestParams, SubscriptionFilter

from core.policy.errors import DomainError, InvalidInput, NotAuthenticated, NotVisible, Unavailable
from mcp_server import errors, results
from mcp_server.auth.caller import ENDED, Caller, FindCaller, Refuse, in_band
from mcp_server.backends import Watching
from mcp_server.backends.call import Call
from mcp_server.backends.choosing import choose, chosen_before
from mcp_server.backends.watches import WATCH, Marks, Room, Watch, Watched, events, honored, watched_for
from mcp_server.database import Database, TookTooLong
from mcp_server.features import progress
from mcp_server.features.asking import calling
from mcp_server.queries import unframed
from mcp_server.tool import Tool


class Direct:
    """The backend of a server that has the database."""

    def __init__(
        self, database: Database, find_caller: FindCaller, refuse: Refuse = in_band, *, watch_interval: float = 5
    ) -> None:
        """`watch_interval` in seconds: how often what is subscribed to is looked at."""
        self._database = database
        self._find_caller = find_caller
        self._refuse = refuse
        self._watch_interval = watch_interval
        self._room = Room()

    async def admit(self, context: ServerRequestContext[Any]) -> None:
        caller = await self._find_caller(context)
        try:
            if not await self.stands(caller):
                raise NotAuthenticated(ENDED)
        except (NotAuthenticated, Unavailable) as error:
            self._refuse(context, caller, error)
            raise

    async def call(
        self, tool: Tool[Any], arguments: Mapping[str, Any] | None, context: ServerRequestContext[Any]
    ) -> CallToolResult:
        try:
            caller = await self._find_caller(context)
            try:
                return await self._told(caller, tool, arguments, context)
            except TookTooLong:
                raise
            except Unavailable as error:
                self._refuse(context, caller, error)
                raise
            except NotAuthenticated as error:
                self._refuse(context, caller, error)
                renewed = await self._find_caller(context)
                if renewed.principal.token_key == caller.principal.token_key:
                    raise
                return await self._answered(renewed, tool, arguments, context)
        except DomainError as error:
            return errors.refusal(error)

    async def complete(
        self,
        completion: Tool[Any],
        arguments: Mapping[str, Any],
        _: CompleteRequestParams,
        context: ServerRequestContext[Any],
    ) -> CallToolResult:
        return await self.call(completion, arguments, context)

    @asynccontextmanager
    async def watch(self, wanted: SubscriptionFilter, context: ServerRequestContext[Any]) -> AsyncIterator[Watching]:
        caller = await self._find_caller(context)
        with self._room.place(caller.principal.user_id):
            watch = Watch(self.look)
            try:
                seen = await watch.see(caller, watched_for(wanted))
            except (NotAuthenticated, Unavailable) as error:
                self._refuse(context, caller, error)
                raise
            watch.forget_unseen()
            yield Watching(honored(wanted, seen), self._changes(watch, wanted, context))

    async def _changes(
        self, watch: Watch, wanted: SubscriptionFilter, context: ServerRequestContext[Any]
    ) -> AsyncIterator[ServerEvent]:
        while True:
            await anyio.sleep(self._watch_interval)
            try:
                caller = await self._find_caller(context)
                changed = await watch.changed(caller)
            except NotAuthenticated as error:
                self._refuse(context, caller, error)
                renewed = await self._find_caller(context)
                if renewed.principal.token_key == caller.principal.token_key:
                    return
            except Unavailable:
                continue  # a restart of the database: nothing is missed, only told later
            else:
                for event in events(wanted, changed):
                    yield event

    async def look(self, caller: Caller, watched: Watched, *, tells: bool) -> Marks:
        """As `watches.Look` says. Raises a DomainError."""
        call = Call(self._database, caller, WATCH)
        if not tells:
            return watched.by_uri(await call.glance("glance", watched.parameters()))
        try:
            return (await call.answer(dict(watched))).body
        except NotVisible:
            return {}

    async def _told(
        self, caller: Caller, tool: Tool[Any], arguments: Mapping[str, Any] | None, context: ServerRequestContext[Any]
    ) -> CallToolResult:
        """With progress, for a token that stands: nothing may be sent before it is known whether the answer is 401."""
        if not progress.is_wanted(context) or not await self.stands(caller):
            return await self._answered(caller, tool, arguments, context)
        async with progress.told(context):
            return await self._answered(caller, tool, arguments, context)

    async def _answered(
        self, caller: Caller, tool: Tool[Any], arguments: Mapping[str, Any] | None, context: ServerRequestContext[Any]
    ) -> CallToolResult:
        client = calling(context)
        given = {**(arguments or {}), **chosen_before(client, tool)}
        try:
            return results.answered(await Call(self._database, caller, tool, client).answer(given))
        except (InvalidInput, NotVisible):
            chosen = await choose(Call(self._database, caller, tool, client), tool, given)
            if not chosen:
                raise
        return results.answered(await Call(self._database, caller, tool, client).answer({**given, **chosen}))

    async def stands(self, caller: Caller) -> bool:
        found = await self._database.row(unframed("stands", for_narrowed=True), caller.parameters())
        return bool(found["stands"])
