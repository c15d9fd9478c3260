"""The database that tests run on."""

import asyncpg
import pytest
from django.db import DatabaseError, connection

from core.models import AuditEvent

ONE_ROW = "SELECT audit_record('mcp', 'list_studies', 'success', 10001, '', '', NULL, '{}', '', '{}')"


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
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await server.execute("DELETE FROM core_study")
    finally:
        await server.close()
