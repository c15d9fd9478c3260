"""Gaps: who stopped sending, since when, and when nothing came."""

from typing import Annotated

from pydantic import Field

from mcp_server.arguments import DataType, PatientOrStudy, one_spelling
from mcp_server.results import counted, page, position_of
from mcp_server.times import TIME_ZONE, Instant, duration
from mcp_server.tool import Answer, Ask, Id, Output, Page, Tool

PATIENTS = 20
"""Patients in one answer."""
GAPS_OF_ONE, GAPS_OF_EACH = 100, 5
"""Gaps told of one patient who was asked for, and of each of a study's."""


class FindDataGaps(PatientOrStudy):
    data_type: DataType
    longer_than: Annotated[
        str,
        Field(
            max_length=20,
            pattern=r"^[0-9A-Za-z. ]+$",
            description="What counts as a gap: an ISO 8601 duration such as PT6H or P2D, or such as 6h or 2 days.",
        ),
    ]


class Gap(Output):
    start: Annotated[str, Field(description="When the last before it ends.")]
    end: Annotated[str, Field(description="When the next begins.")]
    hours: float


class PatientGaps(Output):
    patient_id: int
    name: str
    last: Annotated[str | None, Field(description="When the last ended; null: consented, but never sent.")]
    silent_hours: Annotated[float | None, Field(description="From then until now.")]
    silent: Annotated[bool | None, Field(description="Whether that is longer than longer_than.")]
    gaps_total: Annotated[int, Field(description="Gaps between observations; the silence until now is none of them.")]
    gaps: Annotated[list[Gap], Field(description="The longest of them first.")]


class DataGaps(Page):
    study_id: int | None
    patient_id: int | None
    data_types: Annotated[list[str], Field(description="The kinds that were looked through.")]
    longer_than_hours: float
    now: Annotated[str, Field(description="The time of this call, UTC.")]
    time_zone: str
    never_sent: Annotated[int, Field(description="Of all patients in total: consented, but never sent.")]
    silent: Annotated[
        int, Field(description="Of all patients in total: sent, but stopped longer ago than longer_than.")
    ]
    patients: Annotated[list[PatientGaps], Field(description="First who never sent, then the longest silent first.")]


async def find_data_gaps(arguments: FindDataGaps, ask: Ask) -> Answer:
    length = duration("longer_than", arguments.longer_than)
    after = position_of(arguments.cursor, tuple[Instant | None, Id]) or (None, 0)
    found = await ask(
        "find_data_gaps",
        data_type=one_spelling(arguments.data_type),
        longer_than=length,
        after_time=after[0],
        after_id=after[1],
        most_gaps=GAPS_OF_ONE if arguments.study_id is None else GAPS_OF_EACH,
        limit=PATIENTS + 1,
    )
    about = {
        "study_id": arguments.study_id,
        "patient_id": arguments.patient_id,
        "longer_than_hours": length.total_seconds() / 3600,
        "time_zone": TIME_ZONE,
    }
    body = page({**found, **about}, "patients", PATIENTS, lambda row: [row["position"], row["patient_id"]])
    for patient in body["patients"]:
        del patient["position"]
    of_whom = f"of study {arguments.study_id}" if arguments.patient_id is None else f"({arguments.patient_id})"
    people = counted(body, f"Patients {of_whom} whose consent lets you read", "patient_id")
    return Answer(
        f"{people} Silent for longer than {arguments.longer_than} at {body['now']}: {body['silent']}. "
        f"Never sent: {body['never_sent']}.",
        body,
    )


TOOLS = (
    Tool(
        name="find_data_gaps",
        title="Find gaps in data",
        description=(
            "Who stopped sending a kind of data and since when, who consented but never sent, and the gaps between "
            "observations that were longer than a given time, for one patient or each patient of a study. Silence is "
            "counted until now, the time of the call. An observation of any status was sent."
        ),
        arguments=FindDataGaps,
        output=DataGaps,
        handler=find_data_gaps,
    ),
)
