"""Continuous glucose, in the figures of the consensus."""

from typing import Any

from core.seed.scopes import BLOOD_GLUCOSE
from tests.questions.about_studies import CGM
from tests.questions.ask import Ask
from tests.questions.figures import days, gmi, mg_per_dl, statistics, sufficiency, time_in_range
from tests.questions.question import Question
from tests.questions.seen import Seen

FIRST_WEEK, SECOND_WEEK = ("2026-09-01", "2026-09-07"), ("2026-09-08", "2026-09-14")


def _metrics(ask: Ask, name: str, **window: str) -> dict[str, Any]:
    [found] = ask("get_glucose_metrics", patient_id=ask.patient(name), **window)["patients"]
    return dict(found)


def _everybodys(ask: Ask, week: tuple[str, str] | None = None) -> list[dict[str, Any]]:
    window = dict(zip(("start", "end"), week, strict=True)) if week else {}
    return ask.all("get_glucose_metrics", "patients", study_id=ask.study(CGM), **window)


def _glucose(seen: Seen, name: str, week: tuple[str, str] = (FIRST_WEEK[0], SECOND_WEEK[1])) -> Any:
    return mg_per_dl(days(seen.points(BLOOD_GLUCOSE, of=name), *week))


def _of_each(seen: Seen, week: tuple[str, str] = (FIRST_WEEK[0], SECOND_WEEK[1])) -> dict[str, Any]:
    """The glucose of each person of the CGM study who shares it, by name."""
    points = days(seen.points(BLOOD_GLUCOSE, through=CGM), *week)
    return {seen.name_of(patient): mg_per_dl(rows) for patient, rows in points.groupby("patient_id")}


def _medians_by_hour(seen: Seen, name: str) -> dict[int, float]:
    points = seen.points(BLOOD_GLUCOSE, of=name)
    return dict(mg_per_dl(points).groupby(points.local.dt.hour).median())


def _at_night(seen: Seen, name: str) -> int:
    hours = seen.points(BLOOD_GLUCOSE, of=name).local.dt.hour
    return int(((hours >= 22) | (hours < 6)).sum())


def _sufficient(seen: Seen) -> dict[str, bool]:
    points = seen.points(BLOOD_GLUCOSE, through=CGM).groupby("patient_id")
    found = {seen.name_of(patient): sufficiency(rows) for patient, rows in points}
    return {name: round(of["days"], 1) >= 14 and of["active_percent"] >= 70 for name, of in found.items()}


QUESTIONS = (
    Question(
        "How much of the time was Amelia in each glucose range?",
        "manager_mary",
        lambda ask: _metrics(ask, "Amelia")["time_in_range"],
        lambda seen: time_in_range(_glucose(seen, "Amelia")),
    ),
    Question(
        "What are Ingrid's mean glucose and her GMI? Her sensor counts in mmol/L.",
        "manager_mary",
        lambda ask: [_metrics(ask, "Ingrid")[figure] for figure in ("mean", "gmi")],
        lambda seen: [_glucose(seen, "Ingrid").mean(), gmi(_glucose(seen, "Ingrid").mean())],
        calls=4,
    ),
    Question(
        "How many of the CGM study's people spent less than 70 % of the last week in range?",
        "manager_mary",
        lambda ask: sum(p["time_in_range"]["target"] < 70 for p in _everybodys(ask, SECOND_WEEK) if p["n"]),
        lambda seen: sum(time_in_range(glucose)["target"] < 70 for glucose in _of_each(seen, SECOND_WEEK).values()),
    ),
    Question(
        "Who of them is unstable, with a CV above 36 %?",
        "manager_mary",
        lambda ask: {person["name"]: person["cv"] for person in _everybodys(ask) if person["cv"] > 36},
        lambda seen: {name: cv for name, glucose in _of_each(seen).items() if (cv := statistics(glucose)["cv"]) > 36},
    ),
    Question(
        "Who is below 70 mg/dL for more than 4 % of the time?",
        "manager_mary",
        lambda ask: [
            p["name"] for p in _everybodys(ask) if p["time_in_range"]["very_low"] + p["time_in_range"]["low"] > 4
        ],
        lambda seen: [name for name, glucose in _of_each(seen).items() if 100 * (glucose < 70).mean() > 4],
    ),
    Question(
        "Whose mean glucose is highest, and what would their A1c be by GMI?",
        "manager_mary",
        lambda ask: max((person["mean"], person["name"], person["gmi"]) for person in _everybodys(ask)),
        lambda seen: max((g.mean(), name, gmi(g.mean())) for name, g in _of_each(seen).items()),
    ),
    Question(
        "At which hour of the day is Hannah's glucose highest, by the median?",
        "manager_mary",
        lambda ask: max((hour["median"], hour["hour"]) for hour in _metrics(ask, "Hannah")["hours"]),
        lambda seen: max((median, hour) for hour, median in _medians_by_hour(seen, "Hannah").items()),
    ),
    Question(
        "How many of Elena's glucose readings are from the night, 22 to 6 o'clock where she lives?",
        "manager_mary",
        lambda ask: sum(
            hour["n"] for hour in _metrics(ask, "Elena")["hours"] if hour["hour"] >= 22 or hour["hour"] < 6
        ),
        lambda seen: _at_night(seen, "Elena"),
    ),
    Question(
        "Who sent enough glucose to judge, 14 days and 70 %?",
        "manager_mary",
        lambda ask: {person["name"]: person["sufficiency"]["sufficient"] for person in _everybodys(ask)},
        _sufficient,
    ),
    Question(
        "How much of the readings to expect did Pierre's sensor deliver?",
        "manager_mary",
        lambda ask: _metrics(ask, "Pierre")["sufficiency"]["active_percent"],
        lambda seen: sufficiency(seen.points(BLOOD_GLUCOSE, of="Pierre"))["active_percent"],
    ),
    Question(
        "Did Marcus do better in the second week than in the first?",
        "manager_mary",
        lambda ask: [
            _metrics(ask, "Marcus", start=start, end=end)["time_in_range"]["target"]
            for start, end in (FIRST_WEEK, SECOND_WEEK)
        ],
        lambda seen: [time_in_range(_glucose(seen, "Marcus", week))["target"] for week in (FIRST_WEEK, SECOND_WEEK)],
        calls=4,
    ),
    Question(
        "Between which values do 90 % of Oscar's readings lie, and what was his lowest?",
        "manager_mary",
        lambda ask: [_metrics(ask, "Oscar")[figure] for figure in ("p05", "p95", "min")],
        lambda seen: [statistics(_glucose(seen, "Oscar"))[figure] for figure in ("p05", "p95", "min")],
        calls=6,
    ),
    Question(
        "On how many days did Alex's sensor send, and when did it begin?",
        "manager_mary",
        lambda ask: [
            (found["sufficiency"]["days_with_data"], found["first_reading"])
            for found in ask("get_glucose_metrics", patient_id=ask.patient("Alex"))["patients"]
        ],
        lambda seen: [
            (
                seen.points(BLOOD_GLUCOSE, of="Alex").day.nunique(),
                seen.points(BLOOD_GLUCOSE, of="Alex").time.iloc[0],
            )
        ],
    ),
    Question(
        "What are the glucose figures of the Cardiology Division's study?",
        "manager_mark",
        lambda ask: {
            person["name"]: (person["n"], person["mean"], person["sd"])
            for person in ask("get_glucose_metrics", study_id=ask.study("Cardiology Div Study on BGL"))["patients"]
        },
        lambda seen: {
            "Pat Cole": tuple(statistics(_glucose(seen, "Pat Cole"))[figure] for figure in ("n", "mean", "sd"))
        },
    ),
    Question(
        "How am I doing, between 70 and 180?",
        "ccl_cardio_patient_pat",
        lambda ask: _metrics(ask, "Pat")["time_in_range"]["target"],
        lambda seen: time_in_range(_glucose(seen, "Pat Cole"))["target"],
    ),
    Question(
        "What is the glucose of Pat, who takes part in our oxygen study?",
        "three_org_tom",
        lambda ask: ask("get_glucose_metrics", patient_id=ask.patient("Pat"))["total"],
        lambda seen: seen.points(BLOOD_GLUCOSE, of="Pat Cole").patient_id.nunique(),
    ),
    Question(
        "Tell me the glucose of the CGM study, whose number I overheard.",
        "viewer_victor",
        lambda ask: ask.refusal("get_glucose_metrics", study_id=ask.leaked_study(CGM)).partition(" Your studies:")[0],
        lambda seen: f"No study {seen.study_id(CGM)} that you can see.",
    ),
)
