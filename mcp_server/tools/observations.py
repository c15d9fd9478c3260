"""Observations: the rows themselves, a page at a time."""

from typing import Annotated, Any, Literal

from pydantic import Field

from mcp_server.arguments import Cursor, DataType, End, Start, one_spelling
from mcp_server.results import counted, page, position_of, why_empty
from mcp_server.times import TIME_ZONE, Instant, window
from mcp_server.tool import Answer, Arguments, Ask, Id, Output, Page, Tool


class GetPatientObservations(Arguments):
    patient_id: Id
    data_type: DataType | None = None
    start: Start | None = None
    end: End | None = None
    order: Annotated[Literal["newest", "oldest"], Field(description="Which come first.")] = "newest"
    limit: Annotated[
        int,
        Field(strict=True, ge=1, le=500, description="Rows in one answer; fewer where they would be too long for it."),
    ] = 50
    cursor: Cursor = None
    verbosity: Annotated[
        Literal["slim", "full"], Field(description="full adds the data source and the Open mHealth data point as sent.")
    ] = "slim"


class DataSource(Output):
    data_source_id: int
    name: str
    type: str


class Observation(Output):
    observation_id: int
    time: Annotated[str, Field(description="The instant, or the beginning of the period.")]
    end: Annotated[str | None, Field(description="The end of the period.")] = None
    data_type: str
    value: Annotated[float | None, Field(description="Kinds with one number have it and its unit.")] = None
    unit: str | None = None
    values: Annotated[
        dict[str, Any] | None, Field(description="Other kinds have all their parts, such as both blood pressures.")
    ] = None
    status: Annotated[str | None, Field(description="FHIR observation-status, where it is not final.")] = None
    data_source: DataSource | None = None
    omh_data: Annotated[dict[str, Any] | None, Field(description="The data point as it was sent: header and body.")] = (
        None
    )
    too_long: Annotated[bool | None, Field(description="True where values and omh_data are left out for that.")] = None


class PatientObservations(Page):
    patient_id: int
    data_types: Annotated[list[str], Field(description="The kinds that were looked through: those you can read.")]
    time_zone: str
    observations: list[Observation]


async def get_patient_observations(arguments: GetPatientObservations, ask: Ask) -> Answer:
    after = position_of(arguments.cursor, tuple[Instant, Id]) or (None, None)
    over = window(arguments.start, arguments.end)
    found = await ask(
        "get_patient_observations",
        data_type=one_spelling(arguments.data_type),
        **over.parameters(),
        newest_first=arguments.order == "newest",
        after_time=after[0],
        after_id=after[1],
        rows=arguments.limit + 1,
        full=arguments.verbosity == "full",
    )
    body = page(
        {**found, "time_zone": TIME_ZONE},
        "observations",
        arguments.limit,
        lambda row: [row["position"], row["observation_id"]],
    )
    body["observations"] = [_without_blanks(row) for row in body["observations"]]
    what = f"Observations of patient {arguments.patient_id}, {arguments.order} first"
    empty = why_empty(over, body["total"], readable=bool(body["data_types"]))
    return Answer(counted(body, what, "data_type, start or end") + empty, body)


def _without_blanks(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None and name != "position"}


TOOLS = (
    Tool(
        name="get_patient_observations",
        title="Read a patient's observations",
        description=(
            "Single observations of one patient that consent lets you read, of one kind or of all, in a time window, "
            "newest or oldest first, by cursor. For statistics prefer the tools that compute them."
        ),
        arguments=GetPatientObservations,
        output=PatientObservations,
        handler=get_patient_observations,
    ),
)
