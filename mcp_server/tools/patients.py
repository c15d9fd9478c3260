"""Patients: who takes part, who somebody is, and how old and of which gender the people of a study are."""

from typing import Annotated

from pydantic import Field

from mcp_server.arguments import Cursor, Day, PatientOrStudy, Text, containing
from mcp_server.results import counted, page, position_of
from mcp_server.text import quoted
from mcp_server.times import TIME_ZONE
from mcp_server.tool import Answer, Arguments, Ask, Id, Output, Page, Tool

PAGE = 50
"""Patients in one answer."""


def _after(cursor: str | None) -> int:
    after = position_of(cursor, tuple[Id])
    return after[0] if after else 0


class ListStudyPatients(Arguments):
    study_id: Id
    cursor: Cursor = None


class EnrolledPatient(Output):
    patient_id: int
    name: str
    consented: Annotated[list[str], Field(description="The scopes that the patient said yes to.")]
    declined: list[str]
    unanswered: list[str]
    last_reading: Annotated[str | None, Field(description="The newest that consent lets you read through this study.")]


class StudyPatients(Page):
    study_id: int
    name: str
    time_zone: str
    patients: list[EnrolledPatient]


async def list_study_patients(arguments: ListStudyPatients, ask: Ask) -> Answer:
    found = await ask("list_study_patients", after_id=_after(arguments.cursor), limit=PAGE + 1)
    body = page({**found, "time_zone": TIME_ZONE}, "patients", PAGE, lambda patient: [patient["patient_id"]])
    study = f"study {body['study_id']}, {quoted(body['name'])}"
    return Answer(counted(body, f"Patients that you can see of {study}", "search_patients"), body)


class SearchPatients(Arguments):
    name: Annotated[Text | None, Field(repr=False, description="Words of given and family name, in any order.")] = None
    family: Annotated[Text | None, Field(repr=False, description="Words of the family name.")] = None
    given: Annotated[Text | None, Field(repr=False, description="Words of the given name.")] = None
    birthdate: Annotated[Day | None, Field(repr=False)] = None
    identifier: Annotated[
        Text | None, Field(repr=False, description="An identifier's whole value, or system|value (FHIR token).")
    ] = None
    study_id: Annotated[Id | None, Field(description="Only patients of this study.")] = None
    cursor: Cursor = None


class StudyName(Output):
    study_id: int
    name: str


class FoundPatient(Output):
    patient_id: int
    name: str
    birth_date: str | None
    studies: list[StudyName]


class FoundPatients(Page):
    patients: list[FoundPatient]


async def search_patients(arguments: SearchPatients, ask: Ask) -> Answer:
    found = await ask(
        "search_patients",
        name_words=containing(arguments.name),
        family_words=containing(arguments.family),
        given_words=containing(arguments.given),
        after_id=_after(arguments.cursor),
        limit=PAGE + 1,
    )
    body = page(found, "patients", PAGE, lambda patient: [patient["patient_id"]])
    narrower = "name, family, given, birthdate, identifier or study_id"
    return Answer(counted(body, "Patients that match and that you can see", narrower), body)


class GetPatientDemographics(PatientOrStudy):
    pass


class Demographics(Output):
    patient_id: int
    name: str
    birth_date: str | None
    age: Annotated[int | None, Field(description="Whole years, today.")]
    gender: Annotated[str, Field(description="FHIR administrative-gender: female, male, other or unknown.")]


class AgeDistribution(Output):
    n: Annotated[int, Field(description="Patients whose birth date is known.")]
    mean: float | None
    sd: float | None
    min: int | None
    p25: float | None
    median: float | None
    p75: float | None
    max: int | None


class GenderDistribution(Output):
    female: int
    male: int
    other: int
    unknown: int


class StudyDemographics(Page):
    study_id: int | None
    patients: list[Demographics]
    age: Annotated[AgeDistribution, Field(description="Of everybody counted in total, on every page.")]
    gender: Annotated[GenderDistribution, Field(description="Of everybody counted in total, on every page.")]


async def get_patient_demographics(arguments: GetPatientDemographics, ask: Ask) -> Answer:
    found = await ask("get_patient_demographics", after_id=_after(arguments.cursor), limit=PAGE + 1)
    body = page(found, "patients", PAGE, lambda patient: [patient["patient_id"]])
    if arguments.study_id is None:
        return Answer(f"Patient {arguments.patient_id}.", body)
    people = counted(body, f"Patients that you can see of study {arguments.study_id}", "patient_id")
    return Answer(f"{people} Age and gender are summed up over all {body['total']}.", body)


TOOLS = (
    Tool(
        name="list_study_patients",
        title="List a study's patients",
        description=(
            "The patients of one study that you can see: what each answered to the scopes that the study asks for, and "
            "when they last sent what they consented to."
        ),
        arguments=ListStudyPatients,
        output=StudyPatients,
        handler=list_study_patients,
    ),
    Tool(
        name="search_patients",
        title="Search patients",
        description=(
            "Patients you can see, by name, birth date, identifier or study, with the studies they take part in. What "
            "is left out does not narrow."
        ),
        arguments=SearchPatients,
        output=FoundPatients,
        handler=search_patients,
    ),
    Tool(
        name="get_patient_demographics",
        title="Describe people",
        description=(
            "Name, birth date, age and gender of one patient, or of the people of one study, over all of whom age and "
            "gender are summed up too."
        ),
        arguments=GetPatientDemographics,
        output=StudyDemographics,
        handler=get_patient_demographics,
    ),
)
