"""Curves as Open mHealth data points: a header, a body by the schema of its code, times with the wearer's offset."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta, timezone
from typing import Any
from uuid import UUID, uuid5

from core.seed import curves, scopes
from core.seed.times import FIRST_DAY

_NAMESPACE = UUID("3b0c9c52-6f0f-5a33-9b7d-2f4b8f6e7a10")
MG_PER_MMOL = 18
"""mg/dL of glucose in one mmol/L, as sensors count."""

Body = tuple[datetime, datetime | None, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Wearer:
    """Whose readings: the same `key` gives the same readings on every machine."""

    key: str
    utc_offset_minutes: int
    days: int
    profile: curves.GlucoseProfile = curves.STEADY
    glucose_unit: str = "mg/dL"
    glucose_every: int = 5
    heart_rate_every: int = 15

    def at(self, minute: int) -> datetime:
        zone = timezone(timedelta(minutes=self.utc_offset_minutes))
        return datetime.combine(FIRST_DAY, time(tzinfo=zone)) + timedelta(minutes=minute)


def data_points(wearer: Wearer, codes: Iterable[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(code, data point) of each kind asked for, kind by kind in the order of time."""
    for code in codes:
        for start, end, body in _BODIES[code](wearer):
            frame = _interval(start, end) if end else {"date_time": start.isoformat()}
            header = {
                "uuid": str(uuid5(_NAMESPACE, f"{wearer.key} {code} {start.isoformat()}")),
                "schema_id": dict(zip(("namespace", "name", "version"), code.split(":"), strict=True)),
                "source_creation_date_time": (end or start).isoformat(),
                "modality": "sensed",
            }
            yield code, {"header": header, "body": {**body, "effective_time_frame": frame}}


def _interval(start: datetime, end: datetime) -> dict[str, Any]:
    return {"time_interval": {"start_date_time": start.isoformat(), "end_date_time": end.isoformat()}}


def _glucose(wearer: Wearer) -> Iterator[Body]:
    in_mmol = wearer.glucose_unit == "mmol/L"
    for minute, value in curves.glucose(wearer.key, wearer.profile, days=wearer.days, step=wearer.glucose_every):
        shown = round(value / MG_PER_MMOL, 1) if in_mmol else round(value)
        measure = {"value": shown, "unit": wearer.glucose_unit}
        yield wearer.at(minute), None, {"blood_glucose": measure, "specimen_source": "interstitial fluid"}


def _heart_rate(wearer: Wearer) -> Iterator[Body]:
    for minute, value in curves.heart_rate(wearer.key, days=wearer.days, step=wearer.heart_rate_every):
        yield wearer.at(minute), None, {"heart_rate": {"value": round(value), "unit": "beats/min"}}


def _steps(wearer: Wearer) -> Iterator[Body]:
    for hour, walked in curves.steps(wearer.key, days=wearer.days):
        yield wearer.at(hour * 60), wearer.at(hour * 60 + 60), {"step_count": {"value": walked, "unit": "steps"}}


def _sleep_duration(wearer: Wearer) -> Iterator[Body]:
    for asleep, length, slept, _ in curves.nights(wearer.key, days=wearer.days):
        body = {"sleep_duration": {"value": slept, "unit": "min"}}
        yield wearer.at(asleep), wearer.at(asleep + length), body


def _sleep_episode(wearer: Wearer) -> Iterator[Body]:
    for asleep, length, slept, awakenings in curves.nights(wearer.key, days=wearer.days):
        body = {
            "total_sleep_time": {"value": slept, "unit": "min"},
            "wake_after_sleep_onset": {"value": length - slept, "unit": "min"},
            "number_of_awakenings": awakenings,
            "is_main_sleep": True,
        }
        yield wearer.at(asleep), wearer.at(asleep + length), body


def _blood_pressure(wearer: Wearer) -> Iterator[Body]:
    for minute, systolic, diastolic in curves.blood_pressure(wearer.key, days=wearer.days):
        body = {
            "systolic_blood_pressure": {"value": systolic, "unit": "mmHg"},
            "diastolic_blood_pressure": {"value": diastolic, "unit": "mmHg"},
            "body_posture": "sitting",
        }
        yield wearer.at(minute), None, body


def _body_temperature(wearer: Wearer) -> Iterator[Body]:
    for minute, degrees in curves.body_temperature(wearer.key, days=wearer.days):
        yield wearer.at(minute), None, {"body_temperature": {"value": degrees, "unit": "C"}}


def _oxygen_saturation(wearer: Wearer) -> Iterator[Body]:
    for minute, percent in curves.oxygen_saturation(wearer.key, days=wearer.days):
        yield wearer.at(minute), None, {"oxygen_saturation": {"value": percent, "unit": "%"}}


_BODIES = {
    scopes.BLOOD_GLUCOSE: _glucose,
    scopes.BLOOD_PRESSURE: _blood_pressure,
    scopes.BODY_TEMPERATURE: _body_temperature,
    scopes.HEART_RATE: _heart_rate,
    scopes.OXYGEN_SATURATION: _oxygen_saturation,
    scopes.SLEEP_DURATION: _sleep_duration,
    scopes.SLEEP_EPISODE: _sleep_episode,
    scopes.STEP_COUNT: _steps,
}
