"""What one person's readings say: how many, when, how high, on which of their own days."""

from typing import Any

import pandas as pd

from core.seed.scopes import (
    BLOOD_GLUCOSE,
    BLOOD_PRESSURE,
    BODY_TEMPERATURE,
    HEART_RATE,
    OXYGEN_SATURATION,
    SCOPES,
    SLEEP_DURATION,
    SLEEP_EPISODE,
    STEP_COUNT,
)
from tests.questions.ask import Ask
from tests.questions.figures import days, statistics
from tests.questions.question import Question
from tests.questions.seen import Seen
from tests.questions.world import Frame


def _pressures(ask: Ask, name: str, **narrowed: object) -> list[tuple[str, int, int]]:
    """(time, systolic, diastolic) of all readings, by as many pages as it takes."""
    rows = ask.all(
        "get_patient_observations", "observations", patient_id=ask.patient(name), data_type="blood pressure", **narrowed
    )
    return [
        (
            row["time"],
            row["values"]["systolic_blood_pressure"]["value"],
            row["values"]["diastolic_blood_pressure"]["value"],
        )
        for row in rows
    ]


def _is_high(pressures: Frame) -> "pd.Series[bool]":
    return (pressures.systolic > 140) | (pressures.diastolic > 90)


def _summary(ask: Ask, name: str, data_type: str, component: str | None = None, **window: str) -> dict[str, float]:
    answer = ask("summarize_patient_observations", patient_id=ask.patient(name), **window)
    [found] = [
        row for row in answer["summaries"] if row["data_type"] == data_type and row["component"] in (component, None)
    ]
    return found


def _only_figures(summary: dict[str, object]) -> dict[str, object]:
    words = ("data_type", "component", "unit", "first", "last")
    return {name: figure for name, figure in summary.items() if name not in words}


def _kinds_of(seen: Seen, name: str) -> list[str]:
    """As the vocabulary lists them."""
    kinds = set(seen.points(of=name).code)
    return [code for _, code, _ in SCOPES if code in kinds]


def _steps_a_day(seen: Seen, name: str) -> dict[str, float]:
    totals = seen.points(STEP_COUNT, of=name).groupby("day").value.sum()
    return {str(day.date()): int(total) for day, total in totals.items()}


def _counts_by_day(ask: Ask, name: str) -> dict[str, int]:
    answer = ask("count_patient_observations", patient_id=ask.patient(name), by_day=True)
    return {day["date"]: day["n"] for day in answer["by_day"]["days"]}


def _points(ask: Ask, name: str, data_type: str, resolution: str, **window: str) -> list[dict[str, Any]]:
    answer = ask(
        "get_observation_series", patient_id=ask.patient(name), data_type=data_type, resolution=resolution, **window
    )
    assert not answer["truncated"]
    [series] = answer["series"]
    return [dict(zip(answer["columns"], point, strict=True)) for point in series["points"]]


QUESTIONS = (
    Question(
        "How many blood pressure readings above 140/90 has Pamela?",
        "member_megan",
        lambda ask: sum(systolic > 140 or diastolic > 90 for _, systolic, diastolic in _pressures(ask, "Pamela")),
        lambda seen: int(_is_high(seen.points(BLOOD_PRESSURE, of="Pamela")).sum()),
    ),
    Question(
        "When was Peter's highest systolic pressure, and what was it?",
        "viewer_victor",
        lambda ask: max((systolic, time) for time, systolic, _ in _pressures(ask, "Peter")),
        lambda seen: max(zip(*[seen.points(BLOOD_PRESSURE, of="Peter")[c] for c in ("systolic", "time")], strict=True)),
    ),
    Question(
        "List all of Amelia's blood pressures, oldest first.",
        "manager_mary",
        lambda ask: _pressures(ask, "Amelia", limit=10, order="oldest"),
        lambda seen: list(
            seen.points(BLOOD_PRESSURE, of="Amelia")[["time", "systolic", "diastolic"]].itertuples(
                index=False, name=None
            )
        ),
        calls=4,
    ),
    Question(
        "What is Sofia's blood pressure on average, systolic and diastolic?",
        "manager_mary",
        lambda ask: [
            row["mean"]
            for row in ask("summarize_patient_observations", patient_id=ask.patient("Sofia"))["summaries"]
            for part in ("systolic", "diastolic")
            if row["component"] == f"{part}_blood_pressure"
        ],
        lambda seen: sorted(seen.points(BLOOD_PRESSURE, of="Sofia")[["diastolic", "systolic"]].mean()),
    ),
    Question(
        "When did Percy last measure his temperature, and was it a fever?",
        "manager_mark",
        lambda ask: [
            (row["time"], row["value"] >= 38)
            for row in ask("get_patient_observations", patient_id=ask.patient("Percy"), limit=1)["observations"]
        ],
        lambda seen: [
            (last.time, last.value >= 38) for last in seen.points(BODY_TEMPERATURE, of="Percy").tail(1).itertuples()
        ],
    ),
    Question(
        "How low did Paul's oxygen go, and what is usual for him?",
        "three_org_tom",
        lambda ask: [_summary(ask, "Paul", OXYGEN_SATURATION)[figure] for figure in ("min", "median")],
        lambda seen: [
            seen.points(OXYGEN_SATURATION, of="Paul").value.min(),
            seen.points(OXYGEN_SATURATION, of="Paul").value.median(),
        ],
        calls=4,
    ),
    Question(
        "How many readings of which kind of mine are there?",
        "ll_patient_pamela",
        lambda ask: {
            row["data_type"]: row["n"]
            for row in ask("count_patient_observations", patient_id=ask.patient("Pamela"))["data_types"]
            if row["n"]
        },
        lambda seen: seen.points(of="Pamela").groupby("code").size().to_dict(),
    ),
    Question(
        "From when to when is there data of Samuel, and on how many days?",
        "manager_mary",
        lambda ask: [
            ask("get_patient_date_range", patient_id=ask.patient("Samuel"))[key] for key in ("first", "days_covered")
        ],
        lambda seen: [seen.points(of="Samuel").time.iloc[0], seen.points(of="Samuel").day.nunique()],
        calls=4,
    ),
    Question(
        "On how many days did Leila sleep with the wearable on, and when did she wake up for the last time?",
        "manager_mary",
        lambda ask: [
            (row["days_covered"], row["last"])
            for row in ask("get_patient_date_range", patient_id=ask.patient("Leila"), data_type="sleep-duration")[
                "data_types"
            ]
        ],
        lambda seen: [
            (seen.points(SLEEP_DURATION, of="Leila").day.nunique(), seen.points(SLEEP_DURATION, of="Leila").end.max())
        ],
    ),
    Question(
        "How many glucose readings has Mei of 1 September?",
        "manager_mary",
        lambda ask: ask(
            "count_patient_observations",
            patient_id=ask.patient("Mei"),
            data_type="blood glucose",
            start="2026-09-01",
            end="2026-09-01",
        )["total"],
        lambda seen: len(days(seen.points(BLOOD_GLUCOSE, of="Mei"), "2026-09-01", "2026-09-01")),
    ),
    Question(
        "And by the clock of Greenwich?",
        "manager_mary",
        lambda ask: ask(
            "count_patient_observations",
            patient_id=ask.patient("Mei"),
            data_type="blood glucose",
            start="2026-09-01T00:00:00Z",
            end="2026-09-02T00:00:00Z",
        )["total"],
        lambda seen: int(
            seen.points(BLOOD_GLUCOSE, of="Mei").utc.between("2026-09-01T00:00Z", "2026-09-02T00:00Z", "left").sum()
        ),
    ),
    Question(
        "Which was the first reading of Rahul's second day, by his own clock in India?",
        "manager_mary",
        lambda ask: [
            row["time"]
            for row in ask(
                "get_patient_observations",
                patient_id=ask.patient("Rahul"),
                data_type=HEART_RATE,
                start="2026-09-02",
                order="oldest",
                limit=1,
            )["observations"]
        ],
        lambda seen: list(days(seen.points(HEART_RATE, of="Rahul"), "2026-09-02", "2026-09-14").time.head(1)),
    ),
    Question(
        "How many steps did Daniel walk on each day?",
        "manager_mary",
        lambda ask: {day["time"]: round(day["n"] * day["mean"]) for day in _points(ask, "Daniel", "step count", "day")},
        lambda seen: _steps_a_day(seen, "Daniel"),
    ),
    Question(
        "On which day did Grace walk least?",
        "manager_mary",
        lambda ask: min(
            (float(d["n"]) * float(d["mean"]), d["time"]) for d in _points(ask, "Grace", STEP_COUNT, "day")
        )[1],
        lambda seen: min((steps, day) for day, steps in _steps_a_day(seen, "Grace").items())[1],
    ),
    Question(
        "What was Jun's mean heart rate on each day of the second week?",
        "manager_mary",
        lambda ask: [
            (day["n"], day["mean"])
            for day in _points(ask, "Jun", "heart-rate", "day", start="2026-09-08", end="2026-09-14")
        ],
        lambda seen: [
            (len(day), day.value.mean())
            for _, day in days(seen.points(HEART_RATE, of="Jun"), "2026-09-08", "2026-09-14").groupby("day")
        ],
    ),
    Question(
        "Draw me Victor's heart rate of 3 September, every value.",
        "manager_mary",
        lambda ask: [
            (point["time"], point["value"])
            for point in _points(ask, "Victor Sandoval", "heart rate", "raw", start="2026-09-03", end="2026-09-03")
        ],
        lambda seen: [
            (row.time, row.value)
            for row in days(seen.points(HEART_RATE, of="Victor Sandoval"), "2026-09-03", "2026-09-03").itertuples()
        ],
    ),
    Question(
        "And of all days, as many as you can read at once: how many are there?",
        "manager_mary",
        lambda ask: ask(
            "get_observation_series",
            patient_id=ask.patient("Victor Sandoval"),
            data_type="heart rate",
            resolution="raw",
        )["total"],
        lambda seen: len(seen.points(HEART_RATE, of="Victor Sandoval")),
    ),
    Question(
        "How long does Priya sleep, and what was her shortest night?",
        "manager_mary",
        lambda ask: [_summary(ask, "Priya", SLEEP_DURATION)[figure] for figure in ("n", "mean", "min")],
        lambda seen: [statistics(seen.points(SLEEP_DURATION, of="Priya").value)[f] for f in ("n", "mean", "min")],
        calls=6,
    ),
    Question(
        "How often does Elena wake up at night?",
        "manager_mary",
        lambda ask: _summary(ask, "Elena", SLEEP_EPISODE, "number_of_awakenings")["mean"],
        lambda seen: seen.points(SLEEP_EPISODE, of="Elena").body.map(lambda body: body["number_of_awakenings"]).mean(),
    ),
    Question(
        "Sum up Oscar's heart rate.",
        "manager_mary",
        lambda ask: _only_figures(_summary(ask, "Oscar", HEART_RATE)),
        lambda seen: statistics(seen.points(HEART_RATE, of="Oscar").value),
    ),
    Question(
        "Which of Amelia's days has most observations of any kind?",
        "manager_mary",
        lambda ask: max((n, day) for day, n in _counts_by_day(ask, "Amelia").items()),
        lambda seen: max((n, str(day.date())) for day, n in seen.points(of="Amelia").day.value_counts().items()),
    ),
    Question(
        "What did Nora send us?",
        "manager_mary",
        lambda ask: [
            ask("get_patient_observations", patient_id=ask.patient("Nora"))[key] for key in ("total", "data_types")
        ],
        lambda seen: [len(seen.points(of="Nora")), []],
        calls=4,
    ),
    Question(
        "What is Thomas's heart rate?",
        "manager_mary",
        lambda ask: ask.refusal("get_observation_series", patient_id=ask.patient("Thomas"), data_type="heart rate"),
        lambda seen: (
            "No data type heart rate that you can see. "
            f"Data types of patient {seen.patient_id('Thomas')}: {', '.join(_kinds_of(seen, 'Thomas'))}."
        ),
    ),
    Question(
        "What can the Cardiology Division read of Pat?",
        "manager_mark",
        lambda ask: ask("get_patient_observations", patient_id=ask.patient("Pat"), limit=1)["data_types"],
        lambda seen: list(seen.points(of="Pat Cole").code.unique()),
    ),
    Question(
        "And the Cosmic Cardio Lab, and how many of it?",
        "three_org_tom",
        lambda ask: [
            (row["data_type"], row["n"])
            for row in ask("count_patient_observations", patient_id=ask.patient("Pat"))["data_types"]
        ],
        lambda seen: list(seen.points(of="Pat Cole").code.value_counts().items()),
    ),
    Question(
        "A colleague gave me the number of a patient of another clinic: what is her blood pressure?",
        "manager_mark",
        lambda ask: ask.refusal("get_patient_observations", patient_id=ask.leaked_patient("Pamela")),
        lambda seen: f"No patient {seen.patient_id('Pamela')} that you can see.",
    ),
)
