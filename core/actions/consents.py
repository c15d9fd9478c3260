"""A patient's answers to what studies ask for."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from django.utils import timezone

from core.actions.acting import acting, record_write
from core.models import Patient, Study, StudyPatient, StudyPatientScopeConsent, StudyScopeRequest
from core.policy.errors import InvalidInput
from core.policy.principal import Principal


def record_consents(
    *,
    actor: Principal | None,
    patient: Patient,
    study: Study,
    answers: Mapping[int, bool],
    door: str,
    consented_time: datetime | None = None,
    how: str = "",
) -> int:
    """Record yes or no to some of a study's scopes; returns how many answers changed.

    `answers` maps the id of a CodeableConcept to the answer. The same answer again changes nothing, its time neither.
    `consented_time` is when the patient said so, `how` by what means ("paper form"): the history keeps both.
    The caller has fetched `patient` with CONSENT_WRITE. Raises InvalidInput, and then nothing is recorded.
    """
    return record_answers(
        actor=actor, door=door, patient=patient, answers={study.pk: answers}, consented_time=consented_time, how=how
    )


def record_answers(
    *,
    actor: Principal | None,
    door: str,
    patient: Patient,
    answers: Mapping[int, Mapping[int, bool]],
    consented_time: datetime | None = None,
    how: str = "",
) -> int:
    """As `record_consents`, for several studies at once, by their ids: all of it or nothing."""
    with _answering(actor, door, how, "record_consents", patient, answers):
        return sum(
            _record(patient, study_id, answers[study_id], consented_time or timezone.now())
            for study_id in sorted(answers)
        )


def take_back_answers(
    *, actor: Principal | None, door: str, patient: Patient, scopes: Mapping[int, Collection[int]], how: str = ""
) -> int:
    """Make answers unanswered again, which ends consent as a no does; returns how many there were.

    `scopes` maps the id of a study to those of CodeableConcepts. Otherwise as `record_consents`.
    """
    with _answering(actor, door, how, "take_back_consents", patient, scopes):
        return sum(_take_back(patient, study_id, scopes[study_id]) for study_id in sorted(scopes))


@contextmanager
def _answering(
    actor: Principal | None, door: str, how: str, action: str, patient: Patient, study_ids: Collection[int]
) -> Iterator[None]:
    with acting(actor, door=door, how=how):
        yield
        only = next(iter(study_ids)) if len(study_ids) == 1 else None
        record_write(actor, door=door, action=action, study_id=only, patient_ids=[patient.pk])


def _record(patient: Patient, study_id: int, answers: Mapping[int, bool], consented_time: datetime) -> int:
    _check_can_answer(patient, study_id, answers)
    given = StudyPatientScopeConsent.objects.filter(study_id=study_id, patient=patient)
    current = dict(given.values_list("code_id", "consented"))
    changed = [
        StudyPatientScopeConsent(
            study_id=study_id, patient=patient, code_id=code_id, consented=consented, consented_time=consented_time
        )
        for code_id, consented in sorted(answers.items())
        if current.get(code_id) is not consented
    ]
    StudyPatientScopeConsent.objects.bulk_create(
        changed,
        update_conflicts=True,
        unique_fields=["study", "patient", "code"],
        update_fields=["consented", "consented_time"],
    )
    return len(changed)


def _take_back(patient: Patient, study_id: int, scopes: Collection[int]) -> int:
    _check_can_answer(patient, study_id, scopes)
    given = StudyPatientScopeConsent.objects.filter(study_id=study_id, patient=patient, code_id__in=scopes)
    deleted, _ = given.delete()
    return deleted


def _check_can_answer(patient: Patient, study_id: int, scopes: Collection[int]) -> None:
    # The lock lets one answer at a time, and none while the enrolment is being ended.
    if not StudyPatient.objects.select_for_update().filter(study_id=study_id, patient=patient).exists():
        raise InvalidInput(f"Patient {patient.pk} is not enrolled in study {study_id}: enrol the patient first.")
    requested = set(StudyScopeRequest.objects.filter(study_id=study_id).values_list("code_id", flat=True))
    if unrequested := sorted(set(scopes) - requested):
        raise InvalidInput(f"Study {study_id} does not request scope {unrequested[0]}: ask only for what it does.")


def record_end_of_scopes(*, actor: Principal | None, scope_request_ids: Iterable[int], door: str) -> None:
    """The audit rows of taking scopes from studies, in the transaction that then does: whose consents end with each."""
    # Nobody consents to a locked request before it is gone.
    for request in StudyScopeRequest.objects.select_for_update().filter(pk__in=scope_request_ids).order_by("pk"):
        consents = StudyPatientScopeConsent.objects.filter(study_id=request.study_id, code_id=request.code_id)
        if patient_ids := sorted(consents.values_list("patient_id", flat=True)):
            record_write(actor, door=door, action="end_scope", study_id=request.study_id, patient_ids=patient_ids)
