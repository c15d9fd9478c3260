"""What the demo world says that each of its people may see, worked out from core/seed/demo_world.py alone."""

from collections.abc import Iterable

from core.seed import demo_world as demo
from core.seed.readings import Wearer, data_points

ADMIN = "admin"
PRACTITIONERS = {person.name: person for person in demo.PRACTITIONERS}
PATIENTS = {person.name: person for person in demo.PATIENTS}
EVERYBODY = (ADMIN, *PRACTITIONERS, *PATIENTS)


def organizations(person: str) -> set[str]:
    """Those whose name the person may list."""
    if person == ADMIN:
        return {demo.ROOT, *(organization.name for organization in demo.ORGANIZATIONS)}
    return set(PRACTITIONERS[person].roles) if person in PRACTITIONERS else set()


def patients(person: str) -> set[str]:
    reached = {name for name, patient in PATIENTS.items() if organizations(person) & set(patient.organizations)}
    return reached | ({person} & PATIENTS.keys())


def led(person: str) -> list[demo.DemoStudy]:
    return [study for study in demo.STUDIES if study.organization in organizations(person)]


def takes_part(patient: str) -> list[demo.DemoStudy]:
    return [study for study in demo.STUDIES if patient in study.consented + study.unanswered]


def studies(person: str) -> set[str]:
    return {study.name for study in [*led(person), *takes_part(person)]}


def studies_of(person: str, patient: str) -> list[demo.DemoStudy]:
    """The patient's studies that the person may know of."""
    return [study for study in takes_part(patient) if person == patient or study in led(person)]


def grants(person: str, through: Iterable[demo.DemoStudy] = demo.STUDIES) -> set[tuple[str, str]]:
    """(patient, code) whose readings the person may read."""
    return {
        (patient, code)
        for study in through
        for patient in study.consented
        for code in study.scopes
        if person == patient or study in led(person)
    }


def readings(patient: str, code: str) -> int:
    """How many the seed made."""
    person = PATIENTS[patient]
    wearer = Wearer(person.name, person.utc_offset_minutes, days=7, glucose_every=15, heart_rate_every=240)
    return sum(1 for _ in data_points(wearer, [code]))
