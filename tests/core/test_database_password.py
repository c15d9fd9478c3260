"""`manage.py database_password`."""

from io import StringIO
from urllib.parse import urlsplit

import asyncpg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

pytestmark = pytest.mark.django_db(transaction=True)


def printed(role: str) -> str:
    out = StringIO()
    call_command("database_password", role, stdout=out)
    return out.getvalue().strip()


@pytest.fixture(params=["jhe_app", "jhe_mcp"])
def role(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def url(transactional_db: None, role: str) -> str:
    return printed(role)


async def test_the_printed_url_leads_to_this_database_as_the_role_of_the_service(url: str, role: str) -> None:
    server = await asyncpg.connect(url)
    try:
        assert await server.fetchval("SELECT current_user") == role
        assert await server.fetchval("SELECT current_database()") == connection.settings_dict["NAME"]
    finally:
        await server.close()


def test_the_database_keeps_a_hash_and_each_run_makes_a_new_password(role: str) -> None:
    passwords = {urlsplit(printed(role)).password or "", urlsplit(printed(role)).password or ""}
    assert len(passwords) == 2
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolpassword FROM pg_authid WHERE rolname = %s", [role])
        (kept,) = cursor.fetchone()
    assert kept.startswith("SCRAM-SHA-256$")
    assert not any(password in kept for password in passwords)


def test_no_other_role_gets_a_password() -> None:
    with pytest.raises(CommandError, match="invalid choice"):
        printed("postgres")
