"""Changes on condition of one type come one after the other, each with its look and its write.

The lock is on the type, not on the query, because one condition can be spelled in many ways
(docs/adr/0024-what-fhir-writes-keep-and-refuse.md).
"""

from collections.abc import Iterable

from django.db import connection


def take_turns(type_names: Iterable[str]) -> None:
    """Wait for other changes on condition of these types, and hold up the next until the transaction ends.

    A transaction that makes several calls it first, for all of its types: in one order, so nobody waits in a circle.
    """
    with connection.cursor() as cursor:
        for name in sorted(set(type_names)):
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('conditional'), hashtext(%s))", [name])
