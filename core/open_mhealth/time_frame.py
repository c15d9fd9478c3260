"""When a data point holds. Its body keeps the original time offsets; here they become instants, and the offset is kept
beside them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from dateutil.relativedelta import relativedelta

from core.policy.errors import InvalidInput

# Hours of the local day, as the time-interval schema names its parts.
PARTS_OF_DAY = {"night": (0, 6), "morning": (6, 12), "afternoon": (12, 18), "evening": (18, 24)}

_SECONDS = {
    "ps": 1e-12,
    "ns": 1e-9,
    "us": 1e-6,
    "ms": 1e-3,
    "sec": 1.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86_400.0,
    "wk": 604_800.0,
}
_CALENDAR = ("Mo", "yr")


@dataclass(frozen=True, slots=True)
class TimeFrame:
    """An instant (`end` is None) or a period, and the offset from UTC that it was recorded with, in minutes."""

    start: datetime
    end: datetime | None
    utc_offset_minutes: int | None


def effective_time(data_point: Mapping[str, Any]) -> TimeFrame:
    """When a data point holds: its `effective_time_frame`, or where the schema lets that out, when it was recorded.

    Naive times are UTC. Raises InvalidInput with the place of the fault.
    """
    frame = data_point["body"].get("effective_time_frame")
    if frame is None:
        recorded = data_point.get("header", {}).get("source_creation_date_time")
        if recorded is None:
            raise InvalidInput("body.effective_time_frame is missing: say when the value holds.")
        return _instant(recorded, "header.source_creation_date_time")
    if "date_time" in frame:
        return _instant(frame["date_time"], "body.effective_time_frame.date_time")
    if "time_interval" in frame:
        return _interval(frame["time_interval"])
    raise InvalidInput("body.effective_time_frame needs a date_time or a time_interval.")


def _instant(text: Any, place: str) -> TimeFrame:
    moment, offset = _moment(text, place)
    return TimeFrame(moment, None, offset)


def _interval(interval: Mapping[str, Any]) -> TimeFrame:
    place = "body.effective_time_frame.time_interval"
    if "part_of_day" in interval:
        return _part_of_day(interval, place)
    start = _bound(interval, "start_date_time", place)
    end = _bound(interval, "end_date_time", place)
    length = _length(interval["duration"], place) if "duration" in interval else None
    match start, end, length:
        case (first, offset), (last, _), _:
            frame = TimeFrame(first, last, offset)
        case (first, offset), None, (timedelta() | relativedelta()) as lasting:
            frame = TimeFrame(first, _shift(first, lasting, place), offset)
        case None, (last, offset), (timedelta() | relativedelta()) as lasting:
            frame = TimeFrame(_shift(last, -lasting, place), last, offset)
        case _:
            raise InvalidInput(f"{place} needs two of start_date_time, end_date_time and duration.")
    if frame.end is not None and frame.end < frame.start:
        raise InvalidInput(f"{place} ends before it starts.")
    return frame


def _part_of_day(interval: Mapping[str, Any], place: str) -> TimeFrame:
    hours = PARTS_OF_DAY.get(interval["part_of_day"])
    if hours is None:
        raise InvalidInput(f"{place}.part_of_day must be one of {', '.join(PARTS_OF_DAY)}.")
    try:
        midnight = datetime.combine(date.fromisoformat(interval["date"]), time(tzinfo=UTC))
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput(f"{place}.date is not a calendar date (YYYY-MM-DD).") from error
    return TimeFrame(midnight + timedelta(hours=hours[0]), midnight + timedelta(hours=hours[1]), None)


def _bound(interval: Mapping[str, Any], key: str, place: str) -> tuple[datetime, int | None] | None:
    return _moment(interval[key], f"{place}.{key}") if key in interval else None


def _moment(text: Any, place: str) -> tuple[datetime, int | None]:
    """An RFC 3339 date-time as an instant, and its offset in minutes (None when it has none)."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            return moment.replace(tzinfo=UTC), None
        offset = moment.utcoffset()
        return moment.astimezone(UTC), None if offset is None else round(offset.total_seconds() / 60)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInput(f"{place} is not a date-time such as 2026-03-01T08:30:00-08:00.") from error


def _length(duration: Mapping[str, Any], place: str) -> timedelta | relativedelta:
    value, unit = duration.get("value"), duration.get("unit")
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        if unit in _SECONDS:
            try:
                return timedelta(seconds=value * _SECONDS[unit])
            except (OverflowError, ValueError) as error:
                raise InvalidInput(f"{place}.duration is longer than any calendar.") from error
        if unit in _CALENDAR and value == int(value):
            return relativedelta(months=int(value)) if unit == "Mo" else relativedelta(years=int(value))
    raise InvalidInput(
        f"{place}.duration needs a value of 0 or more and a unit of {', '.join([*_SECONDS, *_CALENDAR])} "
        "(whole numbers for Mo and yr)."
    )


def _shift(moment: datetime, length: timedelta | relativedelta, place: str) -> datetime:
    try:
        return moment + length
    except (OverflowError, ValueError) as error:
        raise InvalidInput(f"{place} leaves the calendar.") from error
