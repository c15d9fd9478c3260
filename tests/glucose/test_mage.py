"""MAGE by hand: traces whose peaks and nadirs are known. That it equals iglu is in test_equal_to_iglu.py."""

from math import cos, pi

import pytest

from mcp_server.glucose import mage

DAY = 86_400
NOON = DAY // 2


def wave(cycles, *, low=80, high=180, hours=6, start=NOON, every=300):
    """Readings that go from the nadir to the peak and back, `cycles` times."""
    count = int(cycles * hours * 3600 / every) + 1
    seconds = [start + i * every for i in range(count)]
    middle, half = (low + high) / 2, (high - low) / 2
    return seconds, [middle - half * cos(2 * pi * (s - start) / (hours * 3600)) for s in seconds]


def test_it_is_the_height_of_the_excursions():
    assert mage(*wave(4)) == pytest.approx(100)


def test_a_steady_trace_has_no_excursions():
    seconds, _ = wave(4)
    assert mage(seconds, [100.0] * len(seconds)) is None


def test_too_few_readings_for_the_long_average_have_none():
    seconds, values = wave(4)
    assert mage(seconds[:31], values[:31]) is None


def test_no_readings_have_none():
    assert mage([], []) is None


def test_small_waves_beside_large_ones_do_not_count():
    seconds, values = wave(4)
    more, ripples = wave(4, low=80, high=90, start=seconds[-1] + 300)
    assert mage(seconds + more, values + ripples) == pytest.approx(100)


def test_a_gap_of_over_three_hours_begins_a_new_segment_and_the_segments_weigh_by_their_length():
    seconds, values = wave(4)
    later, higher = wave(2, low=100, high=300, start=seconds[-1] + 4 * 3600)
    assert mage(seconds + later, values + higher) == pytest.approx((2 * 100 + 1 * 200) / 3)


def test_years_without_readings_cost_nothing():
    seconds, values = wave(4)
    later = [second + 100 * 365 * DAY for second in seconds]
    assert mage(seconds + later, values + values) == pytest.approx(100)


def test_of_two_readings_at_one_time_the_later_one_counts():
    seconds, values = wave(4)
    assert mage([seconds[0], *seconds], [600.0, *values]) == pytest.approx(100)


@pytest.mark.parametrize("utc_offset_minutes", [-480, 0, 330, 840])
def test_a_first_reading_on_the_stroke_of_local_midnight_is_left_out_as_iglu_leaves_it_out(utc_offset_minutes):
    midnight = 100 * DAY - utc_offset_minutes * 60
    seconds, values = wave(4, start=midnight)
    with_another_first = mage(seconds, [600.0, *values[1:]], utc_offset_minutes)
    assert with_another_first == mage(seconds, values, utc_offset_minutes)
    assert with_another_first != mage(seconds, [600.0, *values[1:]], utc_offset_minutes + 60)
