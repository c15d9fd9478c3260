"""A consent exists only where it may, and every change of it is remembered for good."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction

from core.actions.acting import acting
from core.models import ConsentHistory, Study, StudyPatient, StudyPatientScopeConsent, StudyScopeRequest
from core.policy.principal import Principal, UserType
from tests.factories import CodeFactory, ConsentFactory, EnrolmentFactory, PatientFactory, StudyFactory

pytestmark = pytest.mark.django_db

SOMEBODY = Principal(user_id=10002, user_type=UserType.PRACTITIONER, client_id="an-app")


def history() -> list[tuple[bool | None, bool | None]]:
    return list(ConsentHistory.objects.values_list("before", "after"))


def test_consent_needs_an_enrolled_patient() -> None:
    code = CodeFactory()
    study = StudyFactory(scopes=[code])
    with pytest.raises(IntegrityError, match="consent_of_an_enrolled_patient"), transaction.atomic():
        StudyPatientScopeConsent.objects.create(study=study, patient=PatientFactory(), code=code, consented=True)


def test_enrolment_in_another_study_is_not_enough() -> None:
    code = CodeFactory()
    patient = EnrolmentFactory(study=StudyFactory(scopes=[code])).patient
    with pytest.raises(IntegrityError, match="consent_of_an_enrolled_patient"), transaction.atomic():
        StudyPatientScopeConsent.objects.create(
            study=StudyFactory(scopes=[code]), patient=patient, code=code, consented=True
        )


def test_consent_needs_a_requested_scope() -> None:
    enrolment = EnrolmentFactory(study=StudyFactory(scopes=[CodeFactory()]))
    with pytest.raises(IntegrityError, match="consent_to_a_requested_scope"), transaction.atomic():
        StudyPatientScopeConsent.objects.create(
            study=enrolment.study, patient=enrolment.patient, code=CodeFactory(), consented=True
        )


def test_there_is_one_answer_to_one_question() -> None:
    given = ConsentFactory()
    with pytest.raises(IntegrityError, match="consent_once"), transaction.atomic():
        ConsentFactory(study=given.study, patient=given.patient, code=given.code, consented=False)


@pytest.mark.parametrize("column", ["study", "patient", "code"])
def test_an_answer_moves_to_no_other_study_patient_or_scope(column: str) -> None:
    given, other = ConsentFactory(), ConsentFactory()
    EnrolmentFactory(study=given.study, patient=other.patient)
    EnrolmentFactory(study=other.study, patient=given.patient)
    StudyScopeRequest.objects.create(study=given.study, code=other.code)
    StudyScopeRequest.objects.create(study=other.study, code=given.code)
    with pytest.raises(IntegrityError, match="delete it and record another"), transaction.atomic():
        StudyPatientScopeConsent.objects.filter(pk=given.pk).update(**{column: getattr(other, column)})


def test_giving_changing_and_deleting_are_remembered_with_when() -> None:
    before = datetime.now(UTC)
    given = ConsentFactory()
    StudyPatientScopeConsent.objects.update(consented=False)
    given.delete()
    assert history() == [(None, True), (True, False), (False, None)]
    for row in ConsentHistory.objects.all():
        assert before - timedelta(seconds=5) < row.recorded < datetime.now(UTC) + timedelta(seconds=5)
        assert (row.study_id, row.patient_id, row.code_id) == (given.study_id, given.patient_id, given.code_id)


def test_the_same_answer_again_is_no_change() -> None:
    ConsentFactory()
    StudyPatientScopeConsent.objects.update(consented=True)
    assert history() == [(None, True)]


def test_changes_by_sql_are_remembered_too_by_nobody_in_particular() -> None:
    ConsentFactory()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE core_studypatientscopeconsent SET consented = false")
        cursor.execute("DELETE FROM core_studypatientscopeconsent")
    assert history() == [(None, True), (True, False), (False, None)]
    assert set(ConsentHistory.objects.values_list("user_id", "client_id", "method")) == {(None, "", "")}


def test_history_says_who_by_which_client_and_how() -> None:
    with acting(SOMEBODY, door="rest"):
        ConsentFactory()
    assert ConsentHistory.objects.values_list("user_id", "client_id", "method").get() == (10002, "an-app", "rest")


def test_history_says_by_what_means_and_when_the_patient_answered() -> None:
    on_paper = datetime(2026, 9, 1, tzinfo=UTC)
    with acting(SOMEBODY, door="rest", how="paper form"):
        given = ConsentFactory(consented_time=on_paper)
    given.delete()
    assert list(ConsentHistory.objects.values_list("method", "consented_time")) == [
        ("rest: paper form", on_paper),
        ("", None),
    ]


def test_what_is_done_afterwards_is_not_said_to_be_theirs() -> None:
    with acting(SOMEBODY, door="rest"):
        with acting(None, door="command"):
            ConsentFactory()
        ConsentFactory()
    ConsentFactory()
    doers = ConsentHistory.objects.values_list("user_id", "method")
    assert list(doers) == [(None, "command"), (10002, "rest"), (None, "")]


def test_what_failed_leaves_neither_history_nor_name() -> None:
    def fail() -> None:
        with acting(SOMEBODY, door="rest"):
            ConsentFactory()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    ConsentFactory()
    assert ConsentHistory.objects.values_list("user_id", "method").get() == (None, "")


def test_leaving_a_study_ends_the_answers_and_keeps_their_history() -> None:
    given = ConsentFactory()
    other = ConsentFactory(patient=given.patient)
    StudyPatient.objects.get(study=given.study).delete()
    assert StudyPatientScopeConsent.objects.get() == other
    assert history() == [(None, True), (None, True), (True, None)]


def test_a_scope_no_longer_requested_ends_the_answers_to_it() -> None:
    given = ConsentFactory()
    StudyScopeRequest.objects.all().delete()
    assert not StudyPatientScopeConsent.objects.exists()
    assert history() == [(None, True), (True, None)]
    assert Study.objects.filter(pk=given.study_id).exists()


def test_the_history_outlives_patient_and_study() -> None:
    given = ConsentFactory()
    patient, study = given.patient, given.study
    study.delete()
    patient.delete()
    assert history() == [(None, True), (True, None)]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE core_consenthistory SET user_id = 1",
        "DELETE FROM core_consenthistory",
        "TRUNCATE core_consenthistory",
    ],
)
def test_nobody_changes_the_history(change: str) -> None:
    ConsentFactory()
    with (
        pytest.raises(ProgrammingError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(change)
    assert history() == [(None, True)]
