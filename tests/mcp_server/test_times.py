"""Windows of time as callers name them."""

from datetime import UTC, datetime

import pytest

from core.policy.errors import InvalidInput
from mcp_server.times import Window, window


def utc(*moment):
    return datetime(*moment, tzinfo=UTC)


def test_nothing_given_is_all_of_time():
    assert window(None, None) == Window()


def test_dates_are_local_days_the_last_of_them_included_with_bounds_that_no_offset_crosses():
    assert window("2026-11-01", "2026-11-02") == Window(
        start_utc=utc(2026, 10, 31, 10),
        end_utc=utc(2026, 11, 3, 12),
        start_local=datetime(2026, 11, 1),
        end_local=datetime(2026, 11, 3),
    )


def test_a_date_time_with_an_offset_is_an_instant():
    found = window("2026-11-01T07:30:00-08:00", "2026-11-01T16:00Z")
    assert found == Window(start_utc=utc(2026, 11, 1, 15, 30), end_utc=utc(2026, 11, 1, 16))


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
