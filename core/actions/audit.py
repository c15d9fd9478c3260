"""Writes audit rows for the doors that Django opens. The MCP server calls the same SQL function itself."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db import connection

_watched: ContextVar[list[int] | None] = ContextVar("watched_audit_rows", default=None)


@contextmanager
def watch() -> Iterator[list[int]]:
    """The ids of the audit rows that are written meanwhile, so that a door knows what an action left already."""
    rows: list[int] = []
    token = _watched.set(rows)
    try:
        yield rows
    finally:
        _watched.reset(token)


def record_access(
    *,
    door: str,
    action: str,
    outcome: str,
    user_id: int | None,
    client_id: str = "",
    token_key: str = "",
    study_id: int | None = None,
    patient_ids: Iterable[int] = (),
    source: str = "",
    detail: Mapping[str, Any] | None = None,
) -> int:
    """One access to patient data, refused ones too. `detail` says what narrows the question, never its answer.

    Returns the id of the audit row, which nobody can change afterwards.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT audit_record(%s, %s, %s, %s, %s, %s, %s, %s::bigint[], %s, %s::jsonb)",
            [
                door,
                action,
                outcome,
                user_id,
                client_id,
                token_key,
                study_id,
                list(patient_ids),
                source,
                json.dumps(dict(detail or {})),
            ],
        )
        row = cursor.fetchone()
    written = int(row[0])
    if (watched := _watched.get()) is not None:
        watched.append(written)
    return written
