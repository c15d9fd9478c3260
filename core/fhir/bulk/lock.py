"""One worker at a time goes on with a job."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

SPACE = 0x4A4845
"""Keeps these locks apart from other advisory locks: "JHE"."""


@contextmanager
def sole_worker(job_id: int) -> Iterator[bool]:
    """Whether nobody else holds the job; if so, it is held until the end.

    The lock belongs to a connection of its own, which PostgreSQL closes however this process ends: a job that nobody
    holds is nobody's. It saves work and is not needed for correctness: see `position` of BulkJob.
    """
    own = connection.copy()
    try:
        with own.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [SPACE, job_id])
            yield bool(cursor.fetchone()[0])
    finally:
        own.close()
