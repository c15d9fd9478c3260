"""Counts: how many observations there are, of whom, of which kinds, on which days, from when to when."""

from typing import Annotated, Any

from pydantic import Field

from mcp_server.arguments import Cursor, DataType, End, Start, one_spelling
from mcp_server.results import page, position_of, shortened
from mcp_server.times import TIME_ZONE, window
from mcp_server.tool import Answer, Arguments, Ask, Id, Output, Page, Tool

PATIENTS = 50
"""Patients in one answer."""
DAYS = 200
"""Days in one answer."""


class GetPatientDateRange(Arguments):
    patient_id: Id
    data_type: DataType | None = None


class KindRange(Output):
    data_type: str
    name: str
    n: Annotated[int, Field(description="Observations, of every status.")]
    first: Annotated[str | None, Field(description="When the first begins.")]
    last: Annotated[str | None, Field(description="When the last ends, or its time where it does not last.")]
    days_covered: Annotated[int, Field(description="Local days on which one begins.")]


class DateRange(Output):
    patient_id: int
    time_zone: str
    n: Annotated[int, Field(description="Observations, of every status.")]
    first: str | None
    last: str | None
    days_covered: Annotated[int, Field(description="Local days on which one of any of these kinds begins.")]
    data_types: Annotated[list[KindRange], Field(description="Each kind that you can read, those without data too.")]


async def get_patient_date_range(arguments: GetPatientDateRange, ask: Ask) -> Answer:
    found = await ask("get_patient_date_range", data_type=one_spelling(arguments.data_type))
    body = {**found, "time_zone": TIME_ZONE}
    span = f"from {body['first']} to {body['last']}, on {body['days_covered']} local days" if body["n"] else "none"
    return Answer(f"Observations of patient {arguments.patient_id}: {span}.{_unread(body)}", body)


class _Counted(Arguments):
    data_type: DataType | None = None
    start: Start | None = None
    end: End | None = None
    by_patient: Annotated[bool, Field(strict=True, description="Also each patient's count, the largest first.")] = False
    by_day: Annotated[bool, Field(strict=True, description="Also each local day's count, the newest first.")] = False
    cursor: Annotated[Cursor, Field(description="The next_cursor of by_patient of the page before.")] = None


class CountPatientObservations(_Counted):
    patient_id: Id


class CountStudyObservations(_Counted):
    study_id: Id


class KindCount(Output):
    data_type: str
    name: str
    n: int


class PatientCount(Output):
    patient_id: int
    name: str
    n: int


class PatientCounts(Page):
    total: Annotated[int, Field(description="Patients whose consent lets you read.")]
    patients: list[PatientCount]


class DayCount(Output):
    date: str
    n: int


class DayCounts(Output):
    total: Annotated[int, Field(description="Local days on which an observation begins.")]
    returned: int
    truncated: bool
    days: list[DayCount]


class _Counts(Output):
    total: Annotated[int, Field(description="Observations, of every status, as REST and FHIR count them.")]
    time_zone: str
    data_types: Annotated[list[KindCount], Field(description="Each kind that you can read, those without data too.")]
    by_patient: PatientCounts | None
    by_day: DayCounts | None


class ObservationsOfPatient(_Counts):
    patient_id: int


class ObservationsOfStudy(_Counts):
    study_id: int


async def count_patient_observations(arguments: CountPatientObservations, ask: Ask) -> Answer:
    body = await _counted(arguments, ask)
    return _answer(f"patient {arguments.patient_id}", {"patient_id": arguments.patient_id, **body})


async def count_study_observations(arguments: CountStudyObservations, ask: Ask) -> Answer:
    body = await _counted(arguments, ask)
    return _answer(f"study {arguments.study_id}", {"study_id": arguments.study_id, **body})


async def _counted(arguments: _Counted, ask: Ask) -> dict[str, Any]:
    after = position_of(arguments.cursor, tuple[Id, Id]) or (None, 0)
    body = await ask(
        "count_observations",
        data_type=one_spelling(arguments.data_type),
        **window(arguments.start, arguments.end).parameters(),
        after_n=after[0],
        after_id=after[1],
        patients=PATIENTS + 1,
        days=DAYS + 1,
    )
    by_patient, by_day = body["by_patient"], body["by_day"]
    return {
        **body,
        "time_zone": TIME_ZONE,
        "by_patient": by_patient and page(by_patient, "patients", PATIENTS, lambda row: [row["n"], row["patient_id"]]),
        "by_day": by_day and shortened(by_day, "days", DAYS),
    }


def _answer(whose: str, body: dict[str, Any]) -> Answer:
    said = [f"Observations of {whose} that you can read: {body['total']}."]
    if (people := body["by_patient"]) and people["truncated"]:
        said.append(
            f"Patients: {people['total']}, {people['returned']} of them here. Pass next_cursor as cursor for more."
        )
    if (days := body["by_day"]) and days["truncated"]:
        oldest = days["days"][-1]["date"]
        said.append(f"Days: {days['total']}, the newest {days['returned']} here. For others pass end before {oldest}.")
    return Answer(" ".join(said) + _unread(body), body)


def _unread(body: dict[str, Any]) -> str:
    return "" if body["data_types"] else " No consent lets you read any data here."


TOOLS = (
    Tool(
        name="get_patient_date_range",
        title="Find a patient's date range",
        description=(
            "From when to when one patient has data that you can read, and on how many local days: over all and for "
            "each kind. Ask this before choosing start and end for another tool."
        ),
        arguments=GetPatientDateRange,
        output=DateRange,
        handler=get_patient_date_range,
    ),
    Tool(
        name="count_patient_observations",
        title="Count a patient's observations",
        description=(
            "Exactly how many observations of one patient you can read in a time window: in all, by kind of data, and "
            "by local day when asked."
        ),
        arguments=CountPatientObservations,
        output=ObservationsOfPatient,
        handler=count_patient_observations,
    ),
    Tool(
        name="count_study_observations",
        title="Count a study's observations",
        description=(
            "Exactly how many observations you can read through one study in a time window: in all, by kind of data, "
            "and by patient or by local day when asked."
        ),
        arguments=CountStudyObservations,
        output=ObservationsOfStudy,
        handler=count_study_observations,
    ),
)
