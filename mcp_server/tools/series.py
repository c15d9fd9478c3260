"""Numbers of one patient: summed up, and along time."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from core.policy.errors import InvalidInput
from mcp_server.apps import CHART
from mcp_server.arguments import DataType, End, Start, one_spelling
from mcp_server.results import shortened, why_empty
from mcp_server.statistics import Statistics
from mcp_server.times import TIME_ZONE, window
from mcp_server.tool import Answer, Arguments, Ask, Id, Output, Tool

SUMMARIES = 40
"""In one answer: there are that many kinds and components only where a device makes up its own."""
POINTS = 500
"""Points in one answer, if so many fit."""
_CHARACTERS = 12_000
"""What the points may take: of times and numbers, 8,000 tokens hold no more, with all that is said beside them."""

Component = Annotated[
    str | None,
    Field(description="Part of a kind with several numbers, such as systolic_blood_pressure; null: the only one."),
]


class SummarizePatientObservations(Arguments):
    patient_id: Id
    data_type: DataType | None = None
    start: Start | None = None
    end: End | None = None


class Summary(Statistics):
    data_type: str
    component: Component
    unit: str | None
    n: Annotated[int, Field(description="Observations with this number; where mean is null, without any number.")]
    first: Annotated[str, Field(description="When the first begins.")]
    last: Annotated[str, Field(description="When the last ends, or its time where it does not last.")]


class PatientSummaries(Output):
    patient_id: int
    time_zone: str
    data_types: Annotated[list[str], Field(description="The kinds that were looked through: those you can read.")]
    total: int
    returned: int
    truncated: bool
    summaries: Annotated[list[Summary], Field(description="One for each kind, component and unit that there is.")]


async def summarize_patient_observations(arguments: SummarizePatientObservations, ask: Ask) -> Answer:
    over = window(arguments.start, arguments.end)
    found = await ask(
        "summarize_patient_observations",
        data_type=one_spelling(arguments.data_type),
        **over.parameters(),
        limit=SUMMARIES + 1,
    )
    body = shortened({**found, "time_zone": TIME_ZONE}, "summaries", SUMMARIES)
    said = f"Numbers of patient {arguments.patient_id}, by kind, component and unit: {body['total']}."
    if body["truncated"]:
        said += f" The first {body['returned']} are here: narrow with data_type, start or end."
    return Answer(said + why_empty(over, body["total"], readable=bool(body["data_types"])), body)


class GetObservationSeries(Arguments):
    patient_id: Id
    data_type: DataType
    start: Start | None = None
    end: End | None = None
    resolution: Annotated[
        Literal["auto", "raw", "minute", "hour", "day", "week", "month"],
        Field(description="Each number (raw), or the buckets to sum up in; auto: as fine as fits into one answer."),
    ] = "auto"


class UtcOffset(Output):
    utc_offset: Annotated[str, Field(description="Such as -08:00; Z where none was recorded.")]
    n: Annotated[int, Field(description="Observations recorded with it.")]
    first: str
    last: str


class Series(Output):
    data_type: str
    component: Component
    unit: str | None
    n: Annotated[int, Field(description="Numbers in these points.")]
    points: Annotated[
        list[list[str | float]],
        Field(description="In the order of columns. A week is named by its Monday, a month by its first day."),
    ]


class ObservationSeries(Output):
    patient_id: int
    time_zone: str
    data_types: Annotated[list[str], Field(description="The kinds that were looked through.")]
    observations: Annotated[int, Field(description="In the window; not entered in error, not cancelled.")]
    utc_offsets: Annotated[list[UtcOffset], Field(description="Several where somebody travelled or clocks changed.")]
    resolution: str
    total: Annotated[int, Field(description="Points that there are at this resolution.")]
    returned: int
    truncated: bool
    columns: Annotated[list[str], Field(description="What a point holds: time and value, or time, n, mean, min, max.")]
    series: Annotated[list[Series], Field(description="One for each kind, component and unit. Units never mix.")]


async def get_observation_series(arguments: GetObservationSeries, ask: Ask) -> Answer:
    over = window(arguments.start, arguments.end)
    found = await ask(
        "get_observation_series",
        data_type=one_spelling(arguments.data_type),
        **over.parameters(),
        most_points=POINTS,
        most_characters=_CHARACTERS,
    )
    fitting = found.pop("fitting")
    body = {
        **found,
        "time_zone": TIME_ZONE,
        "truncated": found["returned"] < found["total"],
        "columns": ["time", "value"] if found["resolution"] == "raw" else ["time", "n", "mean", "min", "max"],
    }
    if found["total"] and not found["returned"]:
        raise InvalidInput(_too_fine(found, fitting))
    empty = why_empty(over, found["observations"], readable=bool(found["data_types"]))
    return Answer(_series_told(arguments, body, fitting) + empty, body)


def _too_fine(found: dict[str, Any], fitting: list[str]) -> str:
    fits = f"use resolution {fitting[0]}, or narrow" if fitting else "narrow"
    many = f"By {found['resolution']} there are {found['total']} points, too many for one answer"
    return f"{many}: {fits} with start and end."


def _series_told(arguments: GetObservationSeries, body: dict[str, Any], fitting: list[str]) -> str:
    said = f"Points of patient {arguments.patient_id}, resolution {body['resolution']}: {body['total']}."
    if body["truncated"]:
        last = max((series["points"][-1][0] for series in body["series"]), key=datetime.fromisoformat)
        coarser = f", or use resolution {fitting[0]}" if fitting else ""
        said += f" The first {body['returned']} are here; for those after pass start {last}{coarser}."
    if not body["total"] and body["observations"]:
        said += f" The {body['observations']} observations hold no number: read them with get_patient_observations."
    return said


TOOLS = (
    Tool(
        name="summarize_patient_observations",
        title="Summarize a patient's observations",
        description=(
            "The numbers of one patient in a time window summed up, for each kind of data or one, component (blood "
            "pressure has two) and unit: n, first, last, mean, SD, CV, min, max and percentiles. Equal to FHIR $stats: "
            "what was entered in error or cancelled does not count."
        ),
        arguments=SummarizePatientObservations,
        output=PatientSummaries,
        handler=summarize_patient_observations,
    ),
    Tool(
        name="get_observation_series",
        title="Follow a patient's numbers along time",
        description=(
            "One kind of data of one patient along local time, to see or draw its course: buckets by minute, hour, "
            "day, week or month with n, mean, min and max, or each number (raw); at most 500 points. A total, such as "
            "steps a day, is mean times n, rounded as its numbers are. What lasts counts where it begins."
        ),
        arguments=GetObservationSeries,
        output=ObservationSeries,
        handler=get_observation_series,
        app=CHART.uri,
    ),
)
