"""The note that an MCP token was used, as the services' own database roles make it."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import psycopg2
import pytest
from django.utils import timezone
from psycopg2.errors import InsufficientPrivilege

from core.actions.mcp_tokens import create_token
from core.models import McpToken
from tests.factories import MembershipFactory, StudyFactory


@pytest.fixture
def token(transactional_db: None) -> McpToken:
    study = StudyFactory()
    mary = MembershipFactory(organization=study.organization).practitioner.user
    return create_token(actor=None, door="command", user=mary, studies=[study.pk])[0]


@pytest.fixture
def opened() -> Iterator[Callable[[str], Any]]:
    sessions: list[Any] = []

    def open_one(url: str) -> Any:
        sessions.append(psycopg2.connect(url))
        return sessions[-1].cursor()

    yield open_one
    for session in sessions:
        session.close()


def note(cursor: Any, token: McpToken) -> None:
    cursor.execute("SELECT mcp_token_used(%s)", [token.token_hash])


@pytest.mark.parametrize("role", ["mcp_database_url", "app_database_url"])
def test_each_service_notes_a_use_and_then_no_other_for_a_minute(
    request: pytest.FixtureRequest, opened: Callable[[str], Any], token: McpToken, role: str
) -> None:
    cursor = opened(request.getfixturevalue(role))
    for ago, is_noted in ((None, True), (timedelta(seconds=50), False), (timedelta(seconds=61), True)):
        before = ago and timezone.now() - ago
        McpToken.objects.update(last_used=before)
        note(cursor, token)
        cursor.connection.commit()
        token.refresh_from_db()
        assert (token.last_used != before) is is_noted


def test_a_note_waits_for_nobody(mcp_database_url: str, opened: Callable[[str], Any], token: McpToken) -> None:
    """One request of an agent is in the middle of a long transaction; the next one is not held up."""
    first, second = opened(mcp_database_url), opened(mcp_database_url)
    note(first, token)
    second.execute("SET LOCAL lock_timeout = '1ms'")
    note(second, token)
    first.connection.commit()
    second.connection.commit()
    token.refresh_from_db()
    assert token.last_used is not None


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM core_mcptoken",
        "SELECT * FROM access_mcp_token",
        "DELETE FROM core_narrowing",
        "UPDATE core_mcptoken SET expires = now()",
    ],
)
def test_the_mcp_servers_role_reads_no_token_and_changes_none(
    mcp_database_url: str, opened: Callable[[str], Any], token: McpToken, statement: str
) -> None:
    cursor = opened(mcp_database_url)
    cursor.execute("SELECT studies FROM narrowing_named WHERE narrowing_id = %s", [token.narrowing_id])
    assert cursor.fetchone() == (list(token.narrowing.studies.values_list("pk", flat=True)),)  # type: ignore[union-attr]
    with pytest.raises(InsufficientPrivilege):
        cursor.execute(statement)
