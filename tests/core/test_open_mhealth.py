from datetime import UTC, datetime

import pytest

from core.open_mhealth import Quantity, TimeFrame, effective_time, scalar
from core.policy.errors import InvalidInput


def body(frame):
    return {"body": {"effective_time_frame": frame}}


def at(*parts):
    return datetime(*parts, tzinfo=UTC)


def interval(**parts):
    return body({"time_interval": parts})


def test_an_instant_keeps_the_offset_it_was_recorded_with():
    frame = effective_time(body({"date_time": "2026-03-01T08:30:00-08:00"}))
    assert frame == TimeFrame(at(2026, 3, 1, 16, 30), None, -480)


def test_a_naive_instant_is_utc():
    assert effective_time(body({"date_time": "2026-03-01T08:30:00"})) == TimeFrame(at(2026, 3, 1, 8, 30), None, None)


def test_zulu_and_fractions_of_a_second_are_read():
    assert effective_time(body({"date_time": "2026-03-01T08:30:00.25Z"})).start == at(2026, 3, 1, 8, 30, 0, 250_000)


HOUR = TimeFrame(at(2026, 3, 1, 8), at(2026, 3, 1, 9), 0)


@pytest.mark.parametrize(
    "parts",
    [
        {"start_date_time": "2026-03-01T08:00:00Z", "end_date_time": "2026-03-01T09:00:00Z"},
        {"start_date_time": "2026-03-01T08:00:00Z", "duration": {"value": 60, "unit": "min"}},
        {"end_date_time": "2026-03-01T09:00:00Z", "duration": {"value": 3600, "unit": "sec"}},
    ],
)
def test_an_interval_is_the_same_however_it_is_written(parts):
    assert effective_time(interval(**parts)) == HOUR


@pytest.mark.parametrize(("part", "hours"), [("night", (0, 6)), ("morning", (6, 12)), ("afternoon", (12, 18))])
def test_a_part_of_the_day_is_its_hours(part, hours):
    frame = effective_time(interval(date="2026-03-01", part_of_day=part))
    assert frame == TimeFrame(at(2026, 3, 1, hours[0]), at(2026, 3, 1, hours[1]), None)


def test_the_evening_ends_at_midnight():
    assert effective_time(interval(date="2026-03-01", part_of_day="evening")).end == at(2026, 3, 2)


def test_calendar_months_and_years_follow_the_calendar():
    start = "2026-01-31T00:00:00Z"
    assert effective_time(interval(start_date_time=start, duration={"value": 1, "unit": "Mo"})).end == at(2026, 2, 28)
    assert effective_time(interval(start_date_time=start, duration={"value": 2, "unit": "yr"})).end == at(2028, 1, 31)


def test_without_a_time_frame_the_header_says_when():
    point = {"header": {"source_creation_date_time": "2026-03-01T08:30:00Z"}, "body": {}}
    assert effective_time(point).start == at(2026, 3, 1, 8, 30)


@pytest.mark.parametrize(
    "point",
    [
        {"body": {}},
        body({}),
        body({"date_time": "2026-02-30T08:00:00Z"}),
        body({"date_time": "yesterday"}),
        body({"date_time": 20260301}),
        body({"date_time": None}),
        body({"date_time": "0001-01-01T00:00:00+14:00"}),
        interval(),
        interval(start_date_time="2026-03-01T08:00:00Z"),
        interval(duration={"value": 1, "unit": "h"}),
        interval(start_date_time="2026-03-01T09:00:00Z", end_date_time="2026-03-01T08:00:00Z"),
        interval(start_date_time="2026-03-01T09:00:00Z", duration={"value": -1, "unit": "h"}),
        interval(start_date_time="2026-03-01T09:00:00Z", duration={"value": 1, "unit": "fortnight"}),
        interval(start_date_time="2026-03-01T09:00:00Z", duration={"value": 1.5, "unit": "Mo"}),
        interval(start_date_time="2026-03-01T09:00:00Z", duration={"value": 9e9, "unit": "wk"}),
        interval(start_date_time="2026-03-01T09:00:00Z", duration={"value": 9000, "unit": "yr"}),
        interval(start_date_time="2026-03-01T09:00:00Z", duration={"value": float("nan"), "unit": "h"}),
        interval(start_date_time="2026-03-01T09:00:00Z", duration={"value": True, "unit": "h"}),
        interval(date="2026-02-30", part_of_day="night"),
        interval(date="2026-02-28", part_of_day="noon"),
        interval(part_of_day="night"),
    ],
)
def test_a_time_that_cannot_be_is_refused_with_its_place(point):
    with pytest.raises(InvalidInput, match=r"^(body|header)\."):
        effective_time(point)


def test_the_number_of_a_scalar_kind_is_found_by_its_code():
    assert scalar("omh:blood-glucose:4.0", {"blood_glucose": {"value": 120, "unit": "mg/dL"}}) == Quantity(120, "mg/dL")
    assert scalar("omh:step-count:3.0", {"step_count": {"value": 9, "unit": "steps"}}) == Quantity(9.0, "steps")


@pytest.mark.parametrize(
    "measures",
    [
        {"systolic_blood_pressure": {"value": 120, "unit": "mmHg"}},
        {"blood_pressure": 120},
        {"blood_pressure": {"value": "120", "unit": "mmHg"}},
        {"blood_pressure": {"value": True, "unit": "mmHg"}},
        {"blood_pressure": {"value": 120}},
    ],
)
def test_what_is_not_one_number_with_a_unit_has_no_scalar(measures):
    assert scalar("omh:blood-pressure:4.0", measures) is None
