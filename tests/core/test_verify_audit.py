"""`manage.py seal_audit` and `manage.py verify_audit`: what they print, and what they end with."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from core.actions.audit import record_access
from core.models import AuditSeal

pytestmark = pytest.mark.django_db(transaction=True)


def leave_row() -> int:
    return record_access(door="rest", action="GET x", outcome="success", user_id=10001, patient_ids=[40001])


def run(command: str, *arguments: str) -> str:
    out = StringIO()
    call_command(command, *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def sealed() -> AuditSeal:
    leave_row()
    leave_row()
    assert run("seal_audit") == "Rows sealed: 2, new seals: 1.\n"
    return AuditSeal.objects.get()


def alter(row_id: int) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE core_auditevent SET patient_ids = '{40002}' WHERE id = %s", [row_id])


def test_a_whole_trail_and_the_rows_that_wait_are_told(sealed: AuditSeal) -> None:
    leave_row()
    whole, waiting, head = run("verify_audit").splitlines()
    assert whole == "Rows: 2, seals: 1: whole."
    assert waiting.startswith("1 rows wait for a seal, the oldest since 20")
    assert head == f"The newest hash: {sealed.hash}"


def test_an_empty_trail_is_whole() -> None:
    assert run("verify_audit") == "Rows: 0, seals: 0: whole.\n"
    assert run("verify_audit", "--print-head") == "\n"


def test_a_broken_trail_says_where_and_ends_with_1(sealed: AuditSeal) -> None:
    alter(sealed.last_id)
    out = StringIO()
    with pytest.raises(CommandError) as refusal:
        call_command("verify_audit", stdout=out)
    assert refusal.value.returncode == 1
    where = f"{sealed.day} seal 1: Rows were altered after they were sealed. Ids: "
    assert out.getvalue().startswith(f"{where}{{[{sealed.last_id},{sealed.last_id + 1})}}")
    assert "BROKEN" in out.getvalue()


def test_json_says_the_same(sealed: AuditSeal) -> None:
    alter(sealed.last_id)
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("verify_audit", "--json", stdout=out)
    told = json.loads(out.getvalue())
    assert (told["seals"], told["rows"], told["head"]) == (1, 2, sealed.hash)
    assert told["breaks"][0]["ids"] == f"{{[{sealed.last_id},{sealed.last_id + 1})}}"


def test_a_hash_that_was_kept_is_looked_for(sealed: AuditSeal) -> None:
    head = run("verify_audit", "--print-head").strip()
    assert "whole" in run("verify_audit", "--expect", head)
    with pytest.raises(CommandError, match="not what was sealed"):
        run("verify_audit", "--expect", "0" * 64)


@pytest.mark.parametrize("days", [["--day", "2020-01-01"], ["--to", "2020-01-01"], ["--from", "2999-01-01"]])
def test_other_days_hold_no_seals(sealed: AuditSeal, days: list[str]) -> None:
    assert run("verify_audit", *days).startswith("Rows: 0, seals: 0")
    assert run("verify_audit", "--day", str(sealed.day)).startswith("Rows: 2, seals: 1")


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (["--day", "yesterday"], "write it as 2026-09-01"),
        (["--expect", "abc"], "64 digits"),
        (["--day", "2026-09-01", "--to", "2026-09-02"], "not both"),
    ],
)
def test_what_cannot_be_is_refused_with_advice(arguments: list[str], advice: str) -> None:
    with pytest.raises(CommandError, match=advice):
        run("verify_audit", *arguments)
