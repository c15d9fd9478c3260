"""Cohorts: one kind of data over the patients of a study, in figures that do not grow with the patients."""

from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from mcp_server.arguments import DataType, End, Start, one_spelling
from mcp_server.results import fits
from mcp_server.statistics import Statistics
from mcp_server.times import TIME_ZONE, Window, window
from mcp_server.tool import Answer, Arguments, Ask, Id, Output, Tool

MEASURES = 20
"""Components and units in one answer, and groups of them."""
NAMED = 10
"""Outliers on each side that are named."""


class SummarizeStudyCohort(Arguments):
    study_id: Id
    data_type: DataType
    start: Start | None = None
    end: End | None = None
    group_by: Annotated[
        Literal["none", "gender", "age_group", "data_source"],
        Field(description="Compare these groups of patients, too. Ages are those of today."),
    ] = "none"


class Days(Output):
    first_day: Annotated[str | None, Field(description="As asked for, else the first local day of anybody's data.")]
    last_day: str | None
    days: int | None


class Adherence(Output):
    observations: Annotated[Statistics, Field(description="Observations of each patient.")]
    days_with_data: Annotated[Statistics, Field(description="Local days of each patient that have an observation.")]
    percent: Annotated[Statistics, Field(description="Such days of each patient, in percent of the window's days.")]


class Outlier(Output):
    patient_id: int
    name: str | None
    n: int
    mean: float


class Outliers(Output):
    low_fence: Annotated[float, Field(description="p25 - 1.5 IQR of the patients' means (Tukey).")]
    high_fence: Annotated[float, Field(description="p75 + 1.5 IQR of the patients' means (Tukey).")]
    low_total: Annotated[int, Field(description="Patients whose mean is below low_fence.")]
    high_total: Annotated[int, Field(description="Patients whose mean is above high_fence.")]
    low: Annotated[list[Outlier], Field(description="The farthest below, farthest first.")]
    high: Annotated[list[Outlier], Field(description="The farthest above, farthest first.")]


class Measure(Output):
    component: Annotated[str | None, Field(description="Which part of a kind with several; null where there is one.")]
    unit: str | None
    readings: Annotated[Statistics, Field(description="Over all numbers.")]
    patient_means: Annotated[Statistics, Field(description="Over the patients' means: each patient counts once.")]
    outliers: Outliers


class DataSource(Output):
    data_source_id: int
    name: str
    type: str


class Group(Output):
    group: Annotated[str, Field(description="A gender, an age group such as 30-39, or a data_source_id.")]
    data_source: DataSource | None
    component: str | None
    unit: str | None
    n: Annotated[int, Field(description="Numbers.")]
    mean: Annotated[float, Field(description="Of all numbers of the group.")]
    patient_means: Annotated[Statistics, Field(description="Over the means of the group's patients.")]


class StudyCohort(Output):
    study_id: int
    data_types: Annotated[list[str], Field(description="The kinds that were counted.")]
    time_zone: str
    window: Days
    total: Annotated[int, Field(description="Patients who consented to this kind of data.")]
    enrolled: Annotated[int, Field(description="Patients of the study that you can see.")]
    with_data: Annotated[int, Field(description="Patients of total with an observation in the window.")]
    adherence: Annotated[Adherence | None, Field(description="Over the total, those without data included.")]
    measures: list[Measure]
    measures_total: int
    groups: list[Group]
    groups_total: Annotated[int, Field(description="Groups, each counted once for each component and unit.")]
    truncated: Annotated[bool, Field(description="True where measures, groups or named outliers are left out.")]


async def summarize_study_cohort(arguments: SummarizeStudyCohort, ask: Ask) -> Answer:
    within = window(arguments.start, arguments.end)
    found = await ask(
        "summarize_study_cohort",
        **within.parameters(),
        **_days(within),
        data_type=one_spelling(arguments.data_type),
        most=MEASURES,
        named=NAMED,
    )
    body = _fitting({**found, "time_zone": TIME_ZONE})
    people = f"Patients of study {arguments.study_id} who consented: {body['total']}, with data: {body['with_data']}."
    far_out = sum(measure["outliers"][side] for measure in body["measures"] for side in ("low_total", "high_total"))
    rest = " Not everything fits: ask for fewer days, or without group_by." if body["truncated"] else ""
    return Answer(f"{people} Means beyond Tukey's fences: {far_out}.{rest}", body)


def _days(within: Window) -> dict[str, date | None]:
    """The first and the last day of the window as it was named; None where it is open."""
    start: datetime | None = within.start_local or within.start_utc
    end: datetime | None = within.end_local or within.end_utc
    return {
        "first_day": start.date() if start else None,
        "last_day": (end - timedelta(microseconds=1)).date() if end else None,
    }


def _fitting(body: dict[str, Any]) -> dict[str, Any]:
    """`body` with `truncated`: without its last groups, then outliers, then measures, as far as it is too long."""
    measures, groups = body["measures"], body["groups"]
    outliers = [measure["outliers"] for measure in measures]
    while not fits(body):
        sides = [side for each in outliers for side in (each["low"], each["high"])]
        longest: list[Any] = max(sides, key=len, default=[])
        (groups or longest or measures).pop()
    told = sum(len(each["low"]) + len(each["high"]) for each in outliers)
    there = sum(each["low_total"] + each["high_total"] for each in outliers)
    fewer = len(measures) < body["measures_total"] or len(groups) < body["groups_total"] or told < there
    return {**body, "truncated": fewer}


TOOLS = (
    Tool(
        name="summarize_study_cohort",
        title="Summarize a cohort",
        description=(
            "One kind of data over all patients of a study who consented to it: the distribution of readings and of "
            "patients' means, per component and unit; who lies far out; adherence (days with data); and, with "
            "group_by, how groups of patients compare. The answer is as small for a thousand patients as for ten."
        ),
        arguments=SummarizeStudyCohort,
        output=StudyCohort,
        handler=summarize_study_cohort,
    ),
)
