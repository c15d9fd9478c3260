"""Answers from the database: who asks, what about, the question in its frame, one audit row."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from functools import lru_cache
from typing import Any

import anyio
import asyncpg
from mcp.server.context import ServerRequestContext
from mcp.shared.subscriptions import ServerEvent
from mcp_types import CallToolResult, CompleteRequestParams, SubscriptionFilter
from pydantic_core import from_json, to_json

from core.policy.checks import check_claim_reaches_study, check_token_names_study, no_such
from core.policy.errors import (
    DomainError,
    InsufficientScope,
    InvalidInput,
    NotAuthenticated,
    NotVisible,
    Unavailable,
)
from core.policy.permissions import Permission
from core.policy.principal import Principal, UserType
from core.policy.roles import roles_for
from mcp_server import errors, results
from mcp_server.auth.caller import Caller, FindCaller, Refuse, in_band
from mcp_server.auth.scopes import SCOPE
from mcp_server.backends import Watching
from mcp_server.backends.choosing import choose, chosen_before
from mcp_server.backends.watches import WATCH, Marks, Room, Watch, Watched, events, honored, watched_for
from mcp_server.database import Database, TookTooLong
from mcp_server.features import progress
from mcp_server.features.asking import NOBODY, Client, calling
from mcp_server.queries import question, unframed
from mcp_server.text import visible
from mcp_server.tool import Answer, Tool

_MAY = {permission: f"may_{permission.replace(':', '_')}" for permission in Permission}


@lru_cache(1_000)
def _roles(permissions: frozenset[Permission] | None) -> Mapping[str, list[str]]:
    """Every `:may_…`, of which a token with `permissions` leaves some without a role."""
    narrowed = Principal(user_id=0, user_type=UserType.PRACTITIONER, permissions=permissions)
    return {name: roles_for(narrowed, permission) for permission, name in _MAY.items()}


ENDED = "This login no longer stands: it has expired or was revoked. Log in again."


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
        principal = caller.principal
        values = {
            "token_key": principal.token_key,
            "token_caller_id": caller.token_caller_id,
            "person_id": principal.user_id,
        }
        return bool((await self._database.row(unframed("stands", for_narrowed=True), values))["stands"])


class Call:
    """One call of one tool. It leaves one audit row, however it ends, unless the database cannot be reached at all."""

    def __init__(self, database: Database, caller: Caller, tool: Tool[Any], client: Client = NOBODY) -> None:
        self.caller = caller
        self.client = client
        self._database = database
        self._tool = tool
        self._is_narrowed = caller.principal.narrowing_id is not None
        self._arguments: dict[str, Any] = {}
        self._detail: dict[str, Any] = {}
        self._recorded = False

    async def answer(self, arguments: Mapping[str, Any] | None) -> Answer:
        """Raises a DomainError with a sentence for the caller."""
        try:
            parsed = self._tool.parse(arguments)
            self._arguments, self._detail = dict(parsed), parsed.recorded()
            self._refuse_by_token()
            await self._refuse_by_claim()
            return await self._tool.handler(parsed, self)
        except TookTooLong:
            await self._record("failed")
            raise
        except Unavailable:
            raise
        except DomainError:
            await self._record("refused")
            raise
        except BaseException:  # a fault of ours, or the client went away: it was tried all the same
            with anyio.move_on_after(5, shield=True), suppress(DomainError):
                await self._record("failed")
            raise

    async def __call__(self, name: str, /, **parameters: Any) -> dict[str, Any]:
        """As `mcp_server.tool.Ask` says."""
        row = await self._put(name, parameters)
        if row["body"] is None:
            raise NotVisible(await self._nothing())
        body: dict[str, Any] = from_json(row["body"])
        return body

    async def glance(self, name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """What `<name>.sql` says without the frame, which nobody is told and so nothing records; {} for nothing."""
        asked = unframed(name, for_narrowed=self._is_narrowed)
        row = await self._database.row(asked, self._values(parameters, ""))
        if not row["stands"]:
            raise NotAuthenticated(ENDED)
        body: dict[str, Any] = from_json(row["body"] or "{}")
        return body

    def _refuse_by_token(self) -> None:
        """What the token was not given for. Nothing is looked up, so that nothing shows by it."""
        if self._tool.scope not in self.caller.principal.scopes:
            raise InsufficientScope(self._tool.scope)
        study_id = self._arguments.get("study_id")
        if study_id is not None:
            check_token_names_study(self.caller.principal, study_id)

    async def _refuse_by_claim(self) -> None:
        study_id = self._arguments.get("study_id")
        if study_id is None:
            return
        try:
            check_claim_reaches_study(self.caller.principal, study_id)
        except NotVisible:
            await self._record("refused")
            raise NotVisible(await self._nothing()) from None

    async def _record(self, outcome: str) -> None:
        if not self._recorded:
            await self._put("refusal", {}, outcome)

    async def _put(self, name: str, parameters: Mapping[str, Any], without_body: str = "refused") -> asyncpg.Record:
        asked = question(name, for_narrowed=self._is_narrowed)
        row = await self._database.row(asked, self._values(parameters, without_body))
        self._recorded = True
        if not row["stands"]:
            raise NotAuthenticated(ENDED)
        return row

    def _values(self, parameters: Mapping[str, Any], without_body: str) -> dict[str, Any]:
        principal = self.caller.principal
        return {
            **_roles(principal.permissions),
            "study_id": None,
            "patient_id": None,
            "data_type": None,
            **self._arguments,
            **parameters,
            "user_id": principal.caller_id,
            "token_caller_id": self.caller.token_caller_id,
            "endpoint_study_id": self.caller.study_id,
            "person_id": principal.user_id,
            "client_id": principal.client_id,
            "token_key": principal.token_key,
            "token_studies": self.caller.studies,
            "source": self.caller.source,
            # A call that is refused for want of the tool's scope is recorded as one by a token that stands.
            "scopes": [SCOPE, *principal.scopes.intersection({self._tool.scope})],
            "action": self._tool.name,
            "outcome_without_body": without_body,
            "detail": to_json(self._detail).decode(),
        }

    async def _nothing(self) -> str:
        """Missing and forbidden look the same; then what the caller could have named instead."""
        asked = unframed("instead", for_narrowed=self._is_narrowed)
        instead = await self._database.row(asked, self._values({}, ""))
        given = self._arguments
        if instead["data_types"]:
            kind = "study" if given.get("patient_id") is None else "patient"
            there_are = f"Data types of {kind} {given[f'{kind}_id']}: {visible(instead['data_types'])}."
            return f"{no_such('data type', given['data_type'])} {there_are}"
        named = [
            no_such(kind, given[f"{kind}_id"])
            for kind in ("patient", "study", "organization")
            if given.get(f"{kind}_id") is not None
        ]
        if instead["studies"]:
            named.append(f"Your studies: {visible(instead['studies'])}.")
        return " ".join(named) or "There is nothing here that you can see."
