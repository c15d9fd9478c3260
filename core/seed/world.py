"""Writes the demo world. What is there already is left alone: what people changed in the demo stays changed."""

from collections.abc import Iterable

from django.contrib.auth.hashers import make_password

from core.actions.consents import record_consents
from core.actions.enrolment import enrol
from core.models import (
    CodeableConcept,
    DataSource,
    DataSourceSupportedScope,
    Organization,
    Patient,
    PatientIdentifier,
    PatientOrganization,
    Practitioner,
    PractitionerOrganization,
    Study,
    StudyDataSource,
    StudyScopeRequest,
    User,
)
from core.seed import demo_world as demo
from core.seed.scopes import SCOPES
from core.seed.times import ENROLLED_AT

METHOD = "seed"


def write_vocabulary() -> None:
    """The kinds of data and the root of the organizations: what an exchange needs before anybody is in it."""
    for system, code, text in SCOPES:
        CodeableConcept.objects.get_or_create(coding_system=system, coding_code=code, defaults={"text": text})
    Organization.objects.get_or_create(
        pk=demo.ROOT_ID, defaults={"name": demo.ROOT, "type": Organization.Type.ROOT, "part_of": None}
    )


def write_people_and_studies() -> None:
    """Everybody and everything of demo_world.py but the observations."""
    password = make_password(demo.PASSWORD)  # one slow hash for all: nobody's secret
    _superuser(password)
    for organization in demo.ORGANIZATIONS:
        _organization(organization)
    for practitioner in demo.PRACTITIONERS:
        _practitioner(practitioner, password)
    for patient in demo.PATIENTS:
        _patient(patient, password)
    for data_source in demo.DATA_SOURCES:
        _data_source(data_source)
    for study in demo.STUDIES:
        _study(study)


def codes() -> dict[str, int]:
    """The id of every kind of data, by its code."""
    return dict(CodeableConcept.objects.values_list("coding_code", "pk"))


def make_study(
    name: str, *, description: str, organization: Organization, scopes: Iterable[str], data_sources: Iterable[str]
) -> Study | None:
    """The new study with what it asks for, or None if the organization has one of this name."""
    study, created = Study.objects.get_or_create(
        name=name, organization=organization, defaults={"description": description}
    )
    if not created:
        return None
    code_ids = codes()
    StudyScopeRequest.objects.bulk_create(StudyScopeRequest(study=study, code_id=code_ids[code]) for code in scopes)
    StudyDataSource.objects.bulk_create(
        StudyDataSource(study=study, data_source=DataSource.objects.get(name=source)) for source in data_sources
    )
    return study


def _superuser(password: str) -> None:
    User.objects.get_or_create(
        email=demo.SUPERUSER,
        defaults={
            "password": password,
            "first_name": "Ada",
            "last_name": "Admin",
            "is_staff": True,
            "is_superuser": True,
        },
    )


def _organization(organization: demo.DemoOrganization) -> None:
    Organization.objects.get_or_create(
        name=organization.name,
        defaults={"type": organization.type, "part_of": Organization.objects.get(name=organization.part_of)},
    )


def _practitioner(person: demo.DemoPractitioner, password: str) -> None:
    user, created = User.objects.get_or_create(
        email=person.email,
        defaults={"password": password, "first_name": person.given, "last_name": person.family},
    )
    if not created:
        return
    practitioner = Practitioner.objects.create(user=user, name_given=person.given, name_family=person.family)
    for organization, role in person.roles.items():
        PractitionerOrganization.objects.create(
            practitioner=practitioner, organization=Organization.objects.get(name=organization), role=role
        )


def _patient(person: demo.DemoPatient, password: str) -> None:
    user, created = User.objects.get_or_create(
        email=person.email,
        defaults={"password": password, "first_name": person.given, "last_name": person.family},
    )
    if not created:
        return
    patient = Patient.objects.create(
        user=user,
        name_given=person.given,
        name_family=person.family,
        birth_date=person.birth_date,
        gender=person.gender,
        telecom_email=person.email,
    )
    PatientIdentifier.objects.create(patient=patient, system=demo.IDENTIFIER_SYSTEM, value=person.name)
    for organization in person.organizations:
        PatientOrganization.objects.create(patient=patient, organization=Organization.objects.get(name=organization))


def _data_source(source: demo.DemoDataSource) -> None:
    data_source, created = DataSource.objects.get_or_create(name=source.name, defaults={"type": source.type})
    if created:
        code_ids = codes()
        DataSourceSupportedScope.objects.bulk_create(
            DataSourceSupportedScope(data_source=data_source, code_id=code_ids[code]) for code in source.scopes
        )


def _study(plan: demo.DemoStudy) -> None:
    study = make_study(
        plan.name,
        description=plan.description,
        organization=Organization.objects.get(name=plan.organization),
        scopes=plan.scopes,
        data_sources=plan.data_sources,
    )
    if study is None:
        return
    code_ids = codes()
    yes_to_all = {code_ids[code]: True for code in plan.scopes}
    for name in plan.consented + plan.unanswered:
        patient = Patient.objects.get(identifiers__system=demo.IDENTIFIER_SYSTEM, identifiers__value=name)
        enrol(actor=None, patient=patient, study=study, method=METHOD, enrolled_at=ENROLLED_AT)
        if name in plan.consented:
            record_consents(
                actor=None, patient=patient, study=study, answers=yes_to_all, method=METHOD, consented_time=ENROLLED_AT
            )
