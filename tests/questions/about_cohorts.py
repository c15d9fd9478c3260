"""Many people at once: who lies far out, who stopped sending, how groups compare."""

from datetime import date, datetime, timedelta
from typing import Any

import pandas as pd

from core.seed.scopes import BLOOD_GLUCOSE, BLOOD_PRESSURE, HEART_RATE, SLEEP_DURATION, STEP_COUNT
from tests.personas import BP_AND_HR, O2
from tests.questions.about_patients import _age
from tests.questions.about_studies import CGM
from tests.questions.ask import Ask
from tests.questions.figures import days, mg_per_dl, statistics
from tests.questions.question import Question
from tests.questions.seen import Seen


def _gaps(ask: Ask, data_type: str, longer_than: str) -> list[dict[str, Any]]:
    return ask.all("find_data_gaps", "patients", study_id=ask.study(CGM), data_type=data_type, longer_than=longer_than)


def _who_stopped(ask: Ask) -> list[str]:
    last = {person["name"]: datetime.fromisoformat(person["last"]) for person in _gaps(ask, "heart rate", "P2D")}
    return sorted(name for name, at in last.items() if at < max(last.values()) - timedelta(days=2))


def _stopped(seen: Seen) -> list[str]:
    last = seen.points(HEART_RATE, through=CGM).groupby("patient_id").utc.max()
    return sorted(seen.name_of(patient) for patient in last[last < last.max() - pd.Timedelta(days=2)].index)


def _age_group(born: date) -> str:
    decade = _age(born) // 10
    return "18-29" if decade < 3 else f"{decade}0-{decade}9"


def _silences(seen: Seen, name: str) -> "pd.Series[float]":
    """Hours between one glucose reading of a person's and the next."""
    return seen.points(BLOOD_GLUCOSE, of=name).utc.diff().dropna() / pd.Timedelta(hours=1)


def _cohort(ask: Ask, data_type: str, study: str = CGM, **more: str) -> dict[str, Any]:
    return ask("summarize_study_cohort", study_id=ask.study(study), data_type=data_type, **more)


def _sent(ask: Ask, study: str) -> list[tuple[str, int]]:
    """How much each person sent, who sent most first."""
    answer = ask("count_study_observations", study_id=ask.study(study), by_patient=True)
    return [(row["name"], row["n"]) for row in answer["by_patient"]["patients"]]


def _means(seen: Seen, code: str, value: str = "value") -> "pd.Series[float]":
    """Of each person of the CGM study who shares the kind."""
    return seen.points(code, through=CGM).groupby("patient_id")[value].mean()


def _by_group(seen: Seen, unit: str, group: Any) -> dict[str, float]:
    """The mean of the people's mean glucose by group of people, of those whose sensors count in `unit`."""
    points = seen.points(BLOOD_GLUCOSE, through=CGM)
    points = points[points.unit == unit]
    people = seen.world.patients.set_index("patient_id").loc[points.patient_id.unique()]
    return points.groupby("patient_id").value.mean().groupby(group(people)).mean().to_dict()


def _adherence(seen: Seen) -> dict[str, float]:
    covered = days(seen.points(STEP_COUNT, through=CGM), "2026-09-08", "2026-09-14").groupby("patient_id").day.nunique()
    return statistics(100 * covered.reindex(seen.said_yes(CGM, STEP_COUNT), fill_value=0) / 7)


def _outliers(seen: Seen, code: str) -> list[str]:
    means = _means(seen, code)
    low, high = means.quantile(0.25), means.quantile(0.75)
    out = means[(means < low - 1.5 * (high - low)) | (means > high + 1.5 * (high - low))]
    return sorted(map(seen.name_of, out.index))


QUESTIONS = (
    Question(
        "Who of the CGM study stopped sending heart rate more than two days before the others?",
        "manager_mary",
        _who_stopped,
        _stopped,
    ),
    Question(
        "How long was the longest gap in Pierre's glucose?",
        "manager_mary",
        lambda ask: [
            patient["gaps"][0]["hours"]
            for patient in ask(
                "find_data_gaps", patient_id=ask.patient("Pierre"), data_type="blood glucose", longer_than="1h"
            )["patients"]
        ],
        lambda seen: [round(_silences(seen, "Pierre").max(), 2)],
    ),
    Question(
        "How often was each person's glucose sensor silent for more than an hour?",
        "manager_mary",
        lambda ask: {person["name"]: person["gaps_total"] for person in _gaps(ask, BLOOD_GLUCOSE, "PT1H")},
        lambda seen: {
            seen.name_of(patient): int((_silences(seen, seen.name_of(patient)) > 1).sum())
            for patient in seen.points(BLOOD_GLUCOSE, through=CGM).patient_id.unique()
        },
    ),
    Question(
        "Who consented to blood pressure in the CGM study and never sent any?",
        "manager_mary",
        lambda ask: [person["name"] for person in _gaps(ask, "blood pressure", "P1D") if person["last"] is None],
        lambda seen: [
            seen.name_of(patient)
            for patient in seen.said_yes(CGM, BLOOD_PRESSURE)
            if patient not in set(seen.points(BLOOD_PRESSURE, through=CGM).patient_id)
        ],
    ),
    Question(
        "What is a usual heart rate in the CGM study, person by person?",
        "manager_mary",
        lambda ask: _cohort(ask, "heart rate")["measures"][0]["patient_means"],
        lambda seen: statistics(_means(seen, HEART_RATE)),
    ),
    Question(
        "And over all readings of it in the first week?",
        "manager_mary",
        lambda ask: _cohort(ask, "heart rate", start="2026-09-01", end="2026-09-07")["measures"][0]["readings"],
        lambda seen: statistics(days(seen.points(HEART_RATE, through=CGM), "2026-09-01", "2026-09-07").value),
    ),
    Question(
        "Whose heart rate, or sleep, lies far out in the CGM study?",
        "manager_mary",
        lambda ask: {
            kind: sorted(
                person["name"]
                for side in ("low", "high")
                for person in _cohort(ask, kind)["measures"][0]["outliers"][side]
            )
            for kind in (HEART_RATE, SLEEP_DURATION)
        },
        lambda seen: {kind: _outliers(seen, kind) for kind in (HEART_RATE, SLEEP_DURATION)},
        calls=8,
    ),
    Question(
        "Compare the mean glucose of women and men in the CGM study.",
        "manager_mary",
        lambda ask: {
            group["group"]: group["patient_means"]["mean"]
            for group in _cohort(ask, BLOOD_GLUCOSE, group_by="gender")["groups"]
            if group["unit"] == "mg/dL"
        },
        lambda seen: _by_group(seen, "mg/dL", lambda people: people.gender),
    ),
    Question(
        "Does glucose rise with age in the CGM study?",
        "manager_mary",
        lambda ask: {
            group["group"]: group["patient_means"]["mean"]
            for group in _cohort(ask, "blood-glucose", group_by="age_group")["groups"]
            if group["unit"] == "mg/dL"
        },
        lambda seen: _by_group(seen, "mg/dL", lambda people: people.birth_date.map(_age_group)),
    ),
    Question(
        "How many people of the CGM study share their heart rate, of how many, and how many sent some?",
        "manager_mary",
        lambda ask: [_cohort(ask, "heart rate")[count] for count in ("total", "enrolled", "with_data")],
        lambda seen: [
            len(seen.said_yes(CGM, HEART_RATE)),
            len(seen.enrolled(CGM)),
            seen.points(HEART_RATE, through=CGM).patient_id.nunique(),
        ],
        calls=6,
    ),
    Question(
        "How faithfully were steps sent in the second week?",
        "manager_mary",
        lambda ask: _cohort(ask, "step count", start="2026-09-08", end="2026-09-14")["adherence"]["percent"],
        _adherence,
    ),
    Question(
        "What are blood pressures like in the CGM study, above and below?",
        "manager_mary",
        lambda ask: {
            measure["component"].partition("_")[0]: measure["patient_means"]["median"]
            for measure in _cohort(ask, "blood pressure")["measures"]
        },
        lambda seen: {part: _means(seen, BLOOD_PRESSURE, part).median() for part in ("systolic", "diastolic")},
    ),
    Question(
        "Whose heart rate is the higher one in our small study?",
        "viewer_victor",
        lambda ask: _cohort(ask, "heart rate", BP_AND_HR)["measures"][0]["patient_means"]["max"],
        lambda seen: seen.points(HEART_RATE, through=BP_AND_HR).groupby("patient_id").value.mean().max(),
    ),
    Question(
        "Who sent most to the CGM study, and how much?",
        "manager_mary",
        lambda ask: _sent(ask, CGM)[0],
        lambda seen: max(
            (len(rows), seen.name_of(patient)) for patient, rows in seen.points(through=CGM).groupby("patient_id")
        )[::-1],
    ),
    Question(
        "How many oxygen readings does our lab's study have of whom?",
        "three_org_tom",
        lambda ask: _sent(ask, O2),
        lambda seen: [
            (seen.name_of(patient), n) for patient, n in seen.points(through=O2).patient_id.value_counts().items()
        ],
    ),
    Question(
        "How many glucose readings came in on each day of the CGM study?",
        "manager_mary",
        lambda ask: {
            day["date"]: day["n"]
            for day in ask("count_study_observations", study_id=ask.study(CGM), data_type="blood glucose", by_day=True)[
                "by_day"
            ]["days"]
        },
        lambda seen: {
            str(day.date()): n for day, n in seen.points(BLOOD_GLUCOSE, through=CGM).day.value_counts().items()
        },
    ),
    Question(
        "What is the mean glucose of all people of the CGM study, in one unit?",
        "manager_mary",
        lambda ask: pd.Series(
            [p["mean"] for p in ask.all("get_glucose_metrics", "patients", study_id=ask.study(CGM))]
        ).mean(),
        lambda seen: pd.Series(
            [mg_per_dl(p).mean() for _, p in seen.points(BLOOD_GLUCOSE, through=CGM).groupby("patient_id")]
        ).mean(),
    ),
    Question(
        "Summarize the heart rates of the CGM study for me.",
        "manager_mark",
        lambda ask: ask.refusal(
            "summarize_study_cohort", study_id=ask.leaked_study(CGM), data_type="heart rate"
        ).partition(" Your studies:")[0],
        lambda seen: f"No study {seen.study_id(CGM)} that you can see.",
    ),
)
