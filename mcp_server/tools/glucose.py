"""Glucose: what clinicians read a continuous glucose monitor by."""

from typing import Annotated, Any

from anyio import to_thread
from pydantic import Field

from mcp_server.apps import CHART
from mcp_server.arguments import End, PatientOrStudy, Start
from mcp_server.glucose import finished
from mcp_server.results import counted, page, position_of, why_empty
from mcp_server.statistics import Statistics
from mcp_server.times import TIME_ZONE, window
from mcp_server.tool import Answer, Ask, Id, Output, Page, Tool

PAGE = 20
"""Patients in one answer."""


class GetGlucoseMetrics(PatientOrStudy):
    start: Start | None = None
    end: End | None = None


class TimeInRange(Output):
    very_low: Annotated[float, Field(description="Percent of readings below 54 mg/dL.")]
    low: Annotated[float, Field(description="Percent from 54 to below 70 mg/dL.")]
    target: Annotated[float, Field(description="Percent from 70 to 180 mg/dL.")]
    high: Annotated[float, Field(description="Percent above 180 to 250 mg/dL.")]
    very_high: Annotated[float, Field(description="Percent above 250 mg/dL.")]


class Sufficiency(Output):
    days_with_data: Annotated[int, Field(description="Local days with a reading.")]
    days: Annotated[float | None, Field(description="From the first reading to the last.")]
    interval_minutes: Annotated[float | None, Field(description="What usually lies between two readings.")]
    active_percent: Annotated[float | None, Field(description="Percent of the readings to expect that there are.")]
    sufficient: Annotated[
        bool,
        Field(description="14 days (13.95 round to them) and 70 percent, as the international consensus asks."),
    ]


class Hour(Output):
    hour: Annotated[int, Field(description="0 to 23, of the patient's local day.")]
    n: int
    p05: float
    p25: float
    median: float
    p75: float
    p95: float


class GlucoseMetrics(Statistics):
    patient_id: int
    name: str
    first_reading: str | None
    last_reading: str | None
    n: Annotated[int, Field(description="Readings.")]
    gmi: Annotated[float | None, Field(description="Glucose management indicator, percent.")]
    mage: Annotated[float | None, Field(description="Mean amplitude of glycemic excursions.")]
    time_in_range: TimeInRange | None
    sufficiency: Sufficiency
    hours: Annotated[list[Hour], Field(description="By hour of the day, for one patient; for a study it is empty.")]


class GlucoseOfPatients(Page):
    study_id: int | None
    unit: str
    time_zone: str
    patients: list[GlucoseMetrics]


async def get_glucose_metrics(arguments: GetGlucoseMetrics, ask: Ask) -> Answer:
    after = position_of(arguments.cursor, tuple[Id])
    over = window(arguments.start, arguments.end)
    found = await ask(
        "get_glucose_metrics",
        data_type="omh:blood-glucose:4.0",
        **over.parameters(),
        after_id=after[0] if after else 0,
        limit=PAGE + 1,
    )
    measured = await to_thread.run_sync(_finished, found["patients"])
    about = {"study_id": arguments.study_id, "unit": "mg/dL", "time_zone": TIME_ZONE}
    body = page({**found, **about, "patients": measured}, "patients", PAGE, lambda patient: [patient["patient_id"]])
    if arguments.patient_id is None:
        what = f"Patients of study {arguments.study_id} whose glucose consent lets you read"
        return Answer(f"{counted(body, what, 'patient_id')} Glucose is in mg/dL.", body)
    said = "".join(map(_in_short, body["patients"]))
    empty = why_empty(over, len(said), readable=bool(body["patients"]), data="blood glucose")
    return Answer(f"Glucose of patient {arguments.patient_id}: {said or 'no readings.'}{empty}", body)


def _in_short(patient: dict[str, Any]) -> str:
    """Nothing where there are no readings."""
    if not patient["n"]:
        return ""
    figures = f"mean {patient['mean']:.0f} mg/dL, {patient['time_in_range']['target']:.0f} % in range (70 to 180 mg/dL)"
    return f"{figures}, GMI {patient['gmi']:.1f} %, of {patient['n']} readings. {_enough(patient['sufficiency'])}"


def _enough(has: dict[str, Any]) -> str:
    if has["sufficient"]:
        return "There are enough to judge by."
    if has["days"] is None:
        return "Too few to judge by."
    percent = f"{has['active_percent']:.0f} % of the readings to expect"
    return f"Too few to judge by: {has['days']:.1f} days with {percent}; 14 days with 70 % are enough."


def _finished(patients: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The page's patients with their MAGE; the one beyond it only tells that there are more."""
    return [finished(patient) for patient in patients[:PAGE]] + patients[PAGE:]


TOOLS = (
    Tool(
        name="get_glucose_metrics",
        title="Compute glucose metrics",
        description=(
            "Continuous glucose monitoring in figures, for one patient or each patient of a study, in a time window: "
            "mean, SD, CV, GMI, time in the five consensus ranges, MAGE, percentiles by hour of the day (for one "
            "patient) and whether there is enough data. Computed as the R package iglu does."
        ),
        arguments=GetGlucoseMetrics,
        output=GlucoseOfPatients,
        handler=get_glucose_metrics,
        app=CHART.uri,
    ),
)
