"""Pages by cursor: the next one begins after the last row of this one, whatever was added in between (keyset paging).

A cursor says where to go on, never what may be seen: each page looks up the rights of its reader anew.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet

from core.policy.errors import InvalidInput

MAX_PAGE_SIZE = 1_000


@dataclass(frozen=True, slots=True)
class Page:
    """`rows` as asked for, and the cursors of the pages beside, None where there is none."""

    rows: list[Any]
    next: str | None
    previous: str | None


def page_of_rows(
    rows: "QuerySet[Any]", *, size: int, cursor: str | None = None, order: Sequence[str] = ("pk",)
) -> Page:
    """One page. `order` names columns that together are unique and never null, `-` before each for the newest first."""
    is_backward, position = _read(cursor, len(order)) if cursor else (False, None)
    asked = rows.order_by(*(map(_reversed, order) if is_backward else order))
    if position is not None:
        asked = asked.filter(_after(order, position, is_backward=is_backward, model=rows.model))
    found = list(asked[: size + 1])
    has_more = len(found) > size
    page = found[:size][::-1] if is_backward else found[:size]
    has_next, has_previous = (position is not None, has_more) if is_backward else (has_more, position is not None)
    return Page(
        page,
        next=_write(order, page[-1], is_backward=False) if page and has_next else None,
        previous=_write(order, page[0], is_backward=True) if page and has_previous else None,
    )


def _reversed(column: str) -> str:
    return column[1:] if column.startswith("-") else f"-{column}"


def _after(order: Sequence[str], position: Sequence[Any], *, is_backward: bool, model: type[Model]) -> Q:
    """`(a, b) > (x, y)`, written so that an index on (a, b) bounds it: a >= x and (a > x or (a = x and b > y))."""
    columns = [column.lstrip("-") for column in order]
    values = [_value(model, column, value) for column, value in zip(columns, position, strict=True)]
    operator = "lt" if order[0].startswith("-") is not is_backward else "gt"
    beyond = Q()
    for depth in reversed(range(len(columns))):
        column, value = columns[depth], values[depth]
        further = Q(**{f"{column}__{operator}": value})
        beyond = further | (Q(**{column: value}) & beyond) if beyond else further
    return beyond if len(columns) == 1 else Q(**{f"{columns[0]}__{operator}e": values[0]}) & beyond


def _value(model: type[Model], column: str, value: Any) -> Any:
    if value is None:
        raise _foreign()
    field = model._meta.pk if column == "pk" else model._meta.get_field(column)
    try:
        return field.clean(value, None)  # type: ignore[union-attr]
    except (ValidationError, TypeError, ValueError, OverflowError) as error:
        raise _foreign() from error


def _write(order: Sequence[str], row: Any, *, is_backward: bool) -> str:
    position = [getattr(row, column.lstrip("-")) for column in order]
    return base64.urlsafe_b64encode(orjson.dumps([is_backward, *position])).decode().rstrip("=")


def _read(cursor: str, length: int) -> tuple[bool, list[Any]]:
    try:
        read = orjson.loads(base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError) as error:
        raise _foreign() from error
    if not isinstance(read, list) or len(read) != length + 1 or not isinstance(read[0], bool):
        raise _foreign()
    return read[0], read[1:]


def _foreign() -> InvalidInput:
    return InvalidInput("cursor: Not one of this list: take it from `next`, or leave it out to begin again.")
