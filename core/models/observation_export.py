"""Observations by id, for an export: each once and in flat memory, rights looked up for each part of it anew."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from core.models.observation_pages import Row
from core.policy.permissions import Permission
from core.policy.principal import Principal
from core.policy.roles import roles_granting
from core.sql import statement

_AFTER = statement("observations_after")
_STILL_READABLE = statement("observations_still_readable")
FETCH = 500


def rows_after(
    principal: Principal,
    *,
    after: int,
    upto: int,
    limit: int,
    since: datetime | None = None,
    study_id: int | None = None,
) -> Iterator[list[Row]]:
    """The next at most `limit` observations by id, up to `upto`, that the caller may read now; through the study.

    They come in parts, because one can have megabytes; all parts are of one snapshot.
    """
    given = {**_caller(principal, study_id), "after": after, "upto": upto, "since": since, "limit": limit}
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        cursor.execute(_AFTER, given)
        while rows := cursor.fetchmany(FETCH):
            yield [Row._make(row) for row in rows]


def still_readable(principal: Principal, ids: Iterable[int], *, study_id: int | None = None) -> dict[int, int]:
    """{id: patient_id} of those that the caller may read at this moment; through the study when one is given."""
    with connection.cursor() as cursor:
        cursor.execute(_STILL_READABLE, {**_caller(principal, study_id), "ids": list(ids)})
        return dict(cursor.fetchall())


def _caller(principal: Principal, study_id: int | None) -> dict[str, Any]:
    return {
        "user_id": principal.user_id,
        "roles": roles_granting(Permission.OBSERVATION_READ),
        "studies": None if study_id is None else [study_id],
    }
