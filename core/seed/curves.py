"""How glucose, heart rate and steps move over days: invented, plausible, and the same for the same person each time.

Minutes count from the person's local midnight of the first day. The models are sums of a few bumps and a slow noise;
they look like people, they are no physiology.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

DAY = 24 * 60
SENSOR_RANGE = (40, 400)
"""What a glucose sensor reports, in mg/dL."""


@dataclass(frozen=True, slots=True)
class GlucoseProfile:
    """In mg/dL, but for the last two: how many lows and lost signals there are a day."""

    fasting: float
    meal: float
    dawn: float
    noise: float
    low_a_day: float = 0.0
    lost_a_day: float = 0.5


STEADY = GlucoseProfile(fasting=90, meal=40, dawn=5, noise=2.2)
TYPE_2 = GlucoseProfile(fasting=124, meal=75, dawn=22, noise=5)
TYPE_1 = GlucoseProfile(fasting=130, meal=120, dawn=25, noise=9, low_a_day=0.9)
LOWS = GlucoseProfile(fasting=104, meal=70, dawn=8, noise=6, low_a_day=1.3)
HIGHS = GlucoseProfile(fasting=188, meal=105, dawn=30, noise=9)


def glucose(key: str, profile: GlucoseProfile, *, days: int, step: int) -> Iterator[tuple[int, float]]:
    """(minute, mg/dL) every `step` minutes, with three or four meals a day, the rise at dawn, lows and lost signals."""
    rng = _dice("glucose", key)
    curve = [profile.fasting + profile.dawn * _dawn(minute) for minute in range(0, days * DAY, step)]
    for day in range(days):
        for at, height, width in (*_meals(rng, profile), *_lows(rng, profile)):
            _add_bump(curve, (day * DAY + at) / step, height, width / step)
    lost = set(_lost(rng, profile, days))
    drift = 0.0
    low, high = SENSOR_RANGE
    for place, value in enumerate(curve):
        drift = 0.97 * drift + rng.gauss(0, profile.noise)
        minute = place * step
        if minute // 5 not in lost:
            yield minute, min(max(value + drift, low), high)


def steps(key: str, *, days: int) -> Iterator[tuple[int, int]]:
    """(hour, steps in it) for the hours in which the person walked at all; fewer at the weekend of a Tuesday start."""
    rng = _dice("steps", key)
    a_day = rng.uniform(3_500, 10_500)
    for day in range(days):
        weekend = 0.75 if day % 7 in (4, 5) else 1.0
        for hour in range(7, 22):
            share = 1.6 if hour in (8, 12, 17, 18) else 0.75
            walked = round(a_day / 15 * share * weekend * rng.lognormvariate(-0.1, 0.5))
            if walked > 20:
                yield day * 24 + hour, walked


def heart_rate(key: str, *, days: int, step: int) -> Iterator[tuple[int, float]]:
    """(minute, beats/min): slow at night, faster in the hours with steps, none while the wearable charges."""
    rng = _dice("heart rate", key)
    at_rest = rng.uniform(56, 76)
    charges_at = rng.randrange(19 * 60, 22 * 60, 15)
    walked = dict(steps(key, days=days))
    drift = 0.0
    for minute in range(0, days * DAY, step):
        drift = 0.7 * drift + rng.gauss(0, 2.5)
        awake = 7 * 60 <= minute % DAY < 23 * 60
        moving = min(walked.get(minute // 60, 0) / 45, 45) * rng.uniform(0.2, 1)
        if not 0 <= minute % DAY - charges_at < 45:
            yield minute, at_rest + (8 if awake else -4) + moving + drift


def nights(key: str, *, days: int) -> Iterator[tuple[int, int, int, int]]:
    """(asleep at minute, minutes until up, minutes slept, awakenings) of the nights between the days."""
    rng = _dice("sleep", key)
    bedtime = rng.gauss(22.9 * 60, 35)
    for day in range(days - 1):
        asleep = round(day * DAY + rng.gauss(bedtime, 25))
        length = round(min(max(rng.gauss(7.3 * 60, 45), 4.5 * 60), 10 * 60))
        awakenings = rng.randint(0, 4)
        yield asleep, length, length - awakenings * rng.randint(3, 12), awakenings


def blood_pressure(key: str, *, days: int) -> Iterator[tuple[int, int, int]]:
    """(minute, systolic, diastolic) in mmHg, morning and evening, with one reading in eight forgotten."""
    rng = _dice("blood pressure", key)
    systolic = rng.uniform(112, 146)
    diastolic = systolic * rng.uniform(0.60, 0.67)
    for minute, lift in _mornings_and_evenings(rng, days, 4.0):
        yield minute, round(rng.gauss(systolic + lift, 6)), round(rng.gauss(diastolic + lift / 2, 4))


def body_temperature(key: str, *, days: int) -> Iterator[tuple[int, float]]:
    """(minute, degrees Celsius)."""
    rng = _dice("temperature", key)
    usual = rng.uniform(36.4, 36.8)
    for minute, fall in _mornings_and_evenings(rng, days, -0.3):
        yield minute, round(rng.gauss(usual + 0.3 + fall, 0.12), 1)


def oxygen_saturation(key: str, *, days: int) -> Iterator[tuple[int, int]]:
    """(minute, percent)."""
    rng = _dice("oxygen", key)
    usual = rng.uniform(95.5, 98)
    for minute, _ in _mornings_and_evenings(rng, days, 0):
        yield minute, min(round(rng.gauss(usual, 0.8)), 100)


def _dice(kind: str, key: str) -> Random:
    return Random(f"{kind} {key}")  # noqa: S311 - repeatable on purpose


def _mornings_and_evenings(rng: Random, days: int, in_the_morning: float) -> Iterator[tuple[int, float]]:
    for day in range(days):
        for hour, shift in ((7.25, in_the_morning), (20.5, 0.0)):
            minute = round(day * DAY + rng.gauss(hour * 60, 20))
            if rng.random() > 1 / 8:
                yield minute, shift


def _dawn(minute: int) -> float:
    return math.exp(-(((minute % DAY) / 60 - 7) ** 2) / 2.5)


def _meals(rng: Random, profile: GlucoseProfile) -> Iterator[tuple[float, float, float]]:
    """(minute of the day, height, minutes to the peak)."""
    for hour, size, likely in ((7.3, 0.9, 0.95), (12.5, 1.0, 1.0), (15.6, 0.45, 0.4), (18.9, 1.15, 1.0)):
        at, height, width = (
            rng.gauss(hour * 60, 30),
            rng.gauss(profile.meal * size, profile.meal / 5),
            rng.uniform(40, 70),
        )
        if rng.random() < likely:
            yield at, max(height, 5), width


def _lows(rng: Random, profile: GlucoseProfile) -> Iterator[tuple[float, float, float]]:
    """At night or before dinner, down to 45 to 65 mg/dL."""
    for hour in (2.8, 17.2):
        at, deepest, width = rng.gauss(hour * 60, 40), rng.uniform(45, 65), rng.uniform(25, 45)
        if rng.random() < profile.low_a_day / 2:
            yield max(at, 0), deepest - profile.fasting, width


def _lost(rng: Random, profile: GlucoseProfile, days: int) -> Iterator[int]:
    """The five-minute steps without a signal: now and then an hour, and two hours when the sensor is changed."""
    for day in range(days):
        for _ in range(4):
            at, length = rng.randrange(0, DAY), rng.randint(20, 150)
            if rng.random() < profile.lost_a_day / 4:
                yield from range((day * DAY + at) // 5, (day * DAY + at + length) // 5)
    changed = (rng.randint(6, 10) * DAY + rng.randrange(8 * 60, 20 * 60)) // 5
    yield from range(changed, changed + 24)


def _add_bump(curve: list[float], start: float, height: float, width: float) -> None:
    """Add a rise to `height` after `width` places and a slower fall: x·e^(1-x)."""
    first = math.ceil(start)
    for place in range(max(first, 0), min(first + math.ceil(6 * width), len(curve))):
        x = (place - start) / width
        curve[place] += height * x * math.exp(1 - x)
