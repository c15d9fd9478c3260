"""Observations by id, for an export: each once and in flat memory, rights looked up for each part of it anew."""

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, get_args, get_type_hints

from django.db import connection

from core.models.observation_pages import Row
from core.policy.permissions import Permission
from core.policy.principal import Principal
from core.policy.roles import roles_for
from core.policy.views import for_caller
from core.sql import statement

_AFTER = statement("observations_after")
_STILL_READABLE = statement("observations_still_readable")
FETCH = 500
_ESCAPED = re.compile(r"\\(.)")
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
"""PostgreSQL, COPY, "Text Format"; any other character stands for itself."""


def read_after(
    principal: Principal,
    take: Callable[[list[Row]], bool],
    *,
    after: int,
    upto: int,
    limit: int,
    since: datetime | None = None,
    study_id: int | None = None,
) -> None:
    """Hand `take` the next at most `limit` observations by id, up to `upto`, that the caller may read now.

    Through the study, when one is given. They come some hundreds at a time, all of one snapshot, while the database
    makes the next ones; when `take` says that it has enough, the rest is left out.
    """
    given = {**_caller(principal, study_id), "after": after, "upto": upto, "since": since, "limit": limit}
    copied = _Copied(take)
    with connection.cursor() as cursor:
        cursor.copy_expert(cursor.mogrify(for_caller(_AFTER, principal), given), copied)
    copied.hand_over()


def still_readable(principal: Principal, ids: Iterable[int], *, study_id: int | None = None) -> dict[int, int]:
    """{id: patient_id} of those that the caller may read at this moment; through the study when one is given."""
    with connection.cursor() as cursor:
        cursor.execute(for_caller(_STILL_READABLE, principal), {**_caller(principal, study_id), "ids": list(ids)})
        return dict(cursor.fetchall())


def _caller(principal: Principal, study_id: int | None) -> dict[str, Any]:
    return {
        "user_id": principal.caller_id,
        "roles": roles_for(principal, Permission.OBSERVATION_READ),
        "studies": None if study_id is None else [study_id],
    }


class _Copied:
    """What psycopg2 writes the lines of a COPY to, one by one."""

    def __init__(self, take: Callable[[list[Row]], bool]) -> None:
        self._take, self._rows, self._has_enough = take, list[Row](), False

    def write(self, line: bytes) -> None:
        if self._has_enough:
            return
        self._rows.append(_row(line))
        if len(self._rows) == FETCH:
            self.hand_over()

    def hand_over(self) -> None:
        if self._rows and not self._has_enough:
            self._has_enough = self._take(self._rows)
            self._rows = []


def _row(line: bytes) -> Row:
    """A row of the view `observation_row` from its line."""
    fields = line.decode()[:-1].split("\t")
    return Row._make([parse(field) for parse, field in zip(_PARSERS, fields, strict=True)])


def _text(field: str) -> str:
    return _ESCAPED.sub(_escaped, field) if "\\" in field else field


def _escaped(match: re.Match[str]) -> str:
    return _ESCAPES.get(match[1], match[1])


def _or_null(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda field: None if field == "\\N" else parse(field)


_PARSE: dict[Any, Callable[[str], Any]] = {
    int: int,
    float: float,
    str: _text,
    datetime: datetime.fromisoformat,
}
_PARSERS = [
    _PARSE[type_] if type_ in _PARSE else _or_null(_PARSE[get_args(type_)[0]]) for type_ in get_type_hints(Row).values()
]
"""By column: what its type says, or null."""
