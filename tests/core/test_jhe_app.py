"""The database role of the web service: it works with everything and cannot undo what is only ever added to."""

import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from psycopg2.errors import InsufficientPrivilege

from core.actions.audit import record_access
from core.actions.sealing import seal_audit
from core.checks import services_cannot_change_the_trail
from core.models import AuditEvent, AuditSeal, ConsentHistory
from demo.services import ROOT
from jhe.__main__ import warn
from tests.factories import ConsentFactory

APPEND_ONLY = ("core_auditevent", "core_auditseal", "core_consenthistory", "core_ingest", "core_resourcehistory")


@pytest.fixture
def as_jhe_app(app_database_url: str) -> Iterator[Any]:
    """A cursor of that role's own, on a database that has a row in the trail, a seal and a consent."""
    ConsentFactory()
    record_access(door="rest", action="GET x", outcome="success", user_id=1)
    seal_audit()
    session = psycopg2.connect(app_database_url)
    session.autocommit = True
    with session.cursor() as cursor:
        yield cursor
    session.close()


@pytest.fixture
def web_service(db: None) -> Iterator[None]:
    """Django itself as that role, for one test."""
    with connection.cursor() as cursor:
        cursor.execute("SET ROLE jhe_app")
        yield
        cursor.execute("RESET ROLE")


def append_only_tables(cursor: Any) -> set[str]:
    cursor.execute(
        "SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgfoid = 'refuse_change'::regproc AND NOT tgisinternal"
    )
    return {name for (name,) in cursor}


def test_the_tables_that_are_only_added_to_are_these(as_jhe_app: Any) -> None:
    assert append_only_tables(as_jhe_app) == set(APPEND_ONLY)


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize(
    "attempt",
    [
        "UPDATE {} SET id = id",
        "DELETE FROM {}",
        "TRUNCATE {}",
        "ALTER TABLE {} DISABLE TRIGGER ALL",
        "ALTER TABLE {} DISABLE TRIGGER USER",
        "ALTER TABLE {} ADD COLUMN x int",
        "DROP TABLE {}",
        "CREATE TRIGGER mine BEFORE INSERT ON {} FOR EACH ROW EXECUTE FUNCTION refuse_change()",
        "CREATE RULE mine AS ON INSERT TO {} DO INSTEAD NOTHING",
    ],
)
def test_it_can_only_add(as_jhe_app: Any, table: str, attempt: str) -> None:
    with pytest.raises(InsufficientPrivilege):
        as_jhe_app.execute(attempt.format(table))


def test_it_gives_itself_nothing(as_jhe_app: Any) -> None:
    as_jhe_app.execute("GRANT ALL ON core_auditevent TO jhe_app")  # which PostgreSQL answers with a mere warning
    with pytest.raises(InsufficientPrivilege):
        as_jhe_app.execute("DELETE FROM core_auditevent")


@pytest.mark.parametrize(
    "attempt",
    [
        "INSERT INTO core_auditevent SELECT * FROM core_auditevent",
        "INSERT INTO core_auditseal SELECT * FROM core_auditseal",
        "SET ROLE postgres",
        "SET SESSION AUTHORIZATION postgres",
        "SET session_replication_role = replica",
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "CREATE OR REPLACE FUNCTION audit_line(event core_auditevent) RETURNS text LANGUAGE sql AS 'SELECT 1::text'",
        "ALTER FUNCTION audit_seal SECURITY INVOKER",
        "DROP FUNCTION audit_seal",
        "CREATE TABLE mine (id int)",
        "CREATE SCHEMA mine",
        "CREATE ROLE mine",
        "ALTER ROLE jhe_app SUPERUSER",
        "TRUNCATE core_study CASCADE",
        "DROP TABLE core_study",
        "DELETE FROM django_migrations",
        "SELECT * FROM pg_authid",
        "COPY core_study TO '/tmp/mine'",
        "ALTER SYSTEM SET log_statement = 'all'",
    ],
)
def test_it_has_no_way_round(as_jhe_app: Any, attempt: str) -> None:
    with pytest.raises(InsufficientPrivilege):
        as_jhe_app.execute(attempt)


def test_it_can_add_to_the_trail_and_seal_it_by_the_functions(web_service: None) -> None:
    row = record_access(door="rest", action="GET x", outcome="success", user_id=1, patient_ids=[40001])
    assert seal_audit().rows == 1
    assert AuditEvent.objects.get(pk=row).patient_ids == [40001]
    assert AuditSeal.objects.count() == 1


def test_the_history_is_kept_of_what_it_changes(web_service: None) -> None:
    consent = ConsentFactory(consented=True)
    consent.consented = False
    consent.save()
    assert ConsentHistory.objects.count() == 2


def test_it_reads_and_writes_every_other_table_there_is(web_service: None) -> None:
    kept = {*APPEND_ONLY, "django_migrations"}
    tables = {model._meta.db_table for model in apps.get_models(include_auto_created=True) if model._meta.managed}
    with connection.cursor() as cursor:
        for table in tables - kept:
            cursor.execute(
                "SELECT has_table_privilege(%s, 'SELECT') AND has_table_privilege(%s, 'INSERT') "
                "AND has_table_privilege(%s, 'UPDATE') AND has_table_privilege(%s, 'DELETE') "
                "AND NOT has_table_privilege(%s, 'TRUNCATE')",
                [table] * 5,
            )
            assert cursor.fetchone() == (True,), table


@pytest.mark.django_db
def test_a_table_that_comes_later_is_covered_after_the_next_migrate() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE later (id bigserial PRIMARY KEY)")
        cursor.execute("CREATE TABLE later_history (id bigserial PRIMARY KEY)")
        cursor.execute(
            "CREATE TRIGGER later_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON later_history "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
        call_command("migrate", verbosity=0)
        cursor.execute("SET ROLE jhe_app")
        for table in ("later", "later_history"):
            cursor.execute(f"INSERT INTO {table} DEFAULT VALUES")
        cursor.execute("DELETE FROM later")
        with pytest.raises(DatabaseError, match="permission denied for table later_history"), transaction.atomic():
            cursor.execute("DELETE FROM later_history")
        cursor.execute("RESET ROLE")


@pytest.mark.django_db
def test_a_privilege_too_many_is_taken_back_by_the_next_migrate() -> None:
    with connection.cursor() as cursor:
        cursor.execute("GRANT DELETE, TRUNCATE ON core_auditevent, core_study TO jhe_app")
        call_command("migrate", verbosity=0)
        cursor.execute(
            "SELECT string_agg(privilege_type, ',' ORDER BY privilege_type) FROM information_schema.role_table_grants "
            "WHERE grantee = 'jhe_app' AND table_name IN ('core_auditevent', 'core_study') GROUP BY table_name "
            "ORDER BY table_name"
        )
        assert [privileges for (privileges,) in cursor] == ["SELECT", "DELETE,INSERT,SELECT,UPDATE"]


def test_a_service_that_runs_as_its_own_role_is_not_warned_of(web_service: None) -> None:
    assert services_cannot_change_the_trail() == []


@pytest.mark.django_db
def test_a_service_that_runs_as_the_owner_is_warned_of() -> None:
    (warning,) = services_cannot_change_the_trail()
    assert warning.id == "core.W002"
    assert "database_password jhe_app" in str(warning.hint)


def test_a_service_whose_role_got_one_privilege_too_many_is_warned_of(web_service: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
        cursor.execute("GRANT DELETE ON core_consenthistory TO jhe_app")
        cursor.execute("SET ROLE jhe_app")
    assert [warning.id for warning in services_cannot_change_the_trail()] == ["core.W002"]


@pytest.mark.django_db(transaction=True)
def test_the_warning_is_said_at_every_start(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "jhe"):
        warn()
    assert "core.W002" in caplog.text


@pytest.mark.parametrize(
    ("command", "role"), [("migrate", "owner"), ("seed", "owner"), ("check", "jhe_app"), ("verify_audit", "jhe_app")]
)
def test_only_commands_that_need_the_owner_get_to_be_it(command: str, role: str) -> None:
    """Neither can connect here; each says as whom it would."""
    script = (
        "import sys, manage\n"
        "import django.core.management as management\n"
        "def show(argv):\n"
        "    from django.conf import settings\n"
        "    print(settings.DATABASES['default']['USER'])\n"
        "management.execute_from_command_line = show\n"
        "manage.main()"
    )
    environment = {
        "SECRET_KEY": "x",
        "DEBUG": "false",
        "DATABASE_URL": "postgresql://jhe_app@/none",
        "DATABASE_OWNER_URL": "postgresql://owner@/none",
    }
    result = subprocess.run(
        [sys.executable, "-c", script, command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert result.stdout.strip() == role, result.stderr
