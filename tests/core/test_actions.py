"""Enrolling, answering, registering, joining: each all or nothing, remembered, and repeatable."""

from datetime import UTC, date, datetime
from threading import Thread
from typing import Any

import pytest
from django.db import connection, transaction

from core.actions.consents import record_answers, record_consents, take_back_answers
from core.actions.enrolment import enrol, withdraw_from_study
from core.actions.organizations import add_member
from core.actions.patients import (
    add_to_organization,
    delete_patient,
    find_or_register_patient,
    register_patient,
    remove_from_organization,
    update_patient,
)
from core.models import (
    AuditEvent,
    ConsentHistory,
    Organization,
    Patient,
    PatientOrganization,
    PractitionerOrganization,
    Study,
    StudyPatient,
    StudyPatientScopeConsent,
)
from core.policy.errors import Conflict, InvalidInput, PermissionDenied
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
    with pytest.raises(Conflict, match="another patient's") as refusal, transaction.atomic():
        register_patient(
            actor=MEGAN,
            door="rest",
            organizations=[OrganizationFactory()],
            name_given="Given",
            name_family="Family",
            identifiers=[(taken.system, taken.value)],
        )
    assert refusal.value.__suppress_context__, "the database's own sentence holds the identifier"
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


def test_answers_to_two_studies_are_all_recorded_or_none(study: Study, patient: Patient) -> None:
    EnrolmentFactory(study=study, patient=patient)
    other = EnrolmentFactory(patient=patient, study=StudyFactory(scopes=[CodeFactory()])).study
    first, second = study.scopes.values_list("pk", flat=True)
    third = other.scopes.get().pk
    with pytest.raises(InvalidInput, match="does not request scope"):
        record_answers(
            actor=MEGAN, door="rest", patient=patient, answers={study.pk: {first: True}, other.pk: {second: True}}
        )
    assert not StudyPatientScopeConsent.objects.exists()
    answers = {study.pk: {first: True, second: False}, other.pk: {third: True}}
    assert record_answers(actor=MEGAN, door="rest", patient=patient, answers=answers, how="by phone") == 3
    assert set(ConsentHistory.objects.values_list("user_id", "method")) == {(10003, "rest: by phone")}
    assert trail() == [("rest", "record_consents")]


def test_an_answer_taken_back_is_unanswered_and_remembered(study: Study, patient: Patient) -> None:
    EnrolmentFactory(study=study, patient=patient)
    first, second = study.scopes.values_list("pk", flat=True)
    record_consents(actor=MEGAN, door="rest", patient=patient, study=study, answers={first: True, second: True})
    assert take_back_answers(actor=MEGAN, door="rest", patient=patient, scopes={study.pk: [first]}) == 1
    assert take_back_answers(actor=MEGAN, door="rest", patient=patient, scopes={study.pk: [first]}) == 0
    assert StudyPatientScopeConsent.objects.get().code_id == second
    assert list(ConsentHistory.objects.values_list("after", flat=True)) == [True, True, None]


def manager_of(*organizations: Organization) -> Principal:
    user = UserFactory()
    for organization in organizations:
        add_member(user=user, organization=organization, role="manager")
    return Principal(user_id=user.pk, user_type=UserType.PRACTITIONER)


def find_or_register(actor: Principal, organization: Organization, **fields: Any) -> tuple[Patient, bool]:
    person = {"name_given": "Given", "name_family": "Family", "telecom_email": "Somebody@test.invalid"}
    return find_or_register_patient(actor=actor, door="rest", organizations=[organization], **{**person, **fields})


def test_a_patient_is_found_by_e_mail_and_keeps_their_own_data() -> None:
    first, second = OrganizationFactory(), OrganizationFactory()
    manager = manager_of(first, second)
    known, new = find_or_register(manager, first)
    assert new
    found, new = find_or_register(manager, second, telecom_email="SOMEBODY@TEST.INVALID", name_given="Another")
    assert (found, new) == (known, False)
    assert set(found.organizations.all()) == {first, second}
    assert Patient.objects.get().name_given == "Given"


def test_a_patient_of_others_and_an_account_are_not_found_by_e_mail() -> None:
    theirs, ours = OrganizationFactory(), OrganizationFactory()
    account = UserFactory(email="somebody@test.invalid", is_superuser=True)
    foreign, _ = find_or_register(manager_of(theirs), theirs)
    viewer = UserFactory()
    add_member(user=viewer, organization=theirs, role="viewer")
    add_member(user=viewer, organization=ours, role="member")
    patient, new = find_or_register(Principal(user_id=viewer.pk, user_type=UserType.PRACTITIONER), ours)
    assert new
    assert patient != foreign
    assert patient.user is None
    assert list(foreign.organizations.all()) == [theirs]
    assert not hasattr(account, "patient")


@pytest.mark.parametrize("other", [{"name_family": "Other"}, {"birth_date": date(1999, 1, 1)}])
def test_an_e_mail_of_somebody_else_is_a_conflict(other: dict[str, Any]) -> None:
    organization = OrganizationFactory()
    manager = manager_of(organization)
    known, _ = find_or_register(manager, organization, birth_date=date(1980, 1, 1))
    with pytest.raises(Conflict, match=f"Patient {known.pk} has this e-mail under another name"):
        find_or_register(manager, organization, **other)
    assert Patient.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_one_e_mail_registered_at_once_is_one_patient() -> None:
    organization = OrganizationFactory()
    manager = manager_of(organization)

    def register() -> None:
        try:
            find_or_register(manager, organization)
        finally:
            connection.close()

    threads = [Thread(target=register) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Patient.objects.count() == 1


def test_a_changed_patient_has_the_identifiers_that_were_sent() -> None:
    kept = PatientIdentifierFactory()
    dropped = PatientIdentifierFactory(patient=kept.patient)
    update_patient(
        actor=MEGAN,
        door="rest",
        patient=kept.patient,
        changes={"name_given": "New"},
        identifiers=[(kept.system, kept.value), (kept.system, "another")],
    )
    patient = Patient.objects.get()
    assert patient.name_given == "New"
    assert set(patient.identifiers.values_list("pk", "value")) >= {(kept.pk, kept.value)}
    assert dropped.value not in patient.identifiers.values_list("value", flat=True)
    assert trail() == [("rest", "update_patient")]


def test_a_patient_of_whom_nothing_is_recorded_can_be_deleted() -> None:
    organization = OrganizationFactory()
    patient = PatientFactory(organizations=[organization])
    delete_patient(actor=manager_of(organization), door="rest", patient=patient)
    assert not Patient.objects.exists()


@pytest.mark.parametrize("data", [ObservationFactory, ConsentFactory])
def test_a_patient_with_data_or_consent_history_is_kept(data: Any) -> None:
    patient = data().patient
    with pytest.raises(Conflict, match="has observations or a consent history"):
        delete_patient(actor=manager_of(*patient.organizations.all()), door="rest", patient=patient)
    assert Patient.objects.exists()


def test_a_patient_of_another_organization_too_is_not_deleted() -> None:
    ours = OrganizationFactory()
    patient = PatientFactory(organizations=[ours, OrganizationFactory()])
    with pytest.raises(PermissionDenied, match="not for you alone"):
        delete_patient(actor=manager_of(ours), door="rest", patient=patient)
    assert Patient.objects.exists()


def test_a_patient_leaves_an_organization_and_its_studies_but_not_the_last() -> None:
    given = ConsentFactory()
    patient, organization, other = given.patient, given.study.organization, OrganizationFactory()
    with pytest.raises(Conflict, match="belongs to no other organization"):
        remove_from_organization(actor=MEGAN, door="rest", patient=patient, organization=organization)
    add_to_organization(actor=MEGAN, door="rest", patient=patient, organization=other)
    remove_from_organization(actor=MEGAN, door="rest", patient=patient, organization=organization)
    assert list(patient.organizations.all()) == [other]
    assert not StudyPatient.objects.exists()
    assert ConsentHistory.objects.count() == 2
