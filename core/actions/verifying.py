"""Checks the audit trail against its seals."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.db import connection, transaction

from core.models import AuditSeal
from core.sql import statement

MOST_BREAKS = 100
"""Told at most: a trail with more of them is not to be mended row by row."""


@dataclass(frozen=True, slots=True)
class Break:
    """A place where the trail is not what was sealed. `ids` are ranges of audit rows: `{[1,3),[7,8)}`."""

    sentence: str
    day: date | None = None
    number: int | None = None
    ids: str | None = None


@dataclass(slots=True)
class Verdict:
    seals: int = 0
    rows: int = 0
    head: str = ""
    """The hash of the newest seal. Kept elsewhere, it shows later that the end of the chain was not cut off."""
    waiting_count: int = 0
    """Rows that wait for the next seal, the oldest recorded at `waiting_since`."""
    waiting_since: datetime | None = None
    breaks: list[Break] = field(default_factory=list)


@transaction.atomic(durable=True)
def verify_audit(*, first_day: date | None = None, last_day: date | None = None, expect: str = "") -> Verdict:
    """Compute again every seal of some days, UTC and both included; without days, of all.

    `expect` is the hash of a seal that somebody kept elsewhere: it must be in the chain. Breaks come in the order of
    the chain, so that the first is where it begins. Only the database holds rows, those of one seal at a time.
    """
    verdict = Verdict()
    with connection.cursor() as cursor:
        # One moment for all that is asked here: nothing is sealed between two questions.
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
    verdict.breaks.extend(_redefined())
    for seal in _recomputed(first_day, last_day):
        verdict.seals += 1
        verdict.rows += seal["found_count"]
        if len(verdict.breaks) < MOST_BREAKS:
            verdict.breaks.extend(_breaks_of(seal))
    _look_outside(verdict)
    newest = AuditSeal.objects.last()
    verdict.head = newest.hash if newest else ""
    if expect and not AuditSeal.objects.filter(hash=expect).exists():
        verdict.breaks.append(Break("The expected seal is not in the chain: its end was cut off, or made anew."))
    return verdict


def _redefined() -> Iterator[Break]:
    """Whether this database still hashes what it was released to hash."""
    released = statement("audit_seal_v1")
    for function in _ask("audit_line_functions"):
        if function["prosrc"] not in released:
            yield Break(f"The function {function['proname']} was changed: nothing that it says can be relied on.")


def _recomputed(first_day: date | None, last_day: date | None) -> Iterator[dict[str, Any]]:
    with connection.chunked_cursor() as cursor:
        cursor.execute(statement("audit_seals_recomputed"), {"first_day": first_day, "last_day": last_day})
        for row in cursor:
            yield dict(zip(_COLUMNS, row, strict=True))


_COLUMNS = ("id", "day", "number", "row_count", "ids", "is_linked", "found_count", "is_whole")


def _breaks_of(seal: dict[str, Any]) -> Iterator[Break]:
    where = {"day": seal["day"], "number": seal["number"]}
    if not seal["is_linked"]:
        yield Break("This seal does not continue the one before it: seals were removed or altered.", **where)
    if seal["is_whole"]:
        return
    (rows,) = _ask("audit_seal_rows", seal_id=seal["id"])
    if rows["missing"]:
        yield Break("Rows that were sealed are missing.", ids=rows["missing"], **where)
    if rows["altered"]:
        yield Break("Rows were altered after they were sealed.", ids=rows["altered"], **where)
    if not (rows["missing"] or rows["altered"]):
        yield Break("The seal itself was altered; its rows are what it says of them.", ids=seal["ids"], **where)


def _look_outside(verdict: Verdict) -> None:
    (outside,) = _ask("audit_rows_without_seal")
    verdict.waiting_count, verdict.waiting_since = outside["waiting_count"], outside["waiting_since"]
    if outside["inserted"]:
        verdict.breaks.append(Break("Rows were inserted where others were sealed already.", ids=outside["inserted"]))


def _ask(name: str, **parameters: Any) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(statement(name), parameters or None)
        columns = [column.name for column in cursor.description]
        return [dict(zip(columns, row, strict=True)) for row in cursor]
