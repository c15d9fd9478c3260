"""`manage.py mcp_database_password`."""

from io import StringIO
from urllib.parse import urlsplit

import asyncpg
import pytest
from django.core.management import call_command
from django.db import connection

pytestmark = pytest.mark.django_db(transaction=True)


def printed() -> str:
    out = StringIO()
    call_command("mcp_database_password", stdout=out)
    return out.getvalue().strip()


@pytest.fixture
def url(transactional_db: None) -> str:
    return printed()


async def test_the_printed_url_leads_to_this_database_as_the_role_that_only_reads(url: str) -> None:
    server = await asyncpg.connect(url)
    try:
        assert await server.fetchval("SELECT current_user") == "jhe_mcp"
        assert await server.fetchval("SELECT current_database()") == connection.settings_dict["NAME"]
    finally:
        await server.close()


def test_the_database_keeps_a_hash_and_each_run_makes_a_new_password() -> None:
    passwords = {urlsplit(printed()).password or "", urlsplit(printed()).password or ""}
    assert len(passwords) == 2
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolpassword FROM pg_authid WHERE rolname = 'jhe_mcp'")
        (kept,) = cursor.fetchone()
    assert kept.startswith("SCRAM-SHA-256$")
    assert not any(password in kept for password in passwords)
