"""One call of one tool: what the token cannot allow, the question in its frame, one audit row."""

from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any

import anyio
import asyncpg
from pydantic_core import from_json, to_json

from core.policy.checks import check_claim_reaches_study, check_token_names_study, no_such
from core.policy.errors import DomainError, InsufficientScope, NotAuthenticated, NotVisible, Unavailable
from core.policy.permissions import Permission
from core.policy.principal import Principal, UserType
from core.policy.roles import roles_for
from mcp_server.auth.caller import ENDED, Caller
from mcp_server.auth.scopes import SCOPE
from mcp_server.database import Database, TookTooLong
from mcp_server.features.asking import NOBODY, Client
from mcp_server.queries import question, unframed
from mcp_server.text import visible
from mcp_server.tool import Answer, Tool

_MAY = {permission: f"may_{permission.replace(':', '_')}" for permission in Permission}


@lru_cache(1_000)
def _roles(permissions: frozenset[Permission] | None) -> Mapping[str, list[str]]:
    """Every `:may_…`, of which a token with `permissions` leaves some without a role."""
    narrowed = Principal(user_id=0, user_type=UserType.PRACTITIONER, permissions=permissions)
    return {name: roles_for(narrowed, permission) for permission, name in _MAY.items()}


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
            **self.caller.parameters(),
            "token_studies": self.caller.studies,
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
