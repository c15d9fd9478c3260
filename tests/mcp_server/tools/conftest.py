"""Somebody at the MCP server's tools, with the database's own role and without a transport in between."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import jsonschema
import pytest
from django.utils import timezone
from mcp_types import CallToolResult
from oauth2_provider.models import AccessToken

from core.actions.clients import register_stdio_client
from core.models import AuditEvent, Narrowing, Patient, User
from core.oauth.claims import claims_of
from core.policy.claims import principal_from
from mcp_server.auth.caller import Caller
from mcp_server.backends.direct import Direct
from mcp_server.database import Database
from mcp_server.tools import TOOLS
from tests.bearer import token_of
from tests.mcp_server.tools.world import Clinic


class Person:
    """Who asks, with one token for all calls. `answer` and `refusal` say what the test expects."""

    def __init__(
        self, run: Callable[..., Any], database: Database, user: User, narrowing: Narrowing | None = None
    ) -> None:
        self.run, self.backend = run, Direct(database, self._caller)
        if narrowing is None:
            token = AccessToken.objects.create(
                user=user, token=f"token of {user.pk}", expires=timezone.now() + timedelta(hours=1), scope="mcp"
            )
        else:
            register_stdio_client()
            token = AccessToken.objects.get(token=token_of(user, scope="mcp", narrowing=narrowing))
        claims = claims_of(user, narrowing and narrowing.pk)
        self.principal = principal_from({"sub": str(user.pk), "scope": "mcp", **claims}, token_key=token.token_checksum)

    def call(self, tool: str, **arguments: Any) -> CallToolResult:
        result: CallToolResult = self.run(self.backend.call(TOOLS[tool], arguments, None))  # type: ignore[arg-type]
        return result

    def answer(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The structured answer, which fits the tool's output schema and a host's limits."""
        result = self.call(tool, **arguments)
        assert not result.is_error, result.content
        jsonschema.validate(result.structured_content, TOOLS[tool].listed().output_schema)
        assert sum(len(block.text) for block in result.content) < 32_000  # 8,000 tokens of 4 characters
        assert result.structured_content is not None
        return result.structured_content

    def refusal(self, tool: str, **arguments: Any) -> str:
        result = self.call(tool, **arguments)
        assert result.is_error, result.structured_content
        assert result.structured_content is None
        [sentence] = result.content
        text: str = sentence.text
        return text

    def pages(self, tool: str, **arguments: Any) -> Iterator[dict[str, Any]]:
        """Every page, each asked for with the cursor of the one before."""
        page = self.answer(tool, **arguments)
        yield page
        while page["next_cursor"] is not None:
            page = self.answer(tool, cursor=page["next_cursor"], **arguments)
            yield page

    async def _caller(self, _context: object) -> Caller:
        return Caller(self.principal, "192.0.2.7")


@pytest.fixture
def as_user(mcp_database_url: str) -> Iterator[Callable[..., Person]]:
    """`as_user(user)` is a Person, `as_user(user, narrowing)` one whose token is narrowed; what they ask sees what the
    test has written."""
    with asyncio.Runner() as runner:
        database = Database(mcp_database_url, size=2, wait=5, statement_timeout=30)
        runner.run(database.__aenter__())
        yield partial(Person, runner.run, database)
        runner.run(database.__aexit__(None, None, None))


@pytest.fixture
def person(as_user: Callable[..., Person], clinic: Clinic) -> Person:
    """The practitioner of the clinic."""
    return as_user(clinic.practitioner)


@pytest.fixture
def patient(clinic: Clinic) -> Patient:
    return clinic.patient()


@pytest.fixture
def audit() -> Callable[[], AuditEvent]:
    """The newest audit row of a tool call."""
    return lambda: AuditEvent.objects.filter(door="mcp").latest("id")
