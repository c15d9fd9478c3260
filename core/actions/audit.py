"""Writes audit rows for the doors that Django opens. The MCP server calls the same SQL function itself."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import connection


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
    return int(row[0])
