"""Enrolling, answering, registering, joining: each all or nothing, remembered, and repeatable."""

from datetime import UTC, datetime
from threading import Thread

import pytest
from django.db import IntegrityError, connection, transaction

from core.actions.consents import record_consents
from core.actions.enrolment import enrol, withdraw_from_study
from core.actions.organizations import add_member
from core.actions.patients import register_patient
from core.models import (
    AuditEvent,
    ConsentHistory,
    Patient,
    PatientOrganization,
    PractitionerOrganization,
    Study,
    StudyPatient,
    StudyPatientScopeConsent,
)
from core.policy.errors import InvalidInput
from core.policy.principal import Principal, UserType
from tests.factories import (
    CodeFactory,
    ConsentFactory,
    EnrolmentFactory,
    MembershipFactory,
    ObservationFactory,
    OrganizationFactory,
    PatientFactory,
    PatientIdentifierFactory,
    StudyFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db

MEGAN = Principal(user_id=10003, user_type=UserType.PRACTITIONER, client_id="console", token_key="key")


@pytest.fixture
def study() -> Study:
    return StudyFactory(scopes=[CodeFactory(), CodeFactory()])


@pytest.fixture
def patient(study: Study) -> Patient:
    return PatientFactory(organizations=[study.organization])


def trail() -> list[tuple[str, str]]:
    return list(AuditEvent.objects.order_by("pk").values_list("door", "action"))


def test_enrolling_again_changes_nothing(study: Study, patient: Patient) -> None:
    assert enrol(actor=MEGAN, door="rest", patient=patient, study=study) is True
    assert enrol(actor=MEGAN, door="rest", patient=patient, study=study) is False
    assert StudyPatient.objects.count() == 1


def test_enrolling_says_who_and_whom_in_the_audit_trail(study: Study, patient: Patient) -> None:
    enrol(actor=MEGAN, door="rest", patient=patient, study=study)
    event = AuditEvent.objects.get()
    assert (event.door, event.action, event.outcome) == ("rest", "enrol", "success")
    assert (event.user_id, event.client_id, event.token_key) == (10003, "console", "key")
    assert (event.study_id, event.patient_ids) == (study.pk, [patient.pk])


def test_a_patient_of_another_organization_is_not_enrolled(study: Study) -> None:
    with pytest.raises(InvalidInput, match="does not belong to organization"):
        enrol(actor=MEGAN, door="rest", patient=PatientFactory(), study=study)
    assert not StudyPatient.objects.exists()
    assert trail() == []


def test_withdrawing_ends_the_answers_and_keeps_history_and_data() -> None:
    given = ConsentFactory()
    ObservationFactory(patient=given.patient, code=given.code)
    assert withdraw_from_study(actor=MEGAN, door="rest", patient=given.patient, study=given.study) is True
    assert withdraw_from_study(actor=MEGAN, door="rest", patient=given.patient, study=given.study) is False
    assert not StudyPatientScopeConsent.objects.exists()
    assert list(ConsentHistory.objects.values_list("after", "user_id")) == [(True, None), (None, 10003)]
    assert given.patient.observations.count() == 1
    assert trail() == [("rest", "withdraw_from_study")] * 2


def test_answers_are_recorded_and_an_unchanged_one_keeps_its_time(study: Study, patient: Patient) -> None:
    first, second = study.scopes.values_list("pk", flat=True)
    EnrolmentFactory(study=study, patient=patient)

    def answer(hour: int, answers: dict[int, bool]) -> int:
        return record_consents(
            actor=MEGAN,
            door="rest",
            patient=patient,
            study=study,
            answers=answers,
            consented_time=datetime(2026, 9, 1, hour, tzinfo=UTC),
        )

    assert answer(1, {first: True, second: True}) == 2
    assert answer(2, {first: True, second: False}) == 1
    assert answer(3, {first: True, second: False}) == 0
    assert [(c.code_id, c.consented, c.consented_time.hour) for c in StudyPatientScopeConsent.objects.all()] == [
        (first, True, 1),
        (second, False, 2),
    ]
    assert ConsentHistory.objects.count() == 3
    assert trail() == [("rest", "record_consents")] * 3


def test_one_wrong_scope_refuses_all_answers(study: Study, patient: Patient) -> None:
    EnrolmentFactory(study=study, patient=patient)
    answers = dict.fromkeys([*study.scopes.values_list("pk", flat=True), CodeFactory().pk], True)
    with pytest.raises(InvalidInput, match="does not request scope"):
        record_consents(actor=MEGAN, door="rest", patient=patient, study=study, answers=answers)
    assert not StudyPatientScopeConsent.objects.exists()
    assert trail() == []


def test_who_is_not_enrolled_gives_no_answer(study: Study, patient: Patient) -> None:
    with pytest.raises(InvalidInput, match="is not enrolled"):
        record_consents(actor=MEGAN, door="rest", patient=patient, study=study, answers={})


@pytest.mark.django_db(transaction=True)
def test_answers_sent_at_once_leave_one_row_for_each_scope() -> None:
    code = CodeFactory()
    study = StudyFactory(scopes=[code])
    patient = EnrolmentFactory(study=study).patient

    def answer(consented: bool) -> None:
        try:
            record_consents(actor=None, door="rest", patient=patient, study=study, answers={code.pk: consented})
        finally:
            connection.close()

    threads = [Thread(target=answer, args=[number % 2 == 0]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answers = list(ConsentHistory.objects.values_list("before", "after"))
    assert StudyPatientScopeConsent.objects.get().consented is answers[-1][1]
    # Each change began where the one before had ended.
    assert [before for before, _ in answers] == [None, *(after for _, after in answers[:-1])]


def test_a_patient_is_registered_with_organizations_and_identifiers() -> None:
    first, second = OrganizationFactory(), OrganizationFactory()
    patient = register_patient(
        actor=MEGAN,
        door="rest",
        organizations=[first, second],
        name_given="Given",
        name_family="Family",
        identifiers=[("https://test.invalid/ids", "1")],
    )
    assert list(patient.organizations.all()) == [first, second]
    assert patient.identifiers.get().value == "1"
    assert trail() == [("rest", "register_patient")]


def test_a_patient_with_anothers_identifier_is_not_registered_at_all() -> None:
    taken = PatientIdentifierFactory()
    with pytest.raises(IntegrityError, match="patient_identifier_unique"), transaction.atomic():
        register_patient(
            actor=MEGAN,
            door="rest",
            organizations=[OrganizationFactory()],
            name_given="Given",
            name_family="Family",
            identifiers=[(taken.system, taken.value)],
        )
    assert Patient.objects.get() == taken.patient
    assert not PatientOrganization.objects.exists()
    assert trail() == []


def test_a_user_becomes_a_practitioner_with_their_first_membership() -> None:
    user, organization = UserFactory(first_name="Given", last_name="Family"), OrganizationFactory()
    membership = add_member(user=user, organization=organization, role="member")
    assert str(membership.practitioner) == "Given Family"
    assert membership.role == "member"


def test_adding_a_member_again_gives_them_the_new_role() -> None:
    membership = MembershipFactory(role="viewer")
    user = membership.practitioner.user
    add_member(user=user, organization=membership.organization, role="manager")
    assert PractitionerOrganization.objects.get().role == "manager"
