"""Windows of time as callers name them."""

from datetime import UTC, datetime, timedelta

import pytest

from core.policy.errors import InvalidInput
from mcp_server.times import Window, duration, window


def utc(*moment):
    return datetime(*moment, tzinfo=UTC)


def test_nothing_given_is_all_of_time():
    assert window(None, None) == Window()


def test_dates_are_local_days_the_last_of_them_included_with_bounds_that_no_offset_crosses():
    assert window("2026-11-01", "2026-11-02") == Window(
        start_utc=utc(2026, 10, 31),
        end_utc=utc(2026, 11, 4),
        start_local=datetime(2026, 11, 1),
        end_local=datetime(2026, 11, 3),
        inner_start=utc(2026, 11, 2),
        inner_end=utc(2026, 11, 2),
    )


def test_between_two_distant_dates_there_is_a_time_that_is_sure_for_every_offset():
    found = window("2026-11-01", "2026-11-30")
    assert (found.inner_start, found.inner_end) == (utc(2026, 11, 2), utc(2026, 11, 30))
    single = window("2026-11-01", "2026-11-01")
    assert single.inner_start == single.inner_end == utc(2026, 11, 2)


def test_a_date_time_with_an_offset_is_an_instant():
    found = window("2026-11-01T07:30:00-08:00", "2026-11-01T16:00Z")
    start, end = utc(2026, 11, 1, 15, 30), utc(2026, 11, 1, 16)
    assert found == Window(start_utc=start, end_utc=end, inner_start=start, inner_end=end)


def test_a_date_time_without_an_offset_is_local_and_not_a_whole_day():
    assert window(None, "2026-11-01T00:00").end_local == datetime(2026, 11, 1)


@pytest.mark.parametrize(
    "start", ["", "today", "2026-13-01", "2026-11-31", "01/11/2026", "1793500000", "2026-11-01T25:00Z"]
)
def test_what_is_no_date_is_refused_with_an_example(start):
    with pytest.raises(InvalidInput, match="start must be an ISO 8601 date such as 2026-11-01"):
        window(start, None)


@pytest.mark.parametrize("year", ["0001", "1899", "2201", "9999"])
def test_years_beyond_reason_are_refused(year):
    with pytest.raises(InvalidInput, match="end must be between the years 1900 and 2200"):
        window(None, f"{year}-12-31")


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-11-02", "2026-11-01"),
        ("2026-11-01T12:00Z", "2026-11-01T12:00Z"),
        ("2026-11-01T12:00", "2026-11-01T11:00"),
        ("2026-11-03T00:00Z", "2026-11-01"),
    ],
)
def test_a_window_that_holds_nothing_is_refused(start, end):
    with pytest.raises(InvalidInput, match="start must be before end: got"):
        window(start, end)


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("PT6H", 6),
        ("P2D", 48),
        ("P1DT12H", 36),
        ("p1w", 168),
        ("12h", 12),
        ("2 days", 48),
        ("1.5 hours", 1.5),
        ("90 min", 1.5),
        ("90m", 1.5),
        ("1 Week", 168),
        ("PT1M", 1 / 60),
    ],
)
def test_a_duration_is_iso_8601_or_a_number_and_a_unit(text, hours):
    assert duration("longer_than", text) == timedelta(hours=hours)


@pytest.mark.parametrize(
    "text",
    ["", "6", "h", "-6h", "-PT6H", "P", "PT0S", "30s", "PT30S", "11 years", "P99999D", "PT", "999999 weeks", "1:00"],
)
def test_what_is_no_duration_is_refused_with_examples(text):
    with pytest.raises(InvalidInput, match="longer_than must be a duration from one minute to ten years, such as PT6H"):
        duration("longer_than", text)
