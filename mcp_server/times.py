"""Dates and times that callers name. A date is a patient's local day; a date-time with an offset is an instant.

What is local is decided reading by reading, by the UTC offset that was recorded with it, so the days of somebody who
travels are the days they lived.
"""

import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, TypeAdapter, ValidationError

from core.policy.errors import InvalidInput
from mcp_server.text import quoted

TIME_ZONE = "local to the patient, by the UTC offset recorded with each reading; UTC (Z) where none was"
"""What every answer says that tells or takes a patient's times."""

_EARLIEST, _LATEST = timedelta(hours=-24), timedelta(hours=24)
"""No offset from UTC can be written that is farther (RFC 3339 §5.6)."""


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("beyond the years that there are") from error


Instant = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A time in a cursor."""


@dataclass(frozen=True, slots=True)
class Window:
    """From the start up to, not including, the end; None is open.

    What is local also has rough bounds in UTC: whatever the offsets are, nothing before `start_utc` or from `end_utc`
    on is in the window, and everything from `inner_start` up to `inner_end` is.
    """

    start_utc: datetime | None = None
    end_utc: datetime | None = None
    start_local: datetime | None = None
    end_local: datetime | None = None
    inner_start: datetime | None = None
    inner_end: datetime | None = None
    """Not before `inner_start`: the same where there is no time that is sure."""

    def parameters(self) -> dict[str, Any]:
        """As questions about a window name its ends."""
        return asdict(self)


def window(start: str | None, end: str | None) -> Window:
    """Raises InvalidInput."""
    begin = None if start is None else _moment("start", start)
    finish = None if end is None else _moment("end", end)
    if finish is not None and _is_date(str(end)):
        finish += timedelta(days=1)
    inner_start, inner_end = _utc(begin, _EARLIEST), _utc(finish, _LATEST)
    found = Window(
        start_utc=_utc(begin, _LATEST),
        end_utc=_utc(finish, _EARLIEST),
        start_local=begin if begin and begin.tzinfo is None else None,
        end_local=finish if finish and finish.tzinfo is None else None,
        inner_start=inner_start,
        inner_end=max(inner_start, inner_end) if inner_start and inner_end else inner_end,
    )
    if _is_empty(found):
        raise InvalidInput(f"start must be before end: got {start} {'=' if start == end else '>'} {end}.")
    return found


_WORDS = re.compile(r"(\d{1,6}(?:\.\d{1,3})?) ?(m|min|minute|h|hour|d|day|w|week)s?", re.IGNORECASE | re.ASCII)
_MINUTES = {"m": 1, "h": 60, "d": 1_440, "w": 10_080}
_SHORTEST, _LONGEST = timedelta(minutes=1), timedelta(days=3_660)


def duration(name: str, text: str) -> timedelta:
    """An ISO 8601 duration such as PT6H, or a number and a unit such as `2 days`. Raises InvalidInput."""
    words = _WORDS.fullmatch(text)
    try:
        length = timedelta(minutes=float(words[1]) * _MINUTES[words[2][0].lower()]) if words else _iso_8601(text)
    except (ValidationError, OverflowError):
        length = timedelta()
    if not _SHORTEST <= length <= _LONGEST:
        raise InvalidInput(
            f"{name} must be a duration from one minute to ten years, such as PT6H or P2D (ISO 8601), or 6h or 2 days: "
            f"got {quoted(text)}."
        )
    return length


def _iso_8601(text: str) -> timedelta:
    return TypeAdapter(timedelta).validate_python(text.upper() if text[:1] in ("P", "p") else "")


def _moment(name: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(
            f"{name} must be an ISO 8601 date such as 2026-11-01, or a date-time such as 2026-11-01T07:30:00-08:00: "
            f"got {quoted(text)}."
        ) from error
    if not 1900 <= moment.year <= 2200:
        raise InvalidInput(f"{name} must be between the years 1900 and 2200: got {quoted(text)}.")
    return moment


def _is_date(text: str) -> bool:
    return len(text) <= len("2026-11-01")


def _utc(moment: datetime | None, offset: timedelta) -> datetime | None:
    if moment is None or moment.tzinfo is not None:
        return moment
    return moment.replace(tzinfo=UTC) - offset


def _is_empty(window: Window) -> bool:
    if window.start_local and window.end_local:
        return window.start_local >= window.end_local
    return bool(window.start_utc and window.end_utc and window.start_utc >= window.end_utc)
