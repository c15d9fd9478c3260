"""Writes the demo. What is there already is left alone: what people changed in the demo stays changed."""

from collections.abc import Iterable

from django.contrib.auth.hashers import make_password

from core.actions.consents import record_consents
from core.actions.emails import set_email_verified
from core.actions.enrolment import enrol
from core.actions.observations import NewObservation, record_observations
from core.actions.patients import register_patient
from core.models import (
    CodeableConcept,
    DataSource,
    DataSourceSupportedScope,
    Organization,
    Patient,
    Practitioner,
    PractitionerOrganization,
    Study,
    StudyDataSource,
    StudyScopeRequest,
    User,
)
from core.models.organization import ROOT_ID
from core.seed import demo_world as demo
from core.seed.large import STUDY as CGM_STUDY
from core.seed.large import CgmPatient
from core.seed.readings import Wearer, data_points
from core.seed.scopes import SCOPES
from core.seed.times import ENROLLED_AT, WITHDRAWN_AT

DOOR = "command"
OBSERVATION_IDENTIFIER_SYSTEM = "urn:ietf:rfc:3986"  # values are `urn:uuid:…`, as FHIR R5 writes a UUID
BATCH = 2_000


def write_vocabulary() -> None:
    """The kinds of data and the root of the organizations: what an exchange needs before anybody is in it."""
    for system, code, text in SCOPES:
        CodeableConcept.objects.get_or_create(coding_system=system, coding_code=code, defaults={"text": text})
    Organization.objects.get_or_create(
        pk=ROOT_ID, defaults={"name": demo.ROOT, "type": Organization.Type.ROOT, "part_of": None}
    )


def write_people_and_studies() -> None:
    """Everybody and everything of demo_world.py but the readings."""
    password = make_password(demo.PASSWORD)  # one slow hash for all: nobody's secret
    _user(demo.SUPERUSER, "Ada", "Admin", password, is_staff=True, is_superuser=True)
    for organization in demo.ORGANIZATIONS:
        Organization.objects.get_or_create(
            name=organization.name,
            defaults={"type": organization.type, "part_of": Organization.objects.get(name=organization.part_of)},
        )
    for practitioner in demo.PRACTITIONERS:
        _practitioner(practitioner, password)
    for patient in demo.PATIENTS:
        _patient(patient, password)
    for source in demo.DATA_SOURCES:
        _data_source(source)
    for plan in demo.STUDIES:
        if study := make_study(plan):
            _participants(study, plan)


def write_readings(person: demo.DemoPatient) -> None:
    """A week of what the patient consented to; sent again it is recognised by its identifiers."""
    patient = Patient.objects.get(user__email=person.email)
    wearer = Wearer(person.name, person.utc_offset_minutes, days=7, glucose_every=15, heart_rate_every=240)
    asked_for = {code for plan in demo.STUDIES if person.name in plan.consented for code in plan.scopes}
    _record(patient, wearer, sorted(asked_for))


def make_study(plan: demo.DemoStudy) -> Study | None:
    """The new study and what it asks for, or None if its organization has one of this name."""
    organization = Organization.objects.get(name=plan.organization)
    study, created = Study.objects.get_or_create(
        name=plan.name, organization=organization, defaults={"description": plan.description}
    )
    if not created:
        return None
    ids = _code_ids()
    StudyScopeRequest.objects.bulk_create(StudyScopeRequest(study=study, code_id=ids[code]) for code in plan.scopes)
    StudyDataSource.objects.bulk_create(
        StudyDataSource(study=study, data_source=DataSource.objects.get(name=name)) for name in plan.data_sources
    )
    return study


def write_cgm_patient(study: Study, person: CgmPatient) -> None:
    """One person of the larger demo, their answers and their two weeks."""
    patient = register_patient(
        actor=None,
        door=DOOR,
        organizations=[study.organization],
        name_given=person.given,
        name_family=person.family,
        birth_date=person.birth_date,
        gender=person.gender,
        telecom_email=f"{person.key}@example.com",
        identifiers=[(demo.IDENTIFIER_SYSTEM, person.key)],
    )
    enrol(actor=None, door=DOOR, patient=patient, study=study, enrolled_at=ENROLLED_AT)
    if not person.answered:
        return
    _say_yes(patient, study, CGM_STUDY.scopes)
    wearer = Wearer(person.key, person.utc_offset_minutes, person.days, person.profile, person.glucose_unit)
    _record(patient, wearer, CGM_STUDY.scopes)
    if person.withdrew:
        no = {_code_ids()[person.withdrew]: False}
        record_consents(actor=None, door=DOOR, patient=patient, study=study, answers=no, consented_time=WITHDRAWN_AT)


def _code_ids() -> dict[str, int]:
    return dict(CodeableConcept.objects.values_list("coding_code", "pk"))


def _user(email: str, given: str, family: str, password: str, **flags: bool) -> User | None:
    """The new user, or None if there is one."""
    names = {"first_name": given, "last_name": family}
    user, created = User.objects.get_or_create(email=email, defaults={"password": password, **names, **flags})
    if not created:
        return None
    set_email_verified(user)
    return user


def _practitioner(person: demo.DemoPractitioner, password: str) -> None:
    if user := _user(person.email, person.given, person.family, password):
        practitioner = Practitioner.objects.create(user=user, name_given=person.given, name_family=person.family)
        for organization, role in person.roles.items():
            PractitionerOrganization.objects.create(
                practitioner=practitioner, organization=Organization.objects.get(name=organization), role=role
            )


def _patient(person: demo.DemoPatient, password: str) -> None:
    if user := _user(person.email, person.given, person.family, password):
        register_patient(
            actor=None,
            door=DOOR,
            organizations=[Organization.objects.get(name=name) for name in person.organizations],
            name_given=person.given,
            name_family=person.family,
            birth_date=person.birth_date,
            gender=person.gender,
            telecom_email=person.email,
            identifiers=[(demo.IDENTIFIER_SYSTEM, person.name)],
            user=user,
        )


def _data_source(source: demo.DemoDataSource) -> None:
    data_source, created = DataSource.objects.get_or_create(name=source.name, defaults={"type": source.type})
    if created:
        ids = _code_ids()
        DataSourceSupportedScope.objects.bulk_create(
            DataSourceSupportedScope(data_source=data_source, code_id=ids[code]) for code in source.scopes
        )


def _participants(study: Study, plan: demo.DemoStudy) -> None:
    for name in plan.consented + plan.unanswered:
        patient = Patient.objects.get(identifiers__system=demo.IDENTIFIER_SYSTEM, identifiers__value=name)
        enrol(actor=None, door=DOOR, patient=patient, study=study, enrolled_at=ENROLLED_AT)
        if name in plan.consented:
            _say_yes(patient, study, plan.scopes)


def _say_yes(patient: Patient, study: Study, scopes: Iterable[str]) -> None:
    ids = _code_ids()
    yes = {ids[code]: True for code in scopes}
    record_consents(actor=None, door=DOOR, patient=patient, study=study, answers=yes, consented_time=ENROLLED_AT)


def _record(patient: Patient, wearer: Wearer, codes: Iterable[str]) -> None:
    code_ids = _code_ids()
    sources = dict(DataSource.objects.values_list("name", "pk"))
    device = {code: sources.get(source.name) for source in reversed(demo.DATA_SOURCES) for code in source.scopes}
    observations = [
        NewObservation(
            patient_id=patient.pk,
            code_id=code_ids[code],
            code=code,
            data_point=data_point,
            identifiers=((OBSERVATION_IDENTIFIER_SYSTEM, f"urn:uuid:{data_point['header']['uuid']}"),),
            data_source_id=device[code],
        )
        for code, data_point in data_points(wearer, codes)
    ]
    for first in range(0, len(observations), BATCH):
        batch = observations[first : first + BATCH]
        record_observations(actor=None, door=DOOR, activity="seed", observations=batch)
