"""Answers from the database: who asks, what about, the question in its frame, one audit row."""

from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any

import anyio
import asyncpg
from mcp.server.context import ServerRequestContext
from mcp_types import CallToolResult
from pydantic_core import from_json, to_json

from core.policy.checks import check_claim_reaches_study, check_token_names_study, no_such
from core.policy.errors import DomainError, InsufficientScope, NotAuthenticated, NotVisible, Unavailable
from core.policy.permissions import Permission
from core.policy.principal import Principal, UserType
from core.policy.roles import roles_for
from mcp_server import errors, results
from mcp_server.auth.caller import Caller, FindCaller, Refuse, in_band
from mcp_server.auth.scopes import SCOPE
from mcp_server.database import Database, TookTooLong
from mcp_server.queries import question, unframed
from mcp_server.tool import Answer, Tool

_MAY = {permission: f"may_{permission.replace(':', '_')}" for permission in Permission}


@lru_cache(1_000)
def _roles(permissions: frozenset[Permission] | None) -> Mapping[str, list[str]]:
    """Every `:may_…`, of which a token with `permissions` leaves some without a role."""
    narrowed = Principal(user_id=0, user_type=UserType.PRACTITIONER, permissions=permissions)
    return {name: roles_for(narrowed, permission) for permission, name in _MAY.items()}


_ENDED = "This login no longer stands: it has expired or was revoked. Log in again."


class Direct:
    """The backend of a server that has the database."""

    def __init__(self, database: Database, find_caller: FindCaller, refuse: Refuse = in_band) -> None:
        self._database = database
        self._find_caller = find_caller
        self._refuse = refuse

    async def admit(self, context: ServerRequestContext[Any]) -> None:
        caller = await self._find_caller(context)
        principal = caller.principal
        stands = unframed("stands", for_narrowed=True)
        values = {
            "token_key": principal.token_key,
            "token_caller_id": caller.token_caller_id,
            "person_id": principal.user_id,
        }
        try:
            if not (await self._database.row(stands, values))["stands"]:
                raise NotAuthenticated(_ENDED)
        except (NotAuthenticated, Unavailable) as error:
            self._refuse(context, caller, error)
            raise

    async def call(
        self, tool: Tool[Any], arguments: Mapping[str, Any] | None, context: ServerRequestContext[Any]
    ) -> CallToolResult:
        try:
            caller = await self._find_caller(context)
            try:
                return await self._answered(caller, tool, arguments)
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
                return await self._answered(renewed, tool, arguments)
        except DomainError as error:
            return errors.refusal(error)

    async def _answered(self, caller: Caller, tool: Tool[Any], arguments: Mapping[str, Any] | None) -> CallToolResult:
        return results.answered(await Call(self._database, caller, tool).answer(arguments))


class Call:
    """One call of one tool. It leaves one audit row, however it ends, unless the database cannot be reached at all."""

    def __init__(self, database: Database, caller: Caller, tool: Tool[Any]) -> None:
        self.caller = caller
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
            raise NotAuthenticated(_ENDED)
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
            there_are = f"Data types of {kind} {given[f'{kind}_id']}: {instead['data_types']}."
            return f"{no_such('data type', given['data_type'])} {there_are}"
        named = [
            no_such(kind, given[f"{kind}_id"])
            for kind in ("patient", "study", "organization")
            if given.get(f"{kind}_id") is not None
        ]
        if instead["studies"]:
            named.append(f"Your studies: {instead['studies']}.")
        return " ".join(named) or "There is nothing here that you can see."
