"""Dates and times that callers name. A date is a patient's local day; a date-time with an offset is an instant.

What is local is decided reading by reading, by the UTC offset that was recorded with it, so the days of somebody who
travels are the days they lived.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from core.policy.errors import InvalidInput

TIME_ZONE = "local to the patient, by the UTC offset recorded with each reading; UTC (Z) where none was"
"""What every answer says that tells or takes a patient's times."""

_EARLIEST, _LATEST = timedelta(hours=-12), timedelta(hours=14)
"""The offsets from UTC that there are."""


@dataclass(frozen=True, slots=True)
class Window:
    """From the start up to, not including, the end; None is open. What is local also has rough bounds in UTC."""

    start_utc: datetime | None = None
    end_utc: datetime | None = None
    start_local: datetime | None = None
    end_local: datetime | None = None


def window(start: str | None, end: str | None) -> Window:
    """Raises InvalidInput."""
    begin = None if start is None else _moment("start", start)
    finish = None if end is None else _moment("end", end)
    if finish is not None and _is_date(str(end)):
        finish += timedelta(days=1)
    found = Window(
        start_utc=_utc(begin, _LATEST),
        end_utc=_utc(finish, _EARLIEST),
        start_local=begin if begin and begin.tzinfo is None else None,
        end_local=finish if finish and finish.tzinfo is None else None,
    )
    if _is_empty(found):
        raise InvalidInput(f"start must be before end: got {start} {'=' if start == end else '>'} {end}.")
    return found


def _moment(name: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(
            f"{name} must be an ISO 8601 date such as 2026-11-01, or a date-time such as 2026-11-01T07:30:00-08:00."
        ) from error
    if not 1900 <= moment.year <= 2200:
        raise InvalidInput(f"{name} must be between the years 1900 and 2200.")
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
