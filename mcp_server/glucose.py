"""MAGE, the mean amplitude of glycemic excursions (Service 1970), as the R package iglu 4.1.7 has it by default.

That is its variant "ma" (Fernandes 2022, doi:10.1177/19322968211061165) with short_ma = 5, long_ma = 32,
inter_gap = 45, max_gap = 180, direction = "avg": the trace is put on a five-minute grid and cut at gaps of over three
hours; in each segment, a short and a long moving average cross wherever a peak or a nadir is due; excursions between
these turning points count from one standard deviation up; rises and falls of all segments are averaged by length.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from math import ceil, fsum, inf, sqrt
from typing import Any

Trace = Sequence[float | None]

GRID = 300
"""Seconds between two points of the grid."""
DAY = 86_400
BRIDGED = 45 * 60
"""Seconds between two readings over which the trace is still interpolated."""
SPLITTING = 180 * 60 // GRID
"""Points without a value that a segment can hold; more of them end it."""
SHORT, LONG = 5, 32
"""Lengths of the moving averages, in points: 25 and 160 minutes."""
EXACT = 2.0**47
"""Times this, a glucose value in mg/dL is a whole number, and sums of whole numbers do not round."""


def finished(patient: dict[str, Any]) -> dict[str, Any]:
    """A patient of the get_glucose_metrics question, with `mage` in the place of the readings it is made of."""
    seconds, values, offset = (patient.pop(key) for key in ("seconds", "mg_per_dl", "utc_offset_minutes"))
    return {**patient, "mage": mage(seconds, values, offset)}


def mage(seconds: Sequence[float], values: Sequence[float], utc_offset_minutes: int = 0) -> float | None:
    """The MAGE of one person's readings, in their unit; None where iglu says NA: too short, too flat, no excursion.

    `seconds` since 1970, in order; of two readings at one time the later one counts. The offset is the first one's.
    """
    weighted = length = 0.0
    for segment in _segments(_points(seconds, values, utc_offset_minutes * 60)):
        for heights in _excursions(segment):
            weighted += fsum(heights) / len(heights) * (len(segment) - 1)
            length += len(segment) - 1
    return weighted / length if length else None


def _points(seconds: Sequence[float], values: Sequence[float], offset: int) -> Iterator[tuple[int, float]]:
    """The trace every five minutes, interpolated linearly, without the insides of gaps: (place on the grid, value).

    Like iglu's it begins after local midnight: a first reading on the stroke of it is no point of the grid.
    """
    readings = list(dict(zip(seconds, values, strict=True)).items())
    if not readings:
        return
    first, last = readings[0], readings[-1]
    midnight = (first[0] + offset) // DAY * DAY - offset
    place = max(ceil(first[0] / GRID), ceil(midnight / GRID) + 1)
    for (start, before), (end, after) in pairwise(readings):
        if end - start > BRIDGED:
            if place * GRID == start:
                yield place, before
            place = max(place, ceil(end / GRID))
        while place * GRID < end:
            yield place, before + (after - before) * ((place * GRID - start) / (end - start))
            place += 1
    if place * GRID == last[0]:
        yield place, last[1]


def _segments(points: Iterable[tuple[int, float]]) -> Iterator[Trace]:
    """The parts of the trace between gaps that are too long: five-minute values, None where a short gap is."""
    segment: list[float | None] = []
    last = 0
    for place, value in points:
        missing = place - last - 1
        last = place
        if segment and missing > SPLITTING:
            yield segment
            segment = []
        if segment and missing:
            segment.extend([None] * missing)
        segment.append(value)
    if segment:
        yield segment


def _excursions(segment: Trace) -> Iterator[list[float]]:
    """The heights of the rises, then of the falls, that exceed one standard deviation; nothing where there are none."""
    if len(segment) < LONG:
        return
    threshold = _deviation([value for value in segment if value is not None])
    if threshold < 1:
        return
    turns = _turning_points(segment)
    for heights in (_rises(turns, threshold), _rises([-turn for turn in turns], threshold)):
        if heights:
            yield heights


def _deviation(values: Sequence[float]) -> float:
    mean = fsum(values) / len(values)
    return sqrt(fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def _turning_points(segment: Trace) -> list[float]:
    """One for each crossing: the peak (where the short average goes above) or nadir up to the next crossing.

    It is looked for from the turning point before, which may lie before the crossing.
    """
    difference = _difference(segment)
    peaks = [-inf if value is None else value for value in segment]
    nadirs = [inf if value is None else value for value in segment]
    turns = []
    turn = 0
    for crossing, following in pairwise(_crossings(segment, difference)):
        if (difference[crossing] or 0) > 0:
            window = peaks[turn : following + 1]
            value = max(window)
        else:
            window = nadirs[turn : following + 1]
            value = min(window)
        turns.append(value)
        turn += window.index(value)
    return turns


def _crossings(segment: Trace, difference: Trace) -> Iterator[int]:
    """The first point, each where the difference of the averages changes its sign, and the last point."""
    last = 0
    yield last
    for i in range(1, len(segment)):
        before, now = difference[i - 1], difference[i]
        if before is None or now is None or segment[i - 1] is None or segment[i] is None:
            continue
        # A sign that changed inside of a gap, or by way of zero, is seen against the last crossing.
        if now * before < 0 or now * (difference[last] or 0) < 0:
            yield i
            last = i
    yield len(segment) - 1


def _difference(segment: Trace) -> Trace:
    """Short minus long moving average at each point; None where the short one holds no value."""
    counts = list(accumulate((value is not None for value in segment), initial=0))
    sums = list(accumulate((int((value or 0) * EXACT) for value in segment), initial=0))

    def averages(length: int) -> list[float | None]:
        """Of the values in the `length` points up to each; the first points have the first full window's."""
        full = [
            (total - total_before) / (count - count_before) / EXACT if count > count_before else None
            for total, total_before, count, count_before in zip(
                sums[length:], sums, counts[length:], counts, strict=False
            )
        ]
        return full[:1] * (length - 1) + full

    return [
        None if short is None or long is None else short - long
        for short, long in zip(averages(SHORT), averages(LONG), strict=True)
    ]


def _rises(turns: Sequence[float], threshold: float) -> list[float]:
    """The heights of the rises of at least `threshold` that end where a fall exceeds it, or with the trace."""
    heights = []
    nadir, peak = turns[0], None
    for turn in turns:
        if peak is None:
            nadir = min(nadir, turn)
            if turn - nadir >= threshold:
                peak = turn
        else:
            peak = max(peak, turn)
            if peak - turn > threshold:
                heights.append(peak - nadir)
                nadir, peak = turn, None
    if peak is not None:
        heights.append(peak - nadir)
    return heights
