"""Somebody of a random world at the MCP server."""

import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from mcp import Client
from mcp.server import Server
from mcp.shared.exceptions import MCPError
from mcp_types import ResourceTemplateReference

from core.models import Narrowing, User
from core.oauth.claims import claims_of
from core.policy.claims import principal_from
from core.policy.errors import NotVisible
from core.policy.principal import Principal
from mcp_server.app import build_server
from mcp_server.auth.caller import Caller
from mcp_server.auth.study import StudyDoor
from mcp_server.backends.direct import Direct
from mcp_server.database import Database
from mcp_server.tools import TOOLS
from tests.agreement.worlds import Rows
from tests.bearer import token_of


def log_in(rows: Rows) -> list[Principal]:
    """A token for everybody, as the provider would give it at this moment."""
    return [_log_in(user, narrowing) for user, narrowing in zip(rows.users, rows.narrowings, strict=True)]


def _log_in(user: User, narrowing: Narrowing | None) -> Principal:
    token_key = hashlib.sha256(token_of(user, scope="mcp", narrowing=narrowing).encode()).hexdigest()
    claims = claims_of(user, narrowing and narrowing.pk)
    return principal_from({"sub": str(user.pk), "scope": "mcp", **claims}, token_key=token_key)


class Asking:
    """One person, at the endpoint of everything or at one study's."""

    def __init__(self, database: Database, caller: Caller) -> None:
        self._database = database
        self._caller = caller
        self._backend = Direct(database, self._find)
        self.calls = 0
        """Each leaves one audit row."""

    @classmethod
    def as_principal(cls, database: Database, principal: Principal) -> "Asking":
        return cls(database, Caller(principal, "127.0.0.1"))

    async def at_study(self, study_id: int) -> "Asking | None":
        """The same person at a study's endpoint; None where there is none for them."""
        door = StudyDoor(_no_app, self._database)
        try:
            return Asking(self._database, await door.narrowed(self._caller, study_id))
        except NotVisible:
            self.calls += 1
            return None

    async def __call__(self, tool: str, **arguments: Any) -> dict[str, Any] | None:
        """The structured answer; None when the tool refused."""
        self.calls += 1
        result = await self._backend.call(TOOLS[tool], arguments, None)  # type: ignore[arg-type]
        if result.is_error:
            assert result.structured_content is None
            return None
        return result.structured_content

    @asynccontextmanager
    async def browsing(self) -> AsyncIterator["Browsing"]:
        """The same person's host, which reads resources and completes what is typed."""
        server: Server[Any] = build_server(self._backend)
        async with Client(server) as client:
            browsing = Browsing(client)
            yield browsing
        self.calls += browsing.calls

    async def _find(self, _context: object) -> Caller:
        return replace(self._caller)


class Browsing:
    def __init__(self, client: Client) -> None:
        self._client = client
        self.calls = 0

    async def read(self, uri: str) -> dict[str, Any] | None:
        """What a resource holds; None when there is none for the caller."""
        self.calls += 1
        try:
            [contents] = (await self._client.read_resource(uri)).contents
        except MCPError:
            return None
        held: dict[str, Any] = json.loads(contents.text)  # type: ignore[union-attr]
        return held

    async def listed(self) -> set[str]:
        """The URIs that resources/list names."""
        self.calls += 1
        return {resource.uri for resource in (await self._client.list_resources()).resources}

    async def completed(self, template: str, argument: str, **before: str) -> set[str]:
        """Everything that completes the template's variable."""
        self.calls += 1
        reference = ResourceTemplateReference(uri=template)
        answer = await self._client.complete(reference, {"name": argument, "value": ""}, before or None)
        assert answer.completion.total == len(answer.completion.values)
        return set(answer.completion.values)


async def _no_app(*_: object) -> None:
    raise AssertionError("Nothing is sent on.")
