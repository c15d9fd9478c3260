"""What the tools about patients answer, for whom."""

import statistics
from datetime import date
from itertools import chain

import pytest
from django.db import connection
from django.utils import timezone

from core.models import Patient, PatientOrganization, StudyPatient, StudyPatientScopeConsent, User
from tests import personas
from tests.factories import (
    ConsentFactory,
    EnrolmentFactory,
    MembershipFactory,
    PatientFactory,
    PatientIdentifierFactory,
    PractitionerFactory,
    StudyFactory,
    UserFactory,
)
from tests.mcp_server.tools.world import glucose, record

PATIENTS = {
    "admin": {"Peter", "Pamela", "Percy", "Paul", "Pat"},
    "manager_mary": {"Peter", "Pamela"},
    "member_megan": {"Peter", "Pamela"},
    "viewer_victor": {"Peter", "Pamela"},
    "three_org_tom": {"Peter", "Pamela", "Percy", "Paul", "Pat"},
    "manager_mark": {"Percy", "Pat"},
    "ll_patient_peter": {"Peter"},
    "ll_patient_pamela": {"Pamela"},
    "npl_patient_percy": {"Percy"},
    "ccl_patient_paul": {"Paul"},
    "ccl_cardio_patient_pat": {"Pat"},
}

OF_A_STUDY = ("list_study_patients", "search_patients", "get_patient_demographics")


@pytest.fixture
def crowd(clinic):
    """2,000 patients of the clinic's study."""
    patients = Patient.objects.bulk_create(
        Patient(name_given=f"Given{n}", name_family="Family" * 8, birth_date=date(1950 + n % 50, 1, 1), gender="female")
        for n in range(2_000)
    )
    PatientOrganization.objects.bulk_create(
        PatientOrganization(patient=patient, organization=clinic.organization) for patient in patients
    )
    StudyPatient.objects.bulk_create(StudyPatient(patient=patient, study=clinic.study) for patient in patients)
    StudyPatientScopeConsent.objects.bulk_create(
        StudyPatientScopeConsent(patient=patient, study=clinic.study, code=clinic.glucose, consented=True)
        for patient in patients
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # what autovacuum does where 2,000 patients do not appear at once
    return [patient.pk for patient in patients]


def ids(*pages):
    return [patient["patient_id"] for page in pages for patient in page["patients"]]


def test_each_persona_finds_their_own_patients(as_user, transactional_db):
    personas.seed_demo_world()
    for name, expected in PATIENTS.items():
        found = as_user(personas.user_of(name)).answer("search_patients")
        assert {patient["name"].split()[0] for patient in found["patients"]} == expected, name
        assert found["total"] == found["returned"] == len(expected), name


def test_a_studys_patients_are_listed_with_their_answer_to_each_scope_and_their_last_reading(as_user, clinic):
    eager, silent = clinic.patient(name_given="Ea", name_family="Ger"), clinic.patient(consents=False)
    EnrolmentFactory(study=clinic.study, patient=silent)
    ConsentFactory(study=clinic.study, patient=silent, code=clinic.pressure, consented=False)
    record(eager, clinic.glucose, glucose(100, "2026-11-02T23:30:00-08:00"), glucose(90, "2026-11-01T12:00:00Z"))
    record(eager, clinic.sleep, glucose(1, "2026-11-09T12:00:00Z"))
    record(silent, clinic.glucose, glucose(100, "2026-11-02T12:00:00Z"))
    page = as_user(clinic.practitioner).answer("list_study_patients", study_id=clinic.study.pk)
    assert page["patients"] == [
        {
            "patient_id": eager.pk,
            "name": "Ea Ger",
            "consented": ["omh:blood-glucose:4.0", "omh:blood-pressure:4.0"],
            "declined": [],
            "unanswered": [],
            "last_reading": "2026-11-02T23:30:00-08:00",
        },
        {
            "patient_id": silent.pk,
            "name": f"{silent.name_given} {silent.name_family}",
            "consented": [],
            "declined": ["omh:blood-pressure:4.0"],
            "unanswered": ["omh:blood-glucose:4.0"],
            "last_reading": None,
        },
    ]


def test_a_last_reading_goes_with_the_consent(as_user, clinic):
    patient = clinic.patient()
    record(patient, clinic.glucose, glucose(100, "2026-11-02T12:00:00Z"))
    person = as_user(clinic.practitioner)
    StudyPatientScopeConsent.objects.filter(code=clinic.glucose).update(consented=False)
    [row] = person.answer("list_study_patients", study_id=clinic.study.pk)["patients"]
    assert (row["last_reading"], row["declined"]) == (None, ["omh:blood-glucose:4.0"])


def test_a_participant_sees_no_other_patient(as_user, clinic):
    peter, _ = clinic.patient(login=True), clinic.patient()
    record(peter, clinic.glucose, glucose(100, "2026-11-02T12:00:00Z"))
    person = as_user(peter.user)
    page = person.answer("list_study_patients", study_id=clinic.study.pk)
    assert (ids(page), page["total"]) == ([peter.pk], 1)
    assert page["patients"][0]["last_reading"] == "2026-11-02T12:00:00+00:00"
    assert ids(person.answer("search_patients", study_id=clinic.study.pk)) == [peter.pk]
    assert ids(person.answer("get_patient_demographics", study_id=clinic.study.pk)) == [peter.pk]


def test_a_participant_does_not_learn_that_a_patient_of_theirs_takes_part_too(as_user, clinic):
    """They are a practitioner elsewhere, of somebody who is in the study that they take part in themselves."""
    doctor, fellow = clinic.patient(login=True), clinic.patient()
    practice = MembershipFactory(practitioner=PractitionerFactory(user=doctor.user)).organization
    PatientOrganization.objects.create(patient=fellow, organization=practice)
    person = as_user(User.objects.get(pk=doctor.user.pk))
    assert ids(person.answer("search_patients")) == [doctor.pk, fellow.pk]
    assert ids(person.answer("list_study_patients", study_id=clinic.study.pk)) == [doctor.pk]
    assert ids(person.answer("search_patients", study_id=clinic.study.pk)) == [doctor.pk]
    assert ids(person.answer("get_patient_demographics", study_id=clinic.study.pk)) == [doctor.pk]
    studies = {patient["patient_id"]: patient["studies"] for patient in person.answer("search_patients")["patients"]}
    assert [study["study_id"] for study in studies[doctor.pk]] == [clinic.study.pk]
    assert studies[fellow.pk] == []


def test_somebody_with_two_roles_sees_nobody_twice(as_user, clinic):
    patient = clinic.patient()
    practitioner = clinic.practitioner.practitioner
    second = MembershipFactory(practitioner=practitioner).organization
    PatientOrganization.objects.create(patient=patient, organization=second)
    User.objects.filter(pk=clinic.practitioner.pk).update(is_superuser=True)
    person = as_user(User.objects.get(pk=clinic.practitioner.pk))
    for tool, arguments in (
        ("search_patients", {}),
        ("search_patients", {"study_id": clinic.study.pk}),
        ("list_study_patients", {"study_id": clinic.study.pk}),
        ("get_patient_demographics", {"study_id": clinic.study.pk}),
        ("get_patient_demographics", {"patient_id": patient.pk}),
    ):
        page = person.answer(tool, **arguments)
        assert (ids(page), page["total"]) == ([patient.pk], 1), tool
    [found] = person.answer("search_patients")["patients"]
    assert found["studies"] == [{"study_id": clinic.study.pk, "name": "Sugar"}]


def test_a_foreign_study_looks_like_a_missing_one(as_user, clinic):
    foreign = StudyFactory()
    person = as_user(clinic.practitioner)
    for tool in OF_A_STUDY:
        refused = person.refusal(tool, study_id=foreign.pk)
        assert refused == f'No study {foreign.pk} that you can see. Your studies: {clinic.study.pk} "Sugar".'
        assert person.refusal(tool, study_id=999) == refused.replace(str(foreign.pk), "999")


def test_a_foreign_patient_looks_like_a_missing_one(as_user, clinic):
    foreign = PatientFactory()
    person = as_user(clinic.practitioner)
    refused = person.refusal("get_patient_demographics", patient_id=foreign.pk)
    assert refused == f"No patient {foreign.pk} that you can see."
    assert person.refusal("get_patient_demographics", patient_id=999) == refused.replace(str(foreign.pk), "999")


def test_two_thousand_patients_come_in_short_pages_that_leave_nobody_out(as_user, clinic, crowd):
    person = as_user(clinic.practitioner)
    for tool in OF_A_STUDY:
        pages = list(person.pages(tool, study_id=clinic.study.pk))
        assert ids(*pages) == crowd
        assert {page["total"] for page in pages} == {2_000}
        assert [page["truncated"] for page in pages] == [True] * (len(pages) - 1) + [False]


def test_long_names_make_shorter_pages_that_still_leave_nobody_out(as_user, clinic):
    everybody = [clinic.patient(name_given="G" * 255, name_family="F" * 255).pk for _ in range(45)]
    pages = list(as_user(clinic.practitioner).pages("list_study_patients", study_id=clinic.study.pk))
    assert len(pages) > 1
    assert ids(*pages) == everybody


def test_somebody_who_joins_or_leaves_between_two_pages_moves_nobody_else(as_user, clinic):
    everybody = [clinic.patient().pk for _ in range(60)]
    person = as_user(clinic.practitioner)
    first = person.answer("list_study_patients", study_id=clinic.study.pk)
    StudyPatient.objects.get(patient=everybody[10]).delete()
    late = clinic.patient().pk
    second = person.answer("list_study_patients", study_id=clinic.study.pk, cursor=first["next_cursor"])
    assert ids(first, second) == [*everybody, late]


def test_a_membership_that_ends_between_two_pages_ends_the_reading(as_user, clinic):
    for _ in range(51):
        clinic.patient()
    person = as_user(clinic.practitioner)
    cursor = person.answer("list_study_patients", study_id=clinic.study.pk)["next_cursor"]
    clinic.practitioner.practitioner.memberships.all().delete()
    refused = person.refusal("list_study_patients", study_id=clinic.study.pk, cursor=cursor)
    assert refused == f"No study {clinic.study.pk} that you can see."
    assert person.answer("search_patients")["total"] == 0


SEARCHES = [
    ({}, {"Ana", "Ben"}),
    ({"name": "ana maría"}, {"Ana"}),
    ({"name": "lópez, ANA"}, {"Ana"}),
    ({"name": "ana ben"}, set()),
    ({"family": "maría"}, set()),
    ({"family": "o'neil"}, {"Ben"}),
    ({"given": "MARÍA"}, {"Ana"}),
    ({"given": "b%n"}, set()),
    ({"family": "_"}, set()),
    ({"family": "\\"}, set()),
    ({"birthdate": "1971-03-09"}, {"Ben"}),
    ({"birthdate": "1971-03-10"}, set()),
    ({"birthdate": "0001-01-01"}, set()),
    ({"birthdate": "9999-12-31"}, set()),
    ({"identifier": "MRN-7"}, {"Ben"}),
    ({"identifier": "https://hospital.test|MRN-7"}, {"Ben"}),
    ({"identifier": "https://elsewhere.test|MRN-7"}, set()),
    ({"identifier": "MRN"}, set()),
    ({"name": "ben", "birthdate": "1971-03-09", "identifier": "MRN-7"}, {"Ben"}),
]


def test_patients_are_found_by_name_birth_date_and_identifier(as_user, clinic):
    clinic.patient(name_given="Ana María", name_family="López", birth_date=None)
    ben = clinic.patient(name_given="Ben", name_family="O'Neil", birth_date=date(1971, 3, 9))
    PatientIdentifierFactory(patient=ben, system="https://hospital.test", value="MRN-7")
    PatientFactory(name_given="Ana María", name_family="López")  # of nobody who asks
    person = as_user(clinic.practitioner)
    for arguments, found in SEARCHES:
        page = person.answer("search_patients", **arguments)
        assert {patient["name"].split()[0] for patient in page["patients"]} == found, arguments
        assert page["total"] == len(found)


def test_one_patient_is_described(as_user, clinic):
    today = timezone.now().date()
    born = date(today.year - 40, 1, 1)
    ben = clinic.patient(name_given="Ben", name_family="O'Neil", birth_date=born, gender="male")
    page = as_user(clinic.practitioner).answer("get_patient_demographics", patient_id=ben.pk)
    assert page["patients"] == [
        {
            "patient_id": ben.pk,
            "name": "Ben O'Neil",
            "birth_date": born.isoformat(),
            "age": 40,
            "gender": "male",
        }
    ]


def test_a_studys_people_are_summed_up_on_every_page(as_user, clinic, crowd):
    clinic.patient(birth_date=None, gender="unknown")
    ages = [timezone.now().year - born.year for born in Patient.objects.values_list("birth_date", flat=True) if born]
    pages = list(as_user(clinic.practitioner).pages("get_patient_demographics", study_id=clinic.study.pk))
    for page in pages:
        assert page["gender"] == {"female": 2_000, "male": 0, "other": 0, "unknown": 1}
        assert page["age"]["n"] == 2_000
        assert page["age"]["mean"] == pytest.approx(statistics.mean(ages), abs=0.05)
        assert page["age"]["sd"] == pytest.approx(statistics.stdev(ages), abs=0.05)
        assert page["age"]["median"] == statistics.median(ages)
        assert (page["age"]["min"], page["age"]["max"]) == (min(ages), max(ages))
    assert len(list(chain.from_iterable(page["patients"] for page in pages))) == 2_001


def test_a_study_without_patients_has_no_statistics_but_an_answer(as_user, clinic):
    page = as_user(UserFactory(is_superuser=True)).answer("get_patient_demographics", study_id=clinic.study.pk)
    assert (page["total"], page["age"]["n"], page["age"]["mean"]) == (0, 0, None)


def test_demographics_are_of_a_patient_or_of_a_study(as_user, clinic):
    person = as_user(clinic.practitioner)
    for arguments in ({}, {"patient_id": clinic.patient().pk, "study_id": clinic.study.pk}):
        refused = person.refusal("get_patient_demographics", **arguments)
        assert refused == "give either patient_id or study_id."
