"""Real and random glucose traces have the metrics that iglu gives them."""

import csv
import math
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from core.models import PatientIdentifier
from mcp_server.glucose import mage

HALL, LIBREVIEW = "hall_2018_dexcom_g4.csv", "libreview_mmol.csv"
FILES = (HALL, LIBREVIEW, "dexcom_g6_001.csv", "dexcom_g6_002.csv", "cgmacros_001_minutes.csv")


def rows_of(path: Path) -> list[tuple[str, str, float]]:
    """The readings of a file, read without the project's own reader."""
    with path.open(newline="") as file:
        if path.name == LIBREVIEW:
            next(file)
        rows = list(csv.DictReader(file))
    if path.name == HALL:
        return [(row["id"], row["time"], float(row["gl"])) for row in rows]
    if path.name == LIBREVIEW:
        return [
            (
                path.stem,
                str(datetime.strptime(row["Device Timestamp"], "%d-%m-%Y %H:%M")),
                float(row["Historic Glucose mmol/L"]) * 18,
            )
            for row in rows
            if row["Record Type"] == "0"
        ]
    time, glucose = ("timestamp", "glucose") if "timestamp" in rows[0] else ("Timestamp", "Dexcom GL")
    return [(path.stem, row[time], float(row[glucose])) for row in rows]


@pytest.fixture
def subjects(study, cgm_files: Path) -> dict[int, str]:
    """All real files, imported; the names of their people by patient id."""
    paths = [str(cgm_files / name) for name in FILES]
    call_command("import_cgm", *paths, study=str(study.pk), create_patients=True)
    return dict(PatientIdentifier.objects.values_list("patient_id", "value"))


def as_iglu_says_it(patient: dict[str, Any]) -> dict[str, float | None]:
    ranges = patient["time_in_range"]
    return {
        "mean": patient["mean"],
        "SD": patient["sd"],
        "CV": patient["cv"],
        "GMI": patient["gmi"],
        "MAGE": patient["mage"],
        "below_54": ranges["very_low"],
        "below_70": ranges["very_low"] + ranges["low"],
        "in_range_70_180": ranges["target"],
        "above_180": ranges["high"] + ranges["very_high"],
        "above_250": ranges["very_high"],
        "active_percent": patient["sufficiency"]["active_percent"],
        "0": patient["min"],
        "5": patient["p05"],
        "25": patient["p25"],
        "50": patient["median"],
        "75": patient["p75"],
        "95": patient["p95"],
        "100": patient["max"],
    }


async def test_everybody_in_the_real_files_has_iglus_metrics(subjects, study, ask, iglu, cgm_files):
    expected = iglu(row for name in FILES for row in rows_of(cgm_files / name))
    first = await ask(study_id=study.pk)
    second = await ask(study_id=study.pk, cursor=first["next_cursor"])
    found = {subjects[p["patient_id"]]: as_iglu_says_it(p) for p in first["patients"] + second["patients"]}
    assert len(found) == 23
    assert len(rows_of(cgm_files / HALL)) == 34_890
    for person, metrics in found.items():
        assert metrics == pytest.approx({name: expected[person][name] for name in metrics}, rel=1e-9, abs=1e-9), person


def random_trace(dice: random.Random) -> tuple[list[float], list[float]]:
    """Seconds and values of somebody whose sensor stops, restarts, drifts and flattens."""
    count = dice.randrange(3, 1000)
    gaps = dice.choice([0, 0.01, 0.1])
    step = dice.choice([60, 300, 300, 301, 900])
    noise = dice.choice([0, 1, 3])
    second = datetime(2020, 1, 1, tzinfo=UTC).timestamp() + dice.choice([0, 37, 86_399])
    drift = 0.0
    seconds, values = [], []
    for _ in range(count):
        seconds.append(second)
        drift += dice.gauss(0, noise)
        value = 120 + drift + 40 * math.sin(second / 5000) + 20 * math.sin(second / 1700)
        values.append(float(min(400, max(40, round(value)))))
        if dice.random() < gaps:
            second += dice.choice([600, 2700, 2701, 3000, 10_800, 11_100, 12_000, 50_000])
        else:
            second += 0 if dice.random() < 0.005 else step
    return seconds, values


def test_random_traces_with_gaps_and_repeats_have_iglus_mage(iglu) -> None:
    dice = random.Random(19)  # noqa: S311 - the same traces each time
    traces = {f"person {n:03d}": random_trace(dice) for n in range(40)}
    expected = iglu(
        (person, f"{datetime.fromtimestamp(second, UTC):%Y-%m-%d %H:%M:%S}", value)
        for person, (seconds, values) in traces.items()
        for second, value in zip(seconds, values, strict=True)
    )
    found = {person: mage(*trace) for person, trace in traces.items()}
    assert sum(value is not None for value in found.values()) > 30
    for person, value in found.items():
        reference = expected[person]["MAGE"]
        assert value == (None if math.isnan(reference) else pytest.approx(reference, rel=1e-12)), person
