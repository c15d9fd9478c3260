"""The database that tests run on."""

import asyncpg
import pytest
from django.db import DatabaseError, connection

from core.models import AuditEvent

ONE_ROW = "SELECT audit_record('mcp', 'list_studies', 'success', 10001, '', '', NULL, '{}', '', '{}')"

FORBIDDEN = (
    "DELETE FROM core_study",
    "SELECT password FROM core_user",
    "SELECT * FROM core_auditevent",
    "CREATE TABLE mine (id int)",
    "CREATE TEMPORARY TABLE mine (id int)",
    "CREATE SCHEMA mine",
    "SET ROLE postgres",
)
LIMITS = {"statement_timeout": "30s", "lock_timeout": "5s", "idle_in_transaction_session_timeout": "10s"}


@pytest.fixture
def audit_row(transactional_db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(ONE_ROW)


@pytest.mark.parametrize("attempt", ["first", "second"])
def test_a_transactional_test_finds_no_audit_rows_of_the_one_before(audit_row: None, attempt: str) -> None:
    assert AuditEvent.objects.count() == 1


@pytest.mark.parametrize(
    "change",
    ["UPDATE core_auditevent SET door = 'web'", "DELETE FROM core_auditevent", "TRUNCATE core_auditevent"],
)
def test_nobody_changes_the_audit_trail(audit_row: None, change: str) -> None:
    with connection.cursor() as cursor, pytest.raises(DatabaseError, match="append-only"):
        cursor.execute(change)
    assert AuditEvent.objects.count() == 1


async def test_the_role_of_the_mcp_server_reads_and_cannot_write(mcp_database_url: str) -> None:
    server = await asyncpg.connect(mcp_database_url)
    try:
        assert await server.fetch("SELECT * FROM core_study") == []
        for forbidden in FORBIDDEN:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await server.execute(forbidden)
    finally:
        await server.close()


async def test_the_role_of_the_mcp_server_has_limits_whoever_connects_with_it(mcp_database_url: str) -> None:
    server = await asyncpg.connect(mcp_database_url)
    try:
        limits = {name: await server.fetchval("SELECT current_setting($1)", name) for name in LIMITS}
    finally:
        await server.close()
    assert limits == LIMITS
