"""Seals the audit trail. How it is done is `audit_seal` (core/sql): the services' role may call it, not imitate it."""

from dataclasses import dataclass

from django.db import connection


@dataclass(frozen=True, slots=True)
class Sealed:
    seals: int
    rows: int


def seal_audit() -> Sealed:
    """Put every audit row that is committed under a seal, 1,000 rows to one at most; each seal is a transaction.

    Any number may call this at once and as often as they like: one works, the others find nothing to do. Nobody who
    writes to the trail waits for it. A row whose transaction is still open is sealed next time.
    """
    seals = rows = 0
    with connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT row_count FROM audit_seal()")
            (row_count,) = cursor.fetchone()
            if row_count is None:
                return Sealed(seals, rows)
            seals += 1
            rows += row_count
